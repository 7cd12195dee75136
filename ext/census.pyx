"""Counting over the lattice."""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from .lattice cimport BOUND, Box, FREE, NOWHERE, face_neighbours


def wall_faces(const uint8_t[:, :, ::1] tissue, const uint8_t[::1] inside, const uint8_t[::1] outside):
    """Faces between two classes of tissue, counted on both sides.

    Parameters
    ----------
    tissue : uint8, shape (nz, ny, nx).
    inside, outside : uint8, shape (256,). 1 for the codes of either class.

    Returns
    -------
    uint8, shape (nz, ny, nx): for a voxel of either class, the number of its faces on the other.
    """
    faces = np.zeros((tissue.shape[0], tissue.shape[1], tissue.shape[2]), dtype=np.uint8)
    cdef uint8_t[:, :, ::1] view = faces
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef const uint8_t* codes = &tissue[0, 0, 0]
    cdef uint8_t* counts = &view[0, 0, 0]
    cdef int32_t site
    with nogil:
        for site in range(box.nz * box.ny * box.nx):
            counts[site] = _wall_faces_of(box, site, codes, &inside[0], &outside[0])
    return faces


def wall_faces_again(const uint8_t[:, :, ::1] tissue, const uint8_t[::1] inside, const uint8_t[::1] outside,
                     const int64_t[::1] sites, uint8_t[:, :, ::1] faces):
    """`wall_faces` in some voxels alone.

    Parameters
    ----------
    tissue, inside, outside : as for `wall_faces`.
    sites : int64, shape (n,). Voxels to count again.
    faces : uint8, shape (nz, ny, nx), changed. What `wall_faces` gave before.
    """
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef uint8_t* counts = &faces[0, 0, 0]
    cdef Py_ssize_t i
    with nogil:
        for i in range(sites.shape[0]):
            counts[sites[i]] = _wall_faces_of(box, <int32_t> sites[i], &tissue[0, 0, 0], &inside[0], &outside[0])


cdef inline uint8_t _wall_faces_of(Box box, int32_t site, const uint8_t* tissue, const uint8_t* inside,
                                   const uint8_t* outside) noexcept nogil:
    cdef const uint8_t* other
    cdef int32_t around[6]
    cdef uint8_t count = 0
    cdef int d
    if inside[tissue[site]]:
        other = outside
    elif outside[tissue[site]]:
        other = inside
    else:
        return 0
    face_neighbours(box, site, around)
    for d in range(6):
        if around[d] != NOWHERE and other[tissue[around[d]]]:
            count = count + 1
    return count


def face_sites(const int64_t[::1] sites, int nz, int ny, int nx):
    """The six voxels that share a face with each of some voxels: int64, shape (n, 6), -1 beyond the box.

    Parameters
    ----------
    sites : int64, shape (n,).
    nz, ny, nx : shape of the lattice.
    """
    faces = np.empty((sites.shape[0], 6), dtype=np.int64)
    cdef int64_t[:, ::1] view = faces
    cdef Box box = Box(nz, ny, nx)
    cdef int32_t around[6]
    cdef Py_ssize_t i
    cdef int d
    with nogil:
        for i in range(sites.shape[0]):
            face_neighbours(box, <int32_t> sites[i], around)
            for d in range(6):
                view[i, d] = around[d]
    return faces


def exact_sum(const float[::1] values):
    """Sum without rounding but that of the result, so that the order of the values has no meaning.

    The integer mantissas of each exponent are added up (2^39 of them fit), then those 254 sums as long integers.

    Parameters
    ----------
    values : float32, shape (n,).

    Returns
    -------
    float : the float64 next to the sum, that of `math.fsum`; NaN where a value is not finite.
    """
    sums = np.zeros(256, dtype=np.int64)
    cdef int64_t[::1] view = sums
    cdef uint32_t bits, exponent
    cdef int64_t mantissa
    cdef bint finite = True
    cdef Py_ssize_t i
    with nogil:
        for i in range(values.shape[0]):
            bits = (<const uint32_t*> &values[i])[0]
            exponent = (bits >> 23) & 0xFF
            mantissa = bits & 0x7FFFFF
            if exponent == 0:
                exponent = 1  # subnormal: as the smallest normal ones, without their leading bit
            else:
                mantissa = mantissa | 0x800000
            if exponent == 0xFF:
                finite = False
            view[exponent] += -mantissa if bits >> 31 else mantissa
    if not finite:
        return float("nan")
    return sum(total << (place - 1) for place, total in enumerate(sums.tolist()) if total) / 2**149


def places(const uint8_t[::1] types, const uint8_t[::1] status, const int32_t[::1] site,
           const uint8_t[:, :, ::1] tissue):
    """Type and tissue of the cells that are out of the vessels.

    Parameters
    ----------
    types, status, site : columns of the cell table, shape (cells,).
    tissue : uint8, shape (nz, ny, nx).

    Returns
    -------
    int32, shape (cells,): 256 * type + tissue code; -1 for cells in vessels.
    """
    found = np.empty(types.shape[0], dtype=np.int32)
    cdef int32_t[::1] view = found
    cdef const uint8_t* codes = &tissue[0, 0, 0]
    cdef Py_ssize_t i
    with nogil:
        for i in range(types.shape[0]):
            view[i] = 256 * types[i] + codes[site[i]] if status[i] == FREE or status[i] == BOUND else NOWHERE
    return found


def spectrum(const float[:, :, ::1] values, const uint8_t[:, :, ::1] tissue, uint8_t code, int threads=1):
    """How the values in one tissue are distributed over the upper halves of their ranks, and their sum.

    The rank of a value is its bits, turned so that they ascend with the value.

    Returns
    -------
    counts : int64, shape (65536,).
    total : float; the result does not depend on the threads.
    """
    counts = np.zeros((threads, 65536), dtype=np.int64)
    cdef int64_t[:, ::1] view = counts
    cdef double[::1] sums = np.zeros(values.shape[0])
    cdef Py_ssize_t nz = values.shape[0]
    cdef Py_ssize_t row = values.shape[1] * values.shape[2]
    cdef double total = 0.0
    cdef Py_ssize_t z
    cdef int part
    for part in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        for z in range(nz * part // threads, nz * (part + 1) // threads):
            sums[z] = _spectrum_plane(&values[z, 0, 0], &tissue[z, 0, 0], row, code, &view[part, 0])
    for z in range(nz):
        total += sums[z]
    return counts.sum(axis=0), total


cdef double _spectrum_plane(const float* values, const uint8_t* tissue, Py_ssize_t n, uint8_t code,
                            int64_t* counts) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        if tissue[i] == code:
            total += values[i]
            counts[_rank(values + i) >> 16] += 1
    return total


def spectrum_within(const float[:, :, ::1] values, const uint8_t[:, :, ::1] tissue, uint8_t code,
                    const uint8_t[::1] row, int rows, int threads=1):
    """How the values of some upper halves are distributed over the lower halves of their ranks.

    Parameters
    ----------
    row : uint8, shape (65536,). Row of the result for each upper half; `rows` or more for those not wanted.

    Returns
    -------
    int64, shape (rows, 65536).
    """
    counts = np.zeros((threads, rows, 65536), dtype=np.int64)
    cdef int64_t[:, :, ::1] view = counts
    cdef Py_ssize_t nz = values.shape[0]
    cdef Py_ssize_t plane = values.shape[1] * values.shape[2]
    cdef Py_ssize_t z
    cdef int part
    for part in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        for z in range(nz * part // threads, nz * (part + 1) // threads):
            _spectrum_within_plane(&values[z, 0, 0], &tissue[z, 0, 0], plane, code, &row[0], rows, &view[part, 0, 0])
    return counts.sum(axis=0)


cdef void _spectrum_within_plane(const float* values, const uint8_t* tissue, Py_ssize_t n, uint8_t code,
                                 const uint8_t* row, int rows, int64_t* counts) noexcept nogil:
    cdef uint32_t rank
    cdef Py_ssize_t i
    for i in range(n):
        rank = _rank(values + i)
        if tissue[i] == code and row[rank >> 16] < rows:
            counts[65536 * row[rank >> 16] + (rank & 0xFFFF)] += 1


cdef inline uint32_t _rank(const float* value) noexcept nogil:
    """Bits of a float32 that ascend with its value: of a negative one turned over, of others with the sign set."""
    cdef uint32_t bits = (<const uint32_t*> value)[0]
    return ~bits if bits >> 31 else bits | 0x80000000u
