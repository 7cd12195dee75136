/* Philox4x32-10 (Salmon et al. 2011, SC11); see rng.pxd for what draws are used for. */
#ifndef MARROWSIM_RNG_H
#define MARROWSIM_RNG_H

#include <stdint.h>

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
