"""Counter-based random draws: Philox4x32-10 (Salmon et al. 2011, SC11).

A draw is a pure function of (seed, stream, step, entity, draw), where the entity is a persistent
cell id or a voxel index. There is no generator state to keep, and no order to respect: any thread
may take any draw at any time. `Stream` is the one list of what draws are used for.
"""

from libc.stdint cimport uint32_t, uint64_t


cpdef enum Stream:
    # Numbers are part of the result: append, never renumber.
    STREAM_BONE = 0           # generated bone, by seed point
    STREAM_VESSEL = 1         # generated vessel network, by voxel or edge
    STREAM_PLACEMENT = 2      # initial cells and niche slots, by voxel
    STREAM_CELL = 3           # inherited numbers of a new cell, by cell id
    STREAM_MOTION = 4         # hop attempt, direction, claim; by cell id, one draw number a sub-step
    STREAM_CYCLE = 5          # division, death, differentiation; by cell id
    STREAM_NICHE_BIND = 6     # binding and displacement; by slot
    STREAM_NICHE_RELEASE = 7  # release from a slot; by cell id
    STREAM_ARREST = 8         # contact with the vessel wall from the blood; by cell id
    STREAM_EXTRAVASATION = 9  # crossing of the vessel wall out of the blood; by cell id
    STREAM_EGRESS = 10        # crossing of the vessel wall into the blood; by cell id
    STREAM_BLOOD = 11         # clearance from the blood; by cell id
    STREAM_SPROUT = 12         # a tip sets out from the vessel wall; by voxel
    STREAM_TIP = 13            # hop of a tip, direction, push, branch; by cell id, one draw number a sub-step
    STREAM_COLLAPSE = 14       # collapse of a vessel in a crowd; by voxel
    STREAM_INCORPORATION = 15  # cells that join the wall of a sprout; by cell id
    STREAM_CONVERSION = 18     # conversion into another cell type; by cell id
    STREAM_RENEWAL = 19        # where new cells arise in the marrow; by cell id
    STREAM_FUSION = 20         # precursors that fuse into an osteoclast; by cell id
    STREAM_OSTEOCLAST = 21     # life, choice of bone and steps of an osteoclast; by cell id
    STREAM_RECRUITMENT = 22    # coupling of a cavity, and osteoblasts that set to work in it; by voxel
    STREAM_OSTEOBLAST = 23     # loss of an osteoblast, and what becomes of it when it is done; by cell id
    STREAM_USER = 64          # first stream left to processes written by users


cdef extern from "rng.h" nogil:
    # Four independent 32-bit words for one (seed, stream, step, entity, draw); stream, draw < 2**16.
    void philox(uint64_t seed, uint32_t stream, uint32_t step, uint64_t entity, uint32_t draw, uint32_t* out) noexcept
    # A word as a number in the open interval (0, 1), and as an integer in 0 ... n-1.
    double unit(uint32_t word) noexcept
    uint32_t below(uint32_t word, uint32_t n) noexcept
