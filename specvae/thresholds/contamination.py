"""Contamination: whether data that were to be normal hold a group of anomalies, judged by their own scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specvae.components import label
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles
from specvae.thresholds.trimmed_tail import MIN_SCORES

__all__ = [
    "Contamination",
    "contamination_warning",
    "few_places_warning",
    "find_contamination",
    "find_gap",
    "with_objects",
]

WIDTH = 2.5
"""A gap reaches from a score down to so many times less, counted from the median score."""
SPARSE = 0.7
"""Pixels in the gap over those above it, at most. A generalised Pareto tail of shape 1, which has no mean any more, has 1.5;
clean scenes had .72 and more, scenes with a hundredth of planted spectra .62 and less where these differ in shape."""
CLEAR = 0.2
"""Pixels in the gap over those above it, at most, where one object alone is an anomaly. Scenes with one patch of rare ground
had .46 and more, discs of planted spectra that touch .03."""
SHAPE_HALF, SHAPE_ONE = WIDTH**2 - 1, WIDTH - 1
"""Pixels in the gap over those above it under a Pareto tail of shape 1/2, the heaviest that is extrapolated, and of shape 1."""
CHANCE = 1e-4
"""Contamination of training scores is so improbable under the law, at least."""
RARE = 0.0025
"""A smaller share in excess is rare ground, which no test without labels can tell from anomalies: it is called normal."""
APART = 8.0
"""A group apart has at least this many times the pixels that the heaviest plausible law allows above a cut."""
FEWEST_ABOVE = 8
"""Pixels above a cut under which it is not judged: chance alone gives such a group."""
FEW_PLACES = 3
"""Compact objects that hold half of the pixels above a cut, at most, for a warning: its rate rests on few places."""
FEWEST_APART = 30
"""Pixels or rows that stand apart, at least: of fewer no law of the others would be better than their ranks."""
MOST_SHARE, LEVELS = 0.05, 14
"""The largest share that may stand apart, and how many shares are tried from the least to it."""


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
    objects: int | None = None
    """Compact objects that hold half of the pixels above ``level``; None where pixels have no neighbours, or none is found."""

    def summary(self) -> dict[str, object]:
        """Every field by its name, as JSON values."""
        return asdict(self)


def find_contamination(scores: NDArray[np.floating], trim: float) -> Contamination:
    """Judge whether some held-out scores ``(n,)`` stand apart from all others: a group above a gap, as anomalies make it.

    A smooth tail, however heavy, thins out as scores rise and has more pixels on the way to its highest scores than among
    them. A city, a shore or rare crops make such tails, over many blocks. Spectra that do not belong to the scene lie
    together far above it, with hardly a score between. Groups from a quarter of a per cent to 5 % of the
    pixels are tried (30 at least).

    Training scores do not belong in here: a fit never learned the pixels that it trimmed, so beyond the trim quantile
    they are conspicuous in clean data too. :func:`find_gap` judges those.
    """
    if scores.size < MIN_SCORES or trim <= 0:
        return _undecided("too few held-out scores, or nothing trimmed, to tell anomalies from normal data")
    ordered = np.sort(scores).astype(np.float64)
    counts = sorted({int(share * ordered.size) for share in np.geomspace(RARE, MOST_SHARE, LEVELS)})
    groups = [_apart(ordered, count) for count in counts if count >= FEWEST_APART]
    if not groups:
        return _undecided("too few held-out scores to tell anomalies from normal data")
    return max(groups, key=lambda c: (c.found, c.observed / max(c.expected_upper, 1e-9)))


def with_objects(found: Contamination, tiles: CalibrationTiles) -> Contamination:
    """A finding with the number of compact objects that hold half of the pixels that stand apart.

    One object alone is called normal unless hardly a pixel lies in the gap: rare ground, such as the only lake of a scene,
    looks like one large anomaly. :func:`few_places_warning` then says that the cut rests on it.
    """
    if not found.found or found.level is None:
        return found
    half, pixels = _holding_half(tiles, found.level)
    if not pixels:
        return found
    if half == 1 and found.expected_upper * SHAPE_ONE > CLEAR * found.observed:
        reason = f"{found.reason}, but half of them in one object: rare ground and an anomaly look alike there"
        return replace(found, found=False, share=0.0, objects=half, reason=reason)
    return replace(found, objects=half, reason=f"{found.reason}, half of them in {half} compact object(s)")


def few_places_warning(tiles: CalibrationTiles, cut: float) -> str | None:
    """A warning where half of the held-out pixels above a cut, nats, lie in three compact objects or fewer; else None."""
    half, pixels = _holding_half(tiles, cut)
    if pixels < FEWEST_ABOVE or half > FEW_PLACES:
        return None
    return (
        f"half of the {pixels:,} held-out pixels above the default cut lie in {half} compact object(s), so that its rate rests "
        "on few places. If they show clouds or anything else that is not normal, leave them out with --mask and fit again; "
        "if they are normal, fit on more of their kind"
    )


def _holding_half(tiles: CalibrationTiles, level: float) -> tuple[int, int]:
    """The number of objects that hold half of the pixels above a level, and of these pixels; rows of tables are not counted."""
    sizes = [np.empty(0, np.int64)]
    for tile in tiles.tiles:
        if tile.block != INDEPENDENT:
            sizes.append(np.bincount(label(np.nan_to_num(tile.score, nan=-np.inf) > level)[0].ravel())[1:])
    largest = np.sort(np.concatenate(sizes))[::-1]
    pixels = int(largest.sum())
    return int(np.searchsorted(np.cumsum(largest), pixels / 2)) + 1 if pixels else 0, pixels


def _apart(ordered: NDArray[np.float64], count: int) -> Contamination:
    """The ``count`` highest of the scores ``(n,)``, ascending, against those in a gap below them."""
    n = ordered.size
    middle, top = float(np.median(ordered)), float(ordered[n - count])
    level = middle + (top - middle) / WIDTH**0.5
    if top <= middle:
        return _undecided("half of the held-out scores and more are one score")
    between = n - count - int(np.searchsorted(ordered, middle + (top - middle) / WIDTH))
    apart = between <= SPARSE * count
    observed = n - int(np.searchsorted(ordered, level)) if apart else count
    expected, upper = between / SHAPE_HALF, between / SHAPE_ONE
    verb = "stand apart from" if apart else "go on from"
    reason = (
        f"{observed} scores above {level if apart else top:.4g} nats {verb} the others: {between} lie in the gap below, and "
        f"even a very heavy tail would have {upper:.0f} above it"
    )
    return Contamination(apart, observed / n if apart else 0.0, level, observed, expected, upper, reason)


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


def _verdict(n: int, count: int, level: float, expected: float, upper: float, limit: float) -> Contamination:
    """Contamination where ``count`` is above ``limit``, too many for chance, and no rare ground."""
    from scipy.special import pdtrc  # only where thresholds are made: scores are compared with them without it

    share = max(0.0, (count - expected) / n)
    # pdtrc(count - 1, mean) is P(X >= count) of a Poisson count. Its mean is the allowance, not the
    # estimate, so that the law's own uncertainty is not taken for anomalies.
    stands_out = share >= RARE and count > limit and pdtrc(count - 1, limit / 3) < CHANCE
    share = share if stands_out else 0.0
    verb = "stand out from" if stands_out else "agree with" if count <= limit else "are too rare to be told from"
    reason = (
        f"{count} scores above {level:.4g} nats {verb} the {expected:.1f} (at most {upper:.1f}) expected of normal data"
    )
    return Contamination(bool(stands_out), share, level, count, expected, upper, reason)


def contamination_warning(found: Contamination) -> str:
    """What a user has to know and can do where the normal data hold anomalies; said once, when a model is made."""
    where = "" if found.objects is None else f", half of them in {found.objects} compact object(s)"
    return (
        f"the normal data hold what looks like anomalies: {found.observed:,} pixels or rows ({found.share:.1%}) score far above "
        f"all others{where}. Cuts are modelled from the others, and their rate is not measured; find these places with "
        "`specvae score` on the same data, leave them out with --mask or --normal, and fit again. If they are normal, more "
        "data of that kind will show it"
    )
