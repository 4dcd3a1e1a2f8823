"""Reasons that add up to the whole score: what each band costs, in nats, against what was expected of the pixel.

With x a pixel, e what was expected of it (:mod:`specvae.scoring.expected`) and the score = reconstruction + KL, a band b has

1. its own term of the reconstruction, exactly, with what its value costs by its own distribution where the model has one;
2. its share of KL(x) - KL(e), the Shapley value (1953) estimated from two opposite orders in which the bands turn from e to x.
   It is exact where the KL is quadratic in x, where it is also that of integrated gradients along the straight line from e to x
   (Sundararajan, Taly and Yan, 2017). In each order the differences telescope, so that no error of quadrature is left;
3. its share of what the surroundings cost by themselves, in closed form: half a squared distance of the ring's mean;
4. of what then remains of KL(e), a part in proportion to the size of the first three together.

The bands so add up to the score, a band that no term depends on has 0, and two that enter the score alike have as much where it
is quadratic. Beside them stands what was measured: by how much the score falls where one band alone is put back to what was
expected. Where the bands depart together it may rise: the one that is put back then no longer goes with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.model.net_state import NetState
from specvae.scoring.expected import expected_spectra, surroundings_cost
from specvae.scoring.kernel.physical import cost_by_itself
from specvae.scoring.scorer import Scorer
from specvae.spectra import Explanation

__all__ = ["Replaced", "explain", "put_back", "whole"]

Floats = NDArray[np.float64]
Score = Callable[[NDArray[np.float32], NDArray[np.intp]], Floats]
"""Score and KL ``(2, m)`` of columns ``(values, m)``, each with the surroundings of the pixel whose number stands beside it."""
MOST_TOGETHER = 256
"""Bands that are put back one at a time, at most; of more, so many runs of neighbours are."""
AT_ONCE = 1 << 22
"""Values of spectra that are scored in one call: they bound the memory."""


def explain(
    state: NetState,
    scorer: Scorer,
    values: NDArray[np.float32],
    context: NDArray[np.floating] | None,
    bands: int,
) -> Explanation:
    """Why pixels ``(values, n)`` with contexts ``(components, n)`` score as they do, by band; a patch has many values a band."""
    e = expected_spectra(state, values, context)
    x, n = values[: len(e)], values.shape[1]

    def score(columns: NDArray[np.float32], at: NDArray[np.intp]) -> Floats:
        return scorer.score_columns(columns, None if context is None else context[:, at])

    def by_band(part: NDArray[np.floating]) -> NDArray[np.floating]:
        return part.reshape(bands, len(e) // bands, n)  # not -1, which no pixel at all would leave open

    replaced = put_back(score, values, e, bands)
    reconstruction = by_band(scorer.explain(values, context, False).contribution).sum(axis=1, dtype=np.float64)
    around = surroundings_cost(state, context, bands) if context is not None else np.zeros((bands, n))
    contribution = whole(reconstruction + replaced.kl, around, replaced.score)
    deviation = by_band((x - e) / state.scale[: len(e), None]).mean(axis=1)
    itself = by_band(cost_by_itself(state.arrays, x)).sum(axis=1)
    numbers = (contribution, deviation, by_band(e).mean(axis=1), replaced.alone, around, itself)
    return Explanation(*(np.asarray(part, np.float32) for part in numbers))


@dataclass(frozen=True, eq=False)
class Replaced:
    """What pixels score where some of their bands are put back to what was expected, nats."""

    score: Floats
    """``(n,)``: as they are."""
    alone: Floats
    """``(bands, n)``: by how much the score falls where this band alone is put back."""
    kl: Floats
    """``(bands, n)``: each band's share of the KL beyond that of the expected spectrum; sums to it over bands."""


def put_back(score: Score, x: NDArray[np.float32], e: NDArray[np.float32], bands: int) -> Replaced:
    """Score pixels ``x`` ``(values, n)`` with their bands put back to ``e``; values stand band by band.

    A patch has several values a band, which are put back together. Values behind those of ``e``, those of an earlier date,
    stay as they are.
    """
    n = x.shape[1]
    out = Replaced(np.zeros(n), np.zeros((bands, n)), np.zeros((bands, n)))
    # Of very many bands runs of neighbours change together; each then has a share by its squared departure.
    runs = (np.arange(bands) * min(bands, MOST_TOGETHER)) // bands
    for at in _chunks(n, int(runs[-1]) + 1, len(x)):
        _put_back_some(score, x[:, at], e[:, at], at, runs, out)
    return out


def _chunks(n: int, players: int, values: int) -> Iterator[NDArray[np.intp]]:
    step = max(1, AT_ONCE // (3 * players * values))
    for start in range(0, n, step):
        yield np.arange(start, min(n, start + step))


def _put_back_some(
    score: Score,
    x: NDArray[np.float32],
    e: NDArray[np.float32],
    at: NDArray[np.intp],
    runs: NDArray[np.intp],
    out: Replaced,
) -> None:
    """Fill the columns ``at`` of ``out``."""
    count = int(runs[-1]) + 1
    number = np.arange(count)
    # Which runs are as observed: the first k, all but the first k, and all but one.
    forward = number < np.arange(count + 1)[:, None]
    seen = np.concatenate([forward, ~forward[1:-1], ~np.eye(count, dtype=bool)])
    of = np.repeat(runs, len(e) // len(runs))
    observed = np.hstack([seen[:, of], np.ones((len(seen), len(x) - len(e)), bool)])
    columns = np.where(observed[:, :, None], x, np.vstack([e, x[len(e) :]])).transpose(1, 0, 2).reshape(len(x), -1)
    both = score(np.ascontiguousarray(columns), np.tile(at, len(seen))).reshape(2, len(seen), -1)
    ahead = both[1, : count + 1]
    back = np.vstack([both[1, count], both[1, count + 1 : 2 * count], both[1, :1]])
    share = _within(x[: len(e)], e, runs)
    out.score[at] = both[0, count]
    out.alone[:, at] = (both[0, count] - both[0, 2 * count :])[runs] * share
    out.kl[:, at] = (0.5 * (np.diff(ahead, axis=0) - np.diff(back, axis=0)))[runs] * share


def _within(x: NDArray[np.float32], e: NDArray[np.float32], runs: NDArray[np.intp]) -> Floats:
    """``(bands, n)``: each band's share of its run: 1 where it is alone in it."""
    bands = len(runs)
    if int(runs[-1]) + 1 == bands:
        return np.ones((bands, x.shape[1]))
    away = np.square(np.asarray(x, np.float64) - e).reshape(bands, -1, x.shape[1]).sum(axis=1)
    starts = np.searchsorted(runs, np.arange(int(runs[-1]) + 1))
    total = np.add.reduceat(away, starts, axis=0)[runs]
    size = np.diff(np.append(starts, bands))[runs][:, None]
    return np.where(total > 0, away / np.where(total > 0, total, 1.0), 1.0 / size)


def whole(own: Floats, surroundings: Floats, score: Floats) -> Floats:
    """``(bands, n)`` that add up to ``score`` ``(n,)``: both parts, and what is left of it in proportion to their size."""
    both = own + surroundings
    left, size = score - both.sum(axis=0), np.abs(both)
    total = size.sum(axis=0)
    return np.asarray(both + left * np.where(total > 0, size / np.where(total > 0, total, 1.0), 1.0 / len(own)))
