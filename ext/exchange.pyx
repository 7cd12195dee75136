"""What tissue, vessel walls and cells put into a field and take out of it: first voxel by voxel, then cell by cell."""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, uint8_t
from .blocks cimport BLOCK_ROWS, hill_responses
from .mathematics cimport occupancy

cdef enum:
    FACES = 8     # entries of a table for each tissue: by the number of its faces at a vessel wall, 0 to 6


cdef struct Voxel:
    float source
    float decay
    float uptake
    float induced          # further source in anoxia


cdef struct Exchange:
    double secretion       # per min, without induction
    double induction       # factor on it at full response to hypoxia
    double uptake          # per min, at saturation


def spread(const uint8_t[:, :, ::1] tissue, const uint8_t[:, :, ::1] walls, const float[:, :, ::1] table,
           const float[:, :, ::1] oxygen, double half_pressure, double exponent,
           float[:, :, ::1] source, float[:, :, ::1] decay, float[:, :, ::1] uptake, int threads):
    """Source, first-order decay and saturable uptake of a field in every voxel without its cell.

    The source is s + s_a h(p), h(p) = 1 / (1 + (p / half_pressure)^exponent).

    Parameters
    ----------
    tissue, walls : uint8, shape (nz, ny, nx). Code, and number of faces at a vessel wall.
    table : float32, shape (256, 8, 4). s, decay, uptake, s_a of a voxel by code and number of faces.
    oxygen : float32, shape (nz, ny, nx); without planes where no s_a is to be added.
    half_pressure, exponent : of h, in the unit of `oxygen`.
    source, decay, uptake : OUT, float32, shape (nz, ny, nx); `uptake` may have no planes.
    threads : number of threads.
    """
    cdef Py_ssize_t row = tissue.shape[1] * tissue.shape[2]
    cdef Py_ssize_t z
    cdef bint with_uptake = uptake.shape[0] > 0
    cdef bint induced = oxygen.shape[0] > 0
    cdef const Voxel* entries = <const Voxel*> &table[0, 0, 0]
    for z in prange(tissue.shape[0], nogil=True, num_threads=threads, schedule="static"):
        _spread_plane(&tissue[z, 0, 0], &walls[z, 0, 0], entries, row, &source[z, 0, 0], &decay[z, 0, 0],
                      &uptake[z, 0, 0] if with_uptake else NULL)
        if induced:
            _induce_plane(&tissue[z, 0, 0], &walls[z, 0, 0], entries, row, &oxygen[z, 0, 0], half_pressure, exponent,
                          &source[z, 0, 0])


cdef void _spread_plane(const uint8_t* tissue, const uint8_t* walls, const Voxel* table, Py_ssize_t n, float* source,
                        float* decay, float* uptake) noexcept nogil:
    cdef Py_ssize_t i
    cdef const Voxel* entry
    for i in range(n):
        entry = table + (FACES * tissue[i] + walls[i])
        source[i] = entry.source
        decay[i] = entry.decay
        if uptake != NULL:
            uptake[i] = entry.uptake


cdef void _induce_plane(const uint8_t* tissue, const uint8_t* walls, const Voxel* table, Py_ssize_t n,
                        const float* oxygen, double half_pressure, double exponent, float* source) noexcept nogil:
    cdef Py_ssize_t place[BLOCK_ROWS]
    cdef float further[BLOCK_ROWS]
    cdef float pressure[BLOCK_ROWS]
    cdef double response[BLOCK_ROWS]
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t i, found
    cdef float induced
    while start < n:
        found = 0
        for i in range(start, min(start + BLOCK_ROWS, n)):
            induced = table[FACES * tissue[i] + walls[i]].induced
            place[found] = i
            further[found] = induced
            pressure[found] = oxygen[i]
            found = found + (induced != 0.0)
        hill_responses(response, pressure, half_pressure, exponent, found)
        for i in range(found):
            source[place[i]] = <float> (source[place[i]] + further[i] * response[i])
        start = start + BLOCK_ROWS


def add_cells(const int32_t[::1] site, const uint8_t[::1] types, const float[::1] level,
              const float[::1] response, const uint8_t[:, :, ::1] tissue, const uint8_t[::1] enterable,
              const double[:, ::1] by_cell, double background_share, double receptor_uptake,
              const float[:, :, ::1] field, double half_occupancy,
              float[:, :, ::1] source, float[:, :, ::1] decay, float[:, :, ::1] uptake, int threads):
    """Add what the cells on the lattice secrete and take up.

    Parameters
    ----------
    site, types, level, response : columns of the cell table, shape (cells,); no two cells have one site. Receptor
        level R, and response x to hypoxia: a cell secretes S (1 + (F - 1) x).
    tissue, field : shape (nz, ny, nx); `enterable` by tissue code, shape (256,).
    by_cell : float64, shape (types, 3). Secretion S, induction F, uptake of a cell.
    background_share : share of the tissue's uptake that stays where there is a cell.
    receptor_uptake : decay per R theta, theta = c / (c + half_occupancy) of the field as it was.
    source, decay, uptake : changed, float32, shape (nz, ny, nx); `uptake` may have no planes.
    threads : number of threads.
    """
    cdef Py_ssize_t n = site.shape[0]
    if n == 0:
        return
    cdef const uint8_t* codes = &tissue[0, 0, 0]
    cdef const float* c = &field[0, 0, 0]
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
                s[here] = <float> (s[here] + cell.secretion * (1.0 + (cell.induction - 1.0) * response[i]))
            if receptor_uptake > 0.0:
                k[here] = <float> (k[here] + receptor_uptake * level[i] * occupancy(c[here], half_occupancy))
