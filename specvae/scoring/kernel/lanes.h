/* The arithmetic of one pixel, written once and compiled for each kind of processor.
 *
 * The including file sets WIDTH (floats in a register), FMA(a, b, c) (a * b + c rounded once) and NAME (a suffix). Every pixel has
 * a lane; a lane's operations and their order do not depend on WIDTH, on the pixel's place or on its neighbours. With FMA
 * rounded once and no other contraction (-ffp-contract=off), each variant gives the same bits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"

#define REGISTERS (BLOCK / WIDTH)
#define FUNCTION_(name, suffix) name##_##suffix
#define FUNCTION__(name, suffix) FUNCTION_(name, suffix)
#define FUNCTION(name) FUNCTION__(name, NAME)

typedef float lanes __attribute__((vector_size(4 * WIDTH)));
typedef float unaligned __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * WIDTH)));
typedef struct { lanes r[REGISTERS]; } Row;                     /* one value of each of the BLOCK pixels */

#define EACH for (int k = 0; k < REGISTERS; k++)
#define SPLAT(a) ((a) - (lanes){0})                              /* a in each lane; a sum would make +0 of -0, at a cost */
static inline lanes choose(ints mask, lanes yes, lanes no) { return (lanes)(((ints)yes & mask) | ((ints)no & ~mask)); }
static inline lanes size_of(lanes a) { return (lanes)((ints)a & 0x7fffffff); }
static inline lanes at_most(lanes a, float top) { return choose(a < SPLAT(top), a, SPLAT(top)); }
static inline lanes at_least(lanes a, float bottom) { return choose(a > SPLAT(bottom), a, SPLAT(bottom)); }

/* e ** x by x = n ln 2 + r, |r| <= ln 2 / 2, and a polynomial for e ** r (Cody and Waite, 1980; coefficients of Cephes' expf). */
static inline lanes exponential(lanes x) {
    const float magic = 12582912.0f;                            /* 1.5 * 2 ** 23: adding it rounds to a whole number */
    x = at_least(at_most(x, 88.0f), -87.0f);
    const float terms[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    lanes shifted = FMA(x, SPLAT(1.44269504088896341f), SPLAT(magic)), n = shifted - magic, p = SPLAT(1.9875691500e-4f);
    lanes r = FMA(n, SPLAT(2.12194440e-4f), FMA(n, SPLAT(-0.693359375f), x));
    for (int i = 0; i < 5; i++) p = FMA(p, r, SPLAT(terms[i]));
    ints power = (((ints)shifted - (ints)SPLAT(magic)) + 127) << 23;
    return (FMA(p, r * r, r) + 1.0f) * (lanes)power;
}

static inline lanes logistic(lanes x) { return 1.0f / (1.0f + exponential(-x)); }

/* log(1 + e) of 0 <= e <= 1, by the atanh series of e / (2 + e). */
static inline lanes log_of_one_and(lanes e) {
    lanes t = e / (2.0f + e), sum = SPLAT(0.0f);
    for (int k = 15; k >= 1; k -= 2) sum = FMA(sum, t * t, SPLAT(1.0f / (float)k));
    return 2.0f * t * sum;
}

/* log x of a positive double, to some 1e-12: atanh series of the mantissa. In double and without FMA, so alike everywhere. */
static double logarithm(double x) {
    int power;
    double m = frexp(x, &power);
    if (m < 0.70710678118654752) { m *= 2.0; power -= 1; }
    double t = (m - 1.0) / (m + 1.0), square = t * t, sum = 0.0;
    for (int k = 23; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
    return 2.0 * t * sum + power * 0.69314718055994531;
}

/* outputs x inputs weights times the inputs, added to what `y` holds or, with a bias, to that. (model/dense.py: addmm) */
static inline __attribute__((always_inline)) void rows_of_product(const float *w, const float *bias, int inputs, int count, const Row *x, Row *y) {
    lanes sum[8][REGISTERS];
    for (int o = 0; o < count; o++) EACH sum[o][k] = bias ? SPLAT(bias[o]) : y[o].r[k];
    for (int i = 0; i < inputs; i++) for (int o = 0; o < count; o++) {
        lanes weight = SPLAT(w[o * inputs + i]);
        EACH sum[o][k] = FMA(weight, x[i].r[k], sum[o][k]);
    }
    for (int o = 0; o < count; o++) EACH y[o].r[k] = sum[o][k];
}

static void product(const float *w, const float *bias, int outputs, int inputs, const Row *x, Row *y) {
    int o = 0;                                                  /* as many sums at a time as there are registers for */
    for (; o + TOGETHER <= outputs; o += TOGETHER)
        rows_of_product(w + o * inputs, bias ? bias + o : NULL, inputs, TOGETHER, x, y + o);
    for (; o + 4 <= outputs; o += 4) rows_of_product(w + o * inputs, bias ? bias + o : NULL, inputs, 4, x, y + o);
    for (; o + 2 <= outputs; o += 2) rows_of_product(w + o * inputs, bias ? bias + o : NULL, inputs, 2, x, y + o);
    if (o < outputs) rows_of_product(w + o * inputs, bias ? bias + o : NULL, inputs, 1, x, y + o);
}

static void activate(Row *x, int count, int silu) {
    for (int i = 0; i < count; i++) EACH {
        lanes v = x[i].r[k];
        x[i].r[k] = silu ? v / (1.0f + exponential(-v)) : at_least(v, 0.0f);
    }
}

/* model/dense.py, Stack.forward. The first product makes the linear path's share of the outputs, to which the last one adds. */
static void network(const Stack *s, const Row *x, Row *y, Row *hidden) {
    Row *last = s->lead || !s->layers ? y : hidden;
    product(s->first, s->first_bias, s->lead + (s->layers ? s->widths[0] : s->outputs), s->inputs, x, last);
    if (!s->layers) return;
    last += s->lead;
    activate(last, s->widths[0], s->silu);
    for (int i = 1; i < s->layers; i++) {
        Row *next = hidden + (i % 2) * s->widest;
        product(s->rest[i - 1], s->rest_bias[i - 1], s->widths[i], s->widths[i - 1], last, next);
        activate(next, s->widths[i], s->silu);
        last = next;
    }
    product(s->rest[s->layers - 1], s->lead ? NULL : s->rest_bias[s->layers - 1], s->outputs, s->widths[s->layers - 1], last, y);
}

/* model/normaliser.py, _compressed: what lies beyond the reach grows by its logarithm, so that the absurd stays finite and ranked. */
static float compressed(float t, float reach) {
    float size = t != t ? 0.0f : fminf(fabsf(t), 3e38f);
    if (size > reach) size = reach + (float)logarithm(1.0 + (double)(size - reach));
    return copysignf(size, t);
}

/* model/marginals.py, with_cost: the band's table at t, and what the change of variable costs there. */
static float marginal(const Model *m, int band, float t, float *cost) {
    float low = m->low[band], step = m->step[band], high = low + (KNOTS - 1) * step;
    float along = (t - low) / step;
    along = along > 0.0f ? (along < KNOTS - 1 ? along : KNOTS - 1) : 0.0f;  /* a NaN counts as 0 */
    int at = (int)along < KNOTS - 2 ? (int)along : KNOTS - 2;
    float share = along - (float)at;
    const float *value = m->value + band * KNOTS + at, *penalty = m->penalty + band * KNOTS + at, *slope = m->slope + 2 * band;
    *cost = (penalty[0] + (penalty[1] - penalty[0]) * share) * m->weight;
    float below = fminf(t - low, 0.0f) * slope[0], above = fmaxf(t - high, 0.0f) * slope[1];
    return value[0] + (value[1] - value[0]) * share + below + above;
}

/* model/normaliser.py, with_cost: (bands) physical units -> compressed standard units, and nats per band where there are any. */
static void normalise(const Model *m, const Row *raw, Row *x, Row *cost) {
    lanes largest[REGISTERS];
    EACH largest[k] = SPLAT(0.0f);
    for (int b = 0; b < m->bands; b++) EACH {
        lanes t = (raw[b].r[k] - m->centre[b]) * m->scale[b];
        if (m->has_marginals) for (int j = 0; j < WIDTH; j++) {
            float nats;
            t[j] = marginal(m, b, t[j], &nats);
            cost[b].r[k][j] = nats;
        }
        largest[k] = choose(size_of(t) > largest[k], size_of(t), largest[k]);  /* a NaN, which only an invalid pixel has, is passed over */
        x[b].r[k] = t;
    }
    int absurd = 0;                                             /* rare: one test a block, the logarithm one pixel at a time */
    EACH for (int j = 0; j < WIDTH; j++) absurd |= largest[k][j] > m->reach;
    if (absurd) for (int b = 0; b < m->bands; b++) EACH for (int j = 0; j < WIDTH; j++)
        x[b].r[k][j] = compressed(x[b].r[k][j], m->reach);
}

/* model/vae.py, bounded: the context in units of its spread, pulled in to the reach of normal contexts. */
static void bound(const Model *m, const Row *context, Row *c) {
    Row square = {0};
    for (int i = 0; i < m->components; i++) EACH {
        lanes white = (context[i].r[k] - m->context_mean[i]) * m->context_scale[i];
        c[i].r[k] = white;
        square.r[k] = FMA(white, white, square.r[k]);
    }
    EACH {
        for (int j = 0; j < WIDTH; j++) square.r[k][j] = sqrtf(square.r[k][j]);
        square.r[k] = at_most(m->context_reach / at_least(square.r[k], 1e-6f), 1.0f);
    }
    for (int i = 0; i < m->components; i++) EACH c[i].r[k] = c[i].r[k] * square.r[k];
}

/* model/mixture_prior.py, kl: -log sum_k pi_k exp(-KL(q || p_k)). `room` has a row for each component and for each dimension. */
static void mixture_kl(const Model *m, const Row *mean, const Row *variance, const Row *volume, Row *room, Row *kl) {
    int latent = m->latent;
    Row *along = room + m->mixture, most;
    for (int i = 0; i < m->mixture; i++) {
        Row cross = *volume;                                    /* minus the sum of log variances */
        product(m->factor + i * latent * latent, m->origin + i * latent, latent, latent, mean, along);
        for (int l = 0; l < latent; l++) EACH {
            cross.r[k] = FMA(along[l].r[k], along[l].r[k], cross.r[k]);
            cross.r[k] = FMA(SPLAT(m->roughness[i * latent + l]), variance[l].r[k], cross.r[k]);
        }
        EACH room[i].r[k] = m->share[i] - 0.5f * cross.r[k];
        EACH most.r[k] = i ? choose(room[i].r[k] > most.r[k], room[i].r[k], most.r[k]) : room[i].r[k];
    }
    EACH {
        lanes sum = SPLAT(0.0f);
        for (int i = 0; i < m->mixture; i++) sum = sum + exponential(room[i].r[k] - most.r[k]);
        for (int j = 0; j < WIDTH; j++) kl->r[k][j] = -(most.r[k][j] + (float)logarithm(sum[j]));
    }
}

/* model/vae.py, kl: of the posterior `mean`, `log_variance` against the prior given the context, the mixture or N(0, 1). */
static void divergence(const Model *m, const Row *mean, const Row *log_variance, const Row *c, Row *y, Row *hidden, Row *kl) {
    int latent = m->latent;
    if (!m->has_kl) { EACH kl->r[k] = SPLAT(0.0f); return; }
    if (m->mixture) {
        Row *variance = y, volume = {0};
        for (int l = 0; l < latent; l++) EACH {
            variance[l].r[k] = exponential(log_variance[l].r[k]);
            volume.r[k] = volume.r[k] - log_variance[l].r[k];
        }
        mixture_kl(m, mean, variance, &volume, hidden, kl);
        return;
    }
    EACH kl->r[k] = SPLAT(-(float)latent);
    if (m->has_prior) network(&m->prior, c, y, hidden);
    for (int l = 0; l < latent; l++) EACH {
        lanes v = log_variance[l].r[k], away = mean[l].r[k];
        if (!m->has_prior) { kl->r[k] = kl->r[k] + (FMA(away, away, exponential(v)) - v); continue; }
        lanes prior = at_least(at_most(y[latent + l].r[k], m->prior_spread), -m->prior_spread);
        away = away - y[l].r[k];
        kl->r[k] = kl->r[k] + FMA(FMA(away, away, exponential(v)), exponential(-prior), prior - v);
    }
    EACH kl->r[k] = 0.5f * kl->r[k];
}

/* model/context_prior.py: what the context itself costs is added to the KL term. */
static void surprise(const Model *m, const Row *context, Row *y, Row *kl) {
    Row distance = {0};
    product(m->whitening, m->mean_context, m->judged, m->components, context, y);
    for (int i = 0; i < m->judged; i++) EACH distance.r[k] = FMA(y[i].r[k], y[i].r[k], distance.r[k]);
    EACH kl->r[k] = kl->r[k] + at_least(0.5f * distance.r[k] - m->expected_cost, 0.0f);
}

/* model/likelihoods.py, expected: the mean of p(x | z) of what the decoder makes of z, `raw`. */
static inline lanes expected(const Model *m, lanes raw) {
    if (m->output == LINEAR) return raw;
    return m->output == TANH ? 2.0f * logistic(2.0f * raw) - 1.0f : logistic(raw);
}

/* model/likelihoods.py, Bernoulli.nats: binary cross-entropy from the logit, and what a value outside 0..1 costs. */
static inline lanes cross_entropy(lanes x, lanes raw) {
    lanes inside = at_most(at_least(x, 0.0f), 1.0f), outside = (x - inside) / 0.05f;
    lanes softplus = at_least(raw, 0.0f) + log_of_one_and(exponential(-size_of(raw)));
    return softplus - inside * raw + 0.5f * outside * outside;
}

/* model/likelihoods.py, total, nats and deviation: of BLOCK pixels `x` and the decoder's outputs `y`, (bands) each; and where
 * asked for the `reasons` (3, bands): contribution, deviation and expected value. */
static void likelihood(const Model *m, const Row *x, const Row *cost, const Row *y, Row *total, Row *reasons) {
    EACH {
        lanes sum = SPLAT(0.0f), change = SPLAT(0.0f);
        for (int b = 0; b < m->bands; b++) {
            lanes mean = expected(m, y[b].r[k]), away = x[b].r[k] - mean, square = away * away, nats = m->precision[b] * square;
            if (m->output == BERNOULLI) nats = cross_entropy(x[b].r[k], y[b].r[k]), sum = sum + nats;
            else sum = FMA(SPLAT(m->precision[b]), square, sum);
            if (m->has_marginals) change = change + cost[b].r[k];
            if (!reasons) continue;
            Row *contribution = reasons + b, *deviation = contribution + m->bands;
            contribution->r[k] = nats + (m->has_marginals ? cost[b].r[k] : SPLAT(0.0f));
            deviation->r[k] = away * sqrtf(2.0f * m->precision[b]);
            deviation[m->bands].r[k] = mean;
            if (m->output == BERNOULLI) for (int j = 0; j < WIDTH; j++)     /* in units of the variance that follows from the mean */
                deviation->r[k][j] = away[j] / sqrtf(fmaxf(mean[j] * (1.0f - mean[j]), 1e-3f));
        }
        total->r[k] = m->has_marginals ? sum + change : sum;
    }
}

/* Rows of a normalised block: the bands and, behind them, what their marginals cost. */
static int rows_of_block(const Model *m) { return m->has_marginals ? 2 * m->bands : m->bands; }

/* Rows that score_block works in. */
static int64_t scratch_rows(const Model *m) { return m->bands + 2 * m->components + 3 * m->latent + 3 * (int64_t)m->widest; }

/* model/vae.py, terms and explain: both terms of BLOCK pixels from a normalised `block` and its `context` (components). */
static void score_block(const Model *m, const Row *block, const Row *context, Row *scratch, Row *reconstruction, Row *kl, Row *reasons) {
    Row *x = scratch, *c = x + m->bands, *q = c + m->components;            /* the encoder takes x and c, */
    Row *z = q + 2 * m->latent, *y = z + m->latent + m->components, *hidden = y + m->widest;     /* the decoder z and c */
    memcpy(x, block, m->bands * sizeof(Row));
    if (m->components) bound(m, context, c);
    network(&m->encoder, x, y, hidden);
    for (int l = 0; l < m->latent; l++) EACH {
        q[l].r[k] = z[l].r[k] = y[l].r[k];
        q[m->latent + l].r[k] = at_least(at_most(y[m->latent + l].r[k], 8.0f), -12.0f);
    }
    divergence(m, q, q + m->latent, c, y, hidden, kl);
    if (m->judged && m->has_kl) surprise(m, context, y, kl);
    memcpy(z + m->latent, c, m->components * sizeof(Row));
    network(&m->decoder, z, y, hidden);
    likelihood(m, x, block + m->bands, y, reconstruction, reasons);
}
