/* A window of a scene, and rows of a table: what is read for each block of pixels, and where its terms go. */

/* Values of up to BLOCK pixels of one row of the cube, from column `col` of it; zero beyond `count`. */
static void load(const float *from, int64_t stride, int bands, int count, Row *raw) {
    if (count == BLOCK) {
        for (int b = 0; b < bands; b++) EACH raw[b].r[k] = *(const unaligned *)(from + b * stride + k * WIDTH);
        return;
    }
    memset(raw, 0, bands * sizeof(Row));
    for (int b = 0; b < bands; b++) memcpy(&raw[b], from + b * stride, count * sizeof(float));
}

static void store(float *to, const Row *row, const uint8_t *valid, int count) {
    for (int j = 0; j < count; j++) to[j] = valid[j] ? row->r[j / WIDTH][j % WIDTH] : NAN;
}

static int any(const uint8_t *valid, int count) {
    int usable = 0;
    for (int j = 0; j < count; j++) usable |= valid[j];
    return usable;
}

static Row *rows_of_scratch(int64_t count) {
    void *room = NULL;
    return posix_memalign(&room, 64, count * sizeof(Row)) ? NULL : room;
}

/* Sums over the ring of each plane of a tile, kept while its rows pass: model/context.py's ring sums by running sums.
 *
 * The planes are the components in quanta, and a last one that counts valid pixels. Integer sums are exact, so they do not
 * depend on where a tile or a strip begins. */
typedef struct {
    int planes, outer, guard, halo, width;                      /* width: the tile's columns and the halo on both sides */
    int32_t *lines, *outside, *inside, *along;                  /* (outer, planes, width), (planes, width) twice, 2 (width + 1) */
} Ring;

static int ring_open(Ring *ring, const Model *m, int columns) {
    ring->planes = m->components + 1, ring->outer = m->outer, ring->guard = m->guard, ring->halo = m->outer / 2;
    ring->width = columns + 2 * ring->halo;
    int64_t plane = (int64_t)ring->planes * ring->width;
    ring->lines = calloc((ring->outer + 2) * plane + 2 * (ring->width + 1), sizeof(int32_t));
    ring->outside = ring->lines + ring->outer * plane, ring->inside = ring->outside + plane, ring->along = ring->inside + plane;
    return ring->lines ? 0 : -1;
}

static int32_t *ring_line(const Ring *ring, int64_t row) {
    int64_t slot = ((row % ring->outer) + ring->outer) % ring->outer;
    return ring->lines + slot * ring->planes * ring->width;
}

/* model/context.py, quantise: the components of a row of the cube as whole quanta, 0 where not valid or beyond the cube. */
static void project(const Model *m, const Job *job, Ring *ring, int64_t row, int64_t col, int32_t *line, Row *scratch) {
    const float limit = 3 * 16384.0f, magic = 12582912.0f;
    memset(line, 0, (size_t)ring->planes * ring->width * sizeof(int32_t));
    if (row < 0 || row >= job->cube_rows) return;
    int64_t first = col - ring->halo > 0 ? col - ring->halo : 0, past = col - ring->halo + ring->width;
    if (past > job->cube_cols) past = job->cube_cols;
    Row *raw = scratch, *before = raw + m->bands, *x = before + m->bands, *cost = x + m->bands, *scores = cost + m->bands;
    union { ints r[REGISTERS]; int32_t whole[BLOCK]; } code;
    int projected = 0;
    for (int64_t at = first; at < past; at += BLOCK) {
        int count = past - at < BLOCK ? (int)(past - at) : BLOCK;
        const uint8_t *valid = job->valid + row * job->valid_stride + at;
        if (!any(valid, count)) continue;
        load(job->values + row * job->row_stride + at, job->band_stride, m->bands, count, raw);
        if (!projected || memcmp(raw, before, m->bands * sizeof(Row))) {    /* as in score_line */
            normalise(m, raw, x, cost);
            product(m->projection, m->shift, m->components, m->bands, x, scores);
        }
        Row *swapped = before;
        before = raw, raw = swapped, projected = 1;
        int32_t *to = line + (at - (col - ring->halo));
        for (int i = 0; i < m->components; i++, to += ring->width) {
            EACH code.r[k] = (ints)(at_least(at_most(scores[i].r[k], limit), -limit) + magic) - (ints)SPLAT(magic);
            for (int j = 0; j < count; j++) to[j] = valid[j] ? code.whole[j] : 0;
        }
        for (int j = 0; j < count; j++) to[j] = valid[j] != 0;
    }
}

static void add(int32_t *restrict sums, const int32_t *restrict line, int64_t count, int sign) {
    if (sign > 0) for (int64_t i = 0; i < count; i++) sums[i] += line[i];
    else for (int64_t i = 0; i < count; i++) sums[i] -= line[i];
}

/* The ring around row `row` is complete: its lower edge has come in and what lies above its upper edge has gone. */
static void ring_advance(Ring *ring, const Model *m, const Job *job, int64_t row, int64_t col, Row *scratch) {
    int64_t plane = (int64_t)ring->planes * ring->width, inner = ring->guard / 2;
    int32_t *line = ring_line(ring, row + ring->halo);          /* the slot that held the row above the ring */
    add(ring->outside, line, plane, -1);
    project(m, job, ring, row + ring->halo, col, line, scratch);
    add(ring->outside, line, plane, 1);
    add(ring->inside, ring_line(ring, row - inner - 1), plane, -1);
    add(ring->inside, ring_line(ring, row + inner), plane, 1);
}

/* Ring means (planes - 1, columns) of the row that the ring stands at, into `means`. */
static void ring_means(const Ring *ring, int columns, float *means, float *scale) {
    int inner = ring->guard / 2, middle = ring->halo;
    int32_t *outside = ring->along, *inside = outside + ring->width + 1;
    for (int p = ring->planes - 1; p >= 0; p--) {               /* the count of valid pixels first */
        const int32_t *a = ring->outside + (int64_t)p * ring->width, *b = ring->inside + (int64_t)p * ring->width;
        uint32_t far = 0, near = 0;
        outside[0] = inside[0] = 0;
        for (int i = 0; i < ring->width; i++) {
            outside[i + 1] = (int32_t)(far += (uint32_t)a[i]);
            inside[i + 1] = (int32_t)(near += (uint32_t)b[i]);
        }
        for (int i = 0; i < columns; i++) {
            int32_t sum = (int32_t)((uint32_t)outside[i + ring->outer] - (uint32_t)outside[i]
                                    - (uint32_t)inside[i + middle + inner + 1] + (uint32_t)inside[i + middle - inner]);
            if (p == ring->planes - 1) scale[i] = 0x1p-14f / (float)(sum > 1 ? sum : 1);
            else means[(int64_t)p * columns + i] = (float)sum * scale[i];
        }
    }
}

/* A block like the one before it, as in flat fills, has the same terms; real ground differs in its first few bytes. */
static void score_line(const Model *m, const Job *job, int64_t row, int64_t col, int columns, const float *means, Row *scratch) {
    int64_t given = m->bands + m->components;
    Row *raw = scratch, *before = raw + given, *room = before + given, reconstruction = {0}, kl = {0};
    int scored = 0;
    for (int at = 0; at < columns; at += BLOCK) {
        int count = columns - at < BLOCK ? columns - at : BLOCK;
        int64_t to = (row - job->row) * job->out_stride + col - job->col + at;
        const uint8_t *valid = job->valid + row * job->valid_stride + col + at;
        if (any(valid, count)) {
            load(job->values + row * job->row_stride + col + at, job->band_stride, m->bands, count, raw);
            if (m->components) load(means + at, columns, m->components, count, raw + m->bands);
            if (!scored || memcmp(raw, before, given * sizeof(Row)))
                score_block(m, raw, raw + m->bands, room, &reconstruction, &kl, NULL);
            Row *swapped = before;
            before = raw, raw = swapped, scored = 1;
        }
        store(job->reconstruction + to, &reconstruction, valid, count);
        store(job->kl + to, &kl, valid, count);
    }
}

static int score_tile(const Model *m, const Job *job, int64_t col, int columns, Row *scratch) {
    Ring ring;
    if (ring_open(&ring, m, columns)) return -1;
    float *means = malloc((size_t)(m->components + 1) * columns * sizeof(float)), *scale = means + (int64_t)m->components * columns;
    int64_t first = job->row, past = first + job->rows;
    if (means) for (int64_t row = first - 2 * ring.halo; row < past; row++) {
        ring_advance(&ring, m, job, row, col, scratch);         /* the first rows only fill the ring */
        if (row < first) continue;
        ring_means(&ring, columns, means, scale);
        if (job->context) for (int i = 0; i < m->components; i++)
            memcpy(job->context + i * job->context_band + (row - first) * job->context_stride + col - job->col,
                   means + (int64_t)i * columns, columns * sizeof(float));
        score_line(m, job, row, col, columns, means, scratch);
    }
    free(ring.lines);
    int short_of_memory = means ? 0 : -1;
    free(means);
    return short_of_memory;
}

static int FUNCTION(score)(const Model *m, const Job *job) {
    Row *scratch = rows_of_scratch(scratch_rows(m) + 2 * ((int64_t)m->bands + m->components));
    int failed = scratch ? 0 : -1;
    for (int64_t col = job->col; !failed && col < job->col + job->cols; col += TILE) {
        int columns = job->col + job->cols - col < TILE ? (int)(job->col + job->cols - col) : TILE;
        if (m->components) failed = score_tile(m, job, col, columns, scratch);
        else for (int64_t row = job->row; row < job->row + job->rows; row++) score_line(m, job, row, col, columns, NULL, scratch);
    }
    free(scratch);
    return failed;
}

static int FUNCTION(explain)(const Model *m, const Columns *all) {
    Row *scratch = rows_of_scratch(scratch_rows(m) + 4 * (int64_t)m->bands + m->components), reconstruction, kl;
    if (!scratch) return -1;
    Row *around = scratch + m->bands, *reasons[3], *room;
    float *out[3] = {all->contribution, all->deviation, all->expected};
    for (int i = 0; i < 3; i++) reasons[i] = around + m->components + i * m->bands;
    room = reasons[2] + m->bands;
    for (int64_t at = 0, n = all->count; at < n; at += BLOCK) {
        int count = n - at < BLOCK ? (int)(n - at) : BLOCK;
        load(all->values + at, n, m->bands, count, scratch);
        if (m->components) load(all->context + at, n, m->components, count, around);
        score_block(m, scratch, around, room, &reconstruction, &kl, reasons);
        memcpy(all->reconstruction + at, &reconstruction, count * sizeof(float));
        memcpy(all->kl + at, &kl, count * sizeof(float));
        for (int i = 0; i < 3; i++) for (int b = 0; b < m->bands; b++)
            memcpy(out[i] + b * n + at, &reasons[i][b], count * sizeof(float));
    }
    free(scratch);
    return 0;
}
