/* Rows of the lattice turned into equations of the finest level, and its solution into rows of the field.
 *
 * The same bits whichever vectors run them, as in multigrid_rows.h; floating sums go through a fixed number of lanes.
 */
#ifndef MARROWSIM_MULTIGRID_TERMS_H
#define MARROWSIM_MULTIGRID_TERMS_H

#include "multigrid_rows.h"

/* What one load found. Non-negative floats have the order of their bits, so these are integers. */
typedef struct {
    uint32_t largest; /* bits of the largest input; at least 0x7f800000 where one is negative or not finite */
    uint32_t stray;   /* not 0 where a closed voxel has a source */
    uint32_t least;   /* bits of the smallest sink of an open voxel */
} Inspection;

INLINED uint32_t bits_of(float x)
{
    union { float f; uint32_t i; } both;
    both.f = x;
    return both.i;
}

INLINED uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

INLINED uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Rows of one colour of a level, where a load writes. */
typedef struct {
    float *u, *d, *s;
    const float *w;
} Part;

/* Coefficients of the linearised equation of one voxel. `w` is its root of relative diffusivity,
 * `around` the sum of those of its neighbours, `scale` is spacing squared over diffusivity. What
 * rounding takes from the sink when it is added to the sum of the neighbours goes to the right-hand
 * side. Returns the sink as the coarse levels see it. */
INLINED float equation(float *u, float *d, float *s, Inspection *seen, float w, float around, float c, float source,
                       float rate, float uptake, float half_saturation, float scale, const int plain)
{
    float own = plain ? 1.0f : (w > 0.0f ? w : 1.0f);
    float sum = plain ? around : around / own;
    float factor = plain ? scale : scale / own;
    float slope = 0.0f, offset = 0.0f;
    if (!plain) {
        float inverse = 1.0f / (half_saturation + c);
        float bound = c * inverse;
        slope = uptake * (half_saturation * inverse) * inverse;
        offset = uptake * bound * bound;
    }
    float sink = plain ? rate * factor : (rate + slope) * factor / own;
    float total = sum + sink;
    float held = total - sum;
    float scaled = plain ? c : own * c;
    float right = plain ? source * factor : (source - offset) * factor;
    right -= (sink - held) * scaled;
    float shared = plain ? held : own * own * held;
    uint32_t largest = larger(larger(bits_of(c), bits_of(source)), bits_of(rate));
    seen->largest = plain ? largest : larger(largest, bits_of(uptake));
    seen->least = w > 0.0f ? bits_of(sink) : 0xffffffffu;
    seen->stray = w > 0.0f ? 0u : bits_of(source);
    *u = w > 0.0f ? scaled : 0.0f;
    float diagonal = total > LEAST_DIAGONAL ? total : LEAST_DIAGONAL;
    *d = w > 0.0f ? diagonal : CLOSED;
    *s = w > 0.0f ? right : 0.0f;
    return w > 0.0f ? shared : 0.0f;
}

/* Equations of one row of the lattice: `even` and `odd` are the colours of its voxels with even and
 * odd x. Adds the sinks of both to `sinks`. */
INLINED void load_line(const Part *even, const Part *odd, float *sinks, const float *c, const float *source,
                       const float *rate, const float *uptake, float half_saturation, float scale, ptrdiff_t nx,
                       ptrdiff_t row, ptrdiff_t plane, Inspection *all, const int plain)
{
    const float *v = odd->w, *w = even->w;
    float *u0 = even->u, *d0 = even->d, *s0 = even->s;
    float *u1 = odd->u, *d1 = odd->d, *s1 = odd->s;
    uint32_t largest = all->largest, stray = all->stray, least = all->least;
    Inspection one, two;
    ptrdiff_t i;
    NO_OVERLAP
    for (i = 0; i < nx / 2; i++) {
        float first = ((v[i - 1] + v[i]) + (v[i - row] + v[i + row])) + (v[i - plane] + v[i + plane]);
        float second = ((w[i] + w[i + 1]) + (w[i - row] + w[i + row])) + (w[i - plane] + w[i + plane]);
        float sink0 = equation(u0 + i, d0 + i, s0 + i, &one, w[i], first, c[2 * i], source[2 * i], rate[2 * i],
                               uptake[2 * i], half_saturation, scale, plain);
        float sink1 = equation(u1 + i, d1 + i, s1 + i, &two, v[i], second, c[2 * i + 1], source[2 * i + 1],
                               rate[2 * i + 1], uptake[2 * i + 1], half_saturation, scale, plain);
        sinks[i] += sink0 + sink1;
        largest = larger(largest, larger(one.largest, two.largest));
        least = smaller(least, smaller(one.least, two.least));
        stray |= one.stray | two.stray;
    }
    if (nx & 1) {
        float first = ((v[i - 1] + v[i]) + (v[i - row] + v[i + row])) + (v[i - plane] + v[i + plane]);
        sinks[i] += equation(u0 + i, d0 + i, s0 + i, &one, w[i], first, c[2 * i], source[2 * i], rate[2 * i],
                             uptake[2 * i], half_saturation, scale, plain);
        largest = larger(largest, one.largest);
        least = smaller(least, one.least);
        stray |= one.stray;
    }
    all->largest = largest;
    all->stray = stray;
    all->least = least;
}

/* Without saturable uptake and with a relative diffusivity of 0 or 1 only. */
INLINED void load_plain_body(const Part *even, const Part *odd, float *sinks, const float *c, const
                             float *source, const float *rate, float scale, ptrdiff_t nx, ptrdiff_t row, ptrdiff_t
                             plane, Inspection *seen)
{
    load_line(even, odd, sinks, c, source, rate, rate, 1.0f, scale, nx, row, plane, seen, 1);
}

ROW_KERNEL(load_plain, (const Part *even, const Part *odd, float *sinks, const float *c, const float *source, const
            float *rate, float scale, ptrdiff_t nx, ptrdiff_t row, ptrdiff_t plane,
            Inspection *seen),
           (even, odd, sinks, c, source, rate, scale, nx, row, plane, seen))

INLINED void load_general_body(const Part *even, const Part *odd, float *sinks, const float *c, const
                               float *source, const float *rate, const float *uptake, float half_saturation, float
                               scale, ptrdiff_t nx, ptrdiff_t row, ptrdiff_t plane,
            Inspection *seen)
{
    load_line(even, odd, sinks, c, source, rate, uptake, half_saturation, scale, nx, row, plane, seen, 0);
}

ROW_KERNEL(load_general, (const Part *even, const Part *odd, float *sinks, const float *c, const float *source, const
            float *rate, const float *uptake, float half_saturation, float scale, ptrdiff_t nx, ptrdiff_t row,
            ptrdiff_t plane, Inspection *seen),
           (even, odd, sinks, c, source, rate, uptake, half_saturation, scale, nx, row, plane, seen))

/* Add the sums of every 16th of n values to 16 lanes. The values of one call are summed in single precision. */
#if defined(__GNUC__)
typedef float Singles __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef double Doubles __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
INLINED void add_lanes(double *lanes, const float *values, ptrdiff_t n)
{
    Singles sum = {0};
    float rest[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        sum += *(const Singles *)(values + i);
    for (ptrdiff_t j = 0; i + j < n; j++)
        rest[j] = values[i + j];
    sum += *(const Singles *)rest;
    *(Doubles *)lanes += __builtin_convertvector(sum, Doubles);
}
#else
INLINED void add_lanes(double *lanes, const float *values, ptrdiff_t n)
{
    float sum[LANES] = {0};
    for (ptrdiff_t i = 0; i < n; i++)
        sum[i % LANES] += values[i];
    for (ptrdiff_t j = 0; j < LANES; j++)
        lanes[j] += sum[j];
}
#endif

/* Integers in the order of the floats they stand for. */
INLINED int32_t ordered(float x)
{
    int32_t bits = (int32_t)bits_of(x);
    return bits ^ ((bits >> 31) & 0x7fffffff);
}

/* Replace the field in one voxel, and note the terms of the sums there; returns its place in the order of floats. */
INLINED int32_t store_voxel(float *field, float *change, float *square, float *loss, ptrdiff_t x, float u, float key,
                            const float *rate, const float *uptake, float half_saturation, const int plain)
{
    int open = plain ? key < OPEN_BELOW : key > 0.0f;
    float raw = plain ? u : u / (key > 0.0f ? key : 1.0f);
    float value = open && raw > 0.0f ? raw : 0.0f;
    float step = value - field[x];
    change[x] = step * step;
    square[x] = value * value;
    loss[x] = plain ? value * rate[x] : value * (rate[x] + uptake[x] / (half_saturation + value));
    field[x] = value;
    return open ? ordered(raw) : INT32_MAX;
}

/* Replace one row of the field by u / w (w is 1 where `plain`) clipped at zero, and by 0 in closed
 * voxels; `key0` and `key1` are d where `plain`, else w. Lowers `least`, the smallest value of an
 * open voxel (see `ordered`), and adds to the sums, 16 lanes each: squared change, squared value,
 * source, loss. `terms`, three rows long, is overwritten. */
INLINED void store_line(float *field, float *terms, const float *u0, const float *u1,
                        const float *key0, const float *key1, const float *source, const float *rate,
                        const float *uptake, float half_saturation, ptrdiff_t nx, int32_t *least, double *sums,
                        const int plain)
{
    float *change = terms, *square = terms + nx, *loss = terms + 2 * nx;
    int32_t low = *least;
    NO_OVERLAP
    for (ptrdiff_t i = 0; i < nx / 2; i++) {
        int32_t first = store_voxel(field, change, square, loss, 2 * i, u0[i], key0[i], rate, uptake, half_saturation,
                                    plain);
        int32_t second = store_voxel(field, change, square, loss, 2 * i + 1, u1[i], key1[i], rate, uptake,
                                     half_saturation, plain);
        first = second < first ? second : first;
        low = first < low ? first : low;
    }
    if (nx & 1) {
        int32_t last = store_voxel(field, change, square, loss, nx - 1, u0[nx / 2], key0[nx / 2], rate, uptake,
                                   half_saturation, plain);
        low = last < low ? last : low;
    }
    *least = low;
    add_lanes(sums, change, nx);
    add_lanes(sums + LANES, square, nx);
    add_lanes(sums + 2 * LANES, source, nx);
    add_lanes(sums + 3 * LANES, loss, nx);
}

INLINED void store_plain_body(float *field, float *terms, const float *u0, const float
                              *u1, const float *d0, const float *d1, const float *source, const float *rate, ptrdiff_t
                              nx, int32_t *least, double *sums)
{
    store_line(field, terms, u0, u1, d0, d1, source, rate, rate, 1.0f, nx, least, sums, 1);
}

ROW_KERNEL(store_plain, (float *field, float *terms, const float *u0, const float *u1, const float *d0,
            const float *d1, const float *source, const float *rate, ptrdiff_t nx, int32_t *least, double *sums),
           (field, terms, u0, u1, d0, d1, source, rate, nx, least, sums))

INLINED void store_general_body(float *field, float *terms, const float *u0, const
                                float *u1, const float *w0, const float *w1, const float *source, const float *rate,
                                const float *uptake, float half_saturation, ptrdiff_t nx, int32_t *least, double *sums)
{
    store_line(field, terms, u0, u1, w0, w1, source, rate, uptake, half_saturation, nx, least, sums, 0);
}

ROW_KERNEL(store_general, (float *field, float *terms, const float *u0, const float *u1, const float *w0,
            const float *w1, const float *source, const float *rate, const float *uptake, float half_saturation,
            ptrdiff_t nx, int32_t *least, double *sums),
           (field, terms, u0, u1, w0, w1, source, rate, uptake, half_saturation, nx, least, sums))

#endif
