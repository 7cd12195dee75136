"""Propose, then settle: who gets a contested voxel.

Cells claim free voxels, each with a random number: a list of claims. The smallest number wins, ties go to
the smallest id. The claim that leads is marked in the lattice itself, so a claim looks at its own voxel
and at nothing else. Threads share the work by slabs of the lattice, each with the voxels of its own, so
the outcome depends neither on the order of the list nor on threads.
"""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from .blocks cimport fetch_ahead
from .claims cimport AHEAD, mark_of


def mark(const int32_t[::1] row, const int32_t[::1] target, const uint32_t[::1] claim, const int64_t[::1] ids,
         int32_t[:, :, ::1] occupant, int threads):
    """Mark every claimed voxel with the claim that wins it; whoever calls puts a cell there next.

    Parameters
    ----------
    row, target, claim : shape (claims,). Row of the cell, site that it claims, number; smallest wins.
    ids : int64, shape (cells,). Break ties.
    occupant : int32, shape (nz, ny, nx). Row of the cell in a voxel, -1 where there is none: `target` is free.
        Changes to `mark_of` the winner where there is a claim.
    threads : number of threads.
    """
    cdef Py_ssize_t n = target.shape[0]
    if n == 0:
        return
    cdef Py_ssize_t voxels = occupant.shape[0] * occupant.shape[1] * occupant.shape[2]
    cdef int32_t* occupants = &occupant[0, 0, 0]
    cdef int slab
    for slab in prange(threads, nogil=True, num_threads=threads, schedule="static"):
        _mark(n, &row[0], &target[0], &claim[0], &ids[0], occupants, voxels * slab // threads,
              voxels * (slab + 1) // threads)


cdef void _mark(Py_ssize_t n, const int32_t* row, const int32_t* target, const uint32_t* claim, const int64_t* ids,
                int32_t* occupant, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t k
    cdef int32_t held, rival
    for k in range(n):
        if target[k] < first or target[k] >= last:
            continue
        if k + AHEAD < n:
            fetch_ahead(&occupant[target[k + AHEAD]])
        held = occupant[target[k]]
        if held != -1:
            rival = -2 - held
            if claim[rival] < claim[k] or (claim[rival] == claim[k] and ids[row[rival]] < ids[row[k]]):
                continue
        occupant[target[k]] = mark_of(k)


def winners(const int32_t[::1] target, const int32_t[:, :, ::1] occupant):
    """Which claims have won, after `mark` and before anybody moves.

    Returns
    -------
    uint8, shape (claims,): 1 for a winner.
    """
    won = np.zeros(target.shape[0], dtype=np.uint8)
    cdef uint8_t[::1] view = won
    cdef Py_ssize_t k
    if target.shape[0]:
        with nogil:
            for k in range(target.shape[0]):
                view[k] = (&occupant[0, 0, 0])[target[k]] == mark_of(k)
    return won
