"""The actors of a stage: kept by name, updated in place, made anew only where what they show changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pyvista as pv


class Props:
    """Actors in a plotter by name, with the meshes that they show and those that were made for earlier frames.

    Parameters
    ----------
    plotter : where they are.
    """

    def __init__(self, plotter: pv.Plotter):
        self.plotter = plotter
        self.actors: dict[str, Any] = {}
        self._shown: dict[str, pv.DataSet] = {}
        self._kept: dict[str, tuple[Any, Any]] = {}

    def keep(self, name: str, key, make: Callable):
        """What `make` returns, made anew only where the key is another than last time."""
        if name not in self._kept or self._kept[name][0] != key:
            self._kept[name] = (key, make())
        return self._kept[name][1]

    def put(self, name: str, mesh: pv.DataSet | None, **look):
        """Show a mesh as an actor, in place of what the actor showed; without points the actor goes.

        `look` are arguments of `pyvista.Plotter.add_mesh`, of the actor's first mesh.
        """
        if mesh is None or not mesh.n_points:
            self.drop(name)
            return None
        if name in self._shown:
            self._shown[name].shallow_copy(mesh)
        else:
            self._shown[name] = mesh.copy(deep=False)
            self.actors[name] = self.plotter.add_mesh(
                self._shown[name], name=name, reset_camera=False, render=False, show_scalar_bar=False, **look
            )
        return self.actors[name]

    def add(self, name: str, actor) -> None:
        """Show an actor of another kind, in place of the one of that name."""
        if self.actors.get(name) is not actor:
            self.drop(name)
            self.plotter.add_actor(actor, name=name, reset_camera=False, render=False)
            self.actors[name] = actor

    def drop(self, name: str) -> None:
        """Take an actor away, if there is one of that name."""
        if name in self.actors:
            self.plotter.remove_actor(self.actors.pop(name), reset_camera=False, render=False)
            self._shown.pop(name, None)

    def drop_others(self, prefix: str, wanted: Collection[str]) -> None:
        """Take away the actors whose name begins like that, but for those that are wanted."""
        for name in [name for name in self.actors if name.startswith(prefix) and name not in wanted]:
            self.drop(name)


def digest(mask: np.ndarray) -> bytes:
    """A digest of a mask of voxels, so that frames with the same tissue share its surface."""
    return hashlib.blake2b(np.packbits(mask).data, digest_size=16).digest()
