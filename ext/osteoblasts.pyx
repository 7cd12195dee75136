"""Osteoblasts: recruitment to cavities in a solid, loss, filling, and what becomes of them."""

import numpy as np

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .lattice cimport Box, NOWHERE, face_neighbours, faces_on, is_marked, is_near, moore_neighbours
from .mathematics cimport event_probability
from .rng cimport STREAM_OSTEOBLAST, STREAM_RECRUITMENT, below, philox, unit

cdef enum:
    # Draw numbers of STREAM_OSTEOBLAST.
    DRAW_LOSS = 0
    DRAW_FATE = 1


cpdef enum Fate:
    FATE_MOVED = 1       # to the cavity beside
    FATE_TRAPPED = 2     # stays, in the solid
    FATE_RESTS = 3       # on the surface beside
    FATE_GONE = 4


cdef bint _any_near(const uint8_t* kinds, Py_ssize_t count, double reach, Box box, int32_t site,
                    const int32_t* occupant, const uint8_t* types) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(count):
        if is_near(kinds[k], reach, box, site, occupant, types):
            return True
    return False


def recruit(uint64_t seed, uint32_t step, double dt, const int64_t[::1] sites, const uint8_t[::1] types,
            const int32_t[:, :, ::1] occupant, const uint8_t[:, :, ::1] tissue, const uint8_t[::1] solid,
            const uint8_t[::1] gives_way, double rate, const uint8_t[::1] inhibitors, double reach, double factor):
    """In which cavities a cell sets to work, at rate k, times a factor where an inhibiting cell is within reach.

    The voxel has a face on the solid, and is free or holds a cell that gives way.

    Parameters
    ----------
    seed, step, dt : draws (by voxel), and the length of the step in minutes.
    sites : int64, shape (n,). Voxels that are ready.
    types : column of the cell table. occupant, tissue : shape (nz, ny, nx); `solid` by tissue code, `gives_way` by
        cell type, shape (256,).
    rate, factor : k (1/min), and the factor (0 to 1).
    inhibitors, reach : types of the inhibiting cells, and how far their centres may be (voxel edges).

    Returns
    -------
    uint8, shape (n,): 1 where one does.
    """
    cdef Box box = Box(<int32_t> occupant.shape[0], <int32_t> occupant.shape[1], <int32_t> occupant.shape[2])
    cdef const int32_t* occupants = &occupant[0, 0, 0]
    cdef const uint8_t* kinds = &inhibitors[0] if inhibitors.shape[0] else NULL
    cdef const uint8_t* of = &types[0] if types.shape[0] else NULL
    cdef double chance = event_probability(rate, dt)
    cdef uint32_t words[4]
    cdef Py_ssize_t i
    cdef int32_t here, row
    works = np.zeros(sites.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] view = works
    for i in range(sites.shape[0]):
        here = <int32_t> sites[i]
        row = occupants[here]
        if row >= 0 and not gives_way[of[row]]:
            continue
        philox(seed, STREAM_RECRUITMENT, step, <uint64_t> here, 0, words)
        if unit(words[0]) >= chance or faces_on(box, here, &tissue[0, 0, 0], &solid[0]) == 0:
            continue
        view[i] = unit(words[1]) < factor or not _any_near(
            kinds, inhibitors.shape[0], reach, box, here, occupants, of)
    return works


def lose(uint64_t seed, uint32_t step, double dt, const int32_t[::1] rows, const int64_t[::1] ids,
         const uint8_t[::1] types, const int32_t[::1] site, const int32_t[:, :, ::1] occupant, double rate,
         const uint8_t[::1] inhibitors, double reach):
    """Which osteoblasts an inhibiting cell within reach drives out, at a rate (1/min): uint8, shape (n,).

    Parameters as in `recruit`; `rows`, `ids`, `types`, `site` of the cell table, draws by cell.
    """
    cdef Box box = Box(<int32_t> occupant.shape[0], <int32_t> occupant.shape[1], <int32_t> occupant.shape[2])
    cdef const uint8_t* kinds = &inhibitors[0] if inhibitors.shape[0] else NULL
    cdef double chance = event_probability(rate, dt)
    cdef uint32_t words[4]
    cdef Py_ssize_t i
    lost = np.zeros(rows.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] view = lost
    for i in range(rows.shape[0]):
        philox(seed, STREAM_OSTEOBLAST, step, <uint64_t> ids[rows[i]], DRAW_LOSS, words)
        view[i] = unit(words[0]) < chance and _any_near(
            kinds, inhibitors.shape[0], reach, box, site[rows[i]], &occupant[0, 0, 0], &types[0])
    return lost


def form(const int32_t[::1] rows, const int32_t[::1] site, const uint8_t[:, :, ::1] tissue, const uint8_t[::1] solid,
         float[:, :, ::1] content, double amount):
    """Osteoblasts add content to their own voxel: amount times sqrt(f), f its faces on the solid; none without.

    A layer on a plane is so filled at the same speed along its normal, whichever way the plane faces.

    Parameters
    ----------
    rows : int32, shape (n,). `site` is the column of the cell table.
    tissue : shape (nz, ny, nx); `solid` by tissue code, shape (256,).
    content : float32, changed; 1 is full.
    amount : for one face.

    Returns
    -------
    uint8, shape (n,): 1 where the voxel is full.
    """
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef float* contents = &content[0, 0, 0]
    cdef Py_ssize_t i
    cdef int32_t here
    full = np.zeros(rows.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] view = full
    for i in range(rows.shape[0]):
        here = site[rows[i]]
        contents[here] = <float> (contents[here] + amount * sqrt(
            <double> faces_on(box, here, &tissue[0, 0, 0], &solid[0])))
        if contents[here] > 0.999999:
            contents[here] = 1.0
            view[i] = 1
    return full


def settle(uint64_t seed, uint32_t step, const int32_t[::1] rows, const int64_t[::1] ids, int32_t[::1] site,
           int32_t[:, :, ::1] occupant, const uint8_t[:, :, ::1] tissue, const uint8_t[::1] enterable,
           const uint8_t[:, :, ::1] depth, const int64_t[::1] goals, const uint8_t[::1] level, double trapped,
           double rests):
    """What becomes of osteoblasts whose voxel is full and part of the solid from now on.

    In turn: it is trapped, by chance; or goes on to a free goal at a face that is less deep than its own was; or rests
    in a free voxel around, by chance; or is gone. Those that go on or rest are moved.

    Parameters
    ----------
    seed, step : draws (by cell).
    rows : int32, shape (n,), in the order in which they settle.
    ids, site, occupant : columns of the cell table and lattice; changed where they move.
    tissue : as it is now; `enterable` by tissue code, shape (256,).
    depth : uint8, shape (nz, ny, nx), of cavities; `level` that of their own voxels before, shape (n,).
    goals : int64, sorted. Cavities that are to be filled.
    trapped, rests : probabilities.

    Returns
    -------
    uint8, shape (n,): the `Fate` of each.
    """
    cdef Box box = Box(<int32_t> occupant.shape[0], <int32_t> occupant.shape[1], <int32_t> occupant.shape[2])
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef const uint8_t* codes = &tissue[0, 0, 0]
    cdef const uint8_t* depths = &depth[0, 0, 0]
    cdef const int64_t* marked = &goals[0] if goals.shape[0] else NULL
    cdef uint32_t words[4]
    cdef int32_t around[26]
    cdef int32_t free[26]
    cdef uint32_t count
    cdef Py_ssize_t i
    cdef int32_t here, there
    cdef int k, n
    fates = np.zeros(rows.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] view = fates
    for i in range(rows.shape[0]):
        here = site[rows[i]]
        philox(seed, STREAM_OSTEOBLAST, step, <uint64_t> ids[rows[i]], DRAW_FATE, words)
        view[i] = FATE_GONE
        if unit(words[0]) < trapped:
            view[i] = FATE_TRAPPED
            continue
        face_neighbours(box, here, around)
        count = 0
        for k in range(6):
            there = around[k]
            if there == NOWHERE or occupants[there] >= 0 or depths[there] >= level[i]:
                continue
            if is_marked(there, marked, goals.shape[0]):
                free[count] = there
                count = count + 1
        if count > 0:
            view[i] = FATE_MOVED
        elif unit(words[1]) < rests:
            n = moore_neighbours(box, here, around)
            for k in range(n):
                if occupants[around[k]] < 0 and enterable[codes[around[k]]] and depths[around[k]] == 0:
                    free[count] = around[k]
                    count = count + 1
            if count > 0:
                view[i] = FATE_RESTS
        if count > 0:
            there = free[below(words[2], count)]
            occupants[here] = NOWHERE
            occupants[there] = rows[i]
            site[rows[i]] = there
    return fates
