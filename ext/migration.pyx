"""Hops: biased, persistent random walks of cells that exclude one another."""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memmove
from .blocks cimport (
    BLOCK_ROWS, Drawn, KINDS, STATUSES, axis_weights, coordinates, draw_block, fetch_ahead, hop_attempts,
    persistence, pick_directions, word_limit,
)
from .claims cimport AHEAD, mark_of
from .lattice cimport Box, FREE
from .rng cimport STREAM_MOTION

cdef struct Walk:
    double rate            # hops per minute without signal
    double gain            # relative rise of the rate at full signal
    double half_signal     # signal at half of that rise
    double persistence     # minutes
    double sensitivity     # kappa

cdef struct Ground:
    Box box
    const uint8_t* tissue
    const uint8_t* enterable
    const int32_t* occupant
    const float* ligand
    double half_occupancy
    double desensitisation
    double smallest        # occupancy difference over two voxels

cdef struct Table:
    const int64_t* id
    const uint8_t* type
    const uint8_t* status
    const int8_t* heading
    const int32_t* site
    const float* level

cdef struct Proposals:
    int32_t* row
    int32_t* target
    uint32_t* claim
    uint8_t* direction

cdef struct Walkers:
    # Those of a block that attempt a hop.
    int32_t place[BLOCK_ROWS]    # among the draws
    uint32_t word[BLOCK_ROWS]
    int32_t type[BLOCK_ROWS]
    int32_t site[BLOCK_ROWS]
    int32_t position[3 * BLOCK_ROWS]
    int32_t attempt[BLOCK_ROWS]
    int32_t sides[BLOCK_ROWS]
    int32_t direction[BLOCK_ROWS]
    float level[BLOCK_ROWS]
    float ligand[BLOCK_ROWS]
    float behind[BLOCK_ROWS]
    float ahead[BLOCK_ROWS]
    double rate[BLOCK_ROWS]
    double slope[BLOCK_ROWS]
    double factor[BLOCK_ROWS]
    double weight[6 * BLOCK_ROWS]


def propose(uint64_t seed, uint32_t step, uint32_t substep, double dt,
            const int64_t[::1] ids, const uint8_t[::1] types, const uint8_t[::1] status, const int8_t[::1] heading,
            const int32_t[::1] site, const float[::1] level,
            const int32_t[:, :, ::1] occupant, const uint8_t[:, :, ::1] tissue, const uint8_t[::1] enterable,
            const float[:, :, ::1] concentration, double half_occupancy, double desensitisation,
            double smallest_difference, const double[:, ::1] walks,
            int32_t[::1] row, int32_t[::1] target, uint32_t[::1] claim, uint8_t[::1] direction, int threads):
    """Every free motile cell may propose to hop to a free face neighbour.

    The rate is m (1 + g a / (a + a50)) with signal a = R theta / (1 + beta theta); the direction is drawn
    with weights exp(kappa R s dtheta + c cos), where dtheta is the occupancy difference per hop, s = 1 / (1 +
    beta theta), and c follows from the persistence time.

    Parameters
    ----------
    seed, step, substep, dt : draws, and the length of the substep in minutes; rate * dt must stay below 1.
    ids ... level : columns of the cell table, shape (cells,).
    occupant, tissue, concentration : shape (nz, ny, nx); `enterable` by tissue code, shape (256,).
    half_occupancy : ligand concentration of half occupancy.
    desensitisation : beta.
    smallest_difference : occupancy difference over two voxels below which there is none.
    walks : float64, shape (types, 5). Rate (1/min), gain, half signal, persistence (min), kappa by cell type.
    row, target, claim, direction : OUT, shape (cells,). The proposals come first in them: who, where to, claim,
        direction of the hop.
    threads : number of threads.

    Returns
    -------
    int : number of proposals.
    """
    cdef Py_ssize_t n = ids.shape[0]
    if n == 0:
        return 0
    cdef Ground ground = Ground(
        Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2]), &tissue[0, 0, 0],
        &enterable[0], &occupant[0, 0, 0], &concentration[0, 0, 0], half_occupancy, desensitisation,
        smallest_difference)
    cdef Table table = Table(&ids[0], &types[0], &status[0], &heading[0], &site[0], &level[0])
    cdef Proposals proposals = Proposals(&row[0], &target[0], &claim[0], &direction[0])
    cdef const Walk* by_type = <const Walk*> &walks[0, 0]
    cdef uint64_t limits[KINDS]
    cdef Py_ssize_t[::1] made = np.zeros(threads, dtype=np.intp)
    cdef Py_ssize_t total, first
    cdef int part, code
    for code in range(KINDS):
        limits[code] = 0
    for code in range(walks.shape[0]):
        limits[code * STATUSES + FREE] = word_limit(by_type[code].rate * max(1.0, 1.0 + by_type[code].gain) * dt)
    for part in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        made[part] = _propose_rows(seed, step, substep, dt, n * part // threads, n * (part + 1) // threads, &table,
                                   &ground, by_type, limits, proposals)
    total = made[0]
    for part in range(1, threads):
        first = n * part // threads
        memmove(&row[total], &row[first], made[part] * sizeof(int32_t))
        memmove(&target[total], &target[first], made[part] * sizeof(int32_t))
        memmove(&claim[total], &claim[first], made[part] * sizeof(uint32_t))
        memmove(&direction[total], &direction[first], made[part])
        total += made[part]
    return total


cdef Py_ssize_t _propose_rows(uint64_t seed, uint32_t step, uint32_t substep, double dt, Py_ssize_t first,
                              Py_ssize_t last, const Table* table, const Ground* ground, const Walk* walks,
                              const uint64_t* limits, Proposals out) noexcept nogil:
    """The proposals of the rows from `first` to `last`, put from position `first` on; returns how many."""
    cdef Drawn drawn
    cdef Walkers walkers
    cdef Py_ssize_t made = first
    cdef Py_ssize_t start = first
    cdef int n
    while start < last:
        n = draw_block(seed, STREAM_MOTION, step, substep, start, <int> min(BLOCK_ROWS, last - start), table.id,
                       table.type, table.status, limits, &drawn)
        n = _attempts(dt, n, &drawn, table, ground, walks, &walkers)
        coordinates(walkers.position, walkers.site, ground.box.ny, ground.box.nx, n)
        _weigh(n, &drawn, table, ground, walks, &walkers)
        pick_directions(walkers.direction, walkers.weight, walkers.word, n)
        made = _put(n, &drawn, ground, &walkers, made, out)
        start = start + BLOCK_ROWS
    return made - first


cdef int _attempts(double dt, int n, const Drawn* drawn, const Table* table, const Ground* ground, const Walk* walks,
                   Walkers* walkers) noexcept nogil:
    """Those whose rate where they are lets them attempt a hop; returns how many."""
    cdef int kept = 0
    cdef int i, place, row, type
    for i in range(n):
        place = drawn.place[i]
        row = drawn.row[place]
        type = table.type[row]
        walkers.word[i] = drawn.w0[place]
        walkers.type[i] = type
        walkers.site[i] = table.site[row]
        walkers.level[i] = table.level[row]
        walkers.ligand[i] = 0.0
        if walks[type].gain != 0.0 or walks[type].sensitivity != 0.0:
            walkers.ligand[i] = ground.ligand[walkers.site[i]]
    hop_attempts(walkers.attempt, walkers.rate, walkers.slope, walkers.word, dt, walkers.ligand, walkers.level,
                 walkers.type, <const double*> walks, ground.half_occupancy, ground.desensitisation, n)
    for i in range(n):
        place = drawn.place[i]
        walkers.place[kept] = place
        walkers.word[kept] = drawn.w1[place]
        walkers.type[kept] = walkers.type[i]
        walkers.site[kept] = walkers.site[i]
        walkers.ligand[kept] = walkers.ligand[i]
        walkers.rate[kept] = walkers.rate[i]
        walkers.slope[kept] = walkers.slope[i]
        kept = kept + walkers.attempt[i]
    return kept


cdef void _weigh(int n, const Drawn* drawn, const Table* table, const Ground* ground, const Walk* walks,
                 Walkers* walkers) noexcept nogil:
    """Weights of the six directions."""
    cdef bint directed = False
    cdef bint persistent = False
    cdef int i, axis, heading
    for i in range(n):
        directed |= walkers.slope[i] != 0.0
        persistent |= walks[walkers.type[i]].persistence > 0.0
    if directed:
        for axis in range(3):
            _look(n, axis, ground, walkers)
            axis_weights(&walkers.weight[2 * axis * BLOCK_ROWS], &walkers.weight[(2 * axis + 1) * BLOCK_ROWS],
                         walkers.behind, walkers.ahead, walkers.sides, walkers.slope, ground.half_occupancy,
                         ground.smallest, n)
    else:
        for axis in range(6):
            for i in range(n):
                walkers.weight[axis * BLOCK_ROWS + i] = 1.0
    if not persistent:
        return
    for i in range(n):
        walkers.factor[i] = walks[walkers.type[i]].persistence
    persistence(walkers.factor, walkers.rate, n)
    for i in range(n):
        heading = table.heading[drawn.row[walkers.place[i]]]
        if heading >= 0 and walks[walkers.type[i]].persistence > 0.0:
            walkers.weight[heading * BLOCK_ROWS + i] *= walkers.factor[i]
            walkers.weight[(heading ^ 1) * BLOCK_ROWS + i] /= walkers.factor[i]


cdef void _look(int n, int axis, const Ground* ground, Walkers* walkers) noexcept nogil:
    """Ligand behind and ahead of every walker along one axis, its own where there is none."""
    cdef int32_t stride = _step(&ground.box, 2 * axis + 1)
    cdef int32_t edge = _edge(&ground.box, 2 * axis + 1)
    cdef const int32_t* position = &walkers.position[axis * BLOCK_ROWS]
    cdef bint back, forth
    cdef int32_t site
    cdef int i
    for i in range(n):
        site = walkers.site[i]
        back = position[i] > 0 and ground.enterable[ground.tissue[site - stride]]
        forth = position[i] < edge and ground.enterable[ground.tissue[site + stride]]
        walkers.behind[i] = ground.ligand[site - stride] if back else walkers.ligand[i]
        walkers.ahead[i] = ground.ligand[site + stride] if forth else walkers.ligand[i]
        walkers.sides[i] = 2 if back and forth else 1


cdef Py_ssize_t _put(int n, const Drawn* drawn, const Ground* ground, Walkers* walkers, Py_ssize_t made,
                     Proposals out) noexcept nogil:
    """Proposals of those whose way is free, from position `made` on; returns the position after them."""
    cdef int32_t step[6]
    cdef int32_t edge[6]
    cdef int32_t site
    cdef int i, d
    for d in range(6):
        step[d] = _step(&ground.box, d)
        edge[d] = _edge(&ground.box, d)
    for i in range(n):
        d = walkers.direction[i]
        # At the edge of the box the way leads back to the cell's own voxel, which is not free.
        site = walkers.site[i] + (step[d] if walkers.position[(d >> 1) * BLOCK_ROWS + i] != edge[d] else 0)
        walkers.site[i] = site
        fetch_ahead(&ground.occupant[site])
        fetch_ahead(&ground.tissue[site])
    for i in range(n):
        site = walkers.site[i]
        out.row[made] = drawn.row[walkers.place[i]]
        out.target[made] = site
        out.claim[made] = drawn.w2[walkers.place[i]]
        out.direction[made] = <uint8_t> walkers.direction[i]
        # Without branches, because nobody can foretell who finds the way free.
        made = made + ((ground.occupant[site] < 0) & (ground.enterable[ground.tissue[site]] != 0))
    return made


cdef inline int32_t _step(const Box* box, int direction) noexcept nogil:
    """What a hop adds to the site."""
    cdef int32_t length = 1 if direction > 3 else (box.nx if direction > 1 else box.ny * box.nx)
    return length if direction & 1 else -length


cdef inline int32_t _edge(const Box* box, int direction) noexcept nogil:
    """The coordinate from which there is no hop in a direction."""
    cdef int32_t length = box.nx if direction > 3 else (box.ny if direction > 1 else box.nz)
    return length - 1 if direction & 1 else 0


def hop(const int32_t[::1] row, const int32_t[::1] target, const uint8_t[::1] direction, int8_t[::1] heading,
        int32_t[::1] site, int32_t[:, :, ::1] occupant, int threads):
    """The hops that won their voxel in `claims.mark` take place, and are remembered as headings.

    Parameters
    ----------
    row, target, direction : shape (proposals,), as given by `propose`.
    heading, site, occupant : columns and lattice, changed.
    threads : number of threads.
    """
    cdef Py_ssize_t n = row.shape[0]
    if n == 0:
        return
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef Py_ssize_t k
    for k in prange(n, nogil=True, num_threads=threads, schedule="static"):
        if k + AHEAD < n:
            fetch_ahead(&occupants[target[k + AHEAD]])
            fetch_ahead(&occupants[site[row[k + AHEAD]]])
        if occupants[target[k]] == mark_of(k):
            occupants[site[row[k]]] = -1
            occupants[target[k]] = row[k]
            site[row[k]] = target[k]
            heading[row[k]] = <int8_t> direction[k]
