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
    STREAM_USER = 64          # first stream left to processes written by users


cdef inline void philox(uint64_t seed, uint32_t stream, uint32_t step, uint64_t entity, uint32_t draw,
                        uint32_t* out) noexcept nogil:
    """Four independent 32-bit words for one (seed, stream, step, entity, draw); stream, draw < 2**16."""
    cdef uint32_t k0 = <uint32_t> seed
    cdef uint32_t k1 = <uint32_t> (seed >> 32)
    cdef uint32_t c0 = <uint32_t> entity
    cdef uint32_t c1 = <uint32_t> (entity >> 32)
    cdef uint32_t c2 = step
    cdef uint32_t c3 = (stream << 16) | (draw & 0xFFFFu)
    cdef uint64_t p0, p1
    cdef int _round
    for _round in range(10):
        p0 = <uint64_t> 0xD2511F53u * c0
        p1 = <uint64_t> 0xCD9E8D57u * c2
        c0 = (<uint32_t> (p1 >> 32)) ^ c1 ^ k0
        c1 = <uint32_t> p1
        c2 = (<uint32_t> (p0 >> 32)) ^ c3 ^ k1
        c3 = <uint32_t> p0
        k0 = k0 + 0x9E3779B9u
        k1 = k1 + 0xBB67AE85u
    out[0] = c0
    out[1] = c1
    out[2] = c2
    out[3] = c3


cdef inline double unit(uint32_t word) noexcept nogil:
    """A 32-bit word as a number in the open interval (0, 1)."""
    return (word + 0.5) * 2.3283064365386963e-10


cdef inline uint32_t below(uint32_t word, uint32_t n) noexcept nogil:
    """A 32-bit word as an integer in 0 ... n-1 (bias below n / 2**32)."""
    return <uint32_t> ((<uint64_t> word * n) >> 32)
