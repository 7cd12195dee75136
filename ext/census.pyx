"""Counting over the lattice."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from .lattice cimport Box, NOWHERE, face_neighbours


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
    cdef const uint8_t* other
    cdef int32_t around[6]
    cdef int32_t site
    cdef int d
    with nogil:
        for site in range(box.nz * box.ny * box.nx):
            if inside[codes[site]]:
                other = &outside[0]
            elif outside[codes[site]]:
                other = &inside[0]
            else:
                continue
            face_neighbours(box, site, around)
            for d in range(6):
                if around[d] != NOWHERE and other[codes[around[d]]]:
                    counts[site] += 1
    return faces


def near_sites(const int32_t[::1] sites, const int64_t[::1] marked, int nz, int ny, int nx):
    """Which sites are one of the marked ones, or share a face with one.

    Parameters
    ----------
    sites : int32, shape (n,). Voxels.
    marked : int64, sorted. Voxels.
    nz, ny, nx : shape of the lattice.

    Returns
    -------
    uint8, shape (n,).
    """
    near = np.zeros(sites.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] view = near
    cdef Box box = Box(nz, ny, nx)
    cdef int32_t around[6]
    cdef Py_ssize_t i
    cdef int d
    with nogil:
        for i in range(sites.shape[0]):
            view[i] = _is_marked(sites[i], marked)
            face_neighbours(box, sites[i], around)
            for d in range(6):
                if not view[i] and around[d] != NOWHERE:
                    view[i] = _is_marked(around[d], marked)
    return near


cdef inline bint _is_marked(int64_t site, const int64_t[::1] marked) noexcept nogil:
    """Binary search."""
    cdef Py_ssize_t low = 0
    cdef Py_ssize_t high = marked.shape[0]
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) // 2
        if marked[middle] < site:
            low = middle + 1
        else:
            high = middle
    return low < marked.shape[0] and marked[low] == site


def spectrum(const float[:, :, ::1] values, const uint8_t[:, :, ::1] tissue, uint8_t code):
    """How the values in one tissue are distributed over the upper halves of their ranks, and their sum.

    The rank of a value is its bits, turned so that they ascend with the value.

    Returns
    -------
    counts : int64, shape (65536,).
    total : float
    """
    counts = np.zeros(65536, dtype=np.int64)
    cdef int64_t[::1] view = counts
    cdef const float* value
    cdef const uint8_t* codes
    cdef double total = 0.0
    cdef double plane
    cdef Py_ssize_t z, i
    with nogil:
        for z in range(values.shape[0]):
            value, codes = &values[z, 0, 0], &tissue[z, 0, 0]
            plane = 0.0
            for i in range(values.shape[1] * values.shape[2]):
                if codes[i] == code:
                    plane += value[i]
                    view[_rank(value + i) >> 16] += 1
            total += plane
    return counts, total


def spectrum_within(const float[:, :, ::1] values, const uint8_t[:, :, ::1] tissue, uint8_t code,
                    const uint8_t[::1] row, int rows):
    """How the values of some upper halves are distributed over the lower halves of their ranks.

    Parameters
    ----------
    row : uint8, shape (65536,). Row of the result for each upper half; `rows` or more for those not wanted.

    Returns
    -------
    int64, shape (rows, 65536).
    """
    counts = np.zeros((rows, 65536), dtype=np.int64)
    cdef int64_t[:, ::1] view = counts
    cdef const float* value
    cdef const uint8_t* codes
    cdef uint32_t rank
    cdef Py_ssize_t z, i
    with nogil:
        for z in range(values.shape[0]):
            value, codes = &values[z, 0, 0], &tissue[z, 0, 0]
            for i in range(values.shape[1] * values.shape[2]):
                rank = _rank(value + i)
                if codes[i] == code and row[rank >> 16] < rows:
                    view[row[rank >> 16], rank & 0xFFFF] += 1
    return counts


cdef inline uint32_t _rank(const float* value) noexcept nogil:
    """Bits of a float32 that ascend with its value: of a negative one turned over, of others with the sign set."""
    cdef uint32_t bits = (<const uint32_t*> value)[0]
    return ~bits if bits >> 31 else bits | 0x80000000u
