/* Inner loops of the multigrid solver, on rows of one colour or on rows of the lattice.
 *
 * Every element is computed by the same IEEE operations in the same order whichever instruction set
 * runs them, and floating sums go through a fixed number of lanes, so the copies made for wider
 * vectors give the same bits. Rows of one colour have a length that is a multiple of 16.
 */
#ifndef MARROWSIM_MULTIGRID_ROWS_H
#define MARROWSIM_MULTIGRID_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "vectors.h"

#define LANES 16
#define ROW_MULTIPLE 16

/* Diagonal of a closed voxel: the number whose `reciprocal` is 0, so that relaxation leaves it as it is. */
#define CLOSED 0x1.e6238e0000000p+126f
#define OPEN_BELOW 1e37f
/* Least diagonal of an open voxel, for one that has neither neighbour nor sink: 1 / 0 would be infinite, and stay. */
#define LEAST_DIAGONAL 1e-30f

/* 1 / d to 0.3 % without a division; only the pace of relaxation depends on it, not where it leads. */
INLINED float reciprocal(float d)
{
    union { float f; int32_t i; } both;
    both.f = d;
    both.i = 0x7EF311C7 - both.i;
    return both.f * (2.0f - d * both.f);
}

/* Ask for a cache line before it is needed. */
#if defined(__GNUC__)
#define FETCH(address) __builtin_prefetch((address), 1, 2)
#else
#define FETCH(address)
#endif

/* One half sweep of relaxation by `omega` over some rows of a plane with unit couplings. `v` is the
 * other colour; a voxel with index i in its row sees v[i - 1 + p] and v[i + p] along x, where p is
 * its row's parity. Fetches the same rows `ahead` floats further on, if that is not 0. */
INLINED void relax_unit_body(float *u, const float *d, const float *s, const float *v,
                             ptrdiff_t rows, ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity,
                             float omega, ptrdiff_t ahead)
{
    for (ptrdiff_t y = 0; y < rows; y++) {
        for (ptrdiff_t first = 0; first < n; first += LANES) {
            float *here = u + y * row + first;
            const float *diagonal = d + y * row + first, *right = s + y * row + first;
            const float *other = v + y * row + first, *left = other - 1 + ((parity + y) & 1);
            const float *north = other - row, *south = other + row, *below = other - plane, *above = other + plane;
            if (ahead) {
                FETCH(here + ahead);
                FETCH(diagonal + ahead);
                FETCH(right + ahead);
            }
            NO_OVERLAP
            for (ptrdiff_t i = 0; i < LANES; i++) {
                float sum = ((left[i] + left[i + 1]) + (north[i] + south[i])) + (below[i] + above[i]);
                here[i] += (omega * reciprocal(diagonal[i])) * ((right[i] + sum) - diagonal[i] * here[i]);
            }
        }
    }
}

ROW_KERNEL(relax_unit, (float *u, const float *d, const float *s, const float *v, ptrdiff_t rows,
            ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity, float omega, ptrdiff_t ahead),
           (u, d, s, v, rows, n, row, plane, parity, omega, ahead))

/* The same with face conductances: gx, gy, gz of this colour lead to the next voxel along each
 * axis, hx, hy, hz are those of the other colour. */
INLINED void relax_faces_body(float *u, const float *d, const float *s, const float *v,
                              const float *gx, const float *gy, const float *gz, const float *hx, const float *hy,
                              const float *hz, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t
                              parity, float omega)
{
    n &= ~(ptrdiff_t)(ROW_MULTIPLE - 1);
    for (ptrdiff_t y = 0; y < rows; y++) {
        ptrdiff_t o = y * row, l = o - 1 + ((parity + y) & 1);
        NO_OVERLAP
        for (ptrdiff_t i = 0; i < n; i++) {
            float sum = ((hx[l + i] * v[l + i] + gx[o + i] * v[l + i + 1])
                         + (hy[o + i - row] * v[o + i - row] + gy[o + i] * v[o + i + row]))
                        + (hz[o + i - plane] * v[o + i - plane] + gz[o + i] * v[o + i + plane]);
            u[o + i] += (omega * reciprocal(d[o + i])) * ((s[o + i] + sum) - d[o + i] * u[o + i]);
        }
    }
}

ROW_KERNEL(relax_faces, (float *u, const float *d, const float *s, const float *v, const float *gx, const
            float *gy, const float *gz, const float *hx, const float *hy, const float *hz, ptrdiff_t rows, ptrdiff_t
            n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity, float omega),
           (u, d, s, v, gx, gy, gz, hx, hy, hz, rows, n, row, plane, parity, omega))

/* sums += w * residual, for one row with unit couplings; without w, of the open voxels. */
INLINED void residual_unit_body(float *sums, const float *w, const float *u, const
                                float *d, const float *s, const float *v, ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane,
                                ptrdiff_t parity)
{
    const float *left = v - 1 + parity;
    n &= ~(ptrdiff_t)(ROW_MULTIPLE - 1);
    if (w) {
        NO_OVERLAP
        for (ptrdiff_t i = 0; i < n; i++) {
            float sum = ((left[i] + left[i + 1]) + (v[i - row] + v[i + row])) + (v[i - plane] + v[i + plane]);
            sums[i] += w[i] * ((s[i] + sum) - d[i] * u[i]);
        }
        return;
    }
    NO_OVERLAP
    for (ptrdiff_t i = 0; i < n; i++) {
        float sum = ((left[i] + left[i + 1]) + (v[i - row] + v[i + row])) + (v[i - plane] + v[i + plane]);
        float residual = (s[i] + sum) - d[i] * u[i];
        sums[i] += d[i] < OPEN_BELOW ? residual : 0.0f;
    }
}

ROW_KERNEL(residual_unit, (float *sums, const float *w, const float *u, const float *d, const float *s,
            const float *v, ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity),
           (sums, w, u, d, s, v, n, row, plane, parity))

/* The same with face conductances, which are 0 around closed voxels. */
INLINED void residual_faces_body(float *sums, const float *u, const float *d, const
                                 float *s, const float *v, const float *gx, const float *gy, const float *gz, const
                                 float *hx, const float *hy, const float *hz, ptrdiff_t n, ptrdiff_t row, ptrdiff_t
                                 plane, ptrdiff_t parity)
{
    ptrdiff_t l = parity - 1;
    n &= ~(ptrdiff_t)(ROW_MULTIPLE - 1);
    NO_OVERLAP
    for (ptrdiff_t i = 0; i < n; i++) {
        float sum = ((hx[l + i] * v[l + i] + gx[i] * v[l + i + 1])
                     + (hy[i - row] * v[i - row] + gy[i] * v[i + row]))
                    + (hz[i - plane] * v[i - plane] + gz[i] * v[i + plane]);
        sums[i] += (s[i] + sum) - d[i] * u[i];
    }
}

ROW_KERNEL(residual_faces, (float *sums, const float *u, const float *d, const float *s, const float *v,
            const float *gx, const float *gy, const float *gz, const float *hx, const float *hy, const float *hz,
            ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity),
           (sums, u, d, s, v, gx, gy, gz, hx, hy, hz, n, row, plane, parity))

/* u += w * e; without w, in open voxels u += e. */
INLINED void add_correction_body(float *u, const float *w, const float *d, const
                                 float *e, ptrdiff_t n)
{
    n &= ~(ptrdiff_t)(ROW_MULTIPLE - 1);
    if (w) {
        NO_OVERLAP
        for (ptrdiff_t i = 0; i < n; i++)
            u[i] += w[i] * e[i];
        return;
    }
    NO_OVERLAP
    for (ptrdiff_t i = 0; i < n; i++)
        u[i] += d[i] < OPEN_BELOW ? e[i] : 0.0f;
}

ROW_KERNEL(add_correction, (float *u, const float *w, const float *d, const float *e, ptrdiff_t n),
           (u, w, d, e, n))

/* sums += sinks of the open voxels of one row of a coarse level, with `faces` their summed conductances. */
INLINED void add_sinks_body(float *sums, const float *d, const float *faces, ptrdiff_t n)
{
    n &= ~(ptrdiff_t)(ROW_MULTIPLE - 1);
    NO_OVERLAP
    for (ptrdiff_t i = 0; i < n; i++) {
        float sink = d[i] - faces[i];
        sums[i] += d[i] < OPEN_BELOW ? sink : 0.0f;
    }
}

ROW_KERNEL(add_sinks, (float *sums, const float *d, const float *faces, ptrdiff_t n),
           (sums, d, faces, n))

/* Diagonal of a row of one colour of a coarse level, from its summed conductances and sinks. */
INLINED void set_diagonal_body(float *d, const float *w, const float *faces, const
                               float *sinks, ptrdiff_t n)
{
    n &= ~(ptrdiff_t)(ROW_MULTIPLE - 1);
    NO_OVERLAP
    for (ptrdiff_t i = 0; i < n; i++) {
        float sum = faces[i] + sinks[i];
        float diagonal = sum > LEAST_DIAGONAL ? sum : LEAST_DIAGONAL;
        d[i] = w[i] > 0.0f ? diagonal : CLOSED;
    }
}

ROW_KERNEL(set_diagonal, (float *d, const float *w, const float *faces, const float *sinks, ptrdiff_t n),
           (d, w, faces, sinks, n))

/* One row of n voxels taken apart into its even and odd ones, and put together again. */
INLINED void split_row_body(float *even, float *odd, const float *line, ptrdiff_t n)
{
    NO_OVERLAP
    for (ptrdiff_t i = 0; i < n / 2; i++) {
        even[i] = line[2 * i];
        odd[i] = line[2 * i + 1];
    }
    if (n & 1)
        even[n / 2] = line[n - 1];
}

ROW_KERNEL(split_row, (float *even, float *odd, const float *line, ptrdiff_t n),
           (even, odd, line, n))

INLINED void merge_row_body(float *line, const float *even, const float *odd, ptrdiff_t n)
{
    NO_OVERLAP
    for (ptrdiff_t i = 0; i < n / 2; i++) {
        line[2 * i] = even[i];
        line[2 * i + 1] = odd[i];
    }
    if (n & 1)
        line[n - 1] = even[n / 2];
}

ROW_KERNEL(merge_row, (float *line, const float *even, const float *odd, ptrdiff_t n),
           (line, even, odd, n))

#endif
