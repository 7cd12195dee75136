"""The ways of chosen cells through the frames of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from marrowsim.errors import Fault, RenderError

# Longest way (um) between two frames that is drawn as a line. A cell that is farther off has gone by the blood in
# between, and a straight line through the bone would tell what did not happen.
LONGEST_STEP = 150.0

COLUMNS = ["id", "time", "type", "status", "x", "y", "z"]


def tracks_of(frames: Iterable, ids: Sequence[int]) -> pd.DataFrame:
    """Where cells were in each frame, by their persistent ids.

    Parameters
    ----------
    frames : frames of one run, oldest first.
    ids : ids of cells.

    Returns
    -------
    One row a cell and frame, sorted by id and time: `id`, `time` (min), `type`, `status`, `x`, `y`, `z` (um, NaN in
    the blood).

    Raises
    ------
    RenderError : where a cell is in none of the frames.
    """
    parts = []
    for frame in frames:
        rows = frame.cells[frame.cells["id"].isin(ids)]
        part = rows[[name for name in COLUMNS if name != "time"]].assign(
            time=float(frame.time), type=rows["type"].astype(str), status=rows["status"].astype(str)
        )
        parts.append(part[COLUMNS])
    table = pd.concat(parts) if parts else pd.DataFrame(columns=COLUMNS)
    missing = sorted(set(ids).difference(table["id"].unique()))
    if missing:
        given = ", ".join(map(str, missing))
        raise RenderError(
            Fault("no frame has a cell of that id", given=given, remedy="take an id of the cell table of a frame")
        )
    return table.sort_values(["id", "time"], kind="stable").reset_index(drop=True)


def paths(table: pd.DataFrame, until: float) -> list[tuple[int, str, np.ndarray]]:
    """Id, type and points (n, 3) in um of every stretch up to a time (min) that a cell went without leaving the tissue.

    The table is that of `tracks_of`. A cell that passed through the blood has a stretch before and one after it, and so
    has one that is more than `LONGEST_STEP` from where it was a frame ago.
    """
    found = []
    for name, rows in table[table["time"] <= until].groupby("id", sort=True):
        points = rows[["x", "y", "z"]].to_numpy(float)
        inside = np.isfinite(points).all(1)
        ends = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]])))
        for first, last in ends.reshape(-1, 2):
            stretch = points[first:last]
            jumps = np.flatnonzero(np.linalg.norm(np.diff(stretch, axis=0), axis=1) > LONGEST_STEP) + 1
            found += [(int(name), str(rows["type"].iloc[0]), part) for part in np.split(stretch, jumps)]
    return found
