"""Exact squared Euclidean distance transform, in place at four bytes a voxel."""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int16_t, int32_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset


cdef extern from "distance_rows.h":
    enum:
        COLUMNS
        FAR
    void lower_envelope(int32_t* rows, const int32_t* start, Py_ssize_t n, Py_ssize_t edge,
                        Py_ssize_t shift) noexcept nogil


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
    out = np.empty((target.shape[0], target.shape[1], target.shape[2]), dtype=np.int32)
    _transform(target, out, 1, 0, 0, 0, threads)
    return out


def half_voxel_distance(const uint8_t[:, :, ::1] target, int limit, int threads=1):
    """Squared distances of voxel centres, and of the points halfway between them, to the nearest centre of a target.

    Parameters
    ----------
    target : uint8, shape (nz, ny, nx). 1 in the target, which is not empty.
    limit : squared distance (half voxels) from which on points are left to the second result.
    threads : number of threads; never changes a result.

    Returns
    -------
    near : int16, shape (2 nz - 1, 2 ny - 1, 2 nx - 1). Squared distance (half voxels) of each point, -1 in the target;
        0 from the limit on, and where the ball up to the target holds no voxel centre.
    largest : int32, shape (nz, ny, nx). Largest squared distance (half voxels) of a voxel centre and the points half a
        voxel from it towards larger indices; 0 in the target.
    """
    cdef Py_ssize_t nz = target.shape[0]
    cdef Py_ssize_t ny = target.shape[1]
    cdef Py_ssize_t nx = target.shape[2]
    near = np.empty((2 * nz - 1, 2 * ny - 1, 2 * nx - 1), dtype=np.int16)
    largest = np.zeros((nz, ny, nx), dtype=np.int32)
    part = np.empty((nz, ny, nx), dtype=np.int32)
    cdef int16_t[:, :, ::1] finer = near
    cdef int32_t[:, :, ::1] top = largest
    cdef int32_t[:, :, ::1] squared = part
    cdef Py_ssize_t z, y, x, dz, dy, dx, corner
    cdef int32_t value
    for corner in range(8):
        dz, dy, dx = corner >> 2, corner >> 1 & 1, corner & 1
        _transform(target, part, 2, dz, dy, dx, threads)
        for z in prange(nz - dz, nogil=True, num_threads=threads, schedule="static"):
            for y in range(ny - dy):
                for x in range(nx - dx):
                    value = squared[z, y, x]
                    if value > top[z, y, x] and not target[z, y, x]:
                        top[z, y, x] = value
                    if corner == 0 and value == 0:
                        value = -1
                    elif value >= limit or value <= dz + dy + dx:
                        value = 0
                    finer[2 * z + dz, 2 * y + dy, 2 * x + dx] = <int16_t> value
    return near, largest


def _transform(const uint8_t[:, :, ::1] target, int32_t[:, :, ::1] out, Py_ssize_t edge, Py_ssize_t dz, Py_ssize_t dy,
               Py_ssize_t dx, int threads):
    """Squared distances from the voxel centres moved by dz, dy, dx of `edge` to a voxel."""
    cdef Py_ssize_t nz = target.shape[0]
    cdef Py_ssize_t ny = target.shape[1]
    cdef Py_ssize_t nx = target.shape[2]
    if nz * ny * nx == 0:
        return
    cdef Py_ssize_t rows = max(ny, nz)
    cdef int32_t* work = <int32_t*> malloc(2 * rows * COLUMNS * threads * sizeof(int32_t))
    if work == NULL:
        raise MemoryError()
    cdef int part
    for part in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        _planes(&target[0, 0, 0], &out[0, 0, 0], work + 2 * rows * COLUMNS * part, ny, nx, edge, dy, dx,
                nz * part // threads, nz * (part + 1) // threads)
    for part in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        _columns(&out[0, 0, 0], work + 2 * rows * COLUMNS * part, nz, ny, nx, edge, dz, ny * part // threads,
                 ny * (part + 1) // threads)
    free(work)


cdef void _planes(const uint8_t* target, int32_t* out, int32_t* work, Py_ssize_t ny, Py_ssize_t nx, Py_ssize_t edge,
                  Py_ssize_t dy, Py_ssize_t dx, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Squared distance within each of some planes across z."""
    cdef Py_ssize_t z, row
    for z in range(first, last):
        for row in range(z * ny, (z + 1) * ny):
            _along_row(target + row * nx, out + row * nx, nx, edge, dx)
        _across(out + z * ny * nx, work, ny, nx, nx, edge, dy)


cdef void _columns(int32_t* out, int32_t* work, Py_ssize_t nz, Py_ssize_t ny, Py_ssize_t nx, Py_ssize_t edge,
                   Py_ssize_t dz, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Bring in the distance along z, for the rows `first` to `last` of every plane."""
    cdef Py_ssize_t y
    for y in range(first, last):
        _across(out + y * nx, work, nz, nx, ny * nx, edge, dz)


cdef void _along_row(const uint8_t* target, int32_t* out, Py_ssize_t n, Py_ssize_t edge, Py_ssize_t dx) noexcept nogil:
    """Squared distance within one row."""
    cdef Py_ssize_t x, away
    cdef Py_ssize_t last = -1
    for x in range(n):
        if target[x]:
            last = x
        away = edge * (x - last) + dx
        out[x] = <int32_t> (away * away) if last >= 0 else FAR
    last = -1
    for x in range(n - 1, -1, -1):
        away = edge * (last - x) - dx
        if last >= 0 and away * away < out[x]:
            out[x] = <int32_t> (away * away)
        if target[x]:
            last = x


cdef void _across(int32_t* plane, int32_t* work, Py_ssize_t n, Py_ssize_t nx, Py_ssize_t stride,
                  Py_ssize_t edge, Py_ssize_t shift) noexcept nogil:
    """Bring in the distance across the rows of a plane, `n` rows of `nx` voxels that are `stride` apart."""
    cdef int32_t* start = work + n * COLUMNS
    cdef Py_ssize_t block, low, width, i
    for block in range((nx + COLUMNS - 1) // COLUMNS):
        low = block * COLUMNS
        width = min(<Py_ssize_t> COLUMNS, nx - low)
        memset(start, 0, n * COLUMNS * sizeof(int32_t))
        for i in range(n):
            memcpy(start + i * COLUMNS, plane + i * stride + low, width * sizeof(int32_t))
        lower_envelope(work, start, n, edge, shift)
        for i in range(n):
            memcpy(plane + i * stride + low, work + i * COLUMNS, width * sizeof(int32_t))
