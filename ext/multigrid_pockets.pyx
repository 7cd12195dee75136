"""Exact level of small isolated pockets of open voxels, which coarse levels mix with their surroundings."""

import numpy as np

from libc.stdint cimport int64_t

from .multigrid_levels cimport Level, at, put


cdef inline double around(float[:, :, :, ::1] a, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    """Sum over the six neighbours."""
    return ((<double> at(a, z, y, x - 1) + at(a, z, y, x + 1))
            + (<double> at(a, z, y - 1, x) + at(a, z, y + 1, x))
            + (<double> at(a, z - 1, y, x) + at(a, z + 1, y, x)))


def balance_pockets(Level level, const int64_t[::1] voxels, const int64_t[::1] starts, float[:, :, ::1] field=None):
    """Shift each pocket by one concentration so that its sources and losses balance.

    Parameters
    ----------
    level : the finest level, with its equations loaded.
    field : float32 [z, y, x], where to put the solution in the pockets too, clipped at zero.
    voxels : int64, flat indices [z, y, x] of the voxels of all pockets, pocket after pocket.
    starts : int64, first place of each pocket in `voxels`, and the length of `voxels` at the end.
        A pocket is a whole connected component of the open voxels.
    """
    cdef Py_ssize_t pocket, place, z, y, x
    cdef double w, excess, sink, faces
    for pocket in range(starts.shape[0] - 1):
        excess = sink = faces = 0.0
        for place in range(starts[pocket], starts[pocket + 1]):
            x = voxels[place] % level.nx
            y = voxels[place] // level.nx % level.ny
            z = voxels[place] // (level.nx * level.ny)
            w = at(level.w, z, y, x)
            excess += w * (at(level.s, z, y, x) + around(level.u, z, y, x) - <double> at(level.d, z, y, x)
                           * at(level.u, z, y, x))
            faces += w * around(level.w, z, y, x)
            sink += w * w * at(level.d, z, y, x) - w * around(level.w, z, y, x)
        if sink <= 1e-6 * faces:
            continue
        for place in range(starts[pocket], starts[pocket + 1]):
            x = voxels[place] % level.nx
            y = voxels[place] // level.nx % level.ny
            z = voxels[place] // (level.nx * level.ny)
            w = at(level.w, z, y, x)
            put(level.u, z, y, x, <float> (at(level.u, z, y, x) + w * (excess / sink)))
            if field is not None:
                field[z, y, x] = max(<float> 0.0, <float> (at(level.u, z, y, x) / w))


def with_neighbours(Level level, const int64_t[::1] voxels):
    """The voxels and their face neighbours, each once: sorted int64."""
    cdef Py_ssize_t i, n = 0
    cdef int64_t here
    out = np.empty(7 * voxels.shape[0], np.int64)
    cdef int64_t[::1] found = out
    for i in range(voxels.shape[0]):
        here = voxels[i]
        found[n] = here
        n += 1 + around_of(level, here, &found[n + 1])
    return np.unique(out[:n])


cdef Py_ssize_t around_of(Level level, int64_t here, int64_t* out) noexcept nogil:
    """Flat indices of the face neighbours of a voxel; returns how many there are."""
    cdef int64_t plane = level.ny * level.nx
    cdef int64_t x = here % level.nx
    cdef int64_t y = here // level.nx % level.ny
    cdef int64_t z = here // plane
    cdef Py_ssize_t n = 0
    if z > 0:
        out[n] = here - plane
        n = n + 1
    if z < level.nz - 1:
        out[n] = here + plane
        n = n + 1
    if y > 0:
        out[n] = here - level.nx
        n = n + 1
    if y < level.ny - 1:
        out[n] = here + level.nx
        n = n + 1
    if x > 0:
        out[n] = here - 1
        n = n + 1
    if x < level.nx - 1:
        out[n] = here + 1
        n = n + 1
    return n


cdef inline bint is_open(Level level, int64_t here) noexcept nogil:
    cdef int64_t plane = level.ny * level.nx
    return at(level.w, here // plane, here // level.nx % level.ny, here % level.nx) > 0


def flood(Level level, const int64_t[::1] seeds, Py_ssize_t limit):
    """The pockets of 2 ... `limit` open voxels that hold any of the seeds.

    Returns
    -------
    list of int64 arrays, the sorted voxels of each.
    """
    cdef Py_ssize_t i, k, n
    cdef int64_t around[6]
    known = set()      # voxels of pockets found, and of components beyond the limit
    beyond = set()
    pockets = []
    for i in range(seeds.shape[0]):
        if seeds[i] in known or not is_open(level, seeds[i]):
            continue
        pocket = {seeds[i]}
        front = [seeds[i]]
        large = False
        while front and not large:
            n = around_of(level, front.pop(), around)
            for k in range(n):
                if around[k] not in pocket and is_open(level, around[k]):
                    pocket.add(around[k])
                    front.append(around[k])
                    large = large or around[k] in beyond or len(pocket) > limit
        known |= pocket
        if large:
            beyond |= pocket
        elif len(pocket) > 1:
            pockets.append(np.array(sorted(pocket), np.int64))
    return pockets
