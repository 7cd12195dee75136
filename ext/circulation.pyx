"""Between blood and tissue: clearance, arrest, crossing of the vessel wall out and in."""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .blocks cimport BLOCK_ROWS, Drawn, KINDS, STATUSES, draw_block, word_limit
from .lattice cimport ARRESTED, Box, CIRCULATING, FREE, NOWHERE, face_neighbours, random_free_neighbour
from .mathematics cimport event_probability, exponential, logarithm, occupancy
from .rng cimport STREAM_ARREST, STREAM_EGRESS, STREAM_EXTRAVASATION, below, philox, unit

cpdef enum Passage:
    PASSAGE_NONE = 0
    PASSAGE_CLEARED = 1
    PASSAGE_ARREST = 2
    PASSAGE_CROSSING = 3
    PASSAGE_RELEASE = 4
    PASSAGE_EGRESS = 5
    PASSAGE_ELSEWHERE = 6

cdef struct Traffic:
    double clearance       # 1/min, from the blood
    double contact         # 1/min, of a circulating cell with the vessel wall
    double floor           # share of contacts that arrest without signal
    double half_level      # R theta at half of the other share
    double crossing        # 1/min, of an arrested cell
    double egress          # 1/min, of a free cell at the wall
    double exponent        # of the signal in arrest
    double elsewhere       # contacts with the vessels of a competing organ, per contact with the wall


def decide(uint64_t seed, uint32_t step, uint32_t substep, double dt,
           const int64_t[::1] ids, const uint8_t[::1] types, const uint8_t[::1] status, const int32_t[::1] site,
           const float[::1] level, int32_t[:, :, ::1] occupant, uint8_t[:, :, ::1] tissue, uint8_t[::1] enterable,
           const uint8_t[:, :, ::1] walls, const int64_t[::1] luminal_sites,
           const float[:, :, ::1] ligand, double competing_ligand, double half_occupancy,
           const double[:, ::1] traffics,
           uint8_t[::1] passage, int32_t[::1] target, uint32_t[::1] claim, int threads):
    """What every circulating, arrested or free cell does at the vessel wall in this sub-step.

    A circulating cell is cleared, or touches a random luminal site and arrests there with probability
    f + (1 - f) x^n / (x^n + K^n), x = R theta, theta from the ligand on the tissue side, or does so in a competing
    organ of uniform ligand. An arrested cell crosses to a random free voxel around, or is released where there is
    none. A free cell in a voxel at the wall enters the blood at rate k (1 - theta)^2.

    Parameters
    ----------
    seed, step, substep, dt : draws, and the length of the sub-step in minutes.
    ids ... level : columns of the cell table, shape (cells,).
    occupant, tissue, walls, ligand : shape (nz, ny, nx); `enterable` by tissue code, shape (256,).
    luminal_sites : int64, lumen voxels at the wall.
    competing_ligand : in the competing organ.
    traffics : float64, shape (types, 8). Clearance, contact, floor, half level, crossing, egress, exponent, contacts
        elsewhere.
    passage : OUT, shape (cells,). `Passage`.
    target, claim : OUT, shape (cells,). Claimed site and the claim on it, where the passage is an arrest or crossing.
    threads : number of threads.
    """
    cdef Py_ssize_t n = ids.shape[0]
    if n == 0:
        return
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef uint8_t* tissues = &tissue[0, 0, 0]
    cdef uint8_t* may_enter = &enterable[0]
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef const uint8_t* wall = &walls[0, 0, 0]
    cdef const float* c = &ligand[0, 0, 0]
    cdef const int64_t* luminal = &luminal_sites[0] if luminal_sites.shape[0] else NULL
    cdef uint32_t sites = <uint32_t> luminal_sites.shape[0]
    cdef Py_ssize_t blocks = (n + BLOCK_ROWS - 1) // BLOCK_ROWS
    cdef Py_ssize_t block, i, end
    cdef Traffic* traffic
    cdef uint64_t leaving[KINDS]
    cdef double competing_theta = occupancy(competing_ligand, half_occupancy)
    for i in range(KINDS):
        leaving[i] = 0
    for i in range(traffics.shape[0]):
        traffic = <Traffic*> &traffics[i, 0]
        leaving[i * STATUSES + FREE] = word_limit(traffic.egress * dt)
    for block in prange(blocks, nogil=True, num_threads=threads, schedule="static"):
        end = min(n, (block + 1) * BLOCK_ROWS)
        for i in range(block * BLOCK_ROWS, end):
            passage[i] = PASSAGE_NONE
            traffic = <Traffic*> &traffics[types[i], 0]
            if status[i] == CIRCULATING:
                _circulate(seed, step, substep, dt, <uint64_t> ids[i], traffic, level[i], box, tissues, may_enter,
                           occupants, luminal, sites, c, competing_theta, half_occupancy, &passage[i], &target[i],
                           &claim[i])
            elif status[i] == ARRESTED:
                _cross(seed, step, substep, dt, <uint64_t> ids[i], traffic, site[i], box, tissues, may_enter,
                       occupants, &passage[i], &target[i], &claim[i])
        _leave_block(seed, step, substep, dt, block * BLOCK_ROWS, <int> (end - block * BLOCK_ROWS), &ids[0], &types[0],
                     &status[0], &site[0], wall, tissues, may_enter, c, &traffics[0, 0], leaving, half_occupancy,
                     &passage[0])


cdef inline void _circulate(uint64_t seed, uint32_t step, uint32_t substep, double dt, uint64_t cell, Traffic* traffic,
                            double level, Box box, uint8_t* tissue, uint8_t* enterable, int32_t* occupant,
                            const int64_t* luminal, uint32_t sites, const float* ligand, double competing_theta,
                            double half_occupancy,
                            uint8_t* passage, int32_t* target, uint32_t* claim) noexcept nogil:
    cdef uint32_t words[4]
    cdef int32_t around[6]
    cdef int32_t touched = NOWHERE
    cdef double arrest = 0.0
    cdef double elsewhere = 0.0
    cdef double pick
    philox(seed, STREAM_ARREST, step, cell, substep, words)
    if unit(words[0]) >= (traffic.clearance + traffic.contact * (1.0 + traffic.elsewhere)) * dt:
        return  # the probability below is smaller: most cells need not be looked at further
    if sites:
        touched = <int32_t> luminal[below(words[2], sites)]
        face_neighbours(box, touched, around)
        arrest = traffic.contact * _sticks(
            traffic, level * occupancy(_presented(around, tissue, enterable, ligand), half_occupancy))
    if traffic.elsewhere > 0.0:
        elsewhere = traffic.contact * traffic.elsewhere * _sticks(traffic, level * competing_theta)
    cdef double total = traffic.clearance + elsewhere + arrest
    if total <= 0.0 or unit(words[0]) >= event_probability(total, dt):
        return
    pick = unit(words[1]) * total
    if pick < traffic.clearance:
        passage[0] = PASSAGE_CLEARED
    elif pick < traffic.clearance + elsewhere:
        passage[0] = PASSAGE_ELSEWHERE
    elif occupant[touched] < 0:
        passage[0] = PASSAGE_ARREST
        target[0] = touched
        claim[0] = words[3]


cdef inline double _sticks(Traffic* traffic, double signal) noexcept nogil:
    """Share of contacts that arrest: f + (1 - f) x^n / (x^n + K^n)."""
    cdef double ratio = signal / traffic.half_level
    if ratio <= 1e-30:
        return traffic.floor
    if traffic.exponent != 1.0:
        ratio = exponential(traffic.exponent * logarithm(ratio))
    return traffic.floor + (1.0 - traffic.floor) * ratio / (1.0 + ratio)


cdef inline double _presented(int32_t* around, uint8_t* tissue, uint8_t* enterable, const float* ligand) noexcept nogil:
    """Mean ligand of the tissue voxels behind a luminal site."""
    cdef double total = 0.0
    cdef int count = 0
    cdef int d
    for d in range(6):
        if around[d] != NOWHERE and enterable[tissue[around[d]]]:
            total = total + ligand[around[d]]
            count = count + 1
    return total / count if count else 0.0


cdef inline void _cross(uint64_t seed, uint32_t step, uint32_t substep, double dt, uint64_t cell, Traffic* traffic,
                        int32_t site, Box box, uint8_t* tissue, uint8_t* enterable, int32_t* occupant,
                        uint8_t* passage, int32_t* target, uint32_t* claim) noexcept nogil:
    cdef uint32_t words[4]
    philox(seed, STREAM_EXTRAVASATION, step, cell, substep, words)
    if unit(words[0]) >= event_probability(traffic.crossing, dt):
        return
    target[0] = random_free_neighbour(box, site, words[1], tissue, enterable, occupant)
    claim[0] = words[2]
    passage[0] = PASSAGE_CROSSING if target[0] != NOWHERE else PASSAGE_RELEASE


cdef void _leave_block(uint64_t seed, uint32_t step, uint32_t substep, double dt, Py_ssize_t first, int rows,
                       const int64_t* ids, const uint8_t* types, const uint8_t* status, const int32_t* site,
                       const uint8_t* wall, const uint8_t* tissue, const uint8_t* enterable, const float* ligand,
                       const double* traffics, const uint64_t* limits, double half_occupancy,
                       uint8_t* passage) noexcept nogil:
    """Egress of the free cells of a block of rows."""
    cdef Drawn drawn
    cdef Traffic* traffic
    cdef double away, draw
    cdef int32_t row
    cdef int acting = draw_block(seed, STREAM_EGRESS, step, substep, first, rows, ids, types, status, limits, &drawn)
    cdef int i
    for i in range(acting):
        row = drawn.row[drawn.place[i]]
        if not wall[site[row]] or not enterable[tissue[site[row]]]:
            continue
        draw = unit(drawn.w0[drawn.place[i]])
        traffic = (<Traffic*> traffics) + types[row]
        away = 1.0 - occupancy(ligand[site[row]], half_occupancy)
        if draw < traffic.egress * dt and draw < event_probability(traffic.egress * away * away, dt):
            passage[row] = PASSAGE_EGRESS
