/* Exponential and logarithm that round alike on every machine, and the rules written with them.
 *
 * The C library picks its own by processor (with or without fused multiply-add), which changes last bits.
 */
#ifndef MARROWSIM_MATHEMATICS_H
#define MARROWSIM_MATHEMATICS_H

#include <stdint.h>
#include <string.h>

#define LARGEST_EXPONENT 700.0

/* exp(x) to about 1e-15 relative; x is cut to [-largest, largest], which is LARGEST_EXPONENT or below. */
static inline double exponential_within(double x, double largest)
{
    x = x > largest ? largest : x;
    x = x < -largest ? -largest : x;
    /* 32 bits hold it, and every instruction set converts them in vectors. */
    int32_t k = (int32_t)(x * 1.4426950408889634 + (x >= 0.0 ? 0.5 : -0.5));
    /* ln 2 in two parts, so that the reduced argument is exact. */
    double r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double power;
    memcpy(&power, &bits, 8);
    return p * power;
}

static inline double exponential(double x)
{
    return exponential_within(x, LARGEST_EXPONENT);
}

/* ln(x) for finite x > 0 in the normal range, to about 1e-15. */
static inline double logarithm(double x)
{
    uint64_t bits;
    double m;
    memcpy(&bits, &x, 8);
    int32_t k = (int32_t)(bits >> 52) - 1023; /* 32 bits: see exponential_within */
    bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
    memcpy(&m, &bits, 8);
    if (m > 1.4142135623730951) {
        m = 0.5 * m;
        k = k + 1;
    }
    double s = (m - 1.0) / (m + 1.0);
    double z = s * s;
    double p = 1.0 / 21.0;
    p = p * z + 1.0 / 19.0;
    p = p * z + 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    p = p * z + 1.0;
    return k * 0.6931471805599453 + 2.0 * s * p;
}

/* Probability 1 - exp(-rate dt) that an event of that rate happens within dt. */
static inline double event_probability(double rate, double dt)
{
    return 1.0 - exponential(-rate * dt);
}

/* Share of receptors with ligand: C / (C + K). */
static inline double occupancy(double concentration, double half)
{
    return concentration / (concentration + half);
}

/* Signal R theta / (1 + beta theta) of a receptor of level R. */
static inline double receptor_signal(double level, double theta, double desensitisation)
{
    return level * theta / (1.0 + desensitisation * theta);
}

/* x / (x + half), and 0 at x = 0. */
static inline double saturating(double x, double half)
{
    double share = x / (x + half);
    return x > 0.0 ? share : 0.0;
}

/* 1 / (1 + (x / half)^n): 1 at x = 0, falling to 0; the power is cut at exp(largest). */
static inline double hill_inhibition_within(double x, double half, double exponent, double largest)
{
    double share = 1.0 / (1.0 + exponential_within(exponent * logarithm(x / half), largest));
    return x > 1e-30 ? share : 1.0;
}

static inline double hill_inhibition(double x, double half, double exponent)
{
    return hill_inhibition_within(x, half, exponent, LARGEST_EXPONENT);
}

#endif
