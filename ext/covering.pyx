"""The largest of many balls that covers each voxel."""

import numpy as np

from cython.parallel cimport prange, threadid
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t
from libc.string cimport memset

cdef enum:
    EDGE = 8

ctypedef fused Rank:
    int16_t
    int32_t


def largest_cover(Rank[:, :, ::1] rank, const int64_t[::1] squared_radius, const uint8_t[:, :, :] asked, int threads=1,
                  int step=1, Py_ssize_t drawn=-1):
    """Rank of the largest ball that covers each voxel, where every voxel may be the centre of one.

    A ball of squared radius R^2 covers the voxels at squared distances below R^2.

    Parameters
    ----------
    rank : int16 or int32, shape (nz, ny, nx). Rank of the ball centred in a voxel, from 1; 0 or -1 where none is.
        Changes to the highest rank whose balls cover a voxel, 0 where none does or no cover is asked for.
    squared_radius : int64, shape (ranks + 1,). Squared radius (voxels) of each rank, ascending from rank 1.
    asked : uint8, shape (nz, ny, nx), of every `step`-th voxel. 1 where the cover is asked for.
    threads : number of threads; never changes a result.
    step : what is covered is every how many-th voxel along each axis, from the first; the others are only centres, and
        keep their rank.
    drawn : highest rank whose balls are drawn, all unless given; higher ones only make those inside them redundant.

    Notes
    -----
    A ball inside the ball of a neighbour (26) covers nothing of its own and is left out: the medial axis by lookup
    tables of Remy & Thiel 2005 (Image Vis Comput 23:167). The rest are drawn plane by plane from the highest rank
    down, and what is covered already is skipped by links to the next voxel that is not, so that the cost goes with
    the number of rows of all balls, not with their volume.
    """
    cdef Py_ssize_t nz = rank.shape[0]
    cdef Py_ssize_t ny = rank.shape[1]
    cdef Py_ssize_t nx = rank.shape[2]
    cdef Py_ssize_t ranks = squared_radius.shape[0] - 1
    if nz * ny * nx == 0 or ranks < 1:
        return
    if drawn < 0:
        drawn = ranks
    needed, half_width = _tables(squared_radius)
    # Where the balls of each rank and plane begin, in the order of ranks, then planes.
    first = np.zeros((ranks + 1, nz + 1), dtype=np.int64)
    cdef int64_t[:, ::1] starts = first
    cdef const int64_t[:, ::1] need = needed
    cdef const int32_t[::1] widths = half_width
    kept = np.empty((nz, ny, nx), dtype=np.uint8)
    cdef uint8_t[:, :, ::1] keep = kept
    cdef Py_ssize_t z, y, x, k
    for z in prange(nz, nogil=True, num_threads=threads, schedule="static"):
        for y in range(ny):
            for x in range(nx):
                keep[z, y, x] = 0 < rank[z, y, x] <= drawn and not _redundant(rank, need, squared_radius, z, y, x)
    for z in prange(nz, nogil=True, num_threads=threads, schedule="static"):
        for y in range(ny):
            for x in range(nx):
                if keep[z, y, x]:
                    starts[rank[z, y, x], z] += 1
    counts = first.ravel().cumsum()
    total = int(counts[-1])
    first.ravel()[1:] = counts[:-1]
    first[0, 0] = 0
    rows = np.empty(total, dtype=np.int32)
    columns = np.empty(total, dtype=np.int32)
    cdef int32_t[::1] row = rows
    cdef int32_t[::1] column = columns
    filled = first.copy()
    cdef int64_t[:, ::1] fill = filled
    for z in prange(nz, nogil=True, num_threads=threads, schedule="static"):
        for y in range(ny):
            for x in range(nx):
                if keep[z, y, x]:
                    k = fill[rank[z, y, x], z]
                    row[k] = <int32_t> y
                    column[k] = <int32_t> x
                    fill[rank[z, y, x], z] = k + 1
    cdef Py_ssize_t planes = (nz + step - 1) // step
    cdef Py_ssize_t length = (ny + step - 1) // step
    cdef Py_ssize_t width = (nx + step - 1) // step
    cdef Py_ssize_t blocks = (length + EDGE - 1) // EDGE * ((width + EDGE - 1) // EDGE + 1)
    cdef int32_t[:, ::1] link = np.empty((threads, length * (width + 1)), dtype=np.int32)
    cdef int32_t[:, ::1] block_link = np.empty((threads, blocks), dtype=np.int32)
    cdef int32_t[:, ::1] block_left = np.empty((threads, blocks), dtype=np.int32)
    for z in prange(planes, nogil=True, num_threads=threads, schedule="dynamic"):
        _draw_plane(rank, squared_radius, asked, starts, row, column, widths, &link[threadid(), 0],
                    &block_link[threadid(), 0], &block_left[threadid(), 0], z, step)


def _tables(squared_radius):
    """Squared radius of a ball around a neighbour that holds one of each rank, and half widths of rows.

    Returns
    -------
    needed : int64, shape (4, ranks + 1): by the number of axes along which the neighbour lies off.
    half_width : int32, shape (largest squared radius + 1,): the largest w with w^2 < n, -1 for n = 0.
    """
    cdef int64_t largest = squared_radius[squared_radius.shape[0] - 1]
    farthest = np.zeros((4, largest), dtype=np.int64)
    cdef int64_t[:, ::1] far = farthest
    cdef int64_t a, b, c, n
    with nogil:
        a = 0
        while a * a < largest:
            b = 0
            while b <= a and a * a + b * b < largest:
                c = 0
                n = a * a + b * b
                while c <= b and n < largest:
                    far[1, n] = max(far[1, n], n + 2 * a + 1)
                    far[2, n] = max(far[2, n], n + 2 * (a + b) + 2)
                    far[3, n] = max(far[3, n], n + 2 * (a + b + c) + 3)
                    c = c + 1
                    n = a * a + b * b + c * c
                b = b + 1
            a = a + 1
    np.maximum.accumulate(farthest, axis=1, out=farthest)
    needed = farthest[:, np.maximum(np.asarray(squared_radius) - 1, 0)] + 1
    half_width = np.empty(largest + 1, dtype=np.int32)
    cdef int32_t[::1] width = half_width
    cdef int32_t w = -1
    for n in range(largest + 1):
        while <int64_t> (w + 1) * (w + 1) < n:
            w += 1
        width[n] = w
    return np.ascontiguousarray(needed), half_width


cdef bint _redundant(Rank[:, :, ::1] rank, const int64_t[:, ::1] need, const int64_t[::1] squared_radius,
                     Py_ssize_t z, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    """Whether the ball of a voxel lies inside that of a neighbour."""
    cdef Rank own = rank[z, y, x]
    cdef Rank other
    cdef Py_ssize_t i, j, k
    for i in range(max(z - 1, 0), min(z + 2, rank.shape[0])):
        for j in range(max(y - 1, 0), min(y + 2, rank.shape[1])):
            for k in range(max(x - 1, 0), min(x + 2, rank.shape[2])):
                other = rank[i, j, k]
                if other > own and squared_radius[other] >= need[(i != z) + (j != y) + (k != x), own]:
                    return True
    return False


cdef void _draw_plane(Rank[:, :, ::1] rank, const int64_t[::1] squared_radius, const uint8_t[:, :, :] asked,
                      const int64_t[:, ::1] starts, const int32_t[::1] row, const int32_t[::1] column,
                      const int32_t[::1] widths, int32_t* link, int32_t* block_link, int32_t* block_left,
                      Py_ssize_t place, Py_ssize_t step) noexcept nogil:
    """Cover one plane by the balls that reach into it, highest rank first.

    `link` is room for (nx + 1) numbers a row: the next voxel that is open, which means to be covered yet, or a way
    towards it. The same of square blocks of voxels in `block_link`, and how many of each are open in `block_left`.
    """
    cdef Py_ssize_t nz = rank.shape[0]
    cdef Py_ssize_t ny = (rank.shape[1] + step - 1) // step
    cdef Py_ssize_t nx = (rank.shape[2] + step - 1) // step
    cdef Py_ssize_t z = place * step
    cdef Py_ssize_t width = (nx + EDGE - 1) // EDGE + 1
    cdef Py_ssize_t left = 0
    cdef Py_ssize_t y, x, near, reach, ball, level, block
    cdef int64_t squared
    memset(block_left, 0, (ny + EDGE - 1) // EDGE * width * sizeof(int32_t))
    for y in range(ny):
        for x in range(nx):
            rank[z, y * step, x * step] = 0
            link[y * (nx + 1) + x] = <int32_t> (x + (not asked[place, y, x]))
            if asked[place, y, x]:
                block_left[y // EDGE * width + x // EDGE] += 1
                left += 1
        link[y * (nx + 1) + nx] = <int32_t> nx
    for y in range((ny + EDGE - 1) // EDGE):
        for x in range(width - 1):
            block = y * width + x
            block_link[block] = <int32_t> (x + (block_left[block] == 0))
        block_link[y * width + width - 1] = <int32_t> (width - 1)
    for level in range(squared_radius.shape[0] - 1, 0, -1):
        if left == 0:
            break
        reach = widths[squared_radius[level]]
        for near in range(max(z - reach, 0), min(z + reach + 1, nz)):
            squared = squared_radius[level] - (near - z) * (near - z)
            for ball in range(starts[level, near], starts[level, near + 1]):
                left -= _draw_disc(rank, link, block_link, block_left, widths, squared, row[ball], column[ball], z,
                                   step, <Rank> level)


cdef Py_ssize_t _draw_disc(Rank[:, :, ::1] rank, int32_t* link, int32_t* block_link, int32_t* block_left,
                           const int32_t[::1] widths, int64_t squared, Py_ssize_t row, Py_ssize_t column, Py_ssize_t z,
                           Py_ssize_t step, Rank level) noexcept nogil:
    """Cover what is open in a disc of a plane; how many voxels that were."""
    cdef Py_ssize_t ny = (rank.shape[1] + step - 1) // step
    cdef Py_ssize_t nx = (rank.shape[2] + step - 1) // step
    cdef Py_ssize_t blocks = (nx + EDGE - 1) // EDGE + 1
    cdef Py_ssize_t radius = widths[squared]
    cdef Py_ssize_t low = (max(row - radius, 0) + step - 1) // step
    cdef Py_ssize_t high = min((row + radius) // step, ny - 1)
    cdef Py_ssize_t last = min((column + radius) // step, nx - 1)
    cdef Py_ssize_t covered = 0
    cdef Py_ssize_t band, y, half, stop
    cdef int32_t x
    cdef int32_t* left
    cdef int32_t* links
    for band in range(low // EDGE, high // EDGE + 1):
        if _open(block_link + band * blocks, <int32_t> (max(column - radius, 0) // step // EDGE)) > last // EDGE:
            continue
        left = block_left + band * blocks
        for y in range(max(low, band * EDGE), min(high + 1, (band + 1) * EDGE)):
            half = widths[squared - (y * step - row) * (y * step - row)]
            links = link + y * (nx + 1)
            stop = min((column + half) // step, nx - 1)
            x = _open(links, <int32_t> ((max(column - half, 0) + step - 1) // step))
            while x <= stop:
                rank[z, y * step, x * step] = level
                links[x] = x + 1
                covered += 1
                left[x // EDGE] -= 1
                if left[x // EDGE] == 0:
                    block_link[band * blocks + x // EDGE] = x // EDGE + 1
                x = _open(links, x + 1)
    return covered


cdef inline int32_t _open(int32_t* links, int32_t x) noexcept nogil:
    """The first open place from `x` on, shortening the way there."""
    while links[x] != x:
        links[x] = links[links[x]]
        x = links[x]
    return x
