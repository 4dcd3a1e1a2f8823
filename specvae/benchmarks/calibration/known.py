"""Scores whose law is known: whether intervals cover the rate that realises, and how far beyond the data a tail holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.ndimage import gaussian_filter

from specvae.benchmarks.report import Report, Row, table
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles, Tile

__all__ = ["COVERAGE_SPLITS", "Coverage", "Known", "TailReach", "judge_known", "known_rows", "write_known"]

COVERAGE_SPLITS = 200
"""Resampled splits: the standard error of a coverage near 90 % is 2 %."""
BANDS, FREEDOM = 13, 6
"""Bands and degrees of freedom of the multivariate t: as many bands as Sentinel-2 has, and heavy tails, as
scores of real scenes have."""
RATES = (1e-1, 1e-2, 1e-3, 1e-4)
SIDE, BLOCK, HELD_OUT = 384, 32, 24
"""Side of the square and of its blocks in pixels, and the number of random blocks that are held out."""
GROUNDS: dict[str, tuple[float, float]] = {
    "independent pixels": (0.0, 0.0),
    "neighbours alike over 1 pixel": (1.0, 0.0),
    "neighbours alike over 3 pixels": (3.0, 0.0),
    "blocks of unlike ground": (1.0, 0.2),
}
"""Name -> radius in pixels of the Gaussian that correlates neighbours, and deviation of the logarithm of a block's scale."""
LEVELS = np.linspace(-8.0, 8.0, 4001)
"""Standard normal quantiles at which the law is tabulated."""
# By upper tails on both sides: eight deviations out, 1 - ndtr(z) has hardly a digit left.
HALF_DISTANCE = stats.f.isf(special.ndtr(-LEVELS), BANDS, FREEDOM) * BANDS / 2
"""Half the squared Mahalanobis distance under multivariate t, at the quantiles of :data:`LEVELS`."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
"""Gauss-Hermite quadrature over a standard normal, for the mean over blocks' scales."""
REACH_RATE, REACH_SCORES = 1e-5, 5000
"""The asked rate is fifty times rarer than one score: only a tail fitted to the scores can reach it."""
COVERED = (0.85, 0.95)
"""Limits of the share of the splits that a 90 % interval must cover to pass."""
FACTOR = 3.0
"""The median cut of the tail must realise within this factor of the asked rate to pass."""


T = TypeVar("T")


class Store(Protocol):
    """Something that stores finished pieces by name, as :meth:`Checkpoints.get` does."""

    def __call__(self, name: str, make: Callable[[], T], /) -> T:
        """The piece ``name``, loaded or made."""
        ...


def _always_make(name: str, make: Callable[[], T], /) -> T:
    return make()


@dataclass(frozen=True)
class Coverage:
    """How the product's cuts for one asked rate do on one kind of ground, over resampled splits."""

    ground: str
    rate: float
    covered: float
    """Share of the splits whose 90 % interval held the rate that realises."""
    ratio: tuple[float, float, float]
    """Realised over asked rate: 5 % quantile, median and 95 % quantile over the splits."""
    supported: float
    """Share of the splits in which the product supports the rate."""
    pareto: float
    """Share of the splits in which the cut comes from the tail."""


@dataclass(frozen=True)
class TailReach:
    """How one method's cut for 1e-5, made from 5,000 scores, does over many draws."""

    method: str
    ratio: tuple[float, float, float]
    """Realised over asked: 5 %, median, 95 %; a refusal counts as infinitely far."""
    covered: float | None
    """Share of the draws whose 90 % interval held what realises, a refusal counted against it; None without one."""
    refused: int
    """Number of draws in which the product said that the rate is not supported."""


@dataclass(frozen=True)
class Known:
    """The results on scores of a known law."""

    splits: int
    coverage: tuple[Coverage, ...]
    reach: tuple[TailReach, ...]


def judge_known(splits: int, progress: Callable[[str], None], store: Store = _always_make) -> Known:
    """Coverage on every ground, and the reach of the tail, over ``splits`` seeded draws each.

    ``store`` may hold pieces of an interrupted run, and then gives them back.
    """
    coverage: list[Coverage] = []
    for number, ground in enumerate(GROUNDS):
        coverage += store(f"known law, {ground}", partial(_cover, ground, splits, number))
        shares = ", ".join(f"{c.covered:.0%} at {c.rate:g}" for c in coverage if c.ground == ground)
        progress(f"known law, {ground}: intervals cover {shares}")
    reach = store("known law, reach", partial(_reach, splits))
    progress(f"known law, {REACH_RATE:g} from {REACH_SCORES} scores: {reach[0]}")
    return Known(splits, tuple(coverage), tuple(reach))


def true_rate(cut: float, roughness: float) -> float:
    """The share of scores of the law above ``cut``; where the scales of blocks differ, the mean over the scales."""
    scales = np.exp(roughness * NODES) if roughness else np.ones(1)
    weights = WEIGHTS / WEIGHTS.sum() if roughness else np.ones(1)
    # The table rises, so interpolating with its columns exchanged inverts it; ndtr(-z) is an upper tail to all digits.
    return float(weights @ special.ndtr(-np.interp(cut / scales, HALF_DISTANCE, LEVELS)))


def scores_of(random: np.random.Generator, radius: float, roughness: float) -> CalibrationTiles:
    """Random blocks of a square of scores of the law: a smoothed Gaussian field, mapped to half distances."""
    field = random.standard_normal((SIDE, SIDE))
    if radius:
        # Smoothing shrinks the variance by the sum of the squared kernel, which the smoothed impulse is.
        impulse = np.zeros((SIDE, SIDE))
        impulse[SIDE // 2, SIDE // 2] = 1.0
        kernel = gaussian_filter(impulse, radius, mode="wrap")
        field = gaussian_filter(field, radius, mode="wrap") / np.sqrt(np.sum(kernel**2))
    across = SIDE // BLOCK
    tiles = []
    for number in random.permutation(across**2)[:HELD_OUT]:
        row, col = BLOCK * (number // across), BLOCK * (number % across)
        scale = np.exp(roughness * random.standard_normal())
        tile = scale * np.interp(field[row : row + BLOCK, col : col + BLOCK], LEVELS, HALF_DISTANCE)
        tiles.append(Tile(tile.astype(np.float32), 0, int(number)))
    return CalibrationTiles(tuple(tiles), ("known",))


class _Cut(NamedTuple):
    """One cut for one split."""

    covered: bool
    ratio: float
    """Realised over asked rate."""
    supported: bool
    pareto: bool
    """Whether the cut comes from the tail."""


def _cover(ground: str, splits: int, seed: int) -> list[Coverage]:
    """The product's cuts and intervals on ``splits`` calibrations of one ground."""
    radius, roughness = GROUNDS[ground]
    # The seed is the number of the ground, so that grounds have draws of their own and may run in any order.
    random = np.random.default_rng([seed, 11])
    cuts: dict[float, list[_Cut]] = {rate: [] for rate in RATES}
    for _ in range(splits):
        calibration = Calibration(scores_of(random, radius, roughness))
        for rate in RATES:
            cut = calibration.threshold(rate, explicit=True)
            realised = true_rate(cut.value, roughness)
            inside = cut.interval is not None and cut.interval[0] <= realised <= cut.interval[1]
            cuts[rate].append(_Cut(inside, realised / rate, cut.supported, cut.method == "pareto"))
    rows = []
    for rate, of_rate in cuts.items():
        covered, ratios, supported, pareto = (np.array(column, float) for column in zip(*of_rate, strict=True))
        rows.append(
            Coverage(ground, rate, covered.mean(), _quantiles(ratios), float(supported.mean()), float(pareto.mean()))
        )
    return rows


def _reach(splits: int) -> list[TailReach]:
    """Cuts for 1e-5 from 5,000 independent scores: the product's, and those that are usual."""
    random = np.random.default_rng(5)
    ours: list[tuple[float, bool, bool]] = []
    others: dict[str, list[float]] = {"maximum": [], "pareto of the top 2 %, maximum likelihood": [], "chi-square": []}
    chi = float(stats.chi2.isf(REACH_RATE, BANDS) / 2)
    for _ in range(splits):
        scores = random.f(BANDS, FREEDOM, REACH_SCORES) * BANDS / 2
        row = Tile(scores.astype(np.float32)[None], 0, INDEPENDENT)
        cut = Calibration(CalibrationTiles((row,), ("known",))).threshold(REACH_RATE, explicit=True)
        realised = _law(cut.value)
        inside = cut.interval is not None and cut.interval[0] <= realised <= cut.interval[1]
        ours.append((realised, inside, cut.supported))
        others["maximum"].append(_law(float(scores.max())))
        others["pareto of the top 2 %, maximum likelihood"].append(_law(_textbook(scores)))
        others["chi-square"].append(_law(chi))
    refused = sum(not supported for *_, supported in ours)
    # A refused cut must not pass for a good one: it ranks beyond every cut that was given.
    ratios = np.array([realised / REACH_RATE if supported else np.inf for realised, _, supported in ours])
    covered = float(np.mean([inside and supported for _, inside, supported in ours]))
    rows = [TailReach("specvae", _quantiles(ratios), covered, refused)]
    return rows + [TailReach(name, _quantiles(np.array(v) / REACH_RATE), None, 0) for name, v in others.items()]


def _law(cut: float) -> float:
    """The true share of independent scores above a cut."""
    return float(stats.f.sf(cut * 2 / BANDS, BANDS, FREEDOM))


def _textbook(scores: NDArray[np.float64]) -> float:
    """The cut of scipy's maximum-likelihood Pareto fit above the 98 % quantile."""
    start = float(np.quantile(scores, 0.98))
    shape, _, scale = stats.genpareto.fit(scores[scores > start] - start, floc=0)
    return start + float(stats.genpareto.isf(REACH_RATE / np.mean(scores > start), shape, scale=scale))


def _quantiles(values: NDArray[np.floating]) -> tuple[float, float, float]:
    """5 % quantile, median and 95 % quantile, each an observed value: between an infinite and a finite one lies none."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], method="nearest")
    return float(low), float(middle), float(high)


def known_rows(known: Known) -> list[Row]:
    """Rows of ``metrics.json``; an infinite value has no row, and the page shows it."""
    rows = []
    for c in known.coverage:
        name = f"known-law, {c.ground}"
        rows.append(Row(name, "specvae", f"interval_covers_{c.rate:g}", c.covered, 1, 0.0))
        rows.append(Row(name, "specvae", f"realised_{c.rate:g}", c.ratio[1] * c.rate, 1, 0.0))
    for r in known.reach:
        name = f"known-law, {REACH_SCORES} scores"
        for end, ratio in zip(("_p05", "", "_p95"), r.ratio, strict=True):
            if np.isfinite(ratio):
                rows.append(Row(name, r.method, f"realised_{REACH_RATE:g}{end}", ratio * REACH_RATE, 1, 0.0))
        if r.covered is not None:
            rows.append(Row(name, r.method, f"interval_covers_{REACH_RATE:g}", r.covered, 1, 0.0))
            rows.append(Row(name, r.method, f"refused_{REACH_RATE:g}", r.refused / known.splits, 1, 0.0))
    return rows


def write_known(report: Report, known: Known) -> None:
    """Add the section on scores of a known law to the page."""
    report.section("Where the law is known")
    report.text(
        f"Scores are half the squared Mahalanobis distance of multivariate t data, {BANDS} bands with {FREEDOM} degrees of "
        f"freedom, in a square of {SIDE} x {SIDE} pixels. Each of {known.splits} resampled splits holds {HELD_OUT} random blocks "
        f"of {BLOCK} x {BLOCK} out; the rate that realises above the product's cut is computed from the law, not counted. "
        "`covered`: share of the splits whose 90 % interval holds it."
    )
    header = ["ground", "asked", "realised / asked", "covered", "rate supported", "from the tail"]
    rows = [
        [c.ground, f"{c.rate:g}", _ratio(c.ratio), f"{c.covered:.1%}", f"{c.supported:.0%}", f"{c.pareto:.0%}"]
        for c in known.coverage
    ]
    report.text(table(header, rows)).text(_coverage_reading(known.coverage))
    report.text(
        f"Asked {REACH_RATE:g} of {REACH_SCORES:,} independent scores of that law, {known.splits} draws; a refusal of the "
        "product counts as infinitely far and as not covered:"
    )
    header = ["method", "realised / asked", "interval covers", "refused"]
    reaches = [
        [r.method, _ratio(r.ratio), None if r.covered is None else f"{r.covered:.1%}", f"{r.refused} of {known.splits}"]
        for r in known.reach
    ]
    report.text(table(header, reaches)).text(_reach_reading(known.reach[0]))


def _ratio(ratio: tuple[float, float, float]) -> str:
    return f"{ratio[1]:.2f} ({ratio[0]:.2f} to {ratio[2]:.2f})"


def _coverage_reading(coverage: Sequence[Coverage]) -> str:
    low, high = COVERED
    outside = [c for c in coverage if not low <= c.covered <= high]
    misses = "; ".join(f"{c.ground} at {c.rate:g}: {c.covered:.1%}" for c in outside)
    verdict = f"missed for {misses}" if outside else "met on every ground at every rate"
    return f"- 90 % intervals are to cover in {low:.0%} to {high:.0%} of the splits: {verdict}."


def _reach_reading(ours: TailReach) -> str:
    near = 1 / FACTOR <= ours.ratio[1] <= FACTOR
    covers = ours.covered is not None and COVERED[0] <= ours.covered <= COVERED[1]
    return (
        f"- The median is to realise within a factor of {FACTOR:g}: {'met' if near else 'missed'}; the interval is to cover "
        f"in {COVERED[0]:.0%} to {COVERED[1]:.0%}: {'met' if covers else 'missed'}."
    )
