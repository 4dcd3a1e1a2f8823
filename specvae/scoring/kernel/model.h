/* A fitted pixel or table model, and what it is asked: structures that structures.py fills, field by field in this order.
 *
 * Names are those of the reference: specvae/model/{normaliser,marginals,context,dense,vae,mixture_prior}.py. Arrays are float32
 * without gaps, of the shapes in brackets. */
#ifndef SPECVAE_MODEL_H
#define SPECVAE_MODEL_H
#include <stdint.h>

#define BLOCK 16        /* pixels that are computed side by side; each in a lane of its own, so none depends on its neighbours */
#define MOST_LAYERS 8   /* hidden layers of one network, at most */
#define KNOTS 1024      /* of a band's marginal table */
#define TILE 1024       /* columns of a scene that are scored at a time at most: what a ring needs of them stays in the cache */

enum { FLOAT32, UINT8, INT16, UINT16 };                         /* types of a scene's values; integers of two bytes are exact as float32 */
enum { LINEAR, SIGMOID, TANH, BERNOULLI };                      /* output functions of the decoder; the last is a likelihood of its own */

/* Fully connected layers; with `lead`, the leading rows of the first weights are a linear path to the outputs. */
typedef struct {
    int inputs, outputs, lead, silu, layers, widest;
    int widths[MOST_LAYERS];
    const float *first, *first_bias, *rest[MOST_LAYERS], *rest_bias[MOST_LAYERS];
} Stack;

typedef struct {
    int bands, latent, components, outer, guard, mixture, has_marginals, has_kl, has_prior, output, judged;
    float reach, prior_spread, context_reach, weight, unit, end, fade, expected_cost;       /* unit, end, fade: of weights in rings */
    const float *centre, *scale;                                /* (bands): subtracted, then multiplied */
    const float *low, *step, *value, *slope, *penalty;          /* marginals: (bands) twice, (bands, KNOTS), (bands, 2), (bands, KNOTS) */
    const float *projection, *shift;                            /* ring: (components, bands), (components), in quanta */
    const float *context_mean, *context_scale;                  /* (components) */
    const float *whitening, *mean_context;                      /* what a context costs: (judged, components), (judged) */
    const float *precision;                                     /* (bands): half the reciprocal of the variance */
    const float *share, *origin, *factor, *roughness;           /* mixture: (k), (k, latent), (k, latent, latent), (k, latent) */
    Stack encoder, decoder, prior;
    int widest;                                                 /* rows that the widest layer, or the mixture, takes */
} Model;

/* A window of a cube (bands, rows, cols), whose strides are counted in values; the cube reaches as far as the scene is known. */
typedef struct {
    const void *values; int64_t kind, band_stride, row_stride;
    const uint8_t *valid; int64_t valid_stride;                 /* 1 = usable */
    int64_t cube_rows, cube_cols;
    int64_t row, col, rows, cols;                               /* the window, within the cube */
    float *score, *reconstruction, *kl; int64_t out_stride;     /* (rows, cols) of the window */
    float *context; int64_t context_band, context_stride;       /* (components, rows, cols), or NULL */
} Job;

/* Columns (bands, n) and their contexts (components, n): both terms (n), and the reasons: contribution, deviation and
 * expected value of each band, (3, bands, n). */
typedef struct {
    const float *values, *context; int64_t count;
    float *reconstruction, *kl, *reasons;
} Columns;

/* What a kind of processor is given; each returns 0, or -1 where memory is short. */
typedef struct {
    const char *name;
    int (*score)(const Model *, const Job *);
    int (*explain)(const Model *, const Columns *);
} Variant;

#endif
