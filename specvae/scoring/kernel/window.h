/* A window of a scene, and rows of a table: what is read for each block of pixels, and where its terms go. */
#include "lanes.h"

typedef uint8_t bytes __attribute__((vector_size(WIDTH), aligned(1), may_alias));
typedef int16_t shorts __attribute__((vector_size(2 * WIDTH), aligned(2), may_alias));
typedef uint16_t counts __attribute__((vector_size(2 * WIDTH), aligned(2), may_alias));

static inline lanes widened(const char *from, int64_t kind) {
    switch (kind) {
    case UINT8: return __builtin_convertvector(__builtin_convertvector(*(const bytes *)from, ints), lanes);
    case INT16: return __builtin_convertvector(__builtin_convertvector(*(const shorts *)from, ints), lanes);
    case UINT16: return __builtin_convertvector(__builtin_convertvector(*(const counts *)from, ints), lanes);
    default: return *(const unaligned *)from;
    }
}

/* Values of up to BLOCK pixels of one row, that of value `at` first; zero beyond `count`. */
static void load(const void *values, int64_t kind, int64_t at, int64_t stride, int bands, int count, Row *raw) {
    const int size = kind == FLOAT32 ? 4 : kind == UINT8 ? 1 : 2;
    char part[4 * BLOCK] = {0};
    for (int b = 0; b < bands; b++) {
        const char *from = (const char *)values + (at + b * stride) * size;
        if (count < BLOCK) from = memcpy(part, from, count * size);
        EACH raw[b].r[k] = widened(from + k * WIDTH * size, kind);
    }
}

/* Into `to` what is valid of the lanes `from` to `until` of a row, and NaN for the rest of them. */
static void store(float *to, const Row *row, const Row *valid, int from, int until) {
    Row out;
    EACH out.r[k] = choose(valid->r[k] > SPLAT(0.0f), row->r[k], SPLAT(NAN));
    memcpy(to, (const float *)&out + from, (until - from) * sizeof(float));
}

static Row *rows_of_scratch(int64_t count) {
    void *room = NULL;
    return posix_memalign(&room, 64, count * sizeof(Row)) ? NULL : room;
}

/* What is held of a tile while its rows pass: its last rows, normalised once, and sums over the ring of each plane.
 *
 * The planes are the components in quanta, and a last one that counts valid pixels. Their sums are running sums of integers,
 * which are exact, so they do not depend on where a tile or a strip begins (model/context.py, ring sums). */
typedef struct {
    int64_t col, first; int columns, blocks;                    /* the tile, the first column that is read, in blocks from there on */
    int rows, planes, outer, guard, halo, width, slots;         /* rows of a block; width: the tile's columns and the halo on both sides */
    int32_t *lines, *outside, *inside, *along;                  /* (slots, planes, width), (planes, width) twice, 2 (width + 1) */
    float *means; int64_t stride;                               /* (components + 1, stride) of the row; stride: with a margin of BLOCK */
    Row *normalised;                                            /* (halo + 1, blocks, rows) */
} Tile;

static int tile_open(Tile *t, const Model *m, const Job *job, int64_t col, int columns) {
    t->col = col, t->columns = columns, t->rows = rows_of_block(m), t->planes = m->components + 1;
    t->outer = m->outer, t->guard = m->guard, t->halo = m->outer / 2, t->slots = m->outer + 1;
    t->width = columns + 2 * t->halo, t->stride = columns + 2 * BLOCK, t->first = col > t->halo ? col - t->halo : 0;
    int64_t plane = (int64_t)t->planes * t->width, past = col + columns + t->halo;
    t->blocks = (int)(((past < job->cube_cols ? past : job->cube_cols) - t->first + BLOCK - 1) / BLOCK);
    t->lines = calloc((t->slots + 2) * plane + 2 * (t->width + 1), sizeof(int32_t));
    t->outside = t->lines + t->slots * plane, t->inside = t->outside + plane, t->along = t->inside + plane;
    t->means = calloc(t->planes * t->stride, sizeof(float));
    t->normalised = rows_of_scratch((t->halo + 1) * (int64_t)t->blocks * t->rows);
    return t->lines && t->means && t->normalised ? 0 : -1;
}

static void tile_close(Tile *t) { free(t->lines), free(t->means), free(t->normalised); }

/* The planes of a row, and its normalised blocks. Rings begin above the cube, by less than two rounds of the lines. */
static int32_t *line_of(const Tile *t, int64_t row) { return t->lines + (row + 2 * t->slots) % t->slots * t->planes * t->width; }
static Row *blocks_of(const Tile *t, int64_t row) { return t->normalised + row % (t->halo + 1) * t->blocks * t->rows; }

/* model/context.py, quantise: the components of a block as whole quanta, 0 where not valid, each times its pixel's weight, and
 * that weight; where there are none, each valid pixel is counted. */
static void project(const Model *m, const Tile *t, const Row *scores, const Row *valid, int count, int32_t *to) {
    const float limit = 3 * 16384.0f, magic = 12582912.0f;
    Row length = {0}, weight;
    if (m->unit > 1.0f) for (int i = 0; i < m->components; i++) EACH length.r[k] = FMA(scores[i].r[k], scores[i].r[k], length.r[k]);
    EACH weight.r[k] = (at_least(at_most((m->end - length.r[k]) * m->fade, 1.0f), 0.0f) * 16384.0f + magic) - magic;
    for (int i = 0; i < t->planes; i++, to += t->width) {
        Row out;
        EACH {
            lanes share = weight.r[k] * 0x1p-14f, whole = share * m->unit;
            if (i < m->components) whole = at_least(at_most(scores[i].r[k], limit), -limit) * share;
            out.r[k] = (lanes)(((ints)(whole + magic) - (ints)SPLAT(magic)) & (valid->r[k] > SPLAT(0.0f)));
        }
        memcpy(to, &out, count * sizeof(int32_t));
    }
}

/* A row of the cube comes into the tile: normalised and, for rings, projected. A block like the one before it, as in flat
 * fills, is copied; real ground differs in its first few bytes. */
static void row_enters(const Tile *t, const Model *m, const Job *job, int64_t row, Row *scratch) {
    int32_t *line = line_of(t, row);
    if (m->components) memset(line, 0, (size_t)t->planes * t->width * sizeof(int32_t));
    if (row < 0 || row >= job->cube_rows) return;
    Row *raw = scratch, *before = raw + m->bands, *scores = before + m->bands, *x = blocks_of(t, row), *last = NULL, valid;
    for (int block = 0; block < t->blocks; block++, x += t->rows) {
        int64_t col = t->first + block * BLOCK;
        int count = job->cube_cols - col < BLOCK ? (int)(job->cube_cols - col) : BLOCK;
        if (!memchr(job->valid + row * job->valid_stride + col, 1, count)) continue;     /* nothing is valid */
        load(job->values, job->kind, row * job->row_stride + col, job->band_stride, m->bands, count, raw);
        if (last && !memcmp(raw, before, m->bands * sizeof(Row))) memcpy(x, last, t->rows * sizeof(Row));
        else {
            normalise(m, raw, x, x + m->bands);
            if (m->components) product(m->projection, m->shift, m->components, m->bands, x, scores);
        }
        Row *swapped = before;
        before = raw, raw = swapped, last = x;
        if (!m->components) continue;
        load(job->valid, UINT8, row * job->valid_stride + col, 0, 1, count, &valid);
        int64_t place = col - t->col + t->halo, room = t->width - place;
        project(m, t, scores, &valid, room < count ? (int)room : count, line + place);
    }
}

static void exchange(int32_t *restrict sums, const int32_t *restrict enters, const int32_t *restrict leaves, int64_t count) {
    for (int64_t i = 0; i < count; i++) sums[i] += enters[i] - leaves[i];
}

/* Ring means of a row: its ring's lower edge comes in, what lies above its upper edge goes, then sums along the row. */
static void ring_means(const Tile *t, const Model *m, int64_t row) {
    int64_t plane = (int64_t)t->planes * t->width;
    int inner = t->guard / 2, middle = t->halo;
    exchange(t->outside, line_of(t, row + t->halo), line_of(t, row - t->halo - 1), plane);
    exchange(t->inside, line_of(t, row + inner), line_of(t, row - inner - 1), plane);
    int32_t *outside = t->along, *inside = outside + t->width + 1;
    float *means = t->means + BLOCK, *scale = means + m->components * t->stride;
    for (int p = t->planes - 1; p >= 0; p--) {                  /* the weights, or the count of valid pixels, first */
        const int32_t *a = t->outside + (int64_t)p * t->width, *b = t->inside + (int64_t)p * t->width;
        uint32_t far = 0, near = 0;
        outside[0] = inside[0] = 0;
        for (int i = 0; i < t->width; i++) {
            outside[i + 1] = (int32_t)(far += (uint32_t)a[i]);
            inside[i + 1] = (int32_t)(near += (uint32_t)b[i]);
        }
        for (int i = 0; i < t->columns; i++) {
            int32_t sum = (int32_t)((uint32_t)outside[i + t->outer] - (uint32_t)outside[i]
                                    - (uint32_t)inside[i + middle + inner + 1] + (uint32_t)inside[i + middle - inner]);
            if (p == t->planes - 1) scale[i] = m->unit * 0x1p-14f / fmaxf((float)sum, m->unit);
            else means[p * t->stride + i] = (float)sum * scale[i];
        }
    }
}

/* The terms of a row of the tile. A block like the one before it has the same ones. */
static void score_row(const Tile *t, const Model *m, const Job *job, int64_t row, Row *scratch) {
    Row *c = scratch, *c_before = c + m->components, *room = c_before + m->components;
    Row score = {0}, reconstruction = {0}, kl = {0}, valid;
    const Row *line = blocks_of(t, row), *before = NULL;
    for (int64_t at = t->first + (t->col - t->first) / BLOCK * BLOCK; at < t->col + t->columns; at += BLOCK) {
        int from = at < t->col ? (int)(t->col - at) : 0, past = (int)(t->col + t->columns - at), until = past < BLOCK ? past : BLOCK;
        const uint8_t *usable = job->valid + row * job->valid_stride + at;
        const Row *block = line + (at - t->first) / BLOCK * t->rows;
        if (memchr(usable + from, 1, until - from)) {
            load(t->means, FLOAT32, BLOCK + at - t->col, t->stride, m->components, BLOCK, c);
            if (!before || memcmp(block, before, t->rows * sizeof(Row)) || memcmp(c, c_before, m->components * sizeof(Row)))
                score_block(m, block, c, room, &reconstruction, &kl, NULL);
            EACH score.r[k] = reconstruction.r[k] + kl.r[k];
            Row *swapped = c_before;
            c_before = c, c = swapped, before = block;
        }
        int64_t to = (row - job->row) * job->out_stride + at + from - job->col;
        load(usable, UINT8, 0, 0, 1, until, &valid);
        store(job->score + to, &score, &valid, from, until);
        store(job->reconstruction + to, &reconstruction, &valid, from, until);
        store(job->kl + to, &kl, &valid, from, until);
    }
}

static int FUNCTION(score)(const Model *m, const Job *job) {
    Row *scratch = rows_of_scratch(scratch_rows(m) + 2 * ((int64_t)m->bands + m->components));
    int failed = scratch ? 0 : -1;
    for (int64_t col = job->col, past = col + job->cols; !failed && col < past; col += TILE) {
        Tile t;
        failed = tile_open(&t, m, job, col, past - col < TILE ? (int)(past - col) : TILE);
        for (int64_t row = -2 * t.halo; !failed && row < job->rows; row++) {
            row_enters(&t, m, job, job->row + row + t.halo, scratch);   /* the first rows only fill the ring */
            if (m->components) ring_means(&t, m, job->row + row);
            if (row < 0) continue;
            if (job->context) for (int i = 0; i < m->components; i++)
                memcpy(job->context + i * job->context_band + row * job->context_stride + col - job->col,
                       t.means + BLOCK + i * t.stride, t.columns * sizeof(float));
            score_row(&t, m, job, job->row + row, scratch);
        }
        tile_close(&t);
    }
    free(scratch);
    return failed;
}

static int FUNCTION(explain)(const Model *m, const Columns *all) {
    Row *scratch = rows_of_scratch(scratch_rows(m) + 6 * (int64_t)m->bands + m->components), reconstruction, kl;
    if (!scratch) return -1;
    Row *block = scratch + m->bands, *around = block + 2 * m->bands, *reasons = around + m->components, *room = reasons + 3 * m->bands;
    for (int64_t at = 0, n = all->count; at < n; at += BLOCK) {
        int count = n - at < BLOCK ? (int)(n - at) : BLOCK;
        load(all->values, FLOAT32, at, n, m->bands, count, scratch);
        load(all->context, FLOAT32, at, n, m->components, count, around);
        normalise(m, scratch, block, block + m->bands);
        score_block(m, block, around, room, &reconstruction, &kl, reasons);
        memcpy(all->reconstruction + at, &reconstruction, count * sizeof(float));
        memcpy(all->kl + at, &kl, count * sizeof(float));
        for (int i = 0; i < 3 * m->bands; i++) memcpy(all->reasons + i * n + at, reasons + i, count * sizeof(float));
    }
    free(scratch);
    return 0;
}
