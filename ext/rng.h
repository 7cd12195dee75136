/* Philox4x32-10 (Salmon et al. 2011, SC11); see rng.pxd for what draws are used for. */
#ifndef MARROWSIM_RNG_H
#define MARROWSIM_RNG_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Four independent 32-bit words for one (seed, stream, step, entity, draw); stream, draw < 2**16. */
static inline void philox(uint64_t seed, uint32_t stream, uint32_t step, uint64_t entity, uint32_t draw, uint32_t *out)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)entity, c1 = (uint32_t)(entity >> 32);
    uint32_t c2 = step, c3 = stream << 16 | (draw & 0xFFFFu);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The four words of one (seed, stream, step, draw) for each of n entities, each to an array of its own.
 * PHILOX_LANES is the loop for one instruction set: 64-bit lanes, of which the multiplication reads the lower half. */
#define PHILOX_ARGUMENTS                                                                                              \
    uint64_t seed, uint32_t stream, uint32_t step, uint32_t draw, const uint64_t *entity, ptrdiff_t n, uint32_t *w0,  \
        uint32_t *w1, uint32_t *w2, uint32_t *w3

static inline void philox_plain(PHILOX_ARGUMENTS)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t words[4];
        philox(seed, stream, step, entity[i], draw, words);
        w0[i] = words[0];
        w1[i] = words[1];
        w2[i] = words[2];
        w3[i] = words[3];
    }
}

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#define PHILOX_LANES(name, instructions, lanes, vector, multiply)                                                     \
    __attribute__((target(instructions), unused)) static void name(PHILOX_ARGUMENTS)                                  \
    {                                                                                                                 \
        typedef uint64_t wide __attribute__((vector_size(8 * lanes)));                                                \
        typedef uint32_t narrow __attribute__((vector_size(4 * lanes)));                                              \
        const wide zero = {0}, m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u;                                      \
        ptrdiff_t i = 0;                                                                                              \
        for (; i + lanes <= n; i += lanes) {                                                                          \
            wide c0, c1, c2 = zero + step, c3 = zero + (stream << 16 | (draw & 0xFFFFu));                             \
            uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);                                                \
            narrow word;                                                                                              \
            memcpy(&c0, entity + i, sizeof c0);                                                                       \
            c1 = c0 >> 32;                                                                                            \
            for (int round = 0; round < 10; round++) {                                                                \
                wide p0 = (wide)multiply((vector)c0, (vector)m0), p1 = (wide)multiply((vector)c2, (vector)m1);        \
                c0 = (p1 >> 32) ^ c1 ^ k0;                                                                            \
                c1 = p1;                                                                                              \
                c2 = (p0 >> 32) ^ c3 ^ k1;                                                                            \
                c3 = p0;                                                                                              \
                k0 += 0x9E3779B9u;                                                                                    \
                k1 += 0xBB67AE85u;                                                                                    \
            }                                                                                                         \
            word = __builtin_convertvector(c0, narrow);                                                               \
            memcpy(w0 + i, &word, sizeof word);                                                                       \
            word = __builtin_convertvector(c1, narrow);                                                               \
            memcpy(w1 + i, &word, sizeof word);                                                                       \
            word = __builtin_convertvector(c2, narrow);                                                               \
            memcpy(w2 + i, &word, sizeof word);                                                                       \
            word = __builtin_convertvector(c3, narrow);                                                               \
            memcpy(w3 + i, &word, sizeof word);                                                                       \
        }                                                                                                             \
        philox_plain(seed, stream, step, draw, entity + i, n - i, w0 + i, w1 + i, w2 + i, w3 + i);                    \
    }

PHILOX_LANES(philox_avx512, "avx512f", 8, __m512i, _mm512_mul_epu32)
PHILOX_LANES(philox_avx2, "avx2", 4, __m256i, _mm256_mul_epu32)
PHILOX_LANES(philox_sse2, "sse2", 2, __m128i, _mm_mul_epu32)

static inline void draw_words(PHILOX_ARGUMENTS)
{
    if (__builtin_cpu_supports("avx512f"))
        philox_avx512(seed, stream, step, draw, entity, n, w0, w1, w2, w3);
    else if (__builtin_cpu_supports("avx2"))
        philox_avx2(seed, stream, step, draw, entity, n, w0, w1, w2, w3);
    else
        philox_sse2(seed, stream, step, draw, entity, n, w0, w1, w2, w3);
}
#else
#define draw_words philox_plain
#endif

/* A 32-bit word as a number in the open interval (0, 1). */
static inline double unit(uint32_t word)
{
    return (word + 0.5) * 2.3283064365386963e-10;
}

/* A 32-bit word as an integer in 0 ... n-1 (bias below n / 2**32). */
static inline uint32_t below(uint32_t word, uint32_t n)
{
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

#endif
