"""Memory of a multigrid hierarchy: levels that halve the lattice down to a single voxel."""

import numpy as np

from libc.stdint cimport int64_t


def array_of(shape, int place, float value):
    """A float32 array that starts at a cache line, at another place of its page for each `place`: loads that
    follow stores to the same place of another page are held up."""
    size = int(np.prod(shape))
    raw = np.empty(size + 1024, np.float32)
    start = (-raw.ctypes.data % 4096) // 4 + 112 * place
    if start + size > raw.size:
        start = (-raw.ctypes.data % 64) // 4
    array = raw[start:start + size].reshape(shape)
    array[...] = value
    return array


cdef class Level:
    """Arrays of one level; see `multigrid_levels.pxd` for their layout.

    Parameters
    ----------
    nz, ny, nx : voxels.
    finest : whether couplings between open voxels are 1; other levels keep face conductances.
    like : level of the same size whose unknown, diagonal and right-hand side this one uses too.
    """

    def __init__(self, Py_ssize_t nz, Py_ssize_t ny, Py_ssize_t nx, bint finest, Level like=None):
        self.nz, self.ny, self.nx = nz, ny, nx
        self.half = ((nx + 1) // 2 + 7) // 8 * 8
        self.finest = finest
        self.between = 0
        self.row = ((nx + 1) // 2 // 16 + 1) * 16
        shape = (2, nz + 2, ny + 2, self.row)
        if like is None:
            self.u, self.d, self.s = (array_of(shape, place, value) for place, value in enumerate((0, CLOSED, 0)))
        else:
            self.u, self.d, self.s = like.u, like.d, like.s
        self.w = array_of(shape, 3, 0)
        if not finest:
            self.n, self.gx, self.gy, self.gz = (array_of(shape, place, 0) for place in range(4, 8))

    @property
    def nbytes(self):
        """Bytes of the arrays that this level may share, and of those that are its own."""
        return 3 * self.w.nbytes, self.w.nbytes * (1 if self.finest else 5)

    def openness(self, Py_ssize_t first, Py_ssize_t last):
        """Which voxels of the planes first ... last - 1 are open: bool [z, y, x]."""
        cdef Py_ssize_t z, y, x
        out = np.zeros((last - first, self.ny, self.nx), bool)
        cdef unsigned char[:, :, ::1] view = out.view(np.uint8)
        with nogil:
            for z in range(first, last):
                for y in range(self.ny):
                    for x in range(self.nx):
                        view[z - first, y, x] = at(self.w, z, y, x) > 0
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
    levels = [Level(nz, ny, nx, True, like[0] if like else None)]
    while nz * ny * nx > 1:
        nz, ny, nx = (nz + 1) // 2, (ny + 1) // 2, (nx + 1) // 2
        levels.append(Level(nz, ny, nx, False, like[len(levels)] if like else None))
    return levels
