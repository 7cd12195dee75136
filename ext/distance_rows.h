/* Lower envelope of parabolas along one axis, for many columns at a time.
 *
 * Whole numbers only, so the copies made for wider vectors give the same bits.
 */
#ifndef MARROWSIM_DISTANCE_ROWS_H
#define MARROWSIM_DISTANCE_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vectors.h"

#define COLUMNS 64
#define FAR (1 << 30)

/* rows[i][x] = min over j of from[j][x] + (edge (i - j) + shift)^2, for n rows of COLUMNS; shift is 0 or 1.
 * `from` is not changed. */
CLONES lower_envelope(int32_t *rows, const int32_t *from, ptrdiff_t n, ptrdiff_t edge, ptrdiff_t shift)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        int32_t row[COLUMNS], largest = 0;
        memcpy(row, from + i * COLUMNS, sizeof row);
        for (int x = 0; x < COLUMNS; x++) {
            row[x] += (int32_t) shift;
            largest = row[x] > largest ? row[x] : largest;
        }
        for (ptrdiff_t k = 1; ; k++) {
            /* Places before and after by the same distance, or the one of them that there is. */
            ptrdiff_t back = i - k + shift, far = edge * k - shift;
            if (far * far >= largest || (back < 0 && k >= n - i))
                break;
            const int32_t *before = from + (back >= 0 ? back : i + k) * COLUMNS;
            const int32_t *after = from + (k < n - i ? i + k : back) * COLUMNS;
            int32_t square = (int32_t) (far * far);
            largest = 0;
            for (int x = 0; x < COLUMNS; x++) {
                int32_t nearer = (before[x] < after[x] ? before[x] : after[x]) + square;
                row[x] = nearer < row[x] ? nearer : row[x];
                largest = row[x] > largest ? row[x] : largest;
            }
        }
        memcpy(rows + i * COLUMNS, row, sizeof row);
    }
}

#endif
