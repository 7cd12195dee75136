"""Cells as points with values, as both formats of VTK hold them."""

from __future__ import annotations

import numpy as np

from marrowsim.storage.frames import Frame

POINT_UNITS = {"cxcr4": "1"}


def points_of(frame: Frame) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Cells of a frame that have a place, by id.

    Parameters
    ----------
    frame : Frame

    Returns
    -------
    coordinates : float32, shape (cells, 3)
        x, y, z of the voxel centres in um.
    values : dict of arrays, shape (cells,)
        `id`; `cell_type`, the code of the type plus 1 as in the lattice; `status`; `cxcr4`.
    """
    cells = frame.cells[frame.cells["x"].notna()]
    return cells[["x", "y", "z"]].to_numpy(dtype=np.float32), {
        "id": cells["id"].to_numpy(dtype=np.int64),
        "cell_type": (cells["type"].cat.codes.to_numpy() + 1).astype(np.uint8),
        "status": cells["status"].cat.codes.to_numpy().astype(np.uint8),
        "cxcr4": cells["cxcr4"].to_numpy(dtype=np.float32),
    }
