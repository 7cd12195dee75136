"""Levels and V-cycles of the geometric multigrid solver (Brandt 1977; Trottenberg et al. 2001).

The finest level has unit couplings between open voxels. Coarse levels join 2 x 2 x 2 voxels, are
open where any of them is, and carry face conductances; residuals are summed, corrections copied.
Smoothing is red-black Gauss-Seidel. Its half sweeps advance together through the planes, so that
each plane is read from memory once for all of them; threads take slabs and then fill the wedges
between the slabs. The order of the updates within a colour does not change a bit of the result.
"""

import numpy as np

from cython.parallel cimport prange


cdef Py_ssize_t PARALLEL_VOXELS = 100000


cdef class Level:
    """Arrays of one level; see `multigrid.pxd` for their layout."""

    def __init__(self, Py_ssize_t nz, Py_ssize_t ny, Py_ssize_t nx, bint finest):
        self.nz, self.ny, self.nx = nz, ny, nx
        self.half = (nx + 1) // 2
        self.finest = finest
        shape = (2, nz + 2, ny + 2, self.half + 2)
        self.u, self.d, self.s, self.w = (np.zeros(shape, np.float32) for _ in range(4))
        if not finest:
            self.n, self.gx, self.gy, self.gz = (np.zeros(shape, np.float32) for _ in range(4))

    @property
    def nbytes(self):
        """Bytes held by the arrays of this level."""
        return self.u.nbytes * (4 if self.finest else 8)


def build_levels(Py_ssize_t nz, Py_ssize_t ny, Py_ssize_t nx):
    """Empty levels of a lattice of nz x ny x nx voxels, finest first, down to a single voxel."""
    levels = [Level(nz, ny, nx, True)]
    while nz * ny * nx > 1:
        nz, ny, nx = (nz + 1) // 2, (ny + 1) // 2, (nx + 1) // 2
        levels.append(Level(nz, ny, nx, False))
    return levels


cdef int threads_for(Level level, int threads) noexcept nogil:
    return threads if level.nz * level.ny * level.nx >= PARALLEL_VOXELS else 1


cdef void relax_plane(Level level, int colour, Py_ssize_t z) noexcept nogil:
    """One half sweep of one plane."""
    cdef Py_ssize_t row = level.half + 2
    cdef Py_ssize_t plane = (level.ny + 2) * row
    cdef Py_ssize_t parity = (z + colour) & 1
    cdef int other = 1 - colour
    cdef float* u = &level.u[colour, z + 1, 1, 1]
    cdef float* v = &level.u[other, z + 1, 1, 1]
    if level.finest:
        relax_unit(u, &level.d[colour, z + 1, 1, 1], &level.s[colour, z + 1, 1, 1], v, level.ny, level.half,
                   row, plane, parity)
    else:
        relax_faces(
            u, &level.d[colour, z + 1, 1, 1], &level.s[colour, z + 1, 1, 1], v,
            &level.gx[colour, z + 1, 1, 1], &level.gy[colour, z + 1, 1, 1], &level.gz[colour, z + 1, 1, 1],
            &level.gx[other, z + 1, 1, 1], &level.gy[other, z + 1, 1, 1], &level.gz[other, z + 1, 1, 1],
            level.ny, level.half, row, plane, parity)


cdef void wave(Level level, int stages, Py_ssize_t first, Py_ssize_t last, int grow_first,
               int grow_last) noexcept nogil:
    """Half sweeps k = 0 ... stages - 1 over the planes first + k * grow_first ... last + k * grow_last.

    Half sweep k follows half sweep k - 1 at a distance of one plane.
    """
    cdef Py_ssize_t step, z
    cdef int k
    for step in range(first, last + (stages - 1) * (1 + grow_last)):
        for k in range(stages):
            z = step - k
            if first + k * grow_first <= z < last + k * grow_last:
                relax_plane(level, k & 1, z)


def smooth(Level level, int sweeps, int threads=1):
    """Red-black Gauss-Seidel sweeps, red (colour 0) first."""
    cdef int stages = 2 * sweeps
    cdef Py_ssize_t slabs = min(threads_for(level, threads), max(1, level.nz // (2 * stages)))
    cdef Py_ssize_t i
    if slabs == 1:
        with nogil:
            wave(level, stages, 0, level.nz, 0, 0)
        return
    for i in prange(slabs, nogil=True, num_threads=threads, schedule="static", chunksize=1):
        wave(level, stages, level.nz * i // slabs, level.nz * (i + 1) // slabs, 1 if i > 0 else 0,
             -1 if i + 1 < slabs else 0)
    for i in prange(1, slabs, nogil=True, num_threads=threads, schedule="static", chunksize=1):
        wave(level, stages, level.nz * i // slabs, level.nz * i // slabs, -1, 1)


cdef void split_into(float[:, :, :, ::1] a, const float* line, Level level, Py_ssize_t z,
                     Py_ssize_t y) noexcept nogil:
    """Row (z, y) of a level array from a row of voxels in lattice order."""
    cdef int even = (z + y) & 1
    split_row(&a[even, z + 1, y + 1, 1], &a[1 - even, z + 1, y + 1, 1], line, level.nx)


cdef void merge_from(float* line, float[:, :, :, ::1] a, Level level, Py_ssize_t z,
                     Py_ssize_t y) noexcept nogil:
    """The reverse of `split_into`."""
    cdef int even = (z + y) & 1
    merge_row(line, &a[even, z + 1, y + 1, 1], &a[1 - even, z + 1, y + 1, 1], level.nx)


cdef void restrict_plane(Level fine, Level coarse, Py_ssize_t Z, float* sums) noexcept nogil:
    """Right-hand side of one coarse plane: the residuals of the red voxels; the black ones have none
    after a sweep. Starts the correction at zero."""
    cdef Py_ssize_t row = fine.half + 2
    cdef Py_ssize_t plane = (fine.ny + 2) * row
    cdef Py_ssize_t Y, z, y, i
    for Y in range(coarse.ny):
        for i in range(fine.half):
            sums[i] = 0.0
        for z in range(2 * Z, min(2 * Z + 2, fine.nz)):
            for y in range(2 * Y, min(2 * Y + 2, fine.ny)):
                if fine.finest:
                    residual_unit(
                        sums, &fine.w[0, z + 1, y + 1, 1], &fine.u[0, z + 1, y + 1, 1],
                        &fine.d[0, z + 1, y + 1, 1], &fine.s[0, z + 1, y + 1, 1],
                        &fine.u[1, z + 1, y + 1, 1], fine.half, row, plane, (z + y) & 1)
                else:
                    residual_faces(
                        sums, &fine.w[0, z + 1, y + 1, 1], &fine.u[0, z + 1, y + 1, 1],
                        &fine.d[0, z + 1, y + 1, 1], &fine.s[0, z + 1, y + 1, 1],
                        &fine.u[1, z + 1, y + 1, 1], &fine.gx[0, z + 1, y + 1, 1],
                        &fine.gy[0, z + 1, y + 1, 1], &fine.gz[0, z + 1, y + 1, 1],
                        &fine.gx[1, z + 1, y + 1, 1], &fine.gy[1, z + 1, y + 1, 1],
                        &fine.gz[1, z + 1, y + 1, 1], fine.half, row, plane, (z + y) & 1)
        split_into(coarse.s, sums, coarse, Z, Y)
        for i in range(coarse.half):
            coarse.u[0, Z + 1, Y + 1, i + 1] = 0.0
            coarse.u[1, Z + 1, Y + 1, i + 1] = 0.0


cdef void prolong_plane(Level fine, Level coarse, Py_ssize_t Z, float* line) noexcept nogil:
    """Add the coarse correction to the black voxels; the sweep that follows sets the red ones from them."""
    cdef Py_ssize_t Y, z, y
    for Y in range(coarse.ny):
        merge_from(line, coarse.u, coarse, Z, Y)
        for z in range(2 * Z, min(2 * Z + 2, fine.nz)):
            for y in range(2 * Y, min(2 * Y + 2, fine.ny)):
                add_scaled(&fine.u[1, z + 1, y + 1, 1], &fine.w[1, z + 1, y + 1, 1], line, fine.half)


def restrict_residual(Level fine, Level coarse, float[:, ::1] scratch, int threads=1):
    """Set the right-hand side of the coarse level to the summed residuals of the fine one."""
    cdef Py_ssize_t Z
    for Z in prange(coarse.nz, nogil=True, num_threads=threads_for(fine, threads), schedule="static"):
        restrict_plane(fine, coarse, Z, &scratch[Z, 0])


def prolong_correction(Level fine, Level coarse, float[:, ::1] scratch, int threads=1):
    """Add the unknown of the coarse level to that of the fine one."""
    cdef Py_ssize_t Z
    for Z in prange(coarse.nz, nogil=True, num_threads=threads_for(fine, threads), schedule="static"):
        prolong_plane(fine, coarse, Z, &scratch[Z, 0])


def cycle(list levels, float[:, ::1] scratch, int sweeps=2, int threads=1):
    """One V-cycle on the equations held in `levels[0]`.

    Parameters
    ----------
    levels : list of Level
    scratch : float32, at least [planes of the finest level, its row length]; overwritten.
    sweeps : red-black sweeps before and after each coarse correction.
    threads : the result does not depend on it.
    """
    cdef Py_ssize_t depth
    for depth in range(len(levels) - 1):
        smooth(levels[depth], sweeps, threads)
        restrict_residual(levels[depth], levels[depth + 1], scratch, threads)
    smooth(levels[len(levels) - 1], sweeps, threads)
    for depth in range(len(levels) - 2, -1, -1):
        prolong_correction(levels[depth], levels[depth + 1], scratch, threads)
        smooth(levels[depth], sweeps, threads)
