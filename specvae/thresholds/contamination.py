"""Contamination: whether data that were to be normal hold a group of anomalies, judged by their own scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.trimmed_tail import MIN_SCORES, TrimmedTail, fit_trimmed_tail

__all__ = ["Contamination", "find_contamination", "find_gap"]

TIMES = 3.0
"""Contamination is at least so many times the pixels that the law allows above a cut."""
CHANCE = 1e-4
"""Contamination is so improbable under the law, at least."""
RARE = 0.0025
"""A smaller share in excess is rare ground, which no test without labels can tell from anomalies: it is called normal."""
APART = 8.0
"""A group apart has at least this many times the pixels that the heaviest plausible law allows above a cut."""
FEWEST_ABOVE = 8
"""Pixels above a cut under which it is not judged: chance alone gives such a group."""
RUNS = 50
"""Runs of consecutive pixels that stand for blocks where none are known."""


@dataclass(frozen=True)
class Contamination:
    """Whether calibration data hold more extreme scores than normal data would."""

    found: bool
    share: float
    """Share of the pixels in excess of what the law of the others puts above ``level``; 0 where none."""
    level: float | None
    """The cut where the excess is most striking, nats; None where the data are too few to ask."""
    observed: int
    """Pixels above ``level``."""
    expected: float
    """Normal pixels expected above ``level``."""
    expected_upper: float
    """95 % upper bound of ``expected``."""
    reason: str
    """The finding in words."""

    def summary(self) -> dict[str, object]:
        """Every field by its name, as JSON values."""
        return asdict(self)


def find_contamination(
    scores: NDArray[np.floating], trim: float, labels: NDArray[np.int64] | None = None
) -> Contamination:
    """Judge whether more held-out pixels are extreme than the law of those below the trim quantile allows.

    ``labels`` ``(n,)`` are the blocks of ``scores`` ``(n,)``; without them pixels are taken in 50 runs, in their order.
    At cuts with 1/2 to 1/128 of the trimmed share above them (8 pixels at least), the observed count is compared with
    what the law predicts, nearer to its 95 % upper bound than to its estimate: three times as many, and too many for
    chance, is contamination. Smooth heavy tails mostly stay within it; a group of anomalies does not.

    Training scores do not belong in here: a fit never learned the pixels that it trimmed, so beyond the trim quantile
    they are conspicuous in clean data too. :func:`find_gap` judges those.
    """
    if scores.size < MIN_SCORES or trim <= 0:
        return _undecided("too few held-out scores, or nothing trimmed, to tell anomalies from normal data")
    if labels is None:
        labels = np.arange(scores.size) * RUNS // scores.size
    tail = fit_trimmed_tail(scores, BlockBootstrap.of(labels), trim)
    if tail is None:
        return _undecided("too few held-out scores below the trim quantile to tell anomalies from normal data")
    ordered = np.sort(scores)
    levels = [_against_law(tail, ordered, count) for count in _counts(scores.size, trim)]
    if not levels:
        return _undecided("too few held-out scores above the trim quantile to tell anomalies from normal data")
    return max(levels, key=lambda c: (c.found, c.share if c.found else c.observed / max(c.expected_upper, 1e-9)))


def find_gap(scores: NDArray[np.floating], trim: float) -> Contamination:
    """Judge whether training scores ``(n,)`` above the trim quantile lie beyond even the heaviest plausible tail.

    That tail is the generalised Pareto law of shape 1/2 through the median and the trim quantile; 1/2 is the limit
    beyond which no tail is extrapolated. Eight times its count is a group apart: natural scenes have up to 5 times, a
    hundredth of anomalies 10 times and far more.
    """
    if scores.size < MIN_SCORES or trim <= 0:
        return _undecided("too few training scores, or nothing trimmed, to tell anomalies from normal data")
    ordered = np.sort(scores)
    middle, stop = (float(np.quantile(ordered, share)) for share in (0.5, 1 - trim))
    if stop <= middle:
        return _undecided("half of the training scores and more are one score")
    # A Pareto law of shape 1/2 falls as (1 + slope x)^-2. It holds 1/2 at the
    # median; this slope makes it hold ``trim`` at the trim quantile.
    slope = (np.sqrt(0.5 / trim) - 1) / (stop - middle)
    levels = []
    for count in _counts(scores.size, trim):
        level = float(ordered[ordered.size - count])
        expected = 0.5 * scores.size / (1 + slope * (level - middle)) ** 2
        levels.append(_verdict(ordered.size, count, level, expected, expected, APART * expected))
    if not levels:
        return _undecided("too few training scores above the trim quantile to tell anomalies from normal data")
    return max(levels, key=lambda c: (c.found, c.share if c.found else c.observed / max(c.expected, 1e-9)))


def _counts(n: int, trim: float) -> list[int]:
    """How many pixels lie above each cut that is judged.

    Several, since a small group of anomalies shows at high cuts only and a large one fills the trimmed share.
    """
    return [count for count in sorted({int(trim * n / 2**j) for j in range(1, 8)}) if count >= FEWEST_ABOVE]


def _undecided(reason: str) -> Contamination:
    """No finding, because there is too little to judge."""
    return Contamination(False, 0.0, None, 0, 0.0, 0.0, reason)


def _against_law(tail: TrimmedTail, ordered: NDArray[np.floating], count: int) -> Contamination:
    """The pixels above the ``count``-th largest score against those that the law expects there."""
    level = float(ordered[ordered.size - count])
    expected = float(tail.survival(level)) * tail.normal
    upper = tail.rate_interval(level, max(float(tail.survival(level)), 1e-12))[1] * tail.normal
    allowed = float(np.cbrt(max(expected, 1e-3) * upper**2))  # a geometric mean, two parts of the bound to one estimate
    return _verdict(ordered.size, count, level, expected, upper, TIMES * allowed)


def _verdict(n: int, count: int, level: float, expected: float, upper: float, limit: float) -> Contamination:
    """Contamination where ``count`` is above ``limit``, too many for chance, and no rare ground."""
    from scipy.special import pdtrc  # only where thresholds are made: scores are compared with them without it

    share = max(0.0, (count - expected) / n)
    # pdtrc(count - 1, mean) is P(X >= count) of a Poisson count. Its mean is the allowance, not the
    # estimate, so that the law's own uncertainty is not taken for anomalies.
    stands_out = share >= RARE and count > limit and pdtrc(count - 1, limit / TIMES) < CHANCE
    share = share if stands_out else 0.0
    verb = "stand out from" if stands_out else "agree with" if count <= limit else "are too rare to be told from"
    reason = (
        f"{count} scores above {level:.4g} nats {verb} the {expected:.1f} (at most {upper:.1f}) expected of normal data"
    )
    return Contamination(bool(stands_out), share, level, count, expected, upper, reason)
