"""Exact squared Euclidean distance transform, in place at four bytes a voxel."""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset


cdef extern from "distance_rows.h":
    enum:
        COLUMNS
        FAR
    void lower_envelope(int32_t* rows, const int32_t* start, Py_ssize_t n) noexcept nogil


def squared_distance(const uint8_t[:, :, ::1] target, int threads=1):
    """Squared distance (voxels) of each voxel centre to the nearest one of a target.

    Parameters
    ----------
    target : uint8, shape (nz, ny, nx). 1 in the target.
    threads : number of threads; never changes a result.

    Returns
    -------
    int32, shape (nz, ny, nx): 0 in the target; 2**30 everywhere where the target is empty.

    Notes
    -----
    One axis after the other, as Felzenszwalb & Huttenlocher 2012 (Theory Comput 8:415), but the envelope by
    trying the places near a voxel until none farther off can be nearer, many columns at a time: the cost
    grows with the distances that occur.
    """
    shape = (target.shape[0], target.shape[1], target.shape[2])
    out = np.empty(shape, dtype=np.int32)
    if out.size == 0:
        return out
    cdef Py_ssize_t nz = shape[0]
    cdef Py_ssize_t ny = shape[1]
    cdef Py_ssize_t nx = shape[2]
    cdef int32_t[:, :, ::1] view = out
    cdef Py_ssize_t rows = max(ny, nz)
    cdef int32_t* work = <int32_t*> malloc(2 * rows * COLUMNS * threads * sizeof(int32_t))
    if work == NULL:
        raise MemoryError()
    cdef int part
    for part in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        _planes(&target[0, 0, 0], &view[0, 0, 0], work + 2 * rows * COLUMNS * part, ny, nx, nz * part // threads,
                nz * (part + 1) // threads)
    for part in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        _columns(&view[0, 0, 0], work + 2 * rows * COLUMNS * part, nz, ny, nx, ny * part // threads,
                 ny * (part + 1) // threads)
    free(work)
    return out


cdef void _planes(const uint8_t* target, int32_t* out, int32_t* work, Py_ssize_t ny, Py_ssize_t nx, Py_ssize_t first,
                  Py_ssize_t last) noexcept nogil:
    """Squared distance within each of some planes across z."""
    cdef Py_ssize_t z, row
    for z in range(first, last):
        for row in range(z * ny, (z + 1) * ny):
            _along_row(target + row * nx, out + row * nx, nx)
        _across(out + z * ny * nx, work, ny, nx, nx)


cdef void _columns(int32_t* out, int32_t* work, Py_ssize_t nz, Py_ssize_t ny, Py_ssize_t nx, Py_ssize_t first,
                   Py_ssize_t last) noexcept nogil:
    """Bring in the distance along z, for the rows `first` to `last` of every plane."""
    cdef Py_ssize_t y
    for y in range(first, last):
        _across(out + y * nx, work, nz, nx, ny * nx)


cdef void _along_row(const uint8_t* target, int32_t* out, Py_ssize_t n) noexcept nogil:
    """Squared distance within one row."""
    cdef Py_ssize_t x
    cdef Py_ssize_t last = -1
    for x in range(n):
        if target[x]:
            last = x
        out[x] = <int32_t> ((x - last) * (x - last)) if last >= 0 else FAR
    last = -1
    for x in range(n - 1, -1, -1):
        if target[x]:
            last = x
        if last >= 0 and (last - x) * (last - x) < out[x]:
            out[x] = <int32_t> ((last - x) * (last - x))


cdef void _across(int32_t* plane, int32_t* work, Py_ssize_t n, Py_ssize_t nx, Py_ssize_t stride) noexcept nogil:
    """Bring in the distance across the rows of a plane, `n` rows of `nx` voxels that are `stride` apart."""
    cdef int32_t* start = work + n * COLUMNS
    cdef Py_ssize_t block, low, width, i
    for block in range((nx + COLUMNS - 1) // COLUMNS):
        low = block * COLUMNS
        width = min(<Py_ssize_t> COLUMNS, nx - low)
        memset(start, 0, n * COLUMNS * sizeof(int32_t))
        for i in range(n):
            memcpy(start + i * COLUMNS, plane + i * stride + low, width * sizeof(int32_t))
        lower_envelope(work, start, n)
        for i in range(n):
            memcpy(plane + i * stride + low, work + i * COLUMNS, width * sizeof(int32_t))
