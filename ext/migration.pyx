"""Hops: biased, persistent random walks of cells that exclude one another."""

from cython.parallel cimport prange
from libc.math cimport fabs, sqrt
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .lattice cimport Box, FREE, NOWHERE, face_neighbours, is_free
from .mathematics cimport exponential, occupancy, receptor_signal, saturating
from .rng cimport STREAM_MOTION, philox, unit

cdef struct Walk:
    double rate            # hops per minute without signal
    double gain            # relative rise of the rate at full signal
    double half_signal     # signal at half of that rise
    double persistence     # minutes
    double sensitivity     # kappa


def propose(uint64_t seed, uint32_t step, uint32_t substep, double dt,
            const int64_t[::1] ids, const uint8_t[::1] types, const uint8_t[::1] status, const int8_t[::1] heading,
            const int32_t[::1] site, const float[::1] level,
            int32_t[:, :, ::1] occupant, uint8_t[:, :, ::1] tissue, uint8_t[::1] enterable,
            float[:, :, ::1] concentration, double half_occupancy, double desensitisation, double smallest_difference,
            const double[:, ::1] walks, int32_t[::1] target, uint32_t[::1] claim, int8_t[::1] direction, int threads):
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
    target, claim, direction : OUT, shape (cells,). Claimed site or -1, claim, direction of the hop.
    threads : number of threads.
    """
    cdef Py_ssize_t n = ids.shape[0]
    if n == 0:
        return
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef uint8_t* tissues = &tissue[0, 0, 0]
    cdef uint8_t* may_enter = &enterable[0]
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef float* c = &concentration[0, 0, 0]
    cdef Py_ssize_t i
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        target[i] = NOWHERE
        if status[i] == FREE and walks[types[i], 0] > 0.0:
            _propose_one(seed, step, substep, dt, <uint64_t> ids[i], <Walk*> &walks[types[i], 0], heading[i], site[i],
                         level[i], box, tissues, may_enter, occupants, c, half_occupancy, desensitisation,
                         smallest_difference, &target[i], &claim[i], &direction[i])


cdef void _propose_one(uint64_t seed, uint32_t step, uint32_t substep, double dt, uint64_t cell, Walk* walk,
                       int heading,
                       int32_t site, double level, Box box, uint8_t* tissue, uint8_t* enterable, int32_t* occupant,
                       float* concentration, double half_occupancy, double desensitisation, double smallest_difference,
                       int32_t* target, uint32_t* claim, int8_t* direction) noexcept nogil:
    cdef uint32_t words[4]
    cdef int32_t around[6]
    cdef double weights[6]
    cdef double theta = occupancy(concentration[site], half_occupancy)
    cdef double signal = receptor_signal(level, theta, desensitisation)
    cdef double rate = walk.rate * (1.0 + walk.gain * saturating(signal, walk.half_signal))
    cdef double total, pick
    cdef int d
    philox(seed, STREAM_MOTION, step, cell, substep, words)
    if unit(words[0]) >= rate * dt:
        return
    face_neighbours(box, site, around)
    _chemotaxis(around, tissue, enterable, concentration, theta, half_occupancy, smallest_difference,
                walk.sensitivity * level / (1.0 + desensitisation * theta), weights)
    if heading >= 0 and walk.persistence > 0.0:
        _persist(weights, heading, exponential(-1.0 / (rate * walk.persistence)))
    total = 0.0
    for d in range(6):
        total = total + weights[d]
    pick = unit(words[1]) * total
    for d in range(6):
        pick = pick - weights[d]
        if pick < 0.0 or d == 5:
            break
    if is_free(around[d], tissue, enterable, occupant):
        target[0] = around[d]
        claim[0] = words[2]
        direction[0] = <int8_t> d


cdef inline void _chemotaxis(int32_t* around, uint8_t* tissue, uint8_t* enterable, float* concentration, double theta,
                             double half_occupancy, double smallest_difference, double slope,
                             double* weights) noexcept nogil:
    """Direction weights from the occupancy difference along each axis, one-sided where the ligand ends."""
    cdef double ahead, behind, per_hop
    cdef int axis, sides
    for axis in range(3):
        weights[2 * axis] = 1.0
        weights[2 * axis + 1] = 1.0
        if slope == 0.0:
            continue
        behind = theta
        ahead = theta
        sides = 0
        if around[2 * axis] != NOWHERE and enterable[tissue[around[2 * axis]]]:
            behind = occupancy(concentration[around[2 * axis]], half_occupancy)
            sides = sides + 1
        if around[2 * axis + 1] != NOWHERE and enterable[tissue[around[2 * axis + 1]]]:
            ahead = occupancy(concentration[around[2 * axis + 1]], half_occupancy)
            sides = sides + 1
        if sides == 0:
            continue
        per_hop = (ahead - behind) / sides
        if 2.0 * fabs(per_hop) >= smallest_difference:
            weights[2 * axis + 1] = exponential(slope * per_hop)
            weights[2 * axis] = 1.0 / weights[2 * axis + 1]


cdef inline void _persist(double* weights, int heading, double memory) noexcept nogil:
    """Favour the last direction so that the mean cosine between two hops is `memory`, without other bias.

    sinh(c) / (2 + cosh(c)) = mu has the closed solution exp(c) = (2 mu + sqrt(1 + 3 mu^2)) / (1 - mu).
    """
    cdef double forward = (2.0 * memory + sqrt(1.0 + 3.0 * memory * memory)) / (1.0 - memory)
    weights[heading] = weights[heading] * forward
    weights[heading ^ 1] = weights[heading ^ 1] / forward


def settle_headings(const uint8_t[::1] won, const int8_t[::1] direction, int8_t[::1] heading):
    """Remember the direction of the hops that took place. `heading` changes; all of shape (cells,)."""
    cdef Py_ssize_t i
    for i in range(won.shape[0]):
        if won[i]:
            heading[i] = direction[i]
