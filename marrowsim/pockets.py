"""Connected pockets of the voxels that are open to a substance."""

from __future__ import annotations

import numpy as np

from marrowsim._engine import multigrid_pockets
from marrowsim._engine.components import Components
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

    def find_all(self) -> None:
        """Find all pockets."""
        components = Components(self._level)
        size = components.size[components.root]
        runs = np.flatnonzero((size > 1) & (size <= SMALL_POCKET))
        runs = runs[np.argsort(components.root[runs], kind="stable")]
        self.voxels = components.voxels(runs)
        small = components.size[np.unique(components.root[runs])]
        self.starts = np.concatenate([[0], np.cumsum(small)]).astype(np.int64)

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


def sinkless_pockets(level: Level, source: np.ndarray, sinks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Voxels of the pockets that nothing can leave.

    Parameters
    ----------
    level : finest level of a hierarchy.
    source : float32 [z, y, x]
    sinks : float32 [z, y, x], loss coefficients; a voxel with any of them above 0 is a sink.

    Returns
    -------
    voxels : int64, flat indices of the voxels in pockets without a sink.
    witnesses : int64, flat index of one sink in each of the other pockets.

    Raises
    ------
    FieldError
        If no pocket has a sink, or a pocket has a source and no sink: there is no steady state.
    """
    components = Components(level)
    pockets = np.flatnonzero(components.size)
    witness = np.full(len(components.size), -1, np.int64)
    for sink in sinks:
        witness = np.maximum(witness, components.touched_by(sink))
    sinkless = witness[pockets] < 0
    fed = components.touched_by(source)[pockets] >= 0
    if sinkless.all() or (fed & sinkless).any():
        where = "anywhere" if sinkless.all() else "in a closed-off pocket that has a source"
        raise FieldError(
            Fault(
                f"there is no steady state: nothing takes the substance up {where}",
                allowed="decay or uptake above 0 somewhere in each pocket of open voxels with a source",
                given=f"{sinkless.sum()} of {len(pockets)} pockets without a sink",
                remedy="give the substance a decay, or solve for a time step",
            )
        )
    lost = np.isin(components.root, pockets[sinkless])
    return components.voxels(np.flatnonzero(lost)), witness[pockets[~sinkless]]
