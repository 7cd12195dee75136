"""The terms of div(D grad c) - k c - q c / (K + c) + s = 0 as equations of a multigrid hierarchy.

With w the root of the relative diffusivity, w_i w_j the conductance of a face and u = w c, the
equation of a voxel has unit couplings for any D: d_i u_i - sum_j u_j = s_i / w_i with
d_i = (sum_j w_j) / w_i + sink_i / w_i**2. Uptake is linearised about the present field (Newton).
"""

import numpy as np

from cython.parallel cimport prange
from libc.float cimport FLT_MAX

from .multigrid cimport Level, at, load_row, merge_row, put, split_row, store_row, unscale_row


def scratch_for(Level finest):
    """Working memory for one hierarchy: float32, a row for each plane of the finest level."""
    return np.empty((finest.nz, 16 * (finest.half + 1)), np.float32)


cdef inline const float* line_of(const float[:, :, ::1] a, Py_ssize_t z, Py_ssize_t y, float uniform,
                                 float* buffer, Py_ssize_t n) noexcept nogil:
    """A row of an array plus a uniform value; of the uniform value alone where the array has no planes."""
    cdef Py_ssize_t x
    cdef bint given = a.shape[0] > 0
    if given and uniform == 0:
        return &a[z, y, 0]
    for x in range(n):
        buffer[x] = a[z, y, x] + uniform if given else uniform
    return buffer


cdef void load_plane(Level fine, Level coarse, const float[:, :, ::1] field, const float[:, :, ::1] source,
                     const float[:, :, ::1] rate, float uniform, const float[:, :, ::1] uptake,
                     float half_saturation, float scale, Py_ssize_t Z, float* scratch,
                     float* limits) noexcept nogil:
    """Equations of the two finest planes in coarse plane Z, and the diagonal of the latter."""
    cdef Py_ssize_t half = fine.half
    cdef Py_ssize_t row = half + 2
    cdef Py_ssize_t plane = (fine.ny + 2) * row
    cdef Py_ssize_t Y, z, y, i, X
    cdef int even, part, colour
    cdef const float* line
    cdef float* terms = scratch           # field, source, rate, uptake: even voxels, then odd ones
    cdef float* sinks = scratch + 8 * half
    cdef float* kept = scratch + 9 * half
    cdef float* stray = scratch + 10 * half
    cdef float* buffer = scratch + 11 * half
    for Y in range((fine.ny + 1) // 2):
        for i in range(half):
            sinks[i] = 0.0
        for z in range(2 * Z, min(2 * Z + 2, fine.nz)):
            for y in range(2 * Y, min(2 * Y + 2, fine.ny)):
                split_row(terms, terms + half, &field[z, y, 0], fine.nx)
                split_row(terms + 2 * half, terms + 3 * half, &source[z, y, 0], fine.nx)
                line = line_of(rate, z, y, uniform, buffer, fine.nx)
                split_row(terms + 4 * half, terms + 5 * half, line, fine.nx)
                line = line_of(uptake, z, y, 0, buffer, fine.nx)
                split_row(terms + 6 * half, terms + 7 * half, line, fine.nx)
                even = (z + y) & 1
                for part in range(2):
                    colour = even ^ part
                    load_row(
                        &fine.u[colour, z + 1, y + 1, 1], &fine.d[colour, z + 1, y + 1, 1],
                        &fine.s[colour, z + 1, y + 1, 1], sinks, kept, stray,
                        &fine.w[colour, z + 1, y + 1, 1], &fine.w[1 - colour, z + 1, y + 1, 1],
                        terms + part * half, terms + (2 + part) * half, terms + (4 + part) * half,
                        terms + (6 + part) * half, half_saturation, scale, half, row, plane, part, limits)
        if coarse is not None:
            for X in range(coarse.nx):
                put(coarse.d, Z, Y, X, at(coarse.n, Z, Y, X) + sinks[X])


cdef void diagonal_plane(Level fine, Level coarse, Py_ssize_t Z) noexcept nogil:
    """Diagonal of one coarse plane: its faces and the sinks of the level above."""
    cdef Py_ssize_t Y, X, z, y, x
    cdef float sink
    for Y in range(coarse.ny):
        for X in range(coarse.nx):
            sink = 0.0
            for z in range(2 * Z, min(2 * Z + 2, fine.nz)):
                for y in range(2 * Y, min(2 * Y + 2, fine.ny)):
                    for x in range(2 * X, min(2 * X + 2, fine.nx)):
                        sink = sink + (at(fine.d, z, y, x) - at(fine.n, z, y, x))
            put(coarse.d, Z, Y, X, at(coarse.n, Z, Y, X) + sink)


cdef void sum_sinks(Level fine, Level coarse) noexcept:
    cdef Py_ssize_t z
    for z in range(coarse.nz):
        diagonal_plane(fine, coarse, z)


def load(list levels, const float[:, :, ::1] field, const float[:, :, ::1] source,
         const float[:, :, ::1] rate,
         float uniform_rate, const float[:, :, ::1] uptake, float half_saturation, float scale,
         float[:, ::1] scratch, int threads=1):
    """Write the equations, linearised about `field`, into the hierarchy.

    Parameters
    ----------
    field, source : float32 [z, y, x], concentration and concentration per minute
    rate, uniform_rate : first-order loss (1/min), their sum; `rate` may have no planes.
    uptake, half_saturation : greatest saturable uptake (concentration per minute; may have no planes)
        and the concentration of half of it (above 0).
    scale : spacing squared over diffusivity (min).

    Returns
    -------
    (float, float) : smallest sink of an open voxel, in units of a face's conductance, and largest source
        of a closed one (negative where none is closed).
    """
    cdef Level fine = levels[0]
    cdef Level coarse = levels[1] if len(levels) > 1 else None
    cdef Py_ssize_t planes = (fine.nz + 1) // 2
    cdef Py_ssize_t z
    limits = np.full((planes, 2), FLT_MAX, np.float32)
    cdef float[:, ::1] limit = limits
    for z in prange(planes, nogil=True, num_threads=threads, schedule="static"):
        load_plane(fine, coarse, field, source, rate, uniform_rate, uptake, half_saturation, scale, z,
                   &scratch[z, 0], &limit[z, 0])
    for z in range(1, len(levels) - 1):
        sum_sinks(levels[z], levels[z + 1])
    return float(limits[:, 0].min()), float(-limits[:, 1].min())


cdef void store_plane(Level level, float[:, :, ::1] field, const float[:, :, ::1] source,
                      const float[:, :, ::1] rate, float uniform, const float[:, :, ::1] uptake,
                      float half_saturation, Py_ssize_t z, float* scratch, float* least,
                      double* sums) noexcept nogil:
    """Copy one plane of the solution, and add up its sums."""
    cdef Py_ssize_t half = level.half
    cdef Py_ssize_t y
    cdef int even, part
    cdef float* parts = scratch
    cdef float* values = scratch + 2 * half
    cdef float* rate_buffer = scratch + 4 * half
    cdef float* uptake_buffer = scratch + 6 * half
    for y in range(level.ny):
        even = (z + y) & 1
        for part in range(2):
            unscale_row(parts + part * half, &level.u[even ^ part, z + 1, y + 1, 1],
                        &level.w[even ^ part, z + 1, y + 1, 1], half)
        merge_row(values, parts, parts + half, level.nx)
        store_row(&field[z, y, 0], scratch + 8 * half, values, &source[z, y, 0],
                  line_of(rate, z, y, uniform, rate_buffer, level.nx),
                  line_of(uptake, z, y, 0, uptake_buffer, level.nx), half_saturation, level.nx, least, sums)


def store(Level level, float[:, :, ::1] field, const float[:, :, ::1] source, const float[:, :, ::1] rate,
          float uniform_rate, const float[:, :, ::1] uptake, float half_saturation, float[:, ::1] scratch,
          int threads=1):
    """Copy the solution into `field`, clipped at zero; closed voxels get 0. Parameters as in `load`.

    Returns
    -------
    (float, ndarray) : the smallest value of an open voxel before clipping, and, for each plane, the sums
        of squared change, squared value, source and loss (float64 [z, 4]).
    """
    cdef Py_ssize_t z
    least = np.full(level.nz, FLT_MAX, np.float32)
    sums = np.zeros((level.nz, 4))
    cdef float[::1] smallest = least
    cdef double[:, ::1] sum_of = sums
    for z in prange(level.nz, nogil=True, num_threads=threads, schedule="static"):
        store_plane(level, field, source, rate, uniform_rate, uptake, half_saturation, z, &scratch[z, 0],
                    &smallest[z], &sum_of[z, 0])
    return float(least.min()), sums
