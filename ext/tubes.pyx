"""Voxels of curved tubes on the lattice.

Curves are quadratic Bezier curves, given by start, control and end point (z, y, x) in voxel edges and sampled
at the parameters `t` in steps below one voxel edge. The voxels of the samples are joined by faces, along z
first and x last, so that a line is connected however thin; it has other voxels from its far end.
"""

import numpy as np

from libc.math cimport floor
from libc.stdint cimport int32_t, int64_t, uint8_t


cdef struct Place:
    double p[3]        # the sample
    int64_t v[3]       # its voxel


cdef inline void sample(const double* start, const double* control, const double* end, double t,
                        const int64_t* shape, Place* out) noexcept nogil:
    """A point of the curve and the voxel it is in."""
    cdef double s = 1 - t
    cdef int axis
    for axis in range(3):
        out.p[axis] = start[axis] * (s * s) + 2 * control[axis] * t * s + end[axis] * (t * t)
        out.v[axis] = min(max(<int64_t> out.p[axis], 0), shape[axis] - 1)


cdef inline void sites_of(const Place* before, const Place* here, const int64_t* shape, int64_t* out) noexcept nogil:
    """Voxel of a sample, and the two on the way to it from the sample before."""
    out[0] = (here.v[0] * shape[1] + here.v[1]) * shape[2] + here.v[2]
    out[1] = (here.v[0] * shape[1] + before.v[1]) * shape[2] + before.v[2]
    out[2] = (here.v[0] * shape[1] + here.v[1]) * shape[2] + before.v[2]


def are_clear(const double[:, ::1] start, const double[:, ::1] control, const double[:, ::1] end,
              const double[::1] t, const uint8_t[:, :, ::1] clear):
    """Whether all voxels along each curve are true in `clear`: bool, shape (n,)."""
    result = np.ones(start.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] view = result
    cdef int64_t[3] box = (clear.shape[0], clear.shape[1], clear.shape[2])
    cdef const uint8_t* flat = &clear[0, 0, 0]
    cdef int64_t[3] sites
    cdef Place before, here
    cdef Py_ssize_t i, j
    with nogil:
        for i in range(start.shape[0]):
            for j in range(t.shape[0]):
                sample(&start[i, 0], &control[i, 0], &end[i, 0], t[j], box, &here)
                if j == 0:
                    before = here
                sites_of(&before, &here, box, sites)
                if not (flat[sites[0]] and flat[sites[1]] and flat[sites[2]]):
                    view[i] = 0
                    break
                before = here
    return result.view(bool)


def stamp(int32_t[:, :, ::1] key, const uint8_t[:, :, ::1] room, const double[:, ::1] start,
          const double[:, ::1] control, const double[:, ::1] end, const uint8_t[::1] backward,
          const double[::1] t, double radius, double radius_squared, int32_t rank):
    """Lower `key` (changed) to the smallest number of the samples that reach a voxel of `room`.

    Samples are numbered from `rank`, edge after edge, each edge from its start, or from its end where
    `backward`. A sample reaches the voxels whose centre lies within `radius` (voxel edges), and its line.
    A voxel between two samples of a line has the number of the later one.
    """
    cdef int64_t[3] box = (key.shape[0], key.shape[1], key.shape[2])
    cdef int32_t* keys = &key[0, 0, 0]
    cdef const uint8_t* rooms = &room[0, 0, 0]
    cdef int32_t count = <int32_t> t.shape[0]
    cdef int size = <int> (radius + 0.5)
    cdef int32_t number, turn
    cdef int64_t[3] sites
    cdef Place before, here
    cdef Py_ssize_t i, j
    with nogil:
        for i in range(start.shape[0]):
            for j in range(count):
                sample(&start[i, 0], &control[i, 0], &end[i, 0], t[j], box, &here)
                number = rank + <int32_t> i * count + (count - 1 - <int32_t> j if backward[i] else <int32_t> j)
                if j == 0:
                    before = here
                turn = number + 1 if backward[i] and j > 0 else number
                sites_of(&before, &here, box, sites)
                lower(keys, rooms, sites[0], number)
                lower(keys, rooms, sites[1], turn)
                lower(keys, rooms, sites[2], turn)
                ball(keys, rooms, here.p, box, size, radius_squared, number)
                before = here


cdef inline void ball(int32_t* keys, const uint8_t* rooms, const double* p, const int64_t* box, int size,
                      double radius_squared, int32_t number) noexcept nogil:
    """Lower the keys of the voxels whose centre lies within a radius of a point."""
    cdef int64_t z, y, x
    cdef int64_t z0 = <int64_t> floor(p[0])
    cdef int64_t y0 = <int64_t> floor(p[1])
    cdef int64_t x0 = <int64_t> floor(p[2])
    cdef double dz, dy, dx
    for z in range(max(z0 - size, 0), min(z0 + size + 1, box[0])):
        dz = z + 0.5 - p[0]
        for y in range(max(y0 - size, 0), min(y0 + size + 1, box[1])):
            dy = y + 0.5 - p[1]
            for x in range(max(x0 - size, 0), min(x0 + size + 1, box[2])):
                dx = x + 0.5 - p[2]
                if dz * dz + dy * dy + dx * dx <= radius_squared:
                    lower(keys, rooms, (z * box[1] + y) * box[2] + x, number)


cdef inline void lower(int32_t* keys, const uint8_t* rooms, int64_t site, int32_t number) noexcept nogil:
    if number < keys[site] and rooms[site]:
        keys[site] = number
