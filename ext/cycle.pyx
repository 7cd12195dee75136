"""Division, death and differentiation: one competing-risks draw a cell and sub-step."""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memmove
from .blocks cimport BLOCK_ROWS, Drawn, KINDS, STATUSES, draw_block, fetch_ahead, word_limit
from .lattice cimport BOUND, Box, FREE, NOWHERE, random_free_neighbour
from .mathematics cimport event_probability, occupancy, receptor_signal, saturating
from .rng cimport STREAM_CYCLE, unit

cpdef enum Event:
    EVENT_NONE = 0
    EVENT_DIVISION = 1
    EVENT_DEATH = 2
    EVENT_NECROSIS = 3
    EVENT_DIFFERENTIATION = 4

cdef struct Life:
    double division          # 1/min
    double bound_factor      # on the division rate while bound
    double death             # 1/min
    double necrosis          # 1/min below the necrotic oxygen
    double differentiation   # 1/min while free
    double growth_gain
    double survival_gain
    double factor_gain       # of the growth factor


cdef struct Table:
    const int64_t* id
    const uint8_t* type
    const uint8_t* status
    const int32_t* site
    const float* level
    const int32_t* dormant_until

cdef struct Ground:
    Box box
    uint8_t* tissue
    uint8_t* enterable
    int32_t* occupant
    const float* oxygen
    const float* ligand
    const float* factor      # NULL where there is none
    double oxygen_half
    double oxygen_necrotic
    double half_occupancy
    double desensitisation
    double half_signal
    double factor_half

cdef struct Fates:
    int32_t* row
    uint8_t* event
    int32_t* target
    uint32_t* claim


def decide(uint64_t seed, uint32_t step, uint32_t substep, double dt,
           const int64_t[::1] ids, const uint8_t[::1] types, const uint8_t[::1] status, const int32_t[::1] site,
           const float[::1] level, const int32_t[::1] dormant_until,
           int32_t[:, :, ::1] occupant, uint8_t[:, :, ::1] tissue, uint8_t[::1] enterable,
           const float[:, :, ::1] oxygen, double oxygen_half, double oxygen_necrotic,
           const float[:, :, ::1] ligand, double half_occupancy, double desensitisation, double half_signal,
           const float[:, :, ::1] factor, double factor_half, const double[:, ::1] lives, int32_t[::1] row,
           int32_t[::1] target, uint32_t[::1] claim, uint8_t[::1] event, int threads):
    """What happens to every free or bound cell in this sub-step, from the rates

        division   k f(p) (1 + g a / (a + a_h) + b c / (c + c_h)),  f(p) = p / (p + p_h), 0 below the necrotic p_n
        death      d (1 - s a / (a + a_h))
        necrosis   below p_n;  differentiation  while free

    with signal a = R theta / (1 + beta theta), and a growth factor c. A division needs a free voxel among the 26
    around.

    Parameters
    ----------
    seed, step, substep, dt : draws, and the length of the sub-step in minutes.
    ids ... dormant_until : columns of the cell table, shape (cells,).
    occupant, tissue, oxygen, ligand : shape (nz, ny, nx); `enterable` by tissue code, shape (256,).
    factor : shape (nz, ny, nx), c; or without voxels, for none. `factor_half` is c_h.
    lives : float64, shape (types, 8). Division, factor while bound, death, necrosis, differentiation, gains g and s,
        gain b.
    row, target, claim, event : OUT, shape (cells,). The cells to which something happens come first in them: row,
        for a division the site of the daughter and the claim on it, and the `Event`.
    threads : number of threads.

    Returns
    -------
    int : number of events.
    """
    cdef Py_ssize_t n = ids.shape[0]
    if n == 0:
        return 0
    cdef Table table = Table(&ids[0], &types[0], &status[0], &site[0], &level[0], &dormant_until[0])
    cdef const float* factors = NULL
    if factor.shape[0] > 0:
        factors = &factor[0, 0, 0]
    cdef Ground ground = Ground(
        Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2]), &tissue[0, 0, 0],
        &enterable[0], &occupant[0, 0, 0], &oxygen[0, 0, 0], &ligand[0, 0, 0],
        factors, oxygen_half, oxygen_necrotic, half_occupancy,
        desensitisation, half_signal, factor_half)
    cdef Fates fates = Fates(&row[0], &event[0], &target[0], &claim[0])
    cdef const Life* by_type = <const Life*> &lives[0, 0]
    cdef uint64_t limits[KINDS]
    cdef Py_ssize_t[::1] made = np.zeros(threads, dtype=np.intp)
    cdef Py_ssize_t total, first
    cdef int part, code
    for code in range(KINDS):
        limits[code] = 0
    for code in range(lives.shape[0]):
        limits[code * STATUSES + FREE] = word_limit(event_probability(_most(&by_type[code], FREE), dt))
        limits[code * STATUSES + BOUND] = word_limit(event_probability(_most(&by_type[code], BOUND), dt))
    for part in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        made[part] = _decide_rows(seed, step, substep, dt, n * part // threads, n * (part + 1) // threads, &table,
                                  &ground, by_type, limits, fates)
    total = made[0]
    for part in range(1, threads):
        first = n * part // threads
        memmove(&row[total], &row[first], made[part] * sizeof(int32_t))
        memmove(&event[total], &event[first], made[part])
        memmove(&target[total], &target[first], made[part] * sizeof(int32_t))
        memmove(&claim[total], &claim[first], made[part] * sizeof(uint32_t))
        total += made[part]
    return total


cdef double _most(const Life* life, int status) noexcept nogil:
    """A bound on the sum of the rates, wherever the cell is."""
    cdef double division = life.division * max(1.0, 1.0 + life.growth_gain + life.factor_gain)
    if status == BOUND:
        return division * life.bound_factor + life.death * max(1.0, 1.0 - life.survival_gain) + life.necrosis
    return division + life.death * max(1.0, 1.0 - life.survival_gain) + life.necrosis + life.differentiation


cdef Py_ssize_t _decide_rows(uint64_t seed, uint32_t step, uint32_t substep, double dt, Py_ssize_t first,
                             Py_ssize_t last, const Table* table, const Ground* ground, const Life* lives,
                             const uint64_t* limits, Fates out) noexcept nogil:
    """The events of the rows from `first` to `last`, put from position `first` on; returns how many."""
    cdef Drawn drawn
    cdef Py_ssize_t made = first
    cdef Py_ssize_t start = first
    cdef int i, n, place, row
    while start < last:
        n = draw_block(seed, STREAM_CYCLE, step, substep, start, <int> min(BLOCK_ROWS, last - start), table.id,
                       table.type, table.status, limits, &drawn)
        for i in range(n):
            row = drawn.row[drawn.place[i]]
            fetch_ahead(&ground.oxygen[table.site[row]])
            fetch_ahead(&ground.ligand[table.site[row]])
        for i in range(n):
            place = drawn.place[i]
            row = drawn.row[place]
            out.row[made] = row
            out.event[made] = _decide_one(dt, step, &drawn, place, row, table, ground, &lives[table.type[row]],
                                          &out.target[made], &out.claim[made])
            made = made + (out.event[made] != EVENT_NONE)
        start = start + BLOCK_ROWS
    return made - first


cdef inline Event _decide_one(double dt, uint32_t step, const Drawn* drawn, int place, int row, const Table* table,
                              const Ground* ground, const Life* life, int32_t* target,
                              uint32_t* claim) noexcept nogil:
    cdef int32_t site = table.site[row]
    cdef double oxygen = ground.oxygen[site]
    cdef double signal = saturating(receptor_signal(
        table.level[row], occupancy(ground.ligand[site], ground.half_occupancy), ground.desensitisation),
        ground.half_signal)
    cdef bint necrotic = oxygen < ground.oxygen_necrotic
    cdef double division = 0.0
    cdef double gain
    cdef double death = life.death * (1.0 - life.survival_gain * signal)
    cdef double necrosis = life.necrosis if necrotic else 0.0
    cdef double differentiation = life.differentiation if table.status[row] == FREE else 0.0
    cdef double total, pick
    if not necrotic and <int32_t> step >= table.dormant_until[row]:
        gain = 1.0 + life.growth_gain * signal
        if ground.factor != NULL:
            gain = gain + life.factor_gain * saturating(ground.factor[site], ground.factor_half)
        division = life.division * saturating(oxygen, ground.oxygen_half) * gain
        if table.status[row] == BOUND:
            division = division * life.bound_factor
    total = division + death + necrosis + differentiation
    if total <= 0.0 or unit(drawn.w0[place]) >= event_probability(total, dt):
        return EVENT_NONE
    pick = unit(drawn.w1[place]) * total
    if pick < division:
        target[0] = random_free_neighbour(ground.box, site, drawn.w2[place], ground.tissue, ground.enterable,
                                          ground.occupant)
        claim[0] = drawn.w3[place]
        return EVENT_NONE if target[0] == NOWHERE else EVENT_DIVISION
    if pick < division + death:
        return EVENT_DEATH
    if pick < division + death + necrosis:
        return EVENT_NECROSIS
    return EVENT_DIFFERENTIATION
