"""Division, death and differentiation: one competing-risks draw a cell and sub-step."""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .lattice cimport BOUND, Box, FREE, NOWHERE, random_free_neighbour
from .mathematics cimport event_probability, occupancy, receptor_signal, saturating
from .rng cimport STREAM_CYCLE, philox, unit

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


def decide(uint64_t seed, uint32_t step, uint32_t substep, double dt,
           const int64_t[::1] ids, const uint8_t[::1] types, const uint8_t[::1] status, const int32_t[::1] site,
           const float[::1] level, const int32_t[::1] dormant_until,
           int32_t[:, :, ::1] occupant, uint8_t[:, :, ::1] tissue, uint8_t[::1] enterable,
           const float[:, :, ::1] oxygen, double oxygen_half, double oxygen_necrotic,
           const float[:, :, ::1] ligand, double half_occupancy, double desensitisation, double half_signal,
           const double[:, ::1] lives, uint8_t[::1] event, int32_t[::1] target, uint32_t[::1] claim, int threads):
    """What happens to every free or bound cell in this sub-step, from the rates

        division   k f(p) (1 + g a / (a + a_h)),  f(p) = p / (p + p_h), 0 below the necrotic oxygen p_n
        death      d (1 - s a / (a + a_h))
        necrosis   below p_n;  differentiation  while free

    with signal a = R theta / (1 + beta theta). A division needs a free voxel among the 26 around.

    Parameters
    ----------
    seed, step, substep, dt : draws, and the length of the sub-step in minutes.
    ids ... dormant_until : columns of the cell table, shape (cells,).
    occupant, tissue, oxygen, ligand : shape (nz, ny, nx); `enterable` by tissue code, shape (256,).
    lives : float64, shape (types, 7). Division, factor while bound, death, necrosis, differentiation, gains.
    event, target, claim : OUT, shape (cells,). `Event`, site of the daughter or -1, and the claim on it.
    threads : number of threads.
    """
    cdef Py_ssize_t n = ids.shape[0]
    if n == 0:
        return
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef uint8_t* tissues = &tissue[0, 0, 0]
    cdef uint8_t* may_enter = &enterable[0]
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef const float* p = &oxygen[0, 0, 0]
    cdef const float* c = &ligand[0, 0, 0]
    cdef Py_ssize_t i
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        event[i] = EVENT_NONE
        target[i] = NOWHERE
        if status[i] == FREE or status[i] == BOUND:
            _decide_one(seed, step, substep, dt, <uint64_t> ids[i], <Life*> &lives[types[i], 0], status[i], site[i],
                        level[i], <int32_t> step < dormant_until[i], box, tissues, may_enter, occupants, p[site[i]],
                        oxygen_half, oxygen_necrotic, c[site[i]], half_occupancy, desensitisation, half_signal,
                        &event[i], &target[i], &claim[i])


cdef inline void _decide_one(uint64_t seed, uint32_t step, uint32_t substep, double dt, uint64_t cell, Life* life,
                             int status, int32_t site, double level, bint dormant, Box box, uint8_t* tissue,
                             uint8_t* enterable, int32_t* occupant,
                             double oxygen, double oxygen_half, double oxygen_necrotic, double ligand,
                             double half_occupancy, double desensitisation, double half_signal,
                             uint8_t* event, int32_t* target, uint32_t* claim) noexcept nogil:
    cdef uint32_t words[4]
    cdef double signal = saturating(
        receptor_signal(level, occupancy(ligand, half_occupancy), desensitisation), half_signal)
    cdef bint necrotic = oxygen < oxygen_necrotic
    cdef double division = 0.0
    cdef double death = life.death * (1.0 - life.survival_gain * signal)
    cdef double necrosis = life.necrosis if necrotic else 0.0
    cdef double differentiation = life.differentiation if status == FREE else 0.0
    cdef double total, pick
    if not necrotic and not dormant:
        division = life.division * saturating(oxygen, oxygen_half) * (1.0 + life.growth_gain * signal)
        if status == BOUND:
            division = division * life.bound_factor
    total = division + death + necrosis + differentiation
    if total <= 0.0:
        return
    philox(seed, STREAM_CYCLE, step, cell, substep, words)
    if unit(words[0]) >= event_probability(total, dt):
        return
    pick = unit(words[1]) * total
    if pick < division:
        target[0] = random_free_neighbour(box, site, words[2], tissue, enterable, occupant)
        claim[0] = words[3]
        if target[0] != NOWHERE:
            event[0] = EVENT_DIVISION
    elif pick < division + death:
        event[0] = EVENT_DEATH
    elif pick < division + death + necrosis:
        event[0] = EVENT_NECROSIS
    else:
        event[0] = EVENT_DIFFERENTIATION
