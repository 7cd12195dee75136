"""Cells by the block: who may act at all, and the draws of those who do (blocks.h).

Most cells do nothing in a step. The first word of a cell's draw decides that, and is compared with a
bound that no state of the cell's surroundings can exceed, so that nothing else of it is looked at.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from .rng cimport Stream


cdef extern from "blocks.h" nogil:
    enum:
        BLOCK_ROWS
    void fetch_ahead(const void* address) noexcept
    void draw_words(uint64_t seed, uint32_t stream, uint32_t step, uint32_t draw, const uint64_t* entity, Py_ssize_t n,
                    uint32_t* w0, uint32_t* w1, uint32_t* w2, uint32_t* w3) noexcept
    void is_uniform(int32_t* same, const uint8_t* type, const uint8_t* status, Py_ssize_t n) noexcept
    void hop_attempts(int32_t* attempt, double* rate, double* slope, const uint32_t* word, double dt,
                      const float* ligand, const float* level, const int32_t* type, const double* walks,
                      double half_occupancy, double desensitisation, Py_ssize_t n) noexcept
    void hill_responses(double* response, const float* pressure, double half, double exponent, Py_ssize_t n) noexcept
    void coordinates(int32_t* position, const int32_t* site, int32_t ny, int32_t nx, Py_ssize_t n) noexcept
    void axis_weights(double* back, double* forth, const float* behind, const float* ahead, const int32_t* sides,
                      const double* slope, double half_occupancy, double smallest, Py_ssize_t n) noexcept
    void persistence(double* factor, const double* rate, Py_ssize_t n) noexcept
    void pick_directions(int32_t* direction, const double* weight, const uint32_t* word, Py_ssize_t n) noexcept


cdef enum:
    STATUSES = 4
    KINDS = 1024    # 256 cell types, each in any status


cdef struct Drawn:
    # Rows of a block that are able to act, and their draws; places of those whose first word is below its limit.
    int32_t row[BLOCK_ROWS]
    uint32_t w0[BLOCK_ROWS]
    uint32_t w1[BLOCK_ROWS]
    uint32_t w2[BLOCK_ROWS]
    uint32_t w3[BLOCK_ROWS]
    int32_t place[BLOCK_ROWS]


cdef inline uint64_t word_limit(double probability) noexcept nogil:
    """A bound on the words that `unit` may turn into a number below `probability`, rounded up with room to spare."""
    if probability <= 0.0:
        return 0
    if probability >= 1.0:
        return <uint64_t> 1 << 32
    return <uint64_t> (probability * 4294967296.0) + 2


cdef inline int draw_block(uint64_t seed, Stream stream, uint32_t step, uint32_t draw, Py_ssize_t first, int rows,
                           const int64_t* ids, const uint8_t* types, const uint8_t* status, const uint64_t* limits,
                           Drawn* drawn) noexcept nogil:
    """Draw for the rows of a block; returns how many may act, and their places among the draws in `drawn.place`.

    `limits` holds the limit on the first word at type * STATUSES + status.
    """
    cdef uint64_t entity[BLOCK_ROWS]
    cdef uint64_t limit[BLOCK_ROWS]
    cdef uint64_t bound = limits[types[first] * STATUSES + status[first]]
    cdef int able = 0
    cdef int acting = 0
    cdef int32_t uniform
    cdef int i
    is_uniform(&uniform, &types[first], &status[first], rows)
    if uniform:
        if bound == 0:
            return 0
        draw_words(seed, stream, step, draw, <const uint64_t*> &ids[first], rows, drawn.w0, drawn.w1, drawn.w2,
                   drawn.w3)
        for i in range(rows):
            drawn.row[i] = <int32_t> (first + i)
        for i in range(rows):
            drawn.place[acting] = i
            acting = acting + (drawn.w0[i] < bound)
        return acting
    for i in range(rows):
        bound = limits[types[first + i] * STATUSES + status[first + i]]
        drawn.row[able] = <int32_t> (first + i)
        entity[able] = <uint64_t> ids[first + i]
        limit[able] = bound
        able = able + (bound != 0)
    draw_words(seed, stream, step, draw, entity, able, drawn.w0, drawn.w1, drawn.w2, drawn.w3)
    for i in range(able):
        drawn.place[acting] = i
        acting = acting + (drawn.w0[i] < limit[i])
    return acting
