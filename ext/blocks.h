/* Loops over a block of cells that the compiler turns into vector instructions.
 *
 * Every element is computed by the same operations in the same order whichever instruction set
 * runs them, and the scalar functions that kernels call one by one are the very same, so the
 * copies made for wider vectors give the same bits.
 */
#ifndef MARROWSIM_BLOCKS_H
#define MARROWSIM_BLOCKS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "mathematics.h"
#include "rng.h"
#include "vectors.h"

#if defined(_MSC_VER)
#define restrict __restrict
#endif

#if defined(__GNUC__)
#define fetch_ahead(address) __builtin_prefetch(address)
#else
#define fetch_ahead(address) ((void)(address))
#endif

#define BLOCK_ROWS 512

/* gcc makes branches of a cut at a constant, and then no vectors of the loop. */
static volatile double largest_exponent = LARGEST_EXPONENT;

/* Whether n rows have one type and one status. */
CLONES is_uniform(int32_t *same, const uint8_t *type, const uint8_t *status, ptrdiff_t n)
{
    uint8_t differing = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        differing |= (type[i] ^ type[0]) | (status[i] ^ status[0]);
    *same = !differing;
}

/* Whether a cell attempts a hop within dt, at its rate m (1 + g a / (a + a50)) where it is, and what its chemotaxis
 * multiplies an occupancy difference with, kappa R / (1 + beta theta); from rows (m, g, a50, persistence, kappa) of
 * `walks` by type. */
CLONES hop_attempts(int32_t *restrict attempt, double *restrict rate, double *restrict slope, const uint32_t *word,
                          double dt, const float *ligand, const float *level, const int32_t *type, const double *walks,
                          double half_occupancy, double desensitisation, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        int32_t walk = 5 * type[i];
        double theta = occupancy(ligand[i], half_occupancy);
        double signal = receptor_signal(level[i], theta, desensitisation);
        rate[i] = walks[walk] * (1.0 + walks[walk + 1] * saturating(signal, walks[walk + 2]));
        slope[i] = walks[walk + 4] * level[i] / (1.0 + desensitisation * theta);
        attempt[i] = unit(word[i]) < rate[i] * dt;
    }
}

/* Hill responses h = 1 / (1 + (p / half)^exponent), as `hill_inhibition` has them. */
CLONES hill_responses(double *restrict response, const float *pressure, double half, double exponent, ptrdiff_t n)
{
    double largest = largest_exponent;
    for (ptrdiff_t i = 0; i < n; i++)
        response[i] = hill_inhibition_within(pressure[i], half, exponent, largest);
}

/* Lattice coordinates z, y, x of sites, BLOCK_ROWS apart; a quotient of 32-bit integers in double precision is never rounded up to the next. */
CLONES coordinates(int32_t *restrict position, const int32_t *site, int32_t ny, int32_t nx, ptrdiff_t n)
{
    double plane = (double)ny * nx;
    for (ptrdiff_t i = 0; i < n; i++) {
        int32_t layer = (int32_t)(site[i] / plane);
        int32_t rest = site[i] - layer * (ny * nx);
        int32_t line = (int32_t)(rest / (double)nx);
        position[i] = layer;
        position[BLOCK_ROWS + i] = line;
        position[2 * BLOCK_ROWS + i] = rest - line * nx;
    }
}

/* Weights of the two directions of one axis from the occupancy difference per hop: one-sided where the
 * ligand ends, 1 where the difference over two voxels is below `smallest`. Where a neighbour carries no ligand,
 * `behind` or `ahead` is the cell's own; `sides` is the number of those that do, 1 where none does. */
CLONES axis_weights(double *restrict back, double *restrict forth, const float *behind, const float *ahead,
                          const int32_t *sides, const double *slope, double half_occupancy, double smallest,
                          ptrdiff_t n)
{
    double largest = largest_exponent;
    for (ptrdiff_t i = 0; i < n; i++) {
        double per_hop = (occupancy(ahead[i], half_occupancy) - occupancy(behind[i], half_occupancy)) / sides[i];
        per_hop = 2.0 * fabs(per_hop) >= smallest ? per_hop : 0.0;
        forth[i] = exponential_within(slope[i] * per_hop, largest);
        back[i] = 1.0 / forth[i];
    }
}

/* Persistence times become what the weight of the last direction is multiplied with, and its opposite divided
 * by, so that the mean cosine mu between two hops is exp(-1 / (rate time)): sinh(c) / (2 + cosh(c)) = mu has the closed
 * solution exp(c) = (2 mu + sqrt(1 + 3 mu^2)) / (1 - mu). */
CLONES persistence(double *restrict factor, const double *rate, ptrdiff_t n)
{
    double largest = largest_exponent;
    for (ptrdiff_t i = 0; i < n; i++) {
        double memory = exponential_within(-1.0 / (rate[i] * factor[i]), largest);
        factor[i] = (2.0 * memory + sqrt(1.0 + 3.0 * memory * memory)) / (1.0 - memory);
    }
}

/* One of six directions; `weight` holds those of one direction after those of another, BLOCK_ROWS apart. */
CLONES pick_directions(int32_t *restrict direction, const double *weight, const uint32_t *word, ptrdiff_t n)
{
    const double *w1 = weight + BLOCK_ROWS, *w2 = w1 + BLOCK_ROWS, *w3 = w2 + BLOCK_ROWS, *w4 = w3 + BLOCK_ROWS;
    const double *w5 = w4 + BLOCK_ROWS;
    for (ptrdiff_t i = 0; i < n; i++) {
        double pick = unit(word[i]) * (((((weight[i] + w1[i]) + w2[i]) + w3[i]) + w4[i]) + w5[i]);
        int32_t passed;
        pick = pick - weight[i];
        passed = !(pick < 0.0);
        pick = pick - w1[i];
        passed += !(pick < 0.0);
        pick = pick - w2[i];
        passed += !(pick < 0.0);
        pick = pick - w3[i];
        passed += !(pick < 0.0);
        pick = pick - w4[i];
        passed += !(pick < 0.0);
        direction[i] = passed;
    }
}

#endif
