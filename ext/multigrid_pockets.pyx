"""Exact level of small isolated pockets of open voxels, which coarse levels mix with their surroundings."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from .lattice cimport Box, NOWHERE, face_neighbours
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
    voxels : int64, flat indices [z, y, x] of the voxels of all pockets, pocket after pocket.
    starts : int64, first place of each pocket in `voxels`, and the length of `voxels` at the end.
        A pocket is a whole connected component of the open voxels.
    field : float32 [z, y, x], where to put the solution in the pockets too, clipped at zero.
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
    cdef Box box = Box(<int32_t> level.nz, <int32_t> level.ny, <int32_t> level.nx)
    cdef Py_ssize_t i
    out = np.empty((voxels.shape[0], 7), np.int32)
    cdef int32_t[:, ::1] found = out
    for i in range(voxels.shape[0]):
        found[i, 0] = <int32_t> voxels[i]
        face_neighbours(box, found[i, 0], &found[i, 1])
    return np.unique(out[out != NOWHERE]).astype(np.int64)


cdef inline bint is_open(Level level, int64_t here) noexcept nogil:
    cdef int64_t plane = level.ny * level.nx
    return at(level.w, here // plane, here // level.nx % level.ny, here % level.nx) > 0


def flood(Level level, const int64_t[::1] seeds, Py_ssize_t limit):
    """The pockets of 2 ... `limit` open voxels that hold any of the seeds.

    Returns
    -------
    list of int64 arrays, the sorted voxels of each.
    """
    cdef Box box = Box(<int32_t> level.nz, <int32_t> level.ny, <int32_t> level.nx)
    cdef Py_ssize_t i
    cdef int k
    cdef int32_t near[6]
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
            face_neighbours(box, front.pop(), near)
            for k in range(6):
                if near[k] != NOWHERE and near[k] not in pocket and is_open(level, near[k]):
                    pocket.add(near[k])
                    front.append(near[k])
                    large = large or near[k] in beyond or len(pocket) > limit
        known |= pocket
        if large:
            beyond |= pocket
        elif len(pocket) > 1:
            pockets.append(np.array(sorted(pocket), np.int64))
    return pockets
