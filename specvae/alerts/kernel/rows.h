/* Some rows of a place's past, and what is asked of them: structures that library.py fills, field by field in this order. */
#ifndef SPECVAE_ROWS_H
#define SPECVAE_ROWS_H
#include <stdint.h>

enum { LOOKS, LAST, CENTRE_ALONE, VARIANCE_ALONE, CENTRE_AROUND, VARIANCE_AROUND, LEARNED, FIELDS };

/* Records of past.py, one a row, whose fields are planes of `cols` values: the bytes of a record, and where each field begins. */
typedef struct {
    const uint8_t *records; int64_t rows, cols, record, field[FIELDS];
} Rows;

/* Arrays (rows, cols) without gaps: `score` is read, the others are filled. */
typedef struct {
    Rows rows;
    const float *score; float *normal, *around; int16_t *usual; uint8_t *clear;
    const float *table; int64_t entries, shift; float lowest, end;      /* of normal scores: entries, bits that are dropped */
    int64_t first, edge, always_odd;                                    /* first: no night was before; edge: pixels beside a cloud */
} Look;

/* The same arrays, of which rows `begin` to before `end` are looked at; places go to `at`, up to `room` of them. */
typedef struct {
    Rows rows;
    const float *normal, *around; const int16_t *usual; const uint8_t *clear;
    int64_t begin, end, enough; float step, prior, bound, screen;
    int64_t *at, room;
} Out;

/* Normal scores (rows, cols) of both scales, and 1 where a look is clear and where it is learned. */
typedef struct {
    Rows rows;
    const float *alone, *around; const uint8_t *clear, *learning;
    int64_t day, enough, memory; float step, unit, ordinary, always_odd, most_variance;
} Learn;

typedef struct {
    const char *name;
    int (*look)(const Look *);                                          /* -1 where memory is short */
    int64_t (*stand_out)(const Out *);
    void (*learn)(const Learn *);
} Variant;

#endif
