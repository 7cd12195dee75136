/* Inner loops of the multigrid solver, one plane or row of one colour at a time.
 *
 * Every element is computed by the same IEEE operations in the same order whichever instruction
 * set runs them, and sums go through a fixed number of lanes, so the copies made for wider vectors
 * give the same bits. `u` never overlaps the other arguments.
 */
#ifndef MARROWSIM_MULTIGRID_ROWS_H
#define MARROWSIM_MULTIGRID_ROWS_H

#include <float.h>
#include <stddef.h>
#include <stdlib.h> /* defines __GLIBC__ where it applies */

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && defined(__x86_64__) && defined(__GLIBC__)
#define ROW_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), unused)) static void
#else
#define ROW_KERNEL static inline void
#endif
#if defined(_MSC_VER)
#define restrict __restrict
#endif

#define LANES 16

/* One Gauss-Seidel half sweep of a plane with unit couplings. `v` is the other colour; a voxel
 * with index i in its row sees v[i - 1 + p] and v[i + p] along x, where p is its row's parity. */
ROW_KERNEL relax_unit(float *restrict u, const float *d, const float *s, const float *v, ptrdiff_t ny,
                      ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity)
{
    for (ptrdiff_t y = 0; y < ny; y++, u += row, d += row, s += row, v += row) {
        const float *left = v - 1 + ((parity + y) & 1);
        for (ptrdiff_t i = 0; i < n; i++) {
            float sum = ((left[i] + left[i + 1]) + (v[i - row] + v[i + row])) + (v[i - plane] + v[i + plane]);
            float open = d[i] > 0.0f ? 1.0f : 0.0f;
            float safe = d[i] > 0.0f ? d[i] : 1.0f;
            u[i] += open * (((s[i] + sum) - d[i] * u[i]) / safe);
        }
    }
}

/* The same with face conductances: gx, gy, gz of this colour lead to the next voxel along each
 * axis, hx, hy, hz are those of the other colour. */
ROW_KERNEL relax_faces(float *restrict u, const float *d, const float *s, const float *v, const float *gx,
                       const float *gy, const float *gz, const float *hx, const float *hy, const float *hz,
                       ptrdiff_t ny, ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity)
{
    for (ptrdiff_t y = 0; y < ny; y++) {
        ptrdiff_t o = y * row, l = o - 1 + ((parity + y) & 1);
        for (ptrdiff_t i = 0; i < n; i++) {
            float sum = ((hx[l + i] * v[l + i] + gx[o + i] * v[l + i + 1])
                         + (hy[o + i - row] * v[o + i - row] + gy[o + i] * v[o + i + row]))
                        + (hz[o + i - plane] * v[o + i - plane] + gz[o + i] * v[o + i + plane]);
            float open = d[o + i] > 0.0f ? 1.0f : 0.0f;
            float safe = d[o + i] > 0.0f ? d[o + i] : 1.0f;
            u[o + i] += open * (((s[o + i] + sum) - d[o + i] * u[o + i]) / safe);
        }
    }
}

/* sums += w * residual, for one row with unit couplings. */
ROW_KERNEL residual_unit(float *restrict sums, const float *w, const float *u, const float *d, const float *s,
                         const float *v, ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity)
{
    const float *left = v - 1 + parity;
    for (ptrdiff_t i = 0; i < n; i++) {
        float sum = ((left[i] + left[i + 1]) + (v[i - row] + v[i + row])) + (v[i - plane] + v[i + plane]);
        sums[i] += w[i] * ((s[i] + sum) - d[i] * u[i]);
    }
}

ROW_KERNEL residual_faces(float *restrict sums, const float *w, const float *u, const float *d, const float *s,
                          const float *v, const float *gx, const float *gy, const float *gz, const float *hx,
                          const float *hy, const float *hz, ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane,
                          ptrdiff_t parity)
{
    ptrdiff_t l = parity - 1;
    for (ptrdiff_t i = 0; i < n; i++) {
        float sum = ((hx[l + i] * v[l + i] + gx[i] * v[l + i + 1])
                     + (hy[i - row] * v[i - row] + gy[i] * v[i + row]))
                    + (hz[i - plane] * v[i - plane] + gz[i] * v[i + plane]);
        sums[i] += w[i] * ((s[i] + sum) - d[i] * u[i]);
    }
}

/* u += w * e */
ROW_KERNEL add_scaled(float *restrict u, const float *w, const float *e, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        u[i] += w[i] * e[i];
}

/* One row of n voxels taken apart into its even and odd ones, and put together again. */
ROW_KERNEL split_row(float *restrict even, float *restrict odd, const float *line, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n / 2; i++) {
        even[i] = line[2 * i];
        odd[i] = line[2 * i + 1];
    }
    if (n & 1) {
        even[n / 2] = line[n - 1];
        odd[n / 2] = 0.0f;
    }
}

ROW_KERNEL merge_row(float *restrict line, const float *even, const float *odd, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n / 2; i++) {
        line[2 * i] = even[i];
        line[2 * i + 1] = odd[i];
    }
    if (n & 1)
        line[n - 1] = even[n / 2];
}

/* Lower `least` to the smallest of n values. */
static inline void lower(float *least, const float *values, ptrdiff_t n)
{
    float low[LANES];
    ptrdiff_t i = 0;
    for (ptrdiff_t j = 0; j < LANES; j++)
        low[j] = *least;
    for (; i + LANES <= n; i += LANES)
        for (ptrdiff_t j = 0; j < LANES; j++)
            low[j] = values[i + j] < low[j] ? values[i + j] : low[j];
    for (ptrdiff_t j = 0; i + j < n; j++)
        low[j] = values[i + j] < low[j] ? values[i + j] : low[j];
    for (ptrdiff_t j = 0; j < LANES; j++)
        *least = low[j] < *least ? low[j] : *least;
}

static inline double total(const float *values, ptrdiff_t n)
{
    float sum[LANES] = {0};
    double all = 0.0;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (ptrdiff_t j = 0; j < LANES; j++)
            sum[j] += values[i + j];
    for (ptrdiff_t j = 0; i + j < n; j++)
        sum[j] += values[i + j];
    for (ptrdiff_t j = 0; j < LANES; j++)
        all += sum[j];
    return all;
}

/* Coefficients of the linearised equation for one row of one colour. `c`, `source`, `rate`,
 * `uptake` are per voxel; `scale` is spacing squared over diffusivity. What rounding takes from the
 * sink when it is added to the sum of the neighbours goes to the right-hand side. Adds the sink of
 * each voxel to `sinks`, and lowers least[0] to the smallest sink of an open voxel and least[1] to
 * minus the largest source of a closed one; `kept` and `stray` are overwritten. */
ROW_KERNEL load_row(float *restrict u, float *restrict d, float *restrict s, float *restrict sinks,
                    float *restrict kept, float *restrict stray, const float *w, const float *v, const float *c,
                    const float *source, const float *rate, const float *uptake, float half_saturation,
                    float scale, ptrdiff_t n, ptrdiff_t row, ptrdiff_t plane, ptrdiff_t parity, float *least)
{
    const float *left = v - 1 + parity;
    for (ptrdiff_t i = 0; i < n; i++) {
        float open = w[i] > 0.0f ? 1.0f : 0.0f;
        float own = w[i] > 0.0f ? w[i] : 1.0f;
        float sum = ((left[i] + left[i + 1]) + (v[i - row] + v[i + row])) + (v[i - plane] + v[i + plane]);
        float around = sum / own;
        float inverse = 1.0f / (half_saturation + c[i]);
        float bound = c[i] * inverse;
        float slope = uptake[i] * (half_saturation * inverse) * inverse;
        float offset = uptake[i] * bound * bound;
        float factor = scale / own;
        float sink = (rate[i] + slope) * factor / own;
        float total = around + sink;
        float held = total - around;
        float scaled = own * c[i];
        u[i] = open * scaled;
        d[i] = open * total;
        s[i] = open * ((source[i] - offset) * factor - (sink - held) * scaled);
        sinks[i] += open * (own * own * held);
        kept[i] = w[i] > 0.0f ? sink : FLT_MAX;
        stray[i] = w[i] > 0.0f ? FLT_MAX : -source[i];
    }
    lower(&least[0], kept, n);
    lower(&least[1], stray, n);
}

/* values = u / w in open voxels, FLT_MAX elsewhere. */
ROW_KERNEL unscale_row(float *restrict values, const float *u, const float *w, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        float own = w[i] > 0.0f ? w[i] : 1.0f;
        float value = u[i] / own;
        values[i] = w[i] > 0.0f ? value : FLT_MAX;
    }
}

/* Replace one row of the field by `values` (FLT_MAX in closed voxels) clipped at zero, lower `least`
 * to the smallest of them, and add to the sums: squared change, squared value, source, loss. The
 * row's own sums are of single precision; `terms`, three rows long, is overwritten. */
ROW_KERNEL store_row(float *restrict field, float *restrict terms, const float *values, const float *source,
                     const float *rate, const float *uptake, float half_saturation, ptrdiff_t n, float *least,
                     double *sums)
{
    float *change = terms, *square = terms + n, *loss = terms + 2 * n;
    for (ptrdiff_t i = 0; i < n; i++) {
        float open = values[i] < FLT_MAX ? values[i] : 0.0f;
        float value = open > 0.0f ? open : 0.0f;
        float step = value - field[i];
        change[i] = step * step;
        square[i] = value * value;
        loss[i] = value * (rate[i] + uptake[i] / (half_saturation + value));
        field[i] = value;
    }
    lower(least, values, n);
    sums[0] += total(change, n);
    sums[1] += total(square, n);
    sums[2] += total(source, n);
    sums[3] += total(loss, n);
}

#endif
