"""Niche slots: release, binding, and displacement of one holder by another."""

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .lattice cimport BOUND, Box, FREE, NOWHERE, face_neighbours
from .mathematics cimport event_probability, exponential, occupancy, receptor_signal
from .rng cimport STREAM_NICHE_BIND, STREAM_NICHE_RELEASE, philox, unit

cdef struct Hold:
    double affinity        # relative
    double displacement    # 1/min


def release(uint64_t seed, uint32_t step, uint32_t substep, double dt, const int64_t[::1] slots,
            const int64_t[::1] ids, uint8_t[::1] status, const float[::1] level, const int32_t[:, :, ::1] occupant,
            const float[:, :, ::1] ligand, double half_occupancy, double desensitisation, double rate,
            double sensitivity, double reference_signal, int32_t[::1] released, int threads):
    """The holders of slots let go of them at rate k exp(e (1 - a / a_ref)), a the receptor signal.

    Parameters
    ----------
    seed, step, substep, dt : draws (by cell), and the length of the sub-step in minutes.
    slots : int64, shape (slots,). Voxels.
    ids, status, level : columns of the cell table, shape (cells,); `status` changes from BOUND to FREE.
    occupant, ligand : shape (nz, ny, nx).
    rate, sensitivity, reference_signal : k (1/min), e and a_ref.
    released : OUT, int32, shape (slots,). Row of the cell that let go, -1 where none did.
    threads : number of threads.
    """
    cdef Py_ssize_t n = slots.shape[0]
    if n == 0 or ids.shape[0] == 0:
        released[:] = NOWHERE
        return
    cdef const int32_t* occupants = &occupant[0, 0, 0]
    cdef const float* c = &ligand[0, 0, 0]
    cdef Py_ssize_t s
    cdef int32_t row
    for s in prange(n, nogil=True, num_threads=threads, schedule="static"):
        row = occupants[slots[s]]
        released[s] = NOWHERE
        if row >= 0 and status[row] == BOUND and _lets_go(
                seed, step, substep, dt, <uint64_t> ids[row],
                receptor_signal(level[row], occupancy(c[slots[s]], half_occupancy), desensitisation),
                rate, sensitivity, reference_signal):
            released[s] = row
            status[row] = FREE


cdef inline bint _lets_go(uint64_t seed, uint32_t step, uint32_t substep, double dt, uint64_t cell, double signal,
                          double rate, double sensitivity, double reference_signal) noexcept nogil:
    cdef uint32_t words[4]
    philox(seed, STREAM_NICHE_RELEASE, step, cell, substep, words)
    return unit(words[0]) < event_probability(rate * exponential(sensitivity * (1.0 - signal / reference_signal)), dt)


def propose(uint64_t seed, uint32_t step, uint32_t substep, double dt, const int64_t[::1] slots,
            const uint8_t[::1] types, const uint8_t[::1] status, const float[::1] level,
            const int32_t[:, :, ::1] occupant, const float[:, :, ::1] ligand, double half_occupancy,
            double desensitisation, double rate, double reference_signal, const double[:, ::1] holds,
            int32_t[::1] candidate, uint32_t[::1] claim, int threads):
    """Every slot may choose a free cell in it or at one of its faces.

    A vacant slot binds cell i at rate k_i = rate (a_i / a_ref) affinity_i; if its voxel is taken, only by the
    cell in it. A held slot is taken over by an adjacent cell i at rate d_i w_i / (w_holder + sum of w), where w = a
    affinity and the sum is over the adjacent cells of other types than the holder's: all compete for one slot, so that
    the total stays below d however many there are. One draw decides whether anything happens, a second which
    candidate, by its share of the rate.

    Parameters
    ----------
    seed, step, substep, dt : draws (by slot voxel), and the length of the sub-step in minutes.
    slots : int64, shape (slots,). Voxels.
    types, status, level : columns of the cell table, shape (cells,).
    occupant, ligand : shape (nz, ny, nx).
    holds : float64, shape (types, 2). Affinity, displacement rate (1/min).
    candidate, claim : OUT, shape (slots,). Row of the chosen cell or -1, and the slot's claim on it.
    threads : number of threads.
    """
    cdef Py_ssize_t n = slots.shape[0]
    if n == 0 or types.shape[0] == 0:
        candidate[:] = NOWHERE
        return
    cdef Box box = Box(<int32_t> occupant.shape[0], <int32_t> occupant.shape[1], <int32_t> occupant.shape[2])
    cdef const int32_t* occupants = &occupant[0, 0, 0]
    cdef const float* c = &ligand[0, 0, 0]
    cdef Py_ssize_t s
    for s in prange(n, nogil=True, num_threads=threads, schedule="static"):
        _choose(seed, step, substep, dt, <int32_t> slots[s], box, &types[0], &status[0], &level[0], occupants, c,
                half_occupancy, desensitisation, rate / reference_signal, <Hold*> &holds[0, 0], &candidate[s],
                &claim[s])


cdef void _choose(uint64_t seed, uint32_t step, uint32_t substep, double dt, int32_t slot, Box box,
                  const uint8_t* types, const uint8_t* status, const float* level, const int32_t* occupant,
                  const float* ligand,
                  double half_occupancy, double desensitisation, double rate, Hold* holds,
                  int32_t* candidate, uint32_t* claim) noexcept nogil:
    cdef uint32_t words[4]
    cdef int32_t around[7]
    cdef double rates[7]
    cdef double total = 0.0
    cdef double weight, pick
    cdef double competing = 0.0
    cdef int32_t resident = occupant[slot]
    cdef int32_t row
    cdef bint taken = resident >= 0 and status[resident] == BOUND
    cdef int k
    candidate[0] = NOWHERE
    face_neighbours(box, slot, around)
    around[6] = slot
    if taken:
        competing = _weight(resident, slot, types, level, ligand, half_occupancy, desensitisation, holds)
    for k in range(7):
        rates[k] = 0.0
        if around[k] == NOWHERE or (not taken and resident >= 0 and k != 6):
            continue
        row = occupant[around[k]]
        if row < 0 or status[row] != FREE or holds[types[row]].affinity <= 0.0:
            continue
        weight = _weight(row, around[k], types, level, ligand, half_occupancy, desensitisation, holds)
        if not taken:
            rates[k] = rate * weight
        elif weight > 0.0 and types[row] != types[resident]:
            rates[k] = holds[types[row]].displacement * weight
            competing = competing + weight
        total = total + rates[k]
    if total <= 0.0:
        return
    if taken:
        total = total / competing
        for k in range(7):
            rates[k] = rates[k] / competing
    philox(seed, STREAM_NICHE_BIND, step, <uint64_t> slot, substep, words)
    if unit(words[0]) >= event_probability(total, dt):
        return
    pick = unit(words[1]) * total
    for k in range(7):
        if rates[k] > 0.0:
            candidate[0] = occupant[around[k]]
            pick = pick - rates[k]
            if pick < 0.0:
                break
    claim[0] = words[2]


cdef inline double _weight(int32_t row, int32_t site, const uint8_t* types, const float* level, const float* ligand,
                           double half_occupancy, double desensitisation, Hold* holds) noexcept nogil:
    """Receptor signal times affinity."""
    return holds[types[row]].affinity * receptor_signal(
        level[row], occupancy(ligand[site], half_occupancy), desensitisation)


def bind(const int64_t[::1] order, const int64_t[::1] slots, const int32_t[::1] candidate, uint8_t[::1] status,
         int32_t[::1] site, int32_t[:, :, ::1] occupant, uint8_t[::1] outcome):
    """Give slots to their candidates, in the given order; a cell takes the first slot that claims it.

    A newcomer from a face moves into the slot; a former holder moves to where the newcomer was, and is free.

    Parameters
    ----------
    order : int64. Positions in `slots` of the slots that chose somebody, smallest claim first.
    slots, candidate : as in `propose`.
    status, site, occupant : columns and lattice, changed.
    outcome : OUT, uint8, shape (slots,). 0 nothing, 1 bound, 2 displaced the former holder.
    """
    if order.shape[0] == 0:
        return
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef Py_ssize_t k
    cdef int64_t s
    cdef int32_t row, resident, slot
    for k in range(order.shape[0]):
        s = order[k]
        row = candidate[s]
        slot = <int32_t> slots[s]
        if status[row] == BOUND:
            continue
        resident = occupants[slot]
        outcome[s] = 1
        if resident != row:
            if resident >= 0:
                status[resident] = FREE
                outcome[s] = 2
            occupants[site[row]] = resident
            if resident >= 0:
                site[resident] = site[row]
            occupants[slot] = row
            site[row] = slot
        status[row] = BOUND
