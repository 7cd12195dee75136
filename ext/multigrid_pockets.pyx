"""Exact level of small isolated pockets of open voxels, which coarse levels mix with their surroundings."""

from libc.stdint cimport int64_t

from .multigrid cimport Level, at, put


cdef inline double around(float[:, :, :, ::1] a, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    """Sum over the six neighbours."""
    return ((<double> at(a, z, y, x - 1) + at(a, z, y, x + 1))
            + (<double> at(a, z, y - 1, x) + at(a, z, y + 1, x))
            + (<double> at(a, z - 1, y, x) + at(a, z + 1, y, x)))


def balance_pockets(Level level, const int64_t[::1] voxels, const int64_t[::1] starts):
    """Shift each pocket by one concentration so that its sources and losses balance.

    Parameters
    ----------
    level : the finest level, with its equations loaded.
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
            put(level.u, z, y, x, <float> (at(level.u, z, y, x) + at(level.w, z, y, x) * (excess / sink)))
