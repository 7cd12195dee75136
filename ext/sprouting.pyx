"""Sprouts of vessels: where they set out, how their tips hop, which cells join them, and which vessels collapse.

Tips are few, so their loops are serial: tips hop in the order that they are given in, and each sees what those
before it did.
"""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .lattice cimport Box, FREE, NOWHERE, face_neighbours, is_marked, moore_neighbours, random_free_neighbour
from .mathematics cimport event_probability, exponential
from .rng cimport STREAM_COLLAPSE, STREAM_INCORPORATION, STREAM_SPROUT, STREAM_TIP, philox, unit


def set_out(uint64_t seed, uint32_t step, double dt, const int64_t[::1] luminal_sites, const uint8_t[:, :, ::1] tissue,
            const uint8_t[::1] lumen, const uint8_t[::1] enterable, const int32_t[:, :, ::1] occupant,
            const int64_t[::1] slots, const float[:, :, ::1] factor, double threshold, double rate, int threads):
    """Free voxels at the vessel wall where a tip would set out, at rate k V / (V + V*) where V > V*.

    Parameters
    ----------
    seed, step, dt : draws, and the length of the step in minutes.
    luminal_sites : int64. Lumen voxels at the wall.
    tissue, occupant, factor : shape (nz, ny, nx). `factor` is V.
    lumen, enterable : uint8, shape (256,). By tissue code.
    slots : int64, sorted. Voxels that are kept free of sprouts.
    threshold, rate : V*, and k (1/min).
    threads : number of threads.

    Returns
    -------
    voxel, root, direction, claim : int64, shape (n,). The voxel, the lumen voxel that it springs from, the direction
        from there, and a random number of its own.
    """
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef const uint8_t* codes = &tissue[0, 0, 0]
    cdef const int32_t* occupants = &occupant[0, 0, 0]
    cdef const float* v = &factor[0, 0, 0]
    cdef const int64_t* marks = &slots[0] if slots.shape[0] else NULL
    cdef Py_ssize_t n = luminal_sites.shape[0]
    cdef uint8_t[::1] drawn = np.empty(n, dtype=np.uint8)
    cdef int32_t around[6]
    cdef int32_t behind[6]
    cdef uint32_t words[4]
    cdef Py_ssize_t i
    cdef int32_t site, root
    cdef int d, first
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        drawn[i] = _drawn_faces(seed, step, rate * dt, box, <int32_t> luminal_sites[i], codes, &enterable[0],
                                occupants, v, threshold)
    found = []
    for i in range(n):
        if not drawn[i]:
            continue
        root = <int32_t> luminal_sites[i]
        face_neighbours(box, root, around)
        for d in range(6):
            if not drawn[i] >> d & 1:
                continue
            site = around[d]
            face_neighbours(box, site, behind)
            first = 0
            while behind[first] == NOWHERE or not lumen[codes[behind[first]]]:
                first = first + 1
            if behind[first] != root or is_marked(site, marks, slots.shape[0]):
                continue  # a voxel with several faces at the wall is asked once
            philox(seed, STREAM_SPROUT, step, <uint64_t> site, 0, words)
            if unit(words[0]) < event_probability(rate * v[site] / (v[site] + threshold), dt):
                found.append((site, root, d, words[1]))
    return np.array(found, dtype=np.int64).reshape(-1, 4).T


cdef uint8_t _drawn_faces(uint64_t seed, uint32_t step, double largest, Box box, int32_t root, const uint8_t* tissue,
                          const uint8_t* enterable, const int32_t* occupant, const float* factor,
                          double threshold) noexcept nogil:
    """Faces of a lumen voxel behind which a tip may set out, one bit each: the probability is smaller than `largest`,
    so most need not be looked at further."""
    cdef int32_t around[6]
    cdef uint32_t words[4]
    cdef uint8_t faces = 0
    cdef int32_t site
    cdef int d
    face_neighbours(box, root, around)
    for d in range(6):
        site = around[d]
        if site == NOWHERE or not factor[site] > threshold or occupant[site] >= 0 or not enterable[tissue[site]]:
            continue
        philox(seed, STREAM_SPROUT, step, <uint64_t> site, 0, words)
        if unit(words[0]) < largest:
            faces = faces | <uint8_t> (1 << d)
    return faces


def advance(uint64_t seed, uint32_t step, uint32_t substep, double probability, const int32_t[::1] rows,
            const int64_t[::1] ids, const uint8_t[::1] types, const uint8_t[::1] status, int8_t[::1] heading,
            int32_t[::1] site, int32_t[:, :, ::1] occupant, uint8_t[:, :, ::1] tissue, uint8_t[::1] enterable,
            const int64_t[::1] slots, const uint8_t[::1] movable, const float[:, :, ::1] factor, double least,
            double half, double sensitivity, double straight, uint8_t stalk, int64_t[::1] left, double[::1] branch):
    """Tips hop, each to one of the open voxels at its faces, and leave their voxel as stalk.

    Direction j has the weight exp(kappa (V_j - V) / (V + V*)), times a factor where it goes straight on. Open is a
    voxel that is free, or held by a free cell that can be pushed to a free voxel around it.

    Parameters
    ----------
    seed, step, substep : draws.
    probability : of a hop; none where V is below `least`.
    rows : int32, shape (n,). Rows of the tips, in the order in which they hop.
    ids ... site : columns of the cell table; `heading` and `site` change.
    occupant, tissue, factor : shape (nz, ny, nx); `occupant` and `tissue` change.
    enterable : uint8, shape (256,). By tissue code.
    slots : int64, sorted. Voxels that are kept free of sprouts.
    movable : uint8, by cell type. Whether a tip can push it.
    half, sensitivity, straight : V*, kappa, and the factor on going straight on.
    stalk : tissue code of what a tip leaves behind.
    left : OUT, shape (n,). The voxel that a tip left, or -1.
    branch : OUT, shape (n,). A random number in (0, 1) for each.
    """
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef uint8_t* codes = &tissue[0, 0, 0]
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef const float* v = &factor[0, 0, 0]
    cdef const int64_t* marks = &slots[0] if slots.shape[0] else NULL
    cdef int32_t around[6]
    cdef double weight[6]
    cdef uint32_t words[4]
    cdef double total, reached
    cdef int32_t row, here, target, held, aside
    cdef Py_ssize_t i
    cdef int d, chosen
    for i in range(rows.shape[0]):
        row, left[i] = rows[i], NOWHERE
        here = site[row]
        philox(seed, STREAM_TIP, step, <uint64_t> ids[row], substep, words)
        branch[i] = unit(words[3])
        if v[here] < least or unit(words[0]) >= probability:
            continue
        face_neighbours(box, here, around)
        total = 0.0
        for d in range(6):
            weight[d] = 0.0
            target = around[d]
            if target == NOWHERE or not enterable[codes[target]] or is_marked(target, marks, slots.shape[0]):
                continue
            held = occupants[target]
            if held >= 0 and not (status[held] == FREE and movable[types[held]]):
                continue
            weight[d] = exponential(sensitivity * (v[target] - v[here]) / (v[here] + half))
            if d == heading[row]:
                weight[d] = weight[d] * straight
            total = total + weight[d]
        chosen, reached = NOWHERE, 0.0
        for d in range(6):
            reached = reached + weight[d]
            if weight[d] > 0.0 and (chosen == NOWHERE or unit(words[1]) * total >= reached - weight[d]):
                chosen = d
        if chosen == NOWHERE:
            continue
        target = around[chosen]
        held = occupants[target]
        if held >= 0:
            aside = random_free_neighbour(box, target, words[2], codes, &enterable[0], occupants)
            if aside == NOWHERE:
                continue
            occupants[aside] = held
            site[held] = aside
        occupants[here] = NOWHERE
        codes[here] = stalk
        occupants[target] = row
        site[row] = target
        heading[row] = <int8_t> chosen
        left[i] = here


def join(uint64_t seed, uint32_t step, double dt, const int32_t[::1] rows, const int64_t[::1] ids,
         const uint8_t[::1] types, const int32_t[::1] site, const int32_t[:, :, ::1] occupant,
         const uint8_t[:, :, ::1] tissue, const int64_t[::1] slots, uint8_t stalk, uint8_t tip,
         const double[::1] rates):
    """Which of these cells join the wall of a sprout that they face, and where they touch it.

    Parameters
    ----------
    seed, step, dt : draws, and the length of the step in minutes.
    rows : int32, shape (n,). Free cells.
    ids ... site : columns of the cell table.
    occupant, tissue : shape (nz, ny, nx).
    slots : int64, sorted. Voxels that are kept free of sprouts.
    stalk, tip : tissue code of a stalk, type code of a tip.
    rates : float64, by cell type (1/min).

    Returns
    -------
    int64, shape (n,): voxel of the stalk, or else of the tip, that the cell joins; -1 where it joins none.
    """
    contact = np.full(rows.shape[0], NOWHERE, dtype=np.int64)
    cdef int64_t[::1] touched = contact
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef const uint8_t* codes = &tissue[0, 0, 0]
    cdef const int32_t* occupants = &occupant[0, 0, 0]
    cdef const int64_t* marks = &slots[0] if slots.shape[0] else NULL
    cdef int32_t around[6]
    cdef uint32_t words[4]
    cdef int32_t voxel, held
    cdef Py_ssize_t i
    cdef int d
    for i in range(rows.shape[0]):
        face_neighbours(box, site[rows[i]], around)
        for d in range(6):
            voxel = around[d]
            held = occupants[voxel] if voxel != NOWHERE else NOWHERE
            if voxel != NOWHERE and codes[voxel] == stalk:
                touched[i] = voxel
                break
            if held >= 0 and types[held] == tip and touched[i] == NOWHERE:
                touched[i] = voxel
        if touched[i] == NOWHERE:
            continue
        philox(seed, STREAM_INCORPORATION, step, <uint64_t> ids[rows[i]], 0, words)
        if (unit(words[0]) >= event_probability(rates[types[rows[i]]], dt)
                or is_marked(site[rows[i]], marks, slots.shape[0])):
            touched[i] = NOWHERE
    return contact


def collapsing(uint64_t seed, uint32_t step, double dt, const int64_t[::1] luminal_sites,
               const uint8_t[:, :, ::1] tissue, const uint8_t[::1] soft, const uint8_t[::1] enterable,
               const int32_t[:, :, ::1] occupant, const uint8_t[::1] types, const double[::1] pressing,
               double crowded, double rate):
    """Lumen voxels that collapse in a crowd.

    Parameters
    ----------
    seed, step, dt : draws, and the length of the step in minutes.
    luminal_sites : int64. Lumen voxels at the wall.
    tissue, occupant : shape (nz, ny, nx).
    soft, enterable : uint8, shape (256,). Tissue codes that can collapse; that cells live in.
    types : column of the cell table.
    pressing : float64, by cell type. How much a cell counts in the crowd.
    crowded : share of the enterable voxels among the 26 around above which it can collapse.
    rate : 1/min, then.

    Returns
    -------
    int64, shape (n,).
    """
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef const uint8_t* codes = &tissue[0, 0, 0]
    cdef const int32_t* occupants = &occupant[0, 0, 0]
    cdef double probability = event_probability(rate, dt)
    cdef int32_t around[26]
    cdef uint32_t words[4]
    cdef double crowd
    cdef Py_ssize_t i
    cdef int32_t site
    cdef int n, d, room
    found = []
    for i in range(luminal_sites.shape[0]):
        site = <int32_t> luminal_sites[i]
        if not soft[codes[site]]:
            continue
        philox(seed, STREAM_COLLAPSE, step, <uint64_t> site, 0, words)
        if unit(words[0]) >= probability:
            continue
        n = moore_neighbours(box, site, around)
        crowd, room = 0.0, 0
        for d in range(n):
            if enterable[codes[around[d]]]:
                room = room + 1
                if occupants[around[d]] >= 0:
                    crowd = crowd + pressing[types[occupants[around[d]]]]
        if crowd > crowded * room:
            found.append(site)
    return np.array(found, dtype=np.int64)
