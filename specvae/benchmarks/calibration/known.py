"""Scores whose law is known: whether intervals cover the rate that realises, and how far a tail reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.ndimage import gaussian_filter

from specvae.benchmarks.report import Report, Row, table
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles, Tile

__all__ = ["COVERAGE_SPLITS", "Coverage", "Known", "Reach", "judge_known", "known_rows", "write_known"]

COVERAGE_SPLITS = 200
BANDS, FREEDOM = 13, 6
RATES = (1e-1, 1e-2, 1e-3, 1e-4)
SIDE, BLOCK, HELD = 384, 32, 24
"""Of a square of this side, in blocks of 32 by 32, so many random blocks are held out."""
GROUNDS: dict[str, tuple[float, float]] = {
    "independent pixels": (0.0, 0.0),
    "neighbours alike over 1 pixel": (1.0, 0.0),
    "neighbours alike over 3 pixels": (3.0, 0.0),
    "blocks of unlike ground": (1.0, 0.2),
}
"""Name -> radius of the Gaussian that correlates pixels, and deviation of the logarithm of a block's scale."""
LEVELS = np.linspace(-8.0, 8.0, 4001)
HALF_DISTANCE = stats.f.isf(special.ndtr(-LEVELS), BANDS, FREEDOM) * BANDS / 2
"""Half the squared Mahalanobis distance under multivariate t, at standard normal quantiles."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
REACH_RATE, REACH_SCORES = 1e-5, 5000
COVERED = (0.80, 0.97)
"""Share of the splits that a 90 % interval is to cover."""
FACTOR = 3.0
"""The tail's median is to realise within this factor of what was asked."""


Keep = Callable[[str, Callable[[], Any]], Any]
"""Given a name and how to make the thing, gives the thing."""


@dataclass(frozen=True)
class Coverage:
    """One kind of ground at one asked rate, over resampled splits."""

    ground: str
    rate: float
    covered: float
    """Share of the splits whose 90 % interval held the rate that realises."""
    ratio: tuple[float, float, float]
    """Realised over asked: 5 %, median, 95 %."""
    supported: float
    """Share of the splits in which the product supports the rate."""
    pareto: float
    """Share of the splits in which the cut comes from the tail."""


@dataclass(frozen=True)
class Reach:
    """One method's cut for 1e-5 from 5,000 scores."""

    method: str
    ratio: tuple[float, float, float]
    """Realised over asked: 5 %, median, 95 %; a refusal counts as infinitely far."""
    covered: float | None
    """Share of the draws whose 90 % interval held what realises, a refusal counted against it; None without one."""
    refused: int


@dataclass(frozen=True)
class Known:
    """What is known of the product's thresholds where the law is."""

    splits: int
    coverage: tuple[Coverage, ...]
    reach: tuple[Reach, ...]


def judge_known(splits: int, progress: Callable[[str], None], keep: Keep = lambda _, make: make()) -> Known:
    """Coverage on every ground, and the reach of the tail, over ``splits`` seeded draws each; ``keep`` may know a part."""
    coverage: list[Coverage] = []
    for number, ground in enumerate(GROUNDS):
        coverage += keep(f"known law, {ground}", partial(_cover, ground, splits, number))
        told = ", ".join(f"{c.covered:.0%} at {c.rate:g}" for c in coverage if c.ground == ground)
        progress(f"known law, {ground}: intervals cover {told}")
    reach = keep("known law, reach", partial(_reach, splits))
    progress(f"known law, {REACH_RATE:g} from {REACH_SCORES} scores: {reach[0]}")
    return Known(splits, tuple(coverage), tuple(reach))


def true_rate(cut: float, roughness: float) -> float:
    """The share of such scores above ``cut``, blocks' scales averaged over where they differ."""
    scales = np.exp(roughness * NODES) if roughness else np.ones(1)
    weights = WEIGHTS / WEIGHTS.sum() if roughness else np.ones(1)
    return float(weights @ special.ndtr(-np.interp(cut / scales, HALF_DISTANCE, LEVELS)))


def scores_of(random: np.random.Generator, radius: float, roughness: float) -> CalibrationTiles:
    """Random blocks of a square of scores of that law: a smoothed Gaussian field, mapped to half distances."""
    field = random.standard_normal((SIDE, SIDE))
    if radius:
        impulse = np.zeros((SIDE, SIDE))
        impulse[SIDE // 2, SIDE // 2] = 1.0
        kernel = gaussian_filter(impulse, radius, mode="wrap")
        field = gaussian_filter(field, radius, mode="wrap") / np.sqrt(np.sum(kernel**2))
    across = SIDE // BLOCK
    tiles = []
    for number in random.permutation(across**2)[:HELD]:
        row, col = BLOCK * (number // across), BLOCK * (number % across)
        scale = np.exp(roughness * random.standard_normal())
        tile = scale * np.interp(field[row : row + BLOCK, col : col + BLOCK], LEVELS, HALF_DISTANCE)
        tiles.append(Tile(tile.astype(np.float32), 0, int(number)))
    return CalibrationTiles(tuple(tiles), ("known",))


def _cover(ground: str, splits: int, seed: int) -> list[Coverage]:
    """The product's cuts and intervals on ``splits`` calibrations of one ground."""
    radius, roughness = GROUNDS[ground]
    random = np.random.default_rng([seed, 11])
    found: dict[float, list[tuple[bool, float, bool, bool]]] = {rate: [] for rate in RATES}
    for _ in range(splits):
        calibration = Calibration(scores_of(random, radius, roughness))
        for rate in RATES:
            cut = calibration.threshold(rate, explicit=True)
            realised = true_rate(cut.value, roughness)
            held = cut.interval is not None and cut.interval[0] <= realised <= cut.interval[1]
            found[rate].append((held, realised / rate, cut.supported, cut.method == "pareto"))
    rows = []
    for rate, told in found.items():
        held_all, ratios, supported, pareto = (np.array(column, float) for column in zip(*told, strict=True))
        rows.append(
            Coverage(ground, rate, held_all.mean(), _quantiles(ratios), float(supported.mean()), float(pareto.mean()))
        )
    return rows


def _reach(splits: int) -> list[Reach]:
    """Cuts for 1e-5 from 5,000 independent scores, the product's and what is usual."""
    random = np.random.default_rng(5)
    ours: list[tuple[float, bool, bool]] = []
    others: dict[str, list[float]] = {"maximum": [], "pareto of the top 2 %, maximum likelihood": [], "chi-square": []}
    chi = float(stats.chi2.isf(REACH_RATE, BANDS) / 2)
    for _ in range(splits):
        scores = random.f(BANDS, FREEDOM, REACH_SCORES) * BANDS / 2
        row = Tile(scores.astype(np.float32)[None], 0, INDEPENDENT)
        cut = Calibration(CalibrationTiles((row,), ("known",))).threshold(REACH_RATE, explicit=True)
        realised = _law(cut.value)
        held = cut.interval is not None and cut.interval[0] <= realised <= cut.interval[1]
        ours.append((realised, held, cut.supported))
        others["maximum"].append(_law(float(scores.max())))
        others["pareto of the top 2 %, maximum likelihood"].append(_law(_textbook(scores)))
        others["chi-square"].append(_law(chi))
    refused = sum(not supported for *_, supported in ours)
    ratios = np.array([realised / REACH_RATE if supported else np.inf for realised, _, supported in ours])
    covered = float(np.mean([held and supported for _, held, supported in ours]))
    rows = [Reach("specvae", _quantiles(ratios), covered, refused)]
    return rows + [Reach(name, _quantiles(np.array(v) / REACH_RATE), None, 0) for name, v in others.items()]


def _law(cut: float) -> float:
    return float(stats.f.sf(cut * 2 / BANDS, BANDS, FREEDOM))


def _textbook(scores: NDArray[np.float64]) -> float:
    """scipy's maximum-likelihood Pareto fit above the 98 % quantile."""
    start = float(np.quantile(scores, 0.98))
    shape, _, scale = stats.genpareto.fit(scores[scores > start] - start, floc=0)
    return start + float(stats.genpareto.isf(REACH_RATE / np.mean(scores > start), shape, scale=scale))


def _quantiles(values: NDArray[np.floating]) -> tuple[float, float, float]:
    """5 %, median, 95 %, each an observed value, so that an infinite one stays what it is."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], method="nearest")
    return float(low), float(middle), float(high)


def known_rows(known: Known) -> list[Row]:
    """Rows of ``metrics.json``; what is infinite is left out and told on the page."""
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
    """The section of the page."""
    report.section("Where the law is known")
    report.text(
        f"Scores are half the squared Mahalanobis distance of multivariate t data, {BANDS} bands with {FREEDOM} degrees of "
        f"freedom, in a square of {SIDE} x {SIDE} pixels. Each of {known.splits} resampled splits holds {HELD} random blocks of "
        f"{BLOCK} x {BLOCK} out; the rate that realises above the product's cut is computed from the law, not counted. "
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
    told = [
        [r.method, _ratio(r.ratio), None if r.covered is None else f"{r.covered:.1%}", f"{r.refused} of {known.splits}"]
        for r in known.reach
    ]
    report.text(table(header, told)).text(_reach_reading(known.reach[0]))


def _ratio(ratio: tuple[float, float, float]) -> str:
    return f"{ratio[1]:.2f} ({ratio[0]:.2f} to {ratio[2]:.2f})"


def _coverage_reading(coverage: Sequence[Coverage]) -> str:
    low, high = COVERED
    outside = [c for c in coverage if not low <= c.covered <= high]
    told = "; ".join(f"{c.ground} at {c.rate:g}: {c.covered:.1%}" for c in outside)
    verdict = f"missed for {told}" if outside else "met on every ground at every rate"
    return f"- 90 % intervals are to cover in {low:.0%} to {high:.0%} of the splits: {verdict}."


def _reach_reading(ours: Reach) -> str:
    near = 1 / FACTOR <= ours.ratio[1] <= FACTOR
    covers = ours.covered is not None and COVERED[0] <= ours.covered <= COVERED[1]
    return (
        f"- The median is to realise within a factor of {FACTOR:g}: {'met' if near else 'missed'}; the interval is to cover "
        f"in {COVERED[0]:.0%} to {COVERED[1]:.0%}: {'met' if covers else 'missed'}."
    )
