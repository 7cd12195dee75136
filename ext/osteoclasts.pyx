"""Osteoclasts: fusion of precursors, life span, resorption, and steps along the surface of a solid.

Osteoclasts are few, so what they do to the lattice is serial: they act in the order that they are given in, and
each sees what those before it did.
"""

import numpy as np

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .lattice cimport Box, FREE, NOWHERE, face_neighbours, faces_on, moore_neighbours
from .mathematics cimport event_probability, hill_inhibition
from .rng cimport STREAM_FUSION, STREAM_OSTEOCLAST, below, philox, unit

cdef enum:
    DRAW_LIFE = 65535    # of STREAM_OSTEOCLAST: the end of life; sub-steps count from 0
    DRAW_SQUEEZE = 1     # of STREAM_FUSION


cdef struct Lattice:
    Box box
    uint8_t* tissue
    const uint8_t* solid
    const uint8_t* enterable
    int32_t* occupant
    float* content
    uint8_t* depth
    const uint8_t* types
    const uint8_t* status
    const uint8_t* yields


cdef inline double _share(double signal, double half, double exponent) noexcept nogil:
    """L^n / (half^n + L^n)."""
    return 1.0 - hill_inhibition(signal, half, exponent) if signal > 0.0 else 0.0


cdef inline double _vigour(double signal, double half, double exponent, double least) noexcept nogil:
    """least + (1 - least) 2 H(L): 1 at L = half, least without signal."""
    return least + (1.0 - least) * 2.0 * _share(signal, half, exponent)


cdef inline bint _gives_way(int32_t row, const uint8_t* types, const uint8_t* status,
                            const uint8_t* yields) noexcept nogil:
    return status[row] == FREE and yields[types[row]]


cdef inline void _swap(int32_t row, int32_t target, int32_t* site, int32_t* occupant) noexcept nogil:
    """Move a cell to a voxel; who stands there comes to where it was."""
    cdef int32_t here = site[row]
    cdef int32_t other = occupant[target]
    occupant[here] = other
    if other >= 0:
        site[other] = here
    occupant[target] = row
    site[row] = target


def squeeze(uint64_t seed, uint32_t step, double dt, const int32_t[::1] rows, const int64_t[::1] ids,
            const uint8_t[::1] types, const uint8_t[::1] status, int32_t[::1] site, int32_t[:, :, ::1] occupant,
            const uint8_t[::1] yields, double rate):
    """Cells change places with others that give way, at a rate: each time with who is at one face, at random.

    Parameters
    ----------
    seed, step, dt : draws (by cell), and the length of the step in minutes.
    rows : int32. The cells, in the order in which they act.
    ids, types, status, site, occupant : columns of the cell table and lattice; sites change.
    yields : uint8, shape (256,). 1 for the types whose free cells give way.
    rate : 1/min.
    """
    cdef Box box = Box(<int32_t> occupant.shape[0], <int32_t> occupant.shape[1], <int32_t> occupant.shape[2])
    cdef double chance = event_probability(rate, dt)
    cdef int32_t around[6]
    cdef uint32_t words[4]
    cdef int32_t target, other
    cdef Py_ssize_t i
    for i in range(rows.shape[0]):
        philox(seed, STREAM_FUSION, step, <uint64_t> ids[rows[i]], DRAW_SQUEEZE, words)
        if unit(words[0]) >= chance:
            continue
        face_neighbours(box, site[rows[i]], around)
        target = around[below(words[1], 6)]
        if target == NOWHERE:
            continue
        other = (&occupant[0, 0, 0])[target]
        if other >= 0 and _gives_way(other, &types[0], &status[0], &yields[0]):
            _swap(rows[i], target, &site[0], &occupant[0, 0, 0])


def found(uint64_t seed, uint32_t step, double dt, const int32_t[::1] rows, const int64_t[::1] ids,
          const int32_t[::1] site, const uint8_t[:, :, ::1] tissue, const uint8_t[::1] solid,
          const float[:, :, ::1] signal, double scale, double rate, double half, double exponent):
    """Which precursors at the surface of the solid start to fuse, at rate k sqrt(f) H(L).

    f is the number of faces of the voxel on the solid: sqrt(f) is its share of the surface, in squared edges, exact
    for planes along the faces, the diagonals of faces and of cubes. H(L) = L^n / (L_h^n + L^n), L the signal times a
    scale. The draw comes first, so that only the cells that pass it look around.

    Parameters
    ----------
    seed, step, dt : draws (by cell), and the length of the step in minutes.
    rows : int32, shape (n,). Precursors on the lattice.
    ids, site : columns of the cell table, shape (cells,).
    tissue, signal : shape (nz, ny, nx); `solid` by tissue code, shape (256,).
    scale, rate, half, exponent : factor on the signal, k (1/min), L_h and n.

    Returns
    -------
    founder, claim : int64, shape (found,). Row, and a random number of its own.
    """
    cdef Box box = Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2])
    cdef uint32_t words[4]
    cdef double most = event_probability(rate * sqrt(6.0), dt)
    cdef double share
    cdef Py_ssize_t i
    cdef int faces
    made = []
    for i in range(rows.shape[0]):
        philox(seed, STREAM_FUSION, step, <uint64_t> ids[rows[i]], 0, words)
        if unit(words[0]) >= most:
            continue
        faces = faces_on(box, site[rows[i]], &tissue[0, 0, 0], &solid[0])
        if faces == 0:
            continue
        share = _share(scale * (&signal[0, 0, 0])[site[rows[i]]], half, exponent)
        if unit(words[0]) < event_probability(rate * sqrt(<double> faces) * share, dt):
            made.append((rows[i], words[1]))
    return np.ascontiguousarray(np.array(made, dtype=np.int64).reshape(-1, 2).T)


def fuse(const int64_t[::1] founders, const int64_t[::1] ids, uint8_t[::1] types, const int32_t[::1] site,
         const int32_t[:, :, ::1] occupant, int partners, double reach, uint8_t into):
    """Each founder, in the given order, becomes one cell of a new type with its nearest partners, if there are enough.

    Partners are cells of the founder's type within reach, the nearest first, ties to the smallest id; nobody fuses
    twice.

    Parameters
    ----------
    founders : int64. Rows.
    ids, types, site : columns of the cell table; the type of the founders that fuse is changed.
    occupant : shape (nz, ny, nx).
    partners, reach : how many are needed, and how far their centres may be (voxel edges).
    into : the new type.

    Returns
    -------
    fused, spent : int64. Rows of the founders that did, and of their partners.
    """
    cdef Box box = Box(<int32_t> occupant.shape[0], <int32_t> occupant.shape[1], <int32_t> occupant.shape[2])
    cdef uint8_t kind
    cdef int32_t plane = box.ny * box.nx
    cdef int32_t most = <int32_t> reach
    cdef int32_t z, y, x, dz, dy, dx, row, here
    cdef Py_ssize_t i
    gone = set()
    fused, spent = [], []
    for i in range(founders.shape[0]):
        if founders[i] in gone:
            continue
        here = site[founders[i]]
        kind = types[founders[i]]
        z, y, x = here // plane, (here // box.nx) % box.ny, here % box.nx
        near = []
        for dz in range(max(-most, -z), min(most, box.nz - 1 - z) + 1):
            for dy in range(max(-most, -y), min(most, box.ny - 1 - y) + 1):
                for dx in range(max(-most, -x), min(most, box.nx - 1 - x) + 1):
                    if 0 < dz * dz + dy * dy + dx * dx <= reach * reach:
                        row = (&occupant[0, 0, 0])[here + dz * plane + dy * box.nx + dx]
                        if row >= 0 and types[row] == kind and row not in gone:
                            near.append((dz * dz + dy * dy + dx * dx, ids[row], row))
        if len(near) < partners:
            continue
        chosen = [row for _, _, row in sorted(near)[:partners]]
        gone.add(founders[i])
        gone.update(chosen)
        fused.append(founders[i])
        spent += chosen
    for row in fused:
        types[row] = into
    return np.array(fused, dtype=np.int64), np.array(spent, dtype=np.int64)


def expire(uint64_t seed, uint32_t step, double dt, const int32_t[::1] rows, const int64_t[::1] ids,
           const int32_t[::1] site, const float[:, :, ::1] signal, double scale, double half, double exponent,
           double least, double life):
    """Which osteoclasts die, at rate 1 / (life V), V = least + (1 - least) 2 H(L): uint8, shape (n,).

    Parameters
    ----------
    seed, step, dt : draws (by cell), and the length of the step in minutes.
    rows : int32, shape (n,). Their rows; `ids`, `site` are columns of the cell table.
    signal : shape (nz, ny, nx).
    scale, half, exponent : as in `found`.
    least, life : share of the life that is left without signal, and the mean life (min) at L = half.
    """
    cdef uint32_t words[4]
    cdef Py_ssize_t i
    cdef double rate
    dies = np.zeros(rows.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] view = dies
    for i in range(rows.shape[0]):
        rate = 1.0 / (life * _vigour(scale * (&signal[0, 0, 0])[site[rows[i]]], half, exponent, least))
        philox(seed, STREAM_OSTEOCLAST, step, <uint64_t> ids[rows[i]], DRAW_LIFE, words)
        view[i] = unit(words[0]) < event_probability(rate, dt)
    return dies


def resorb(uint64_t seed, uint32_t step, uint32_t substep, double dt, const int32_t[::1] rows,
           const int64_t[::1] ids, const uint8_t[::1] types, const uint8_t[::1] status, int32_t[::1] site,
           const uint8_t[::1] yields, int32_t[:, :, ::1] occupant, uint8_t[:, :, ::1] tissue,
           const uint8_t[::1] solid, const uint8_t[::1] enterable, uint8_t opened, float[:, :, ::1] content,
           uint8_t[:, :, ::1] depth, const float[:, :, ::1] signal, double scale, double half, double exponent,
           double least, double amount, double deepest, double hop_rate):
    """Osteoclasts take content from the solid around them; a voxel without content is open from then on.

    Of the solid among the 26 voxels around, an osteoclast takes the one that has been started on, else the one with
    most open faces, at random between equals, and none deeper than `deepest` times V: the depth of a voxel is one
    more than the least of the open voxels at its faces. Where there is none it steps, at a rate, to a voxel around it
    that has solid among its own 26, or where there is no such one to any; a cell there gives way and changes places.

    Parameters
    ----------
    seed, step, substep, dt : draws (by cell), and the length of the sub-step in minutes.
    rows : int32. Osteoclasts, in the order in which they act.
    ids, types, status, site, occupant : columns of the cell table and lattice; sites change where they step.
    yields : uint8, shape (256,). 1 for the types whose free cells give way.
    tissue : changed to `opened` where nothing is left. `solid`, `enterable` by tissue code, shape (256,).
    content : float32, shape (nz, ny, nx). 1 in a whole voxel of the solid.
    depth : uint8, shape (nz, ny, nx). Of open voxels that were solid; written where one opens.
    signal, scale, half, exponent, least : of V, as in `expire`.
    amount : content that one takes in the sub-step.
    deepest : depth in voxels at L = half.
    hop_rate : steps per minute.

    Returns
    -------
    int64 : voxels that opened.
    """
    cdef Lattice lattice = Lattice(
        Box(<int32_t> tissue.shape[0], <int32_t> tissue.shape[1], <int32_t> tissue.shape[2]), &tissue[0, 0, 0],
        &solid[0], &enterable[0], &occupant[0, 0, 0], &content[0, 0, 0], &depth[0, 0, 0], &types[0], &status[0],
        &yields[0])
    cdef uint32_t words[4]
    cdef double left, taken, limit
    cdef int32_t here, target, reached
    cdef uint32_t shuffle
    cdef Py_ssize_t i
    cdef int row
    made = []
    for i in range(rows.shape[0]):
        row = rows[i]
        here = site[row]
        philox(seed, STREAM_OSTEOCLAST, step, <uint64_t> ids[row], substep, words)
        shuffle = words[0] | 1
        limit = deepest * _vigour(scale * (&signal[0, 0, 0])[here], half, exponent, least) + 0.5
        left = amount
        target = here
        while left > 1e-6:
            target = _choose(&lattice, here, limit, &shuffle)
            if target == NOWHERE:
                break
            taken = min(left, <double> lattice.content[target])
            left = left - taken
            lattice.content[target] = <float> (lattice.content[target] - taken)
            if lattice.content[target] > 1e-6:
                break
            lattice.content[target] = 0.0
            reached = _depth(&lattice, target)
            lattice.depth[target] = <uint8_t> min(255, reached)
            lattice.tissue[target] = opened
            made.append(target)
        if target == NOWHERE and unit(words[2]) < event_probability(hop_rate, dt):
            target = _next_site(&lattice, here, words[3])
            if target != NOWHERE:
                _swap(row, target, &site[0], lattice.occupant)
    return np.array(made, dtype=np.int64)


cdef int _depth(const Lattice* lattice, int32_t site) noexcept nogil:
    """Depth of a voxel of the solid: one more than the least of the open voxels at its faces; 1000 where none is."""
    cdef int32_t around[6]
    cdef int least = 999
    cdef int d
    face_neighbours(lattice.box, site, around)
    for d in range(6):
        if around[d] != NOWHERE and lattice.enterable[lattice.tissue[around[d]]]:
            least = min(least, lattice.depth[around[d]])
    return least + 1


cdef int32_t _choose(const Lattice* lattice, int32_t site, double limit, uint32_t* shuffle) noexcept nogil:
    """The voxel of the solid around a site that is resorbed next, or NOWHERE."""
    cdef int32_t around[26]
    cdef int n = moore_neighbours(lattice.box, site, around)
    cdef int32_t best = NOWHERE
    cdef int rank = -1
    cdef uint32_t equals = 0
    cdef int i, value
    for i in range(n):
        if not lattice.solid[lattice.tissue[around[i]]]:
            continue
        value = faces_on(lattice.box, around[i], lattice.tissue, lattice.enterable)
        if value == 0 or _depth(lattice, around[i]) > limit:
            continue
        if lattice.content[around[i]] < 1.0:
            value = value + 6
        if value > rank:
            rank = value
            best = around[i]
            equals = 1
        elif value == rank:
            equals = equals + 1
            shuffle[0] = shuffle[0] ^ (shuffle[0] << 13)
            shuffle[0] = shuffle[0] ^ (shuffle[0] >> 17)
            shuffle[0] = shuffle[0] ^ (shuffle[0] << 5)
            if below(shuffle[0], equals) == 0:
                best = around[i]
    return best


cdef int32_t _next_site(const Lattice* lattice, int32_t site, uint32_t word) noexcept nogil:
    """A voxel around a site that is free or holds a cell that gives way, beside the solid if there is one."""
    cdef int32_t around[26]
    cdef int32_t further[26]
    cdef int32_t beside[26]
    cdef int32_t free[26]
    cdef int n = moore_neighbours(lattice.box, site, around)
    cdef uint32_t count = 0
    cdef uint32_t total = 0
    cdef int i, j, m
    cdef int32_t other
    for i in range(n):
        other = lattice.occupant[around[i]]
        if not lattice.enterable[lattice.tissue[around[i]]] or (
                other != NOWHERE and not _gives_way(other, lattice.types, lattice.status, lattice.yields)):
            continue
        free[total] = around[i]
        total = total + 1
        m = moore_neighbours(lattice.box, around[i], further)
        for j in range(m):
            if lattice.solid[lattice.tissue[further[j]]]:
                beside[count] = around[i]
                count = count + 1
                break
    if count > 0:
        return beside[below(word, count)]
    return free[below(word, total)] if total > 0 else NOWHERE
