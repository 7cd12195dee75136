"""The field problem that solvers are compared on: 20 % solid, point-like sources, one decay length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marrowsim._engine import rng
from marrowsim.fieldsolver import FieldSolver

SEED = 1
STREAM = 64  # the first that the engine leaves to its users
SOLID = 0.2
SOURCES = 0.025
MOVED = 0.1
STRENGTH = 6.0
SPACING, DIFFUSIVITY = 10.0, 300.0
BATCH, MOST = 4, 64
STALLED = 0.7


@dataclass
class FieldProblem:
    """A discrete steady problem and its tight solution.

    Attributes
    ----------
    size : voxels along an edge.
    decay_length : sqrt(D / k) in voxels.
    relative : float32 [z, y, x]; 1 in open voxels, 0 in solid.
    source : float32 [z, y, x]; concentration per minute.
    old_source : the same, with a tenth of the sources one voxel elsewhere.
    reference, old_reference : float32 [z, y, x]; tight solutions for the two.
    cycles : cycles that the tight solution took.
    """

    size: int
    decay_length: float
    relative: np.ndarray
    source: np.ndarray
    old_source: np.ndarray
    reference: np.ndarray
    old_reference: np.ndarray
    cycles: int

    @classmethod
    def make(cls, size: int, decay_length: float) -> FieldProblem:
        """Draw the problem (the same for everyone) and solve it until the cycles change nothing more."""
        relative, source = _drawn(size)
        old_source = _moved(relative, source)
        solver = FieldSolver(relative, SPACING, DIFFUSIVITY)
        problem = cls(size, decay_length, relative, source, old_source, np.zeros_like(source), source, 0)
        problem.cycles = problem._solve_tightly(solver, problem.reference, source)
        problem.old_reference = problem.reference.copy()
        problem._solve_tightly(solver, problem.old_reference, old_source)
        return problem

    @property
    def decay(self) -> float:
        """First-order loss, 1/min."""
        return DIFFUSIVITY / (self.decay_length * SPACING) ** 2

    @property
    def kappa(self) -> float:
        """Loss in units of a face's conductance, 1 / decay length^2."""
        return 1.0 / self.decay_length**2

    @property
    def scale(self) -> float:
        """h^2 / D: a source times this is the right-hand side in units of a face's conductance, min."""
        return SPACING**2 / DIFFUSIVITY

    def error(self, field: np.ndarray) -> float:
        """Relative L2 distance of a field [z, y, x] from the tight solution."""
        return relative_error(field, self.reference)

    def _solve_tightly(self, solver: FieldSolver, field: np.ndarray, source: np.ndarray) -> int:
        """Cycles in batches until a batch brings the change per cycle down no further."""
        last = np.inf
        done, change = 0, np.inf
        while done < MOST and change <= STALLED * last:
            last = change
            change = solver.solve(field, source, self.decay, cycles=BATCH).update_norm
            done += BATCH
        return done


def relative_error(field: np.ndarray, reference: np.ndarray) -> float:
    """L2 norm of the difference over that of the reference, plane by plane in float64."""
    difference = norm = 0.0
    for plane, exact in zip(field, reference, strict=True):
        wide = exact.astype(np.float64)
        norm += float(np.vdot(wide, wide))
        wide -= plane
        difference += float(np.vdot(wide, wide))
    return (difference / norm) ** 0.5


def _drawn(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative diffusivity and source, drawn by plane: a plane's draws are small beside the lattice."""
    relative = np.empty((size,) * 3, np.float32)
    source = np.empty_like(relative)
    plane = np.arange(size * size)
    for z in range(size):
        draws = rng.uniform2(SEED, STREAM, 0, plane + z * size * size).reshape(size, size, 2)
        relative[z] = draws[..., 0] >= SOLID
        source[z] = relative[z] * np.float32(STRENGTH) * (draws[..., 1] < SOURCES / (1.0 - SOLID))
    return relative, source


def _moved(relative: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The source with a tenth of its voxels one face further, where that voxel is open and has no source."""
    size = len(source)
    sites = np.flatnonzero(source)
    draws = rng.uniform2(SEED, STREAM, 1, sites)
    place = np.stack(np.unravel_index(sites, source.shape), axis=1)
    direction = (6 * draws[:, 1]).astype(np.int64)
    place[np.arange(len(sites)), direction // 2] += 2 * (direction % 2) - 1
    inside = ((place >= 0) & (place < size)).all(axis=1)
    target = np.ravel_multi_index(np.clip(place, 0, size - 1).T, source.shape)
    movable = inside & (relative.ravel()[target] > 0) & (source.ravel()[target] == 0)
    first = np.zeros(len(sites), bool)
    first[np.unique(target, return_index=True)[1]] = True
    candidates = np.flatnonzero(movable & first)
    chosen = candidates[np.argsort(draws[candidates, 0])][: round(MOVED * len(sites))]
    moved = source.copy()
    moved.ravel()[sites[chosen]] = 0
    moved.ravel()[target[chosen]] = np.float32(STRENGTH)
    return moved
