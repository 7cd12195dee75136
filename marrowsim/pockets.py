"""Connected pockets of the voxels that are open to a substance."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from marrowsim._engine import multigrid_pockets
from marrowsim._engine.multigrid_levels import Level
from marrowsim.errors import Fault, FieldError

# Larger pockets have coarse voxels of their own.
SMALL_POCKET = 512


class Pockets:
    """The isolated pockets of 2-512 open voxels, connected through faces, of the finest level of a hierarchy.

    Attributes
    ----------
    voxels : int64, flat indices, pocket after pocket.
    starts : int64, first place of each pocket in `voxels`, and the length of `voxels` at the end.
    """

    def __init__(self, level: Level):
        self._level = level
        self.voxels = np.zeros(0, np.int64)
        self.starts = np.zeros(1, np.int64)

    def find_all(self, is_open: np.ndarray) -> None:
        """Find all pockets of a mask (bool [z, y, x])."""
        labels = np.empty(is_open.shape, np.int32)
        ndimage.label(is_open, output=labels)
        labels = labels.ravel()
        sizes = np.bincount(labels)
        small = (sizes > 1) & (sizes <= SMALL_POCKET)
        small[0] = False
        voxels = np.flatnonzero(small[labels])
        voxels = voxels[np.argsort(labels[voxels], kind="stable")]
        self.voxels = voxels.astype(np.int64)
        self.starts = np.concatenate([[0], np.cumsum(sizes[small])]).astype(np.int64)

    def find_around(self, changed: np.ndarray) -> None:
        """Bring the pockets up to date after some voxels (flat indices) opened or closed."""
        if not changed.size:
            return
        seeds = multigrid_pockets.with_neighbours(self._level, changed)
        sizes = np.diff(self.starts)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        touched = np.zeros(len(sizes), bool)
        touched[owner[np.isin(self.voxels, seeds)]] = True
        found = multigrid_pockets.flood(self._level, seeds, SMALL_POCKET)
        parts = [self.voxels[~touched[owner]], *found]
        self.voxels = np.concatenate(parts)
        lengths = [*sizes[~touched], *(len(part) for part in found)]
        self.starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def sinkless_pockets(is_open: np.ndarray, source: np.ndarray, sinks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Voxels of the pockets that nothing can leave.

    Parameters
    ----------
    is_open : bool [z, y, x]
    source : float [z, y, x]
    sinks : flat arrays of loss coefficients; a voxel with any of them above 0 is a sink.

    Returns
    -------
    voxels : int64, flat indices of the voxels in pockets without a sink.
    witnesses : int64, flat index of one sink in each of the other pockets.

    Raises
    ------
    FieldError
        If no pocket has a sink, or a pocket has a source and no sink: there is no steady state.
    """
    labels, count = ndimage.label(is_open)
    labels = labels.ravel()
    is_sink = labels > 0
    is_sink &= sum(sinks) > 0 if sinks else False
    places = np.flatnonzero(is_sink)
    witness = np.full(count + 1, -1, np.int64)
    witness[labels[places]] = places
    sinkless = witness < 0
    sinkless[0] = False
    fed = np.zeros(count + 1, bool)
    fed[labels[source.ravel() > 0]] = True
    if sinkless[1:].all() or (fed & sinkless).any():
        where = "anywhere" if sinkless[1:].all() else "in a closed-off pocket that has a source"
        raise FieldError(
            Fault(
                f"there is no steady state: nothing takes the substance up {where}",
                allowed="decay or uptake above 0 somewhere in each pocket of open voxels with a source",
                given=f"{sinkless.sum()} of {count} pockets without a sink",
                remedy="give the substance a decay, or solve for a time step",
            )
        )
    return np.flatnonzero(sinkless[labels]), witness[witness >= 0]
