/* What every pixel of some rows goes through in a night: looks, what stands out of them, and what is learned.
 *
 * Names, order of operations and rounding are those of the reference in numpy, which each function names. Arithmetic is of
 * single floats and is never contracted, so that every processor gives the reference's bits. Loops run along rows, whose planes
 * lie by themselves, and have no branches: the compiler spreads them over as many lanes as the processor has. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "rows.h"

#define JOINED_(a, b) a##_##b
#define JOINED(a, b) JOINED_(a, b)
#define FUNCTION(name) JOINED(name, NAME)
#define EACH_COLUMN for (int64_t c = 0; c < cols; c++)
#define LOW(a, b) ((a) < (b) ? (a) : (b))
#define HIGH(a, b) ((a) > (b) ? (a) : (b))

static const uint16_t *counts_of(const Rows *r, int field, int64_t row) { return (const void *)(r->records + row * r->record + r->field[field]); }
static const int16_t *centres_of(const Rows *r, int field, int64_t row) { return (const void *)(r->records + row * r->record + r->field[field]); }
static const uint8_t *learned_of(const Rows *r, int64_t row) { return r->records + row * r->record + r->field[LEARNED]; }

/* normal_scores.py, PValueCurve.normal_scores: a table by a number's leading bits, whose last entry is NaN; 1 where it is none. */
static void normal_row(const Look *k, const float *score, float *normal, uint8_t *clear, int64_t cols) {
    const float *table = k->table, lowest = k->lowest, end = k->end;
    const uint32_t last = (uint32_t)(k->entries - 1);
    const int shift = (int)k->shift;
    EACH_COLUMN {
        float above = score[c] - lowest;
        above = above < 1.0f ? 1.0f : above;
        above = above > end ? end : above;
        uint32_t bits;
        memcpy(&bits, &above, sizeof bits);
        const uint32_t at = (bits - 0x3f800000u) >> shift;
        normal[c] = table[LOW(at, last)];
        clear[c] = normal[c] == normal[c];
    }
}

/* Into `to` the highest of the rows from `first` to `last` of `from`, as far as there are any. */
static void tallest(uint8_t *to, const uint8_t *from, int64_t first, int64_t last, int64_t rows, int64_t cols) {
    first = HIGH(first, 0), last = LOW(last, rows - 1);
    memcpy(to, from + first * cols, cols);
    for (int64_t row = first + 1; row <= last; row++) {
        const uint8_t *more = from + row * cols;
        EACH_COLUMN to[c] |= more[c];
    }
}

/* In `to`, which has `reach` zeros before and after it, each pixel that has one within `reach` columns of it; `from` is alike. */
static void widest(uint8_t *to, const uint8_t *from, int reach, int64_t cols) {
    EACH_COLUMN to[c] = from[c - reach];
    for (int step = 1 - reach; step <= reach; step++) EACH_COLUMN to[c] |= from[c + step];
}

/* clear_looks.py, clear_looks: clear pixels less those within `edge` of a cloud, which is a pixel that is invalid where the ground
 * was seen before, with all around it. Returns -1 where memory is short. */
static int without_clouds(const Look *k, int64_t rows, int64_t cols) {
    const int edge = (int)k->edge;
    const int64_t width = cols + 2 * edge;
    uint8_t *usable = malloc(2 * rows * cols), *cloud = usable + rows * cols, *wide = calloc(2, width), *line = wide + width;
    if (!usable || !wide) return free(usable), free(wide), -1;
    int any = 0;
    for (int64_t row = 0; row < rows; row++) {
        const uint8_t *clear = k->clear + row * cols;
        const uint16_t *looks = counts_of(&k->rows, LOOKS, row);
        uint8_t *to = usable + row * cols;
        if (k->first) memcpy(to, clear, cols);
        else EACH_COLUMN to[c] = clear[c] | (looks[c] == 0);
    }
    for (int64_t row = 0; row < rows; row++) {
        uint8_t *to = cloud + row * cols;
        tallest(wide + edge, usable, row - 1, row + 1, rows, cols);
        widest(to, wide + edge, 1, cols);
        uint8_t some = 0;
        EACH_COLUMN to[c] ^= 1, some |= to[c];
        any |= some;
    }
    for (int64_t row = 0; any && row < rows; row++) {
        uint8_t *clear = k->clear + row * cols;
        tallest(wide + edge, cloud, row - edge, row + edge, rows, cols);
        widest(line, wide + edge, edge, cols);
        EACH_COLUMN clear[c] &= line[c] ^ 1;
    }
    return free(usable), free(wide), 0;
}

/* past.py, always_odd: the stored centre, or the highest of the 3 x 3 around where that is always odd. */
static void usual_row(const Look *k, int64_t row, int16_t *usual, int64_t cols, int16_t *tall) {
    const int16_t *own = centres_of(&k->rows, CENTRE_ALONE, row), odd = (int16_t)k->always_odd;
    const int16_t *above = row ? centres_of(&k->rows, CENTRE_ALONE, row - 1) : own;
    const int16_t *below = row + 1 < k->rows.rows ? centres_of(&k->rows, CENTRE_ALONE, row + 1) : own;
    EACH_COLUMN {
        const int16_t best = HIGH(above[c], below[c]);
        tall[c] = HIGH(own[c], best);
    }
    tall[-1] = tall[0], tall[cols] = tall[cols - 1];
    EACH_COLUMN {
        const int16_t best = HIGH(tall[c - 1], tall[c + 1]), highest = HIGH(tall[c], best);
        usual[c] = highest > odd ? highest : own[c];
    }
}

/* clear_looks.py, mean_around: rows are added first, then columns, the upper and the earlier one before the other. */
static void around_row(const Look *k, int64_t row, int64_t cols, float *total, uint8_t *count) {
    const int64_t last = k->rows.rows - 1;
    const float *own = k->normal + row * cols, *above = row ? own - cols : own, *below = row < last ? own + cols : own;
    const uint8_t *clear = k->clear + row * cols, *up = row ? clear - cols : clear, *down = row < last ? clear + cols : clear;
    const uint8_t first = row > 0, second = row < last;
    float *around = k->around + row * cols;
    EACH_COLUMN {
        const uint8_t a = up[c] & first, b = down[c] & second;
        total[c] = ((clear[c] ? own[c] : 0.0f) + (a ? above[c] : 0.0f)) + (b ? below[c] : 0.0f);
        count[c] = clear[c] + a + b;
    }
    EACH_COLUMN {
        const int seen = count[c] + count[c - 1] + count[c + 1];
        around[c] = ((total[c] + total[c - 1]) + total[c + 1]) * (1.0f / (float)HIGH(seen, 1));
    }
}

/* seen.py, looked: everything that is seen of some rows tonight, beside what is usual there. */
static int FUNCTION(look)(const Look *k) {
    const int64_t rows = k->rows.rows, cols = k->rows.cols;
    int64_t missing = 0;
    for (int64_t row = 0; row < rows; row++) {
        const int64_t at = row * cols;
        normal_row(k, k->score + at, k->normal + at, k->clear + at, cols);
        int64_t clear = 0;
        EACH_COLUMN clear += k->clear[at + c];
        missing += cols - clear;
    }
    if (missing && without_clouds(k, rows, cols)) return -1;
    int16_t *tall = calloc(cols + 2, sizeof *tall);
    float *total = calloc(cols + 2, sizeof *total);
    uint8_t *count = calloc(cols + 2, sizeof *count);
    const int short_of_memory = !tall || !total || !count;
    for (int64_t row = 0; !short_of_memory && row < rows; row++) {
        usual_row(k, row, k->usual + row * cols, cols, tall + 1);
        around_row(k, row, cols, total + 1, count + 1);
    }
    return free(tall), free(total), free(count), -short_of_memory;
}

/* past.py, predictive_variance. */
static inline float predictive(uint8_t learned, uint16_t variance, float prior, float step) {
    float n = (float)HIGH(learned, (uint8_t)1), spread = prior / n;
    spread += (float)variance * step;
    n += 1.0f;
    spread *= n;
    n += prior - 2.0f;
    return spread / n;
}

/* seen.py, standing_out: places, row * cols + col, of clear looks that may begin an alert; how many, at most `room` of them. */
static int64_t FUNCTION(stand_out)(const Out *o) {
    const int64_t cols = o->rows.cols;
    const float step = o->step, prior = o->prior, bound = o->bound, screen = o->screen;
    uint8_t *flags = malloc(cols);
    if (!flags) return -1;
    int64_t found = 0;
    for (int64_t row = o->begin; row < o->end; row++) {
        const int64_t at = row * cols;
        const float *normal = o->normal + at, *around = o->around + at;
        const int16_t *usual = o->usual + at;
        const uint8_t *clear = o->clear + at, *learned = learned_of(&o->rows, row);
        const uint16_t *variance = counts_of(&o->rows, VARIANCE_ALONE, row);
        uint8_t some = 0;
        EACH_COLUMN {
            const float rise = normal[c] - (float)usual[c] * step;
            const float limit = predictive(learned[c], variance[c], prior, step) * bound;
            const int strange = (normal[c] > screen) | (around[c] > screen);
            flags[c] = (uint8_t)((fabsf(rise) * rise > limit) & strange & clear[c] & (learned[c] >= o->enough));
            some |= flags[c];
        }
        if (some) EACH_COLUMN if (flags[c]) {
            if (found < o->room) o->at[found] = at + c;
            found++;
        }
    }
    return free(flags), found;
}

static inline float rounded(float x) { return (x + 12582912.0f) - 12582912.0f; }    /* to even; of less than 2^22 */

/* past.py, learn: takes a night into the records of some rows, in place. `learning` and `seen` hold 0 or 1. */
static void FUNCTION(learn)(const Learn *l) {
    const int64_t cols = l->rows.cols;
    const float unit = l->unit, step = l->step, odd = l->always_odd, most = l->most_variance;
    for (int64_t row = 0; row < l->rows.rows; row++) {
        uint8_t *record = (uint8_t *)l->rows.records + row * l->rows.record;
        uint16_t *looks = (void *)(record + l->rows.field[LOOKS]), *last = (void *)(record + l->rows.field[LAST]);
        uint8_t *learned = record + l->rows.field[LEARNED];
        const uint8_t *seen = l->clear + row * cols, *where = l->learning + row * cols;
        const uint16_t day = (uint16_t)l->day;
        const uint8_t memory = (uint8_t)l->memory, enough = (uint8_t)l->enough;
        EACH_COLUMN looks[c] += seen[c] & (looks[c] < 65535);
        EACH_COLUMN last[c] = seen[c] ? day : last[c];
        EACH_COLUMN learned[c] += where[c] & (learned[c] < memory);
        for (int scale = 0; scale < 2; scale++) {
            int16_t *centres = (void *)(record + l->rows.field[CENTRE_ALONE + 2 * scale]);
            uint16_t *variances = (void *)(record + l->rows.field[VARIANCE_ALONE + 2 * scale]);
            const float *values = (scale ? l->around : l->alone) + row * cols, ordinary = l->ordinary;
            EACH_COLUMN {
                const float stored = (float)centres[c], share = 1.0f / (float)HIGH(learned[c], (uint8_t)1);
                const int known = (learned[c] > enough) & (stored < ordinary), learns = where[c];
                float new = values[c] * unit;
                new = known & (new > odd) ? odd : new;
                const float gap = learns ? new - stored : 0.0f, move = gap * share;
                centres[c] = (int16_t)(int32_t)rounded(stored + move);
                const float variance = (float)variances[c];
                const float change = (gap * (gap - move) * step - variance) * share;
                const float after = learns ? variance + change : variance;
                variances[c] = (uint16_t)(int32_t)rounded(after > most ? most : after);
            }
        }
    }
}
