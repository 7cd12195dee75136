"""The terms of div(D grad c) - k c - q c / (K + c) + s = 0 as equations of a multigrid hierarchy.

With w the root of the relative diffusivity, w_i w_j the conductance of a face and u = w c, the
equation of a voxel has unit couplings for any D: d_i u_i - sum_j u_j = s_i / w_i with
d_i = (sum_j w_j) / w_i + sink_i / w_i**2. Uptake is linearised about the present field (Newton).
"""

import numpy as np

from cython.parallel cimport prange

from .multigrid_levels cimport (Inspection, Level, Part, add_sinks, load_general, load_plain, set_diagonal, split_row,
                                store_general, store_plain)


cdef class Terms:
    """What a field equation is made of.

    Parameters
    ----------
    field : float32 [z, y, x], concentration; the uptake is linearised about it, the solution is put into it.
    source : float32 [z, y, x], concentration per minute.
    rate, uniform_rate : first-order loss (1/min), their sum; `rate` may have no planes.
    uptake, half_saturation : greatest saturable uptake (concentration per minute; may have no planes)
        and the concentration of half of it (above 0).
    scale : spacing squared over diffusivity (min).
    """

    def __init__(self, float[:, :, ::1] field, const float[:, :, ::1] source, const float[:, :, ::1] rate,
                 float uniform_rate, const float[:, :, ::1] uptake, float half_saturation, float scale):
        self.field, self.source, self.rate, self.uptake = field, source, rate, uptake
        self.uniform_rate, self.half_saturation, self.scale = uniform_rate, half_saturation, scale


cdef Py_ssize_t scratch_length(Level fine, Py_ssize_t rows) noexcept nogil:
    """Floats that loading or storing some rows of a plane needs."""
    return fine.half * (rows // 2 + 12)


cdef inline const float* line_of(const float[:, :, ::1] a, Py_ssize_t z, Py_ssize_t y, float uniform,
                                 float* buffer, Py_ssize_t n, bint fresh) noexcept nogil:
    """A row of an array plus a uniform value; of the uniform value alone where the array has no planes.

    The latter stays in the buffer, which is filled where it is `fresh`.
    """
    cdef Py_ssize_t x
    if a.shape[0] > 0 and uniform == 0:
        return &a[z, y, 0]
    if a.shape[0] > 0:
        for x in range(n):
            buffer[x] = a[z, y, x] + uniform
    elif fresh:
        for x in range(n):
            buffer[x] = uniform
    return buffer


cdef inline Part part_of(Level level, int colour, Py_ssize_t z, Py_ssize_t y) noexcept nogil:
    cdef Part part
    part.u = &level.u[colour, z + 1, y + 1, 0]
    part.d = &level.d[colour, z + 1, y + 1, 0]
    part.s = &level.s[colour, z + 1, y + 1, 0]
    part.w = &level.w[colour, z + 1, y + 1, 0]
    return part


cdef void set_coarse_diagonal(Level coarse, Py_ssize_t Z, Py_ssize_t Y, const float* sinks,
                              float* parts) noexcept nogil:
    """Diagonal of one coarse row from the sinks of its voxels; `parts` holds two rows of one colour."""
    cdef int even = (Z + Y) & 1
    cdef int part
    split_row(parts, parts + coarse.half, sinks, coarse.nx)
    for part in range(2):
        set_diagonal(&coarse.d[even ^ part, Z + 1, Y + 1, 0], &coarse.w[even ^ part, Z + 1, Y + 1, 0],
                     &coarse.n[even ^ part, Z + 1, Y + 1, 0], parts + part * coarse.half, coarse.half)


cdef void load_rows(Level fine, Level coarse, Terms terms, Py_ssize_t z, Py_ssize_t first, Py_ssize_t last,
                    bint renew, float* scratch, Inspection* seen) noexcept nogil:
    """Equations of the rows first ... last - 1 (`first` even) of plane z, and sinks of the level below.

    The sinks of two planes are summed in `scratch`: planes come in order, and `renew` starts a sum.
    """
    cdef Py_ssize_t half = fine.half
    cdef Py_ssize_t row = fine.row
    cdef Py_ssize_t plane = (fine.ny + 2) * row
    cdef Py_ssize_t y, i
    cdef int even
    cdef const float* rate
    cdef const float* uptake
    cdef float* rates = scratch
    cdef float* uptakes = scratch + 2 * half
    cdef float* parts = scratch + 4 * half
    cdef float* sinks
    cdef Part evens, odds
    for y in range(first, last):
        sinks = scratch + half * (8 + (y - first) // 2)
        if renew and (y & 1) == 0:
            for i in range(half):
                sinks[i] = 0.0
        even = (z + y) & 1
        evens, odds = part_of(fine, even, z, y), part_of(fine, 1 - even, z, y)
        rate = line_of(terms.rate, z, y, terms.uniform_rate, rates, fine.nx, y == first)
        if fine.between == 0 and terms.uptake.shape[0] == 0:
            load_plain(&evens, &odds, sinks, &terms.field[z, y, 0],
                       &terms.source[z, y, 0], rate, terms.scale, fine.nx, row, plane, seen)
        else:
            uptake = line_of(terms.uptake, z, y, 0, uptakes, fine.nx, y == first)
            load_general(&evens, &odds, sinks, &terms.field[z, y, 0],
                         &terms.source[z, y, 0], rate, uptake, terms.half_saturation, terms.scale, fine.nx, row,
                         plane, seen)
        if coarse is not None and ((z & 1) or z == fine.nz - 1) and ((y & 1) or y == fine.ny - 1):
            set_coarse_diagonal(coarse, z >> 1, y >> 1, sinks, parts)


cdef void store_rows(Level fine, Terms terms, Py_ssize_t z, Py_ssize_t first, Py_ssize_t last, float* scratch,
                     int* least, double* sums) noexcept nogil:
    """Put rows of the solution into the field, clipped at zero, and add up their sums."""
    cdef Py_ssize_t half = fine.half
    cdef Py_ssize_t y
    cdef int even, odd
    cdef const float* rate
    for y in range(first, last):
        even = (z + y) & 1
        odd = 1 - even
        rate = line_of(terms.rate, z, y, terms.uniform_rate, scratch, fine.nx, y == first)
        if fine.between == 0 and terms.uptake.shape[0] == 0:
            store_plain(&terms.field[z, y, 0], scratch + 4 * half, &fine.u[even, z + 1, y + 1, 0],
                        &fine.u[odd, z + 1, y + 1, 0], &fine.d[even, z + 1, y + 1, 0],
                        &fine.d[odd, z + 1, y + 1, 0], &terms.source[z, y, 0], rate, fine.nx, least, sums)
        else:
            store_general(&terms.field[z, y, 0], scratch + 4 * half, &fine.u[even, z + 1, y + 1, 0],
                          &fine.u[odd, z + 1, y + 1, 0], &fine.w[even, z + 1, y + 1, 0],
                          &fine.w[odd, z + 1, y + 1, 0], &terms.source[z, y, 0], rate,
                          line_of(terms.uptake, z, y, 0, scratch + 2 * half, fine.nx, y == first),
                          terms.half_saturation, fine.nx, least, sums)


cdef void sum_plane(Level fine, Level coarse, Py_ssize_t Z, float* sinks) noexcept nogil:
    """Diagonal of one coarse plane from the sinks of the two planes above it."""
    cdef Py_ssize_t Y, z, y, i
    cdef int colour
    for Y in range(coarse.ny):
        for i in range(fine.half):
            sinks[i] = 0.0
        for z in range(2 * Z, min(2 * Z + 2, fine.nz)):
            for y in range(2 * Y, min(2 * Y + 2, fine.ny)):
                for colour in range(2):
                    add_sinks(sinks, &fine.d[colour, z + 1, y + 1, 0], &fine.n[colour, z + 1, y + 1, 0], fine.half)
        set_coarse_diagonal(coarse, Z, Y, sinks, sinks + fine.half)


def sum_sinks(list levels, int threads=1):
    """Diagonals of all levels below the second one, from those of the second one."""
    cdef Level fine, coarse
    cdef Py_ssize_t Z, depth
    cdef float[:, ::1] scratch
    if len(levels) < 3:
        return
    fine, coarse = levels[1], levels[2]
    scratch = np.empty((coarse.nz, 3 * fine.half), np.float32)
    for depth in range(1, len(levels) - 1):
        fine, coarse = levels[depth], levels[depth + 1]
        for Z in prange(coarse.nz, nogil=True, num_threads=threads if depth == 1 else 1, schedule="static"):
            sum_plane(fine, coarse, Z, &scratch[Z, 0])
