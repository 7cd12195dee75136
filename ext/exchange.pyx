"""What tissue, vessel walls and cells put into a field and take out of it, voxel by voxel."""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, uint8_t
from .mathematics cimport hill_inhibition, occupancy


cdef struct Exchange:
    double secretion       # per min, without induction
    double induction       # factor on it in anoxia
    double uptake          # per min, at saturation


def assemble(const uint8_t[:, :, ::1] tissue, const uint8_t[:, :, ::1] walls, const uint8_t[::1] enterable,
             const int32_t[:, :, ::1] occupant, const uint8_t[::1] types, const float[::1] level,
             const double[:, ::1] by_tissue, const double[:, ::1] by_cell,
             double wall_source, double wall_decay, double background_share, double receptor_uptake,
             const float[:, :, ::1] field, double half_occupancy,
             const float[:, :, ::1] oxygen, double half_pressure, double exponent,
             float[:, :, ::1] source, float[:, :, ::1] decay, float[:, :, ::1] uptake, int threads):
    """Source, first-order decay and saturable uptake of a field in every voxel.

    Parameters
    ----------
    tissue, walls, occupant, field, oxygen : shape (nz, ny, nx); `enterable` by tissue code, shape (256,).
    types, level : columns of the cell table, shape (cells,).
    by_tissue : float64, shape (256, 3). Source, decay, uptake of a tissue.
    by_cell : float64, shape (types, 3). Secretion, induction (factor in anoxia), uptake of a cell.
    wall_source, wall_decay : of one wall face, and of a voxel at the wall.
    background_share : share of the tissue's uptake that stays where there is a cell.
    receptor_uptake : decay per R theta, theta = c / (c + half_occupancy) of the field as it was.
    half_pressure, exponent : hypoxia response 1 / (1 + (p / half_pressure)^exponent).
    source, decay, uptake : OUT, float32, shape (nz, ny, nx).
    threads : number of threads.
    """
    cdef Py_ssize_t nz = tissue.shape[0]
    cdef Py_ssize_t z, y, x
    cdef int32_t row
    cdef int code
    cdef double s, k, q
    cdef Exchange* cell
    for z in prange(nz, nogil=True, num_threads=threads, schedule="static"):
        for y in range(tissue.shape[1]):
            for x in range(tissue.shape[2]):
                code = tissue[z, y, x]
                s = by_tissue[code, 0]
                k = by_tissue[code, 1]
                q = by_tissue[code, 2]
                if enterable[code] and walls[z, y, x]:
                    s = s + wall_source * walls[z, y, x]
                    k = k + wall_decay
                row = occupant[z, y, x]
                if row >= 0:
                    cell = <Exchange*> &by_cell[types[row], 0]
                    q = q * background_share + cell.uptake
                    if cell.secretion > 0.0 and enterable[code]:
                        s = s + cell.secretion * (1.0 + (cell.induction - 1.0) * hill_inhibition(
                            oxygen[z, y, x], half_pressure, exponent))
                    if receptor_uptake > 0.0 and enterable[code]:
                        k = k + receptor_uptake * level[row] * occupancy(field[z, y, x], half_occupancy)
                source[z, y, x] = <float> s
                decay[z, y, x] = <float> k
                uptake[z, y, x] = <float> q
