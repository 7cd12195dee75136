"""What tissue, vessel walls and cells put into a field and take out of it: first voxel by voxel, then cell by cell."""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, uint8_t
from .mathematics cimport hill_inhibition, occupancy

cdef enum:
    FACES = 8     # entries of a table for each tissue: by the number of its faces at a vessel wall, 0 to 6


cdef struct Exchange:
    double secretion       # per min, without induction
    double induction       # factor on it in anoxia
    double uptake          # per min, at saturation


def spread(const uint8_t[:, :, ::1] tissue, const uint8_t[:, :, ::1] walls, const float[:, :, ::1] table,
           float[:, :, ::1] source, float[:, :, ::1] decay, float[:, :, ::1] uptake, int threads):
    """Source, first-order decay and saturable uptake of a field in every voxel without its cell.

    Parameters
    ----------
    tissue, walls : uint8, shape (nz, ny, nx). Code, and number of faces at a vessel wall.
    table : float32, shape (256, 8, 3). Source, decay, uptake of a voxel by code and number of faces.
    source, decay, uptake : OUT, float32, shape (nz, ny, nx); `uptake` may have no planes.
    threads : number of threads.
    """
    cdef Py_ssize_t row = tissue.shape[1] * tissue.shape[2]
    cdef Py_ssize_t z
    cdef bint with_uptake = uptake.shape[0] > 0
    for z in prange(tissue.shape[0], nogil=True, num_threads=threads, schedule="static"):
        _spread_plane(&tissue[z, 0, 0], &walls[z, 0, 0], &table[0, 0, 0], row, &source[z, 0, 0], &decay[z, 0, 0],
                      &uptake[z, 0, 0] if with_uptake else NULL)


cdef void _spread_plane(const uint8_t* tissue, const uint8_t* walls, const float* table, Py_ssize_t n, float* source,
                        float* decay, float* uptake) noexcept nogil:
    cdef Py_ssize_t i
    cdef const float* entry
    for i in range(n):
        entry = table + 3 * (FACES * tissue[i] + walls[i])
        source[i] = entry[0]
        decay[i] = entry[1]
        if uptake != NULL:
            uptake[i] = entry[2]


def add_cells(const int32_t[::1] site, const uint8_t[::1] types, const float[::1] level,
              const uint8_t[:, :, ::1] tissue, const uint8_t[::1] enterable, const double[:, ::1] by_cell,
              double background_share, double receptor_uptake,
              const float[:, :, ::1] field, double half_occupancy,
              const float[:, :, ::1] oxygen, double half_pressure, double exponent,
              float[:, :, ::1] source, float[:, :, ::1] decay, float[:, :, ::1] uptake, int threads):
    """Add what the cells on the lattice secrete and take up.

    Parameters
    ----------
    site, types, level : columns of the cell table, shape (cells,); no two cells have one site.
    tissue, field, oxygen : shape (nz, ny, nx); `enterable` by tissue code, shape (256,).
    by_cell : float64, shape (types, 3). Secretion, induction (factor in anoxia), uptake of a cell.
    background_share : share of the tissue's uptake that stays where there is a cell.
    receptor_uptake : decay per R theta, theta = c / (c + half_occupancy) of the field as it was.
    half_pressure, exponent : hypoxia response 1 / (1 + (p / half_pressure)^exponent).
    source, decay, uptake : changed, float32, shape (nz, ny, nx); `uptake` may have no planes.
    threads : number of threads.
    """
    cdef Py_ssize_t n = site.shape[0]
    if n == 0:
        return
    cdef const uint8_t* codes = &tissue[0, 0, 0]
    cdef const float* c = &field[0, 0, 0]
    cdef const float* p = &oxygen[0, 0, 0]
    cdef float* s = &source[0, 0, 0]
    cdef float* k = &decay[0, 0, 0]
    cdef float* q = &uptake[0, 0, 0] if uptake.shape[0] > 0 else NULL
    cdef Exchange* cell
    cdef Py_ssize_t i
    cdef int32_t here
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        here = site[i]
        if here < 0:
            continue
        cell = <Exchange*> &by_cell[types[i], 0]
        if q != NULL:
            q[here] = <float> (q[here] * background_share + cell.uptake)
        if enterable[codes[here]]:
            if cell.secretion > 0.0:
                s[here] = <float> (s[here] + cell.secretion * (1.0 + (cell.induction - 1.0) * hill_inhibition(
                    p[here], half_pressure, exponent)))
            if receptor_uptake > 0.0:
                k[here] = <float> (k[here] + receptor_uptake * level[i] * occupancy(c[here], half_occupancy))
