"""Open voxels and face conductances on all levels of a multigrid hierarchy."""

import numpy as np

from cython.parallel cimport prange
from libc.math cimport sqrtf
from libc.stdint cimport int64_t

from .multigrid_levels cimport Level, at, put, split_row


cdef inline bint is_between(float w) noexcept nogil:
    return w != 0 and w != 1


cdef Py_ssize_t open_plane(Level level, const float[:, :, ::1] relative, const unsigned char[:, :, ::1] codes,
                           const float* roots, Py_ssize_t z, float* line, unsigned char* changed) noexcept nogil:
    """Roots of the relative diffusivities of one plane; marks the rows that were not so before.

    Returns the number of voxels whose diffusivity is neither 0 nor 1.
    """
    cdef Py_ssize_t between = 0
    cdef Py_ssize_t y, x
    cdef int even
    for y in range(level.ny):
        even = (z + y) & 1
        for x in range(level.nx):
            line[x] = roots[codes[z, y, x]] if codes.shape[0] > 0 else sqrtf(relative[z, y, x])
            between = between + is_between(line[x])
            if line[x] != at(level.w, z, y, x):
                changed[y] = True
        if changed[y]:
            split_row(&level.w[even, z + 1, y + 1, 0], &level.w[1 - even, z + 1, y + 1, 0], line, level.nx)
    return between


cdef inline float face_x(Level level, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    """Conductance between a voxel and the next one along x."""
    return at(level.w, z, y, x) * at(level.w, z, y, x + 1) if level.finest else at(level.gx, z, y, x)


cdef inline float face_y(Level level, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    return at(level.w, z, y, x) * at(level.w, z, y + 1, x) if level.finest else at(level.gy, z, y, x)


cdef inline float face_z(Level level, Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    return at(level.w, z, y, x) * at(level.w, z + 1, y, x) if level.finest else at(level.gz, z, y, x)


cdef inline float joined(float inner_first, float face, float inner_last) noexcept nogil:
    """Conductance from the middle of one coarse voxel to that of the next, through one fine face.

    Half an inner face lies on either side of it; where there is none, it is taken to be like the face.
    """
    cdef float resistance
    if face <= 0:
        return 0
    resistance = 1 / face + 0.5 / (inner_first if inner_first > 0 else face)
    return 1 / (resistance + 0.5 / (inner_last if inner_last > 0 else face))


cdef void coarsen_row(Level fine, Level coarse, Py_ssize_t Z, Py_ssize_t Y) noexcept nogil:
    """Openness and face conductances of one coarse row."""
    cdef Py_ssize_t X, x, a, b
    cdef Py_ssize_t z = 2 * Z
    cdef Py_ssize_t y = 2 * Y
    cdef float gx, gy, gz
    cdef bint is_open
    for X in range(coarse.nx):
        x = 2 * X
        gx = gy = gz = 0.0
        is_open = False
        for a in range(2):
            for b in range(2):
                if x + 2 < fine.nx:
                    gx = gx + joined(face_x(fine, z + a, y + b, x), face_x(fine, z + a, y + b, x + 1),
                                     face_x(fine, z + a, y + b, x + 2))
                if y + 2 < fine.ny:
                    gy = gy + joined(face_y(fine, z + a, y, x + b), face_y(fine, z + a, y + 1, x + b),
                                     face_y(fine, z + a, y + 2, x + b))
                if z + 2 < fine.nz:
                    gz = gz + joined(face_z(fine, z, y + a, x + b), face_z(fine, z + 1, y + a, x + b),
                                     face_z(fine, z + 2, y + a, x + b))
                if at(fine.w, z, y + a, x + b) > 0 or at(fine.w, z + 1, y + a, x + b) > 0:
                    is_open = True
        put(coarse.w, Z, Y, X, 1.0 if is_open else 0.0)
        put(coarse.gx, Z, Y, X, gx)
        put(coarse.gy, Z, Y, X, gy)
        put(coarse.gz, Z, Y, X, gz)


cdef void sum_row(Level level, Py_ssize_t z, Py_ssize_t y) noexcept nogil:
    """Sum of the six face conductances of every voxel of a coarse row."""
    cdef Py_ssize_t x
    for x in range(level.nx):
        put(level.n, z, y, x, ((at(level.gx, z, y, x - 1) + at(level.gx, z, y, x))
                               + (at(level.gy, z, y - 1, x) + at(level.gy, z, y, x)))
            + (at(level.gz, z - 1, y, x) + at(level.gz, z, y, x)))


def coarsen(Level fine, Level coarse, changed, int threads=1):
    """Openness and face conductances of a level from those of the finer one.

    Parameters
    ----------
    changed : bool [z, y], rows of the fine level that are new.

    Returns
    -------
    bool [z, y] : rows of the coarse level that were computed again.
    """
    cdef Py_ssize_t nz = coarse.nz
    cdef Py_ssize_t ny = coarse.ny
    cdef Py_ssize_t z, y
    padded = np.zeros((2 * nz + 2, 2 * ny + 2), bool)
    padded[:fine.nz, :fine.ny] = changed
    # The faces of a coarse row take in the fine rows 2 z ... 2 z + 3, likewise along y.
    touched = np.zeros((nz, ny), bool)
    for z in range(4):
        for y in range(4):
            touched |= padded[z:z + 2 * nz - 1:2, y:y + 2 * ny - 1:2]
    summed = touched.copy()
    summed[1:] |= touched[:nz - 1]
    summed[:, 1:] |= touched[:, :ny - 1]
    cdef const unsigned char[:, ::1] renew = touched.view(np.uint8)
    cdef const unsigned char[:, ::1] resum = summed.view(np.uint8)
    for z in prange(nz, nogil=True, num_threads=threads, schedule="static"):
        for y in range(ny):
            if renew[z, y]:
                coarsen_row(fine, coarse, z, y)
    for z in prange(nz, nogil=True, num_threads=threads, schedule="static"):
        for y in range(ny):
            if resum[z, y]:
                sum_row(coarse, z, y)
    return touched


cdef bint coarsen_all(list levels, changed, int threads):
    """Bring the coarse levels up to date with changed rows (bool [z, y]) of the finest one."""
    cdef Py_ssize_t depth
    if not changed.any():
        return False
    for depth in range(len(levels) - 1):
        changed = coarsen(levels[depth], levels[depth + 1], changed, threads)
    return True


def set_diffusivity(list levels, const float[:, :, ::1] relative, int threads=1,
                    const unsigned char[:, :, ::1] codes=None):
    """Set which voxels are open and how well they conduct, on all levels; only rows that change cost much.

    Parameters
    ----------
    levels : list of Level, from `build_levels`
    relative : float32 [z, y, x], diffusivity relative to that of the open medium; 0 is impermeable. With
        `codes`, float32 [1, 1, 256], by code.
    codes : uint8 [z, y, x], optional.

    Returns
    -------
    bool : whether anything changed.
    """
    cdef Level finest = levels[0]
    cdef Py_ssize_t z
    cdef Py_ssize_t between = 0
    cdef float[:, ::1] lines = np.empty((finest.nz, finest.nx), np.float32)
    cdef float[::1] roots = np.sqrt(np.asarray(relative).ravel()) if codes is not None else np.zeros(1, np.float32)
    if codes is None:
        codes = np.zeros((0, 0, 0), np.uint8)
    changed = np.zeros((finest.nz, finest.ny), bool)
    cdef unsigned char[:, ::1] mark = changed.view(np.uint8)
    for z in prange(finest.nz, nogil=True, num_threads=threads, schedule="static"):
        between += open_plane(finest, relative, codes, &roots[0], z, &lines[z, 0], &mark[z, 0])
    finest.between = between
    return coarsen_all(levels, changed, threads)


def set_voxels(list levels, const int64_t[::1] voxels, const float[::1] relative, int threads=1):
    """Change the relative diffusivity of some voxels, at the cost of the rows that they are in.

    Parameters
    ----------
    levels : list of Level
    voxels : int64, flat indices [z, y, x].
    relative : float32, one for each of them.

    Returns
    -------
    bool, for each of them whether it had another one before.
    """
    cdef Level finest = levels[0]
    cdef Py_ssize_t i, z, y, x
    cdef float w
    rows = np.zeros((finest.nz, finest.ny), bool)
    changed = np.zeros(voxels.shape[0], bool)
    cdef unsigned char[:, ::1] mark = rows.view(np.uint8)
    cdef unsigned char[::1] new = changed.view(np.uint8)
    for i in range(voxels.shape[0]):
        x = voxels[i] % finest.nx
        y = voxels[i] // finest.nx % finest.ny
        z = voxels[i] // (finest.nx * finest.ny)
        w = sqrtf(relative[i])
        if w != at(finest.w, z, y, x):
            finest.between += is_between(w) - is_between(at(finest.w, z, y, x))
            put(finest.w, z, y, x, w)
            mark[z, y] = new[i] = True
    coarsen_all(levels, rows, threads)
    return changed
