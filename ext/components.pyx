"""Connected components of the open voxels of a lattice, as runs along x joined by union-find."""

import numpy as np

from libc.stdint cimport int32_t, int64_t
from .multigrid_levels cimport Level, place


cdef Py_ssize_t runs_of_row(Level level, Py_ssize_t z, Py_ssize_t y, int32_t* start, int32_t* stop) noexcept nogil:
    """First and last-but-one x of the runs of open voxels of a row; only counts them where `start` is NULL."""
    cdef const float* parts[2]
    cdef Py_ssize_t n = 0
    cdef Py_ssize_t x
    cdef bint inside = False
    parts[0] = place(level.w, z, y, 0)
    parts[1] = place(level.w, z, y, 1)
    for x in range(level.nx):
        if (parts[x & 1][x >> 1] > 0) != inside:
            if start != NULL and inside:
                stop[n - 1] = <int32_t> x
            elif not inside:
                if start != NULL:
                    start[n] = <int32_t> x
                n = n + 1
            inside = not inside
    if inside and start != NULL:
        stop[n - 1] = <int32_t> level.nx
    return n


cdef inline int32_t root_of(int32_t* parent, int32_t run) noexcept nogil:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


cdef void join_rows(int32_t* parent, const int32_t* start, const int32_t* stop, int32_t here, int32_t end,
                    int32_t there, int32_t other_end) noexcept nogil:
    """Join the overlapping runs of two rows: here ... end - 1 and there ... other_end - 1."""
    cdef int32_t a, b
    while here < end and there < other_end:
        if start[here] < stop[there] and start[there] < stop[here]:
            a = root_of(parent, here)
            b = root_of(parent, there)
            parent[max(a, b)] = min(a, b)
        if stop[here] < stop[there]:
            here = here + 1
        else:
            there = there + 1


cdef class Components:
    """Components of the open voxels of a level, connected through faces.

    Attributes
    ----------
    first : int64, flat index [z, y, x] of the first voxel of each run, rising.
    length : int32, voxels of each run.
    root : int32, the first run of its component, for each run.
    size : int64, voxels of the component, for each run that is the first of one; 0 for the others.
    """

    cdef readonly object first, length, root, size

    def __init__(self, Level level):
        cdef Py_ssize_t rows = level.nz * level.ny
        cdef Py_ssize_t row, i
        begins = np.zeros(rows + 1, np.int32)
        cdef int32_t[::1] begin = begins
        for row in range(rows):
            begin[row + 1] = begin[row] + <int32_t> runs_of_row(level, row // level.ny, row % level.ny, NULL, NULL)
        cdef Py_ssize_t count = begin[rows]
        cdef int32_t[::1] start = np.empty(count + 1, np.int32)
        cdef int32_t[::1] stop = np.empty(count + 1, np.int32)
        roots = np.arange(count + 1, dtype=np.int32)
        cdef int32_t[::1] parent = roots
        with nogil:
            for row in range(rows):
                runs_of_row(level, row // level.ny, row % level.ny, &start[begin[row]], &stop[begin[row]])
                if row % level.ny > 0:
                    join_rows(&parent[0], &start[0], &stop[0], begin[row], begin[row + 1], begin[row - 1], begin[row])
                if row >= level.ny:
                    join_rows(&parent[0], &start[0], &stop[0], begin[row], begin[row + 1], begin[row - level.ny],
                              begin[row - level.ny + 1])
            for i in range(count):
                parent[i] = root_of(&parent[0], <int32_t> i)
        self.root = roots[:count]
        self.length = np.asarray(stop)[:count] - np.asarray(start)[:count]
        self.first = np.repeat(np.arange(rows) * level.nx, np.diff(begins)) + np.asarray(start)[:count]
        self.size = np.bincount(self.root, self.length, count).astype(np.int64)

    def voxels(self, runs):
        """Flat indices of the voxels of some runs (int array), run after run."""
        lengths = self.length[runs]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        return np.repeat(self.first[runs], lengths) + within

    def touched_by(self, const float[:, :, ::1] values):
        """For each component, by its first run, one voxel with a value above 0, or -1: int64."""
        cdef const int64_t[::1] first = self.first
        cdef const int32_t[::1] length = self.length
        cdef const int32_t[::1] root = self.root
        cdef const float* value = &values[0, 0, 0]
        cdef Py_ssize_t i, k
        found = np.full(len(self.root), -1, np.int64)
        cdef int64_t[::1] touched = found
        with nogil:
            for i in range(root.shape[0]):
                if touched[root[i]] >= 0:
                    continue
                for k in range(first[i], first[i] + length[i]):
                    if value[k] > 0:
                        touched[root[i]] = k
                        break
        return found
