"""The sprouts of a state: their voxels, which way each leads to the blood, and their tips."""

from __future__ import annotations

import numpy as np

from marrowsim.state import State

VOXELS = {
    "voxel": np.int64,
    "parent": np.int64,
    "tree": np.int64,
    "laid": np.int32,
    "vessel": np.int64,
    "opens": np.int32,
    "joined": np.uint8,
}
TIPS = {"id": np.int64, "tree": np.int64, "root": np.int64, "behind": np.int64, "length": np.int32}
NONE = -1


class Sprouts:
    """Tables of the endothelium without flow, kept in `State.records`.

    A sprout with all its branches is a tree, numbered by the cell id of its first tip. Voxels that are not of
    a tree, such as those of a collapsed vessel, have the number -1.

    Attributes
    ----------
    state : State
        Its records `sprouts/<column>`, one row a voxel, sorted by `voxel`: `parent`, next voxel on the way to the
        blood; `tree`; `laid`, step; `vessel`, number of the vessel that it will be part of, or -1; `opens`, step in
        which that gets flow; `joined`, 1 where a circulating progenitor made it.
        `tips/<column>`, one row a tip, sorted by cell `id`: `tree`; `root`, lumen voxel that the tree springs from;
        `behind`, voxel that the tip comes from; `length`, voxels that it laid. `sprouts/helped`: trees that
        progenitors joined.
    """

    def __init__(self, state: State):
        self.state = state
        if "sprouts/voxel" not in state.records:
            for table, columns in (("sprouts", VOXELS), ("tips", TIPS)):
                for name, dtype in columns.items():
                    state.records[f"{table}/{name}"] = np.zeros(0, dtype)
            state.records["sprouts/helped"] = np.zeros(0, np.int64)

    def voxels(self, name: str) -> np.ndarray:
        """A column of the table of voxels."""
        return self.state.records[f"sprouts/{name}"]

    def tips(self, name: str) -> np.ndarray:
        """A column of the table of tips."""
        return self.state.records[f"tips/{name}"]

    def find(self, voxels: np.ndarray) -> np.ndarray:
        """Rows of these voxels in the table, -1 where they are not in it; of the shape of `voxels`."""
        known = self.voxels("voxel")
        if len(known) == 0:
            return np.full(np.shape(voxels), NONE)
        place = np.minimum(np.searchsorted(known, voxels), len(known) - 1)
        return np.where(known[place] == voxels, place, NONE)

    def lay(self, voxels: np.ndarray, parent, tree, *, joined: int = 0) -> None:
        """Enter voxels that became endothelium in this step, with their parents and trees."""
        new = {"parent": parent, "tree": tree, "laid": self.state.step, "vessel": NONE, "opens": NONE, "joined": joined}
        order = np.argsort(voxels)
        places = np.searchsorted(self.voxels("voxel"), voxels[order])
        for name, dtype in VOXELS.items():
            values = np.broadcast_to(new.get(name, voxels), voxels.shape)[order].astype(dtype)
            self.state.records[f"sprouts/{name}"] = np.insert(self.voxels(name), places, values)

    def drop(self, rows: np.ndarray) -> None:
        """Take these rows out of the table of voxels."""
        for name in VOXELS:
            self.state.records[f"sprouts/{name}"] = np.delete(self.voxels(name), rows)

    def add_tips(self, ids: np.ndarray, tree, root, behind) -> None:
        """Enter tips; their ids are larger than all before."""
        new = {"id": ids, "tree": tree, "root": root, "behind": behind, "length": 0}
        for name, dtype in TIPS.items():
            values = np.broadcast_to(new[name], ids.shape).astype(dtype)
            self.state.records[f"tips/{name}"] = np.concatenate([self.tips(name), values])

    def drop_tips(self, rows: np.ndarray) -> None:
        """Take these rows out of the table of tips."""
        for name in TIPS:
            self.state.records[f"tips/{name}"] = np.delete(self.tips(name), rows)

    def help(self, trees: np.ndarray) -> None:
        """Remember that progenitors joined these trees; forget trees of which nothing is left."""
        alive = np.concatenate([self.voxels("tree"), self.tips("tree")])
        helped = np.union1d(self.voxels("helped"), trees)
        self.state.records["sprouts/helped"] = helped[np.isin(helped, alive) & (helped >= 0)]

    def path(self, voxel: int) -> tuple[list[int], int]:
        """Voxels of the table from this one on towards the blood, and the voxel at which they end."""
        known, parent = self.voxels("voxel"), self.voxels("parent")
        path: list[int] = []
        while len(path) <= len(known):
            place = int(np.searchsorted(known, voxel))
            if place == len(known) or known[place] != voxel:
                break
            path.append(voxel)
            voxel = int(parent[place])
        return path, voxel

    def attached(self, path: np.ndarray) -> np.ndarray:
        """The voxels of a path, and those that progenitors added to its sides: rows of the table."""
        taken = np.isin(self.voxels("voxel"), path)
        while True:
            members = self.voxels("voxel")[taken]
            more = (self.voxels("joined") == 1) & ~taken & np.isin(self.voxels("parent"), members)
            if not more.any():
                return np.flatnonzero(taken)
            taken |= more
