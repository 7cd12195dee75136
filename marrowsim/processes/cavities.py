"""Bone that is being resorbed and formed: mineral, cavities, and what cavities release."""

from __future__ import annotations

import numpy as np

from marrowsim import tissues
from marrowsim.state import State

MINERAL, DEPTH = "bone/mineral", "bone/depth"
COLUMNS = {"pit": np.int64, "since": np.int32, "ready": np.int32, "coupled": np.uint8}


class Cavities:
    """The mineral of a state, and the voxels of the marrow that were bone or are to be filled with it.

    Attributes
    ----------
    state : State
        Its records `bone/mineral`, float32, shape (nz, ny, nx): mineral content, 1 in whole bone, less in bone that is
        being resorbed (tissue BONE) and in cavities that are being filled (tissue MARROW until they are full);
        `bone/depth`, uint8, shape (nz, ny, nx): depth of a cavity in voxels, 0 outside cavities; and one row a cavity
        voxel, sorted: `bone/pit`, the voxel; `bone/since`, the step in which it became one, negative where that was
        before the run; `bone/ready`, the step from which osteoblasts come to it; `bone/coupled`, 1 where it will be
        filled.
    """

    def __init__(self, state: State):
        self.state = state
        if MINERAL not in state.records:
            state.records[MINERAL] = (state.tissue == tissues.BONE).astype(np.float32)
            state.records[DEPTH] = np.zeros(state.tissue.shape, np.uint8)
            for name, dtype in COLUMNS.items():
                state.records[f"bone/{name}"] = np.zeros(0, dtype)

    @property
    def mineral(self) -> np.ndarray:
        """Mineral content: float32, shape (nz, ny, nx)."""
        return self.state.records[MINERAL]

    @property
    def depth(self) -> np.ndarray:
        """Depth in voxels, 0 outside cavities: uint8, shape (nz, ny, nx)."""
        return self.state.records[DEPTH]

    def column(self, name: str) -> np.ndarray:
        """A column of the table of cavity voxels."""
        return self.state.records[f"bone/{name}"]

    def enter(self, voxels: np.ndarray, since: np.ndarray | int, ready: np.ndarray | int, coupled: np.ndarray) -> None:
        """Enter voxels that are cavities from now on; their depth is written already."""
        order = np.argsort(voxels)
        new = {"pit": voxels, "since": since, "ready": ready, "coupled": coupled}
        places = np.searchsorted(self.column("pit"), voxels[order])
        for name, dtype in COLUMNS.items():
            values = np.broadcast_to(new[name], voxels.shape)[order].astype(dtype)
            self.state.records[f"bone/{name}"] = np.insert(self.column(name), places, values)

    def leave(self, voxels: np.ndarray) -> None:
        """Take cavity voxels out of the table, because they are full or lost to a vessel."""
        rows = np.searchsorted(self.column("pit"), voxels)
        self.depth.reshape(-1)[voxels] = 0
        for name in COLUMNS:
            self.state.records[f"bone/{name}"] = np.delete(self.column(name), rows)

    def forget_lost(self) -> None:
        """Give up cavities that a vessel has grown into, with what had been laid down in them."""
        pits = self.column("pit")
        lost = pits[self.state.tissue.reshape(-1)[pits] != tissues.MARROW]
        if len(lost):
            self.mineral.reshape(-1)[lost] = 0.0
            self.leave(lost)

    def release(self, field: str, content: float, first: float, tail: float, share: float) -> None:
        """Set what the cavities release into a field: the content of a voxel of bone, at one rate for the time `first`
        after it was resorbed and at a share of that rate for the time `tail` from then on. A rate is the mean over the
        step that begins.

        Parameters
        ----------
        content : in the unit of the field.
        first, tail : minutes.
        """
        pits, dt = self.column("pit"), self.state.config.time.step
        age = (self.state.step - self.column("since")) * dt
        giving = (age < first + tail) & (content > 0)
        begin, end = (np.minimum(at, first) + share * np.clip(at - first, 0.0, tail) for at in (age, age + dt))
        rates = content * (end - begin) / ((first + share * tail) * dt)
        self.state.records[f"release/{field}/voxel"] = pits[giving]
        self.state.records[f"release/{field}/rate"] = rates[giving].astype(np.float32)
