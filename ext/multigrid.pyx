"""V-cycles of the geometric multigrid solver (Brandt 1977; Trottenberg et al. 2001).

The finest level has unit couplings between open voxels. Coarse levels join 2 x 2 x 2 voxels, are
open where any of them is, and carry face conductances; residuals are summed, corrections copied.
Smoothing is red-black relaxation, over-relaxed but where red residuals alone are restricted or red
voxels follow from corrected black ones (Yavneh 1996).

Half of a cycle on a level is one pass through memory: what comes first (loading the equations, or
the coarse correction), the half sweeps and what comes last (restriction, or storing the solution)
follow each other at a distance of one plane and one row, over tiles of rows small enough to stay in
the cache. Threads take slabs and then fill the wedges between the slabs. The order of the updates
within a colour does not change a bit of the result.
"""

import numpy as np

from cython.parallel cimport prange
from libc.stdlib cimport calloc, free, malloc

from .multigrid_levels cimport (Inspection, Level, add_correction, merge_row, relax_faces, relax_unit, residual_faces,
                                residual_unit, split_row)
from .multigrid_terms cimport Terms, load_rows, scratch_length, store_rows

from .multigrid_terms import sum_sinks

cdef enum:
    NOTHING = 0
    LOAD = 1
    CORRECT = 2
    RESTRICT = 3
    STORE = 4
    HALF_SWEEPS = 4
    LANES = 16

cdef Py_ssize_t PARALLEL_VOXELS = 100000
cdef Py_ssize_t TILE_VOXELS = 8192
cdef float OVER = 1.25

cdef struct Slab:
    # The opening stage takes the planes first ... last - 1, half sweep k those from first + (k + 1) * grow_first
    # to last + (k + 1) * grow_last - 1, the closing stage coarse planes (restriction) or planes (storing).
    Py_ssize_t first
    Py_ssize_t last
    int grow_first
    int grow_last
    Py_ssize_t close_first
    Py_ssize_t close_last
    Inspection seen
    int least
    float* scratch


cdef struct Pass:
    int opening
    int closing
    float omega[HALF_SWEEPS]
    Py_ssize_t rows          # of a tile


cdef int threads_for(Level level, int threads) noexcept nogil:
    return threads if level.nz * level.ny * level.nx >= PARALLEL_VOXELS else 1


cdef void relax_rows(Level level, int colour, float omega, Py_ssize_t z, Py_ssize_t y, Py_ssize_t rows,
                     Py_ssize_t ahead) noexcept nogil:
    """One half sweep of some rows of one plane; fetches the same rows `ahead` planes further on."""
    cdef Py_ssize_t row = level.row
    cdef Py_ssize_t plane = (level.ny + 2) * row
    cdef Py_ssize_t parity = (z + y + colour) & 1
    cdef int other = 1 - colour
    cdef float* u = &level.u[colour, z + 1, y + 1, 0]
    cdef float* v = &level.u[other, z + 1, y + 1, 0]
    if level.finest:
        relax_unit(u, &level.d[colour, z + 1, y + 1, 0], &level.s[colour, z + 1, y + 1, 0], v, rows, level.half,
                   row, plane, parity, omega, ahead * plane if z + ahead < level.nz else 0)
    else:
        relax_faces(
            u, &level.d[colour, z + 1, y + 1, 0], &level.s[colour, z + 1, y + 1, 0], v,
            &level.gx[colour, z + 1, y + 1, 0], &level.gy[colour, z + 1, y + 1, 0],
            &level.gz[colour, z + 1, y + 1, 0], &level.gx[other, z + 1, y + 1, 0],
            &level.gy[other, z + 1, y + 1, 0], &level.gz[other, z + 1, y + 1, 0], rows, level.half, row, plane,
            parity, omega)


cdef void restrict_row(Level fine, Level coarse, Py_ssize_t Z, Py_ssize_t Y, float* sums) noexcept nogil:
    """Right-hand side of one coarse row: the residuals of the red voxels; the black ones have next to
    none after a sweep. Starts the correction at zero."""
    cdef Py_ssize_t row = fine.row
    cdef Py_ssize_t plane = (fine.ny + 2) * row
    cdef Py_ssize_t z, y, i
    cdef int even = (Z + Y) & 1
    for i in range(fine.half):
        sums[i] = 0.0
    for z in range(2 * Z, min(2 * Z + 2, fine.nz)):
        for y in range(2 * Y, min(2 * Y + 2, fine.ny)):
            if fine.finest:
                residual_unit(
                    sums, NULL if fine.between == 0 else &fine.w[0, z + 1, y + 1, 0], &fine.u[0, z + 1, y + 1, 0],
                    &fine.d[0, z + 1, y + 1, 0], &fine.s[0, z + 1, y + 1, 0], &fine.u[1, z + 1, y + 1, 0],
                    fine.half, row, plane, (z + y) & 1)
            else:
                residual_faces(
                    sums, &fine.u[0, z + 1, y + 1, 0], &fine.d[0, z + 1, y + 1, 0], &fine.s[0, z + 1, y + 1, 0],
                    &fine.u[1, z + 1, y + 1, 0], &fine.gx[0, z + 1, y + 1, 0], &fine.gy[0, z + 1, y + 1, 0],
                    &fine.gz[0, z + 1, y + 1, 0], &fine.gx[1, z + 1, y + 1, 0], &fine.gy[1, z + 1, y + 1, 0],
                    &fine.gz[1, z + 1, y + 1, 0], fine.half, row, plane, (z + y) & 1)
    split_row(&coarse.s[even, Z + 1, Y + 1, 0], &coarse.s[1 - even, Z + 1, Y + 1, 0], sums, coarse.nx)
    for i in range(coarse.half):
        coarse.u[0, Z + 1, Y + 1, i] = 0.0
        coarse.u[1, Z + 1, Y + 1, i] = 0.0


cdef void correct_rows(Level fine, Level coarse, Py_ssize_t z, Py_ssize_t first, Py_ssize_t last,
                       float* line) noexcept nogil:
    """Add the coarse correction to the black voxels of some rows; the sweep that follows sets the red
    ones from them."""
    cdef Py_ssize_t y
    cdef int even
    for y in range(first, last):
        if (y & 1) == 0:
            even = ((z >> 1) + (y >> 1)) & 1
            merge_row(line, &coarse.u[even, (z >> 1) + 1, (y >> 1) + 1, 0],
                      &coarse.u[1 - even, (z >> 1) + 1, (y >> 1) + 1, 0], coarse.nx)
        add_correction(&fine.u[1, z + 1, y + 1, 0],
                       NULL if fine.between == 0 or not fine.finest else &fine.w[1, z + 1, y + 1, 0],
                       &fine.d[1, z + 1, y + 1, 0], line, fine.half)


cdef void close_plane(Level fine, Level coarse, Terms terms, int closing, Py_ssize_t z, Py_ssize_t first,
                      Py_ssize_t last, Slab* slab, double[:, ::1] sums) noexcept nogil:
    """Restrict to rows first ... last - 1 of coarse plane z, or store those rows of plane z."""
    cdef Py_ssize_t y
    if closing == RESTRICT:
        for y in range(first, last):
            restrict_row(fine, coarse, z, y, slab.scratch)
    elif closing == STORE:
        store_rows(fine, terms, z, first, last, slab.scratch, &slab.least, &sums[z, 0])


cdef void work_tile(Level fine, Level coarse, Terms terms, Pass* work, Slab* slab, Py_ssize_t top,
                    Py_ssize_t bottom, double[:, ::1] sums) noexcept nogil:
    """All stages of a pass over rows top ... bottom - 1; every stage a plane and a row behind the one before."""
    cdef Py_ssize_t step, z, ready, first, last
    cdef Py_ssize_t closed = slab.close_first
    cdef Py_ssize_t close_top = top - HALF_SWEEPS if top > 0 else 0
    cdef Py_ssize_t close_bottom = bottom - HALF_SWEEPS if bottom < fine.ny else fine.ny
    cdef int k
    if work.closing == RESTRICT:
        # Coarse row Y needs the rows 2 Y - 1 ... 2 Y + 2.
        close_top = (close_top >> 1) - 1 if top > 0 else 0
        close_bottom = (close_bottom >> 1) - 1 if bottom < fine.ny else coarse.ny
    for step in range(slab.first, slab.last + HALF_SWEEPS * (1 + max(slab.grow_last, 0)) + 1):
        if step < slab.last and work.opening == LOAD:
            load_rows(fine, coarse, terms, step, top, bottom, (step & 1) == 0, slab.scratch, &slab.seen)
        elif step < slab.last and work.opening == CORRECT:
            correct_rows(fine, coarse, step, top, bottom, slab.scratch)
        for k in range(HALF_SWEEPS):
            z = step - 1 - k
            if slab.first + (k + 1) * slab.grow_first <= z < slab.last + (k + 1) * slab.grow_last:
                first = top - 1 - k if top > 0 else 0
                last = bottom - 1 - k if bottom < fine.ny else fine.ny
                relax_rows(fine, k & 1, work.omega[k], z, first, last - first,
                           k + 2 if k < 2 else 0)
        ready = step - HALF_SWEEPS
        if work.closing == RESTRICT:
            ready = (ready - 2) >> 1
        while closed < slab.close_last and closed <= ready:
            close_plane(fine, coarse, terms, work.closing, closed, close_top, close_bottom, slab, sums)
            closed = closed + 1
    while closed < slab.close_last:
        close_plane(fine, coarse, terms, work.closing, closed, close_top, close_bottom, slab, sums)
        closed = closed + 1


cdef void work_slab(Level fine, Level coarse, Terms terms, Pass* work, Slab* slab,
                    double[:, ::1] sums) noexcept nogil:
    """A pass over the planes of one slab, tile by tile."""
    cdef Py_ssize_t top = 0
    cdef Py_ssize_t bottom
    while top < fine.ny:
        bottom = top + work.rows if top + work.rows + HALF_SWEEPS * 2 < fine.ny else fine.ny
        work_tile(fine, coarse, terms, work, slab, top, bottom, sums)
        top = bottom


cdef void cut(Level fine, Level coarse, int closing, Slab* slabs, Py_ssize_t count) noexcept nogil:
    """Slabs 0 ... count - 1 side by side, and count ... 2 * count - 2 the wedges between them."""
    cdef Py_ssize_t i, first, last
    cdef Py_ssize_t lag = 3 if closing == RESTRICT else HALF_SWEEPS
    cdef int scale = 2 if closing == RESTRICT else 1
    for i in range(count):
        first = fine.nz * i // count & ~1
        last = fine.nz * (i + 1) // count & ~1 if i + 1 < count else fine.nz
        slabs[i].first = first
        slabs[i].last = last
        slabs[i].grow_first = 1 if i > 0 else 0
        slabs[i].grow_last = -1 if i + 1 < count else 0
        slabs[i].close_first = first // scale + lag if i > 0 else 0
        slabs[i].close_last = last // scale - lag if i + 1 < count else (last + scale - 1) // scale
        if i > 0:
            slabs[count + i - 1].first = first
            slabs[count + i - 1].last = first
            slabs[count + i - 1].grow_first = -1
            slabs[count + i - 1].grow_last = 1
            slabs[count + i - 1].close_first = first // scale - lag
            slabs[count + i - 1].close_last = first // scale + lag


cdef tuple run(Level fine, Level coarse, Terms terms, int opening, int closing, omega, int threads):
    """One pass over a level.

    Returns
    -------
    (largest, stray, least) of the equations loaded (see `Inspection`), the smallest value stored (see
    `ordered`), and the sums of what was stored, plane by plane, in lanes: float64 [z, 4, 16].
    """
    cdef Pass work
    cdef Py_ssize_t i
    cdef Py_ssize_t count = max(1, min(threads_for(fine, threads), fine.nz // (4 * HALF_SWEEPS)))
    cdef Py_ssize_t wedges = count - 1
    cdef Slab* slabs
    cdef float* scratch
    stored = np.zeros((fine.nz if closing == STORE else 1, 4 * LANES))
    cdef double[:, ::1] sums = stored
    work.opening, work.closing = opening, closing
    for i in range(HALF_SWEEPS):
        work.omega[i] = omega[i]
    work.rows = min(fine.ny, max(16, TILE_VOXELS // fine.nx & ~1))
    cdef Py_ssize_t length = scratch_length(fine, work.rows + HALF_SWEEPS * 2)
    slabs = <Slab*> malloc((2 * count - 1) * sizeof(Slab))
    scratch = <float*> calloc(count * length, sizeof(float))
    if slabs == NULL or scratch == NULL:
        free(slabs)
        free(scratch)
        raise MemoryError("working memory of a multigrid pass")
    cut(fine, coarse, closing, slabs, count)
    for i in range(2 * count - 1):
        slabs[i].seen.largest = slabs[i].seen.stray = 0
        slabs[i].seen.least = 0xFFFFFFFF
        slabs[i].least = 0x7FFFFFFF
        slabs[i].scratch = scratch + (i if i < count else i - count) * length
    for i in prange(count, nogil=True, num_threads=threads, schedule="static", chunksize=1):
        work_slab(fine, coarse, terms, &work, &slabs[i], sums)
    for i in prange(wedges, nogil=True, num_threads=threads, schedule="static", chunksize=1):
        work_slab(fine, coarse, terms, &work, &slabs[count + i], sums)
    largest = max([slabs[i].seen.largest for i in range(count)])
    stray = max([slabs[i].seen.stray for i in range(count)])
    sink = min([slabs[i].seen.least for i in range(count)])
    least = min([slabs[i].least for i in range(2 * count - 1)])
    free(slabs)
    free(scratch)
    return (largest, stray, sink), least, stored.reshape(-1, 4, LANES)


def relax(Level level, Terms terms, omega=(1.0, 1.0, 1.0, 1.0), int threads=1):
    """Load the equations, do four half sweeps (red first), and store the result.

    Returns
    -------
    As `descend` and `ascend` together.
    """
    seen, least, sums = run(level, None, terms, LOAD, STORE, omega, threads)
    return inspected(seen), value_of(least), sums


def descend(list levels, Terms terms=None, int threads=1):
    """First half of a V-cycle, and all that happens below the finest level.

    Parameters
    ----------
    levels : list of Level
    terms : equations to load first; without them, those held in `levels` are worked on.
    threads : the result does not depend on it.

    Returns
    -------
    (bool, bool, float) : whether an input may be negative or not finite, whether a closed voxel may have a
        source, and the smallest sink of an open voxel in units of a face's conductance (inf where none is open).
    """
    cdef Py_ssize_t depth
    cdef Py_ssize_t last = len(levels) - 1
    before, after = (OVER, OVER, OVER, 1.0), (1.0, OVER, OVER, OVER)
    seen = (0, 0, 0)
    for depth in range(last):
        opening = LOAD if depth == 0 and terms is not None else NOTHING
        found, _, _ = run(levels[depth], levels[depth + 1], terms, opening, RESTRICT, before, threads)
        if opening == LOAD:
            seen = found
            sum_sinks(levels, threads)
    opening = LOAD if last == 0 and terms is not None else NOTHING
    found, _, _ = run(levels[last], None, terms, opening, NOTHING, (1.0, 1.0, 1.0, 1.0), threads)
    if opening == LOAD:
        seen = found
    for depth in range(last - 1, 0, -1):
        run(levels[depth], levels[depth + 1], None, CORRECT, NOTHING, after, threads)
    return inspected(seen)


def ascend(list levels, Terms terms=None, int threads=1):
    """Last half of a V-cycle: the coarse correction and smoothing of the finest level.

    Parameters
    ----------
    levels, threads : as for `descend`.
    terms : where to store the solution, clipped at zero; without them it stays in `levels`.

    Returns
    -------
    (float, ndarray) : the smallest value of an open voxel before clipping (0 where none is open or nothing is
        stored), and, for each plane, the sums of squared change, squared value, source and loss, each in 16 parts
        (float64 [z, 4, 16]).
    """
    closing = NOTHING if terms is None else STORE
    if len(levels) > 1:
        after = (1.0, OVER, OVER, OVER)
        _, least, sums = run(levels[0], levels[1], terms, CORRECT, closing, after, threads)
    else:
        _, least, sums = run(levels[0], None, terms, NOTHING, closing, (1.0, 1.0, 1.0, 1.0), threads)
    return value_of(least), sums


def inspected(seen):
    """What `Inspection` means: see `descend`."""
    largest, stray, least = seen
    return largest >= 0x7F800000, stray != 0, float(np.uint32(min(least, 0x7F800000)).view(np.float32))


def value_of(least):
    """The float that stands at this place in the order of floats; 0 for none."""
    if least == 0x7FFFFFFF:
        return 0.0
    return float(np.int32(least ^ 0x7FFFFFFF if least < 0 else least).view(np.float32))
