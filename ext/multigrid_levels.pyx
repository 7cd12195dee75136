"""Memory of a multigrid hierarchy: levels that halve the lattice down to a single voxel."""

import numpy as np

from libc.stdint cimport int64_t


cdef class Arena:
    """One piece of memory for all the arrays of a hierarchy, so that they lie on large pages.

    Arrays start at cache lines, each at another place of its page than the one before: loads that follow stores
    to the same place of another page are held up.
    """

    cdef object memory
    cdef Py_ssize_t used

    def __init__(self, Py_ssize_t arrays, Py_ssize_t floats):
        self.memory = np.empty(floats + 1024 * (arrays + 1), np.float32)
        self.used = (-self.memory.ctypes.data % 4096) // 4

    def array(self, shape, float value):
        """A float32 array of this shape, filled with a value."""
        size = int(np.prod(shape))
        array = self.memory[self.used:self.used + size].reshape(shape)
        array[...] = value
        self.used += (size + 15) // 16 * 16 + 112
        return array


cdef class Level:
    """Arrays of one level; see `multigrid_levels.pxd` for their layout.

    Parameters
    ----------
    nz, ny, nx : voxels.
    finest : whether couplings between open voxels are 1; other levels keep face conductances.
    """

    def __init__(self, Py_ssize_t nz, Py_ssize_t ny, Py_ssize_t nx, bint finest):
        self.nz, self.ny, self.nx = nz, ny, nx
        self.half = ((nx + 1) // 2 + 15) // 16 * 16
        self.finest = finest
        self.between = 0
        self.row = ((nx + 1) // 2 // 16 + 1) * 16

    @property
    def shape(self):
        """Shape of the arrays."""
        return (2, self.nz + 2, self.ny + 2, self.row)

    @property
    def own_arrays(self):
        """Number of arrays that no other hierarchy can share."""
        return 1 if self.finest else 5

    def take(self, Arena arena, Level like=None):
        """Take arrays out of an arena; unknown, diagonal and right-hand side are those of `like` where it is given."""
        if like is None:
            self.u = arena.array(self.shape, 0)
            self.d = arena.array(self.shape, CLOSED)
            self.s = arena.array(self.shape, 0)
        else:
            self.u, self.d, self.s = like.u, like.d, like.s
        self.w = arena.array(self.shape, 0)
        if not self.finest:
            self.n, self.gx, self.gy, self.gz = (arena.array(self.shape, 0) for _ in range(4))

    @property
    def nbytes(self):
        """Bytes of the arrays that this level may share, and of those that are its own."""
        return 3 * self.w.nbytes, self.own_arrays * self.w.nbytes

    def openness(self):
        """Which voxels are open: bool [z, y, x]."""
        cdef Py_ssize_t z, y, x
        out = np.zeros((self.nz, self.ny, self.nx), bool)
        cdef unsigned char[:, :, ::1] view = out.view(np.uint8)
        with nogil:
            for z in range(self.nz):
                for y in range(self.ny):
                    for x in range(self.nx):
                        view[z, y, x] = at(self.w, z, y, x) > 0
        return out

    def relative_of(self, const int64_t[::1] voxels):
        """Relative diffusivity of voxels by flat index: float32. Its root is again the w of the voxel."""
        cdef Py_ssize_t i
        out = np.empty(voxels.shape[0], np.float32)
        cdef float[::1] view = out
        for i in range(voxels.shape[0]):
            view[i] = at(self.w, voxels[i] // (self.nx * self.ny), voxels[i] // self.nx % self.ny, voxels[i] % self.nx)
        return out * out


def build_levels(Py_ssize_t nz, Py_ssize_t ny, Py_ssize_t nx, list like=None):
    """Closed levels of a lattice of nz x ny x nx voxels, finest first, down to a single voxel.

    With `like`, the levels of a hierarchy of the same size, the two use one working memory in turn.
    """
    levels = [Level(nz, ny, nx, True)]
    while nz * ny * nx > 1:
        nz, ny, nx = (nz + 1) // 2, (ny + 1) // 2, (nx + 1) // 2
        levels.append(Level(nz, ny, nx, False))
    counts = [level.own_arrays + (0 if like else 3) for level in levels]
    floats = sum(count * int(np.prod(level.shape)) for count, level in zip(counts, levels))
    arena = Arena(sum(counts), floats)
    for depth, level in enumerate(levels):
        level.take(arena, like[depth] if like else None)
    return levels
