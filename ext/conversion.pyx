"""Cells that turn into another type while a cell of an inducing type is near."""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .lattice cimport Box, is_near
from .mathematics cimport event_probability
from .rng cimport STREAM_CONVERSION, philox, unit

cdef struct Rule:
    double rate       # 1/min, 0 for types that stay what they are
    double inducer    # type code
    double reach      # voxel edges


def decide(uint64_t seed, uint32_t step, double dt, const int32_t[::1] rows, const int64_t[::1] ids,
           const uint8_t[::1] types, const int32_t[::1] site, const int32_t[:, :, ::1] occupant,
           const double[:, ::1] rules, uint8_t[::1] converts, int threads):
    """Which cells convert: at rate k while a cell of the inducing type is in one of the 26 voxels around or in reach.

    Distances are between the centres of voxels. The draw comes first, so that only the cells that pass it look around.

    Parameters
    ----------
    seed, step, dt : draws (by cell), and the length of the step in minutes.
    rows : int32, shape (n,). Cells on the lattice that may convert.
    ids, types, site : columns of the cell table, shape (cells,).
    occupant : shape (nz, ny, nx).
    rules : float64, shape (types, 3). k (1/min), code of the inducing type, reach (voxel edges).
    converts : OUT, uint8, shape (n,). 1 for the rows that convert.
    threads : number of threads.
    """
    cdef Py_ssize_t n = rows.shape[0]
    if n == 0:
        return
    cdef Box box = Box(<int32_t> occupant.shape[0], <int32_t> occupant.shape[1], <int32_t> occupant.shape[2])
    cdef const int32_t* occupants = &occupant[0, 0, 0]
    cdef const Rule* by_type = <const Rule*> &rules[0, 0]
    cdef Py_ssize_t i
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        converts[i] = _converts(seed, step, dt, <uint64_t> ids[rows[i]], &by_type[types[rows[i]]], box, site[rows[i]],
                                occupants, &types[0])


cdef bint _converts(uint64_t seed, uint32_t step, double dt, uint64_t cell, const Rule* rule, Box box, int32_t site,
                    const int32_t* occupant, const uint8_t* types) noexcept nogil:
    cdef uint32_t words[4]
    philox(seed, STREAM_CONVERSION, step, cell, 0, words)
    if unit(words[0]) >= event_probability(rule.rate, dt):
        return False
    return is_near(<uint8_t> rule.inducer, rule.reach, box, site, occupant, types)
