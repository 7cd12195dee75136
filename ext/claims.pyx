"""Propose, then settle: who gets a contested voxel.

Every cell may claim one target voxel with a random claim. The smallest claim wins, ties go to the
smallest id. A cell finds its rivals by looking around its target, so nothing is written until all
claims are settled, and the outcome does not depend on order or threads.
"""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from .lattice cimport Box, NOWHERE, face_neighbours, moore_neighbours


def settle(int32_t[::1] target, uint32_t[::1] claim, int64_t[::1] ids, int32_t[:, :, ::1] occupant,
           bint moore, int threads):
    """Which cells win their targets.

    Parameters
    ----------
    target : int32, shape (cells,). Site that the cell claims, or -1.
    claim : uint32, shape (cells,). Smallest wins.
    ids : int64, shape (cells,). Break ties.
    occupant : int32, shape (nz, ny, nx). Row of the cell in a voxel, -1 where there is none.
    moore : whether claims reach over edges and corners (26 neighbours), or over faces only.
    threads : number of threads.

    Returns
    -------
    uint8, shape (cells,): 1 for a winner.
    """
    cdef Py_ssize_t n = target.shape[0]
    won = np.zeros(n, dtype=np.uint8)
    if n == 0:
        return won
    cdef uint8_t[::1] won_view = won
    cdef Box box = Box(<int32_t> occupant.shape[0], <int32_t> occupant.shape[1], <int32_t> occupant.shape[2])
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef Py_ssize_t i
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        if target[i] != NOWHERE:
            won_view[i] = _wins(i, box, moore, &target[0], &claim[0], &ids[0], occupants)
    return won


cdef inline bint _wins(Py_ssize_t i, Box box, bint moore, int32_t* target, uint32_t* claim, int64_t* ids,
                       int32_t* occupant) noexcept nogil:
    cdef int32_t around[26]
    cdef int n = 6
    cdef int k
    cdef int32_t rival
    if moore:
        n = moore_neighbours(box, target[i], around)
    else:
        face_neighbours(box, target[i], around)
    for k in range(n):
        if around[k] == NOWHERE:
            continue
        rival = occupant[around[k]]
        if rival < 0 or rival == i or target[rival] != target[i]:
            continue
        if claim[rival] < claim[i] or (claim[rival] == claim[i] and ids[rival] < ids[i]):
            return False
    return True


def move(uint8_t[::1] won, int32_t[::1] target, int32_t[::1] site, int32_t[:, :, ::1] occupant, int threads):
    """Put the winners on their targets. Targets were free, so every voxel is written at most once.

    Parameters: as `settle` gives and takes them. Changes `site` and `occupant`.
    """
    cdef Py_ssize_t n = target.shape[0]
    if n == 0:
        return
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef Py_ssize_t i
    for i in prange(n, nogil=True, num_threads=threads, schedule="static"):
        if won[i]:
            occupants[site[i]] = -1
            occupants[target[i]] = <int32_t> i
            site[i] = target[i]
