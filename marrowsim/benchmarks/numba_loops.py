"""Loops as a user of numba would write them: an explicit diffusion step and a one-per-site automaton."""

from __future__ import annotations

import numba
import numpy as np

EMPTY = -1


@numba.njit
def explicit_step(old, keep, inflow, step, new):
    """One explicit Euler step of diffusion with decay: new = keep old + step (sum of neighbours) + inflow.

    Parameters
    ----------
    old, new : float32 [z, y, x] with a margin of one voxel; 0 in solid.
    keep : float32, 1 - step (open neighbours + kappa); 0 in solid.
    inflow : float32, source times step.
    step : float32, length of the step in units of h^2 / D.
    """
    depth, height, width = old.shape
    zero = np.float32(0)
    for z in range(1, depth - 1):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                kept = keep[z, y, x]
                around = (
                    old[z - 1, y, x] + old[z + 1, y, x] + old[z, y - 1, x]
                    + old[z, y + 1, x] + old[z, y, x - 1] + old[z, y, x + 1]
                )  # fmt: skip
                new[z, y, x] = kept * old[z, y, x] + (inflow[z, y, x] + step * around if kept != zero else zero)


@numba.njit
def seed_generator(seed):
    """Seed numba's own generator, which is apart from NumPy's."""
    np.random.seed(seed)  # noqa: NPY002  (numba has only this one without an argument)


@numba.njit
def automaton_step(sites, count, grid, order, neighbours, death, birth, move):  # noqa: PLR0912  (one loop, as written by hand)
    """One step of a one-per-site automaton: every agent, in shuffled order, dies, divides, hops or rests.

    Parameters
    ----------
    sites : int32, capacity. Voxel of each agent.
    count : agents.
    grid : int32 [z, y, x]. Agent in the voxel, or -1.
    order : int32, capacity. Work space.
    neighbours : int32, 6. Work space.
    death, birth, move : probabilities of a step; they exclude one another.

    Returns
    -------
    int, agents after the step.
    """
    depth, height, width = grid.shape
    cells = grid.reshape(-1)
    for i in range(count):
        order[i] = i
    for i in range(count - 1, 0, -1):
        j = np.random.randint(0, i + 1)  # noqa: NPY002
        order[i], order[j] = order[j], order[i]
    total = count
    for i in range(count):
        agent = order[i]
        site = sites[agent]
        draw = np.random.random()  # noqa: NPY002
        if draw < death:
            cells[site] = EMPTY
            sites[agent] = EMPTY
        elif draw < death + birth + move:
            z, y, x = site // (height * width), site // width % height, site % width
            free = 0
            for dz, dy, dx in ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)):
                if 0 <= z + dz < depth and 0 <= y + dy < height and 0 <= x + dx < width:
                    place = ((z + dz) * height + y + dy) * width + x + dx
                    if cells[place] == EMPTY:
                        neighbours[free] = place
                        free += 1
            if free == 0:
                continue
            place = neighbours[np.random.randint(0, free)]  # noqa: NPY002
            if draw < death + birth:
                sites[total] = place
                cells[place] = total
                total += 1
            else:
                cells[site] = EMPTY
                sites[agent] = place
                cells[place] = agent
    alive = 0
    for agent in range(total):
        if sites[agent] != EMPTY:
            sites[alive] = sites[agent]
            cells[sites[alive]] = alive
            alive += 1
    return alive
