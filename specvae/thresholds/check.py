"""The held-out check: rates asked of one part of the held-out data, realised in another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.conformal import conformal_rank
from specvae.thresholds.tiles import CalibrationTiles

__all__ = ["CHECK_RATES", "CheckSummary", "HeldOutCheck", "RateCheck", "check_held_out"]

CHECK_RATES = (1e-1, 1e-2, 1e-3)
"""The false-alarm rates that are checked."""
SPLITS = 50
"""Random halves of the blocks: enough for 5 % quantiles of what realises."""
MOST_SHOWN = 200
"""Blocks listed one by one in a report."""
ENOUGH = 30
"""Expected pixels above a cut from which on its rate is judged."""


class RateSummary(TypedDict):
    """The check of one rate as JSON values; the fields of :class:`RateCheck` say what each is."""

    rate: float
    realised: float
    interval: list[float]
    blocks: list[float]
    block_quantiles: list[float]
    files: list[float]
    judged: bool
    passed: bool | None


class CheckSummary(TypedDict):
    """The ``check`` of the ``calibration`` section of report.json."""

    passed: bool | None
    rates: list[RateSummary]


@dataclass(frozen=True)
class RateCheck:
    """One asked rate against what realised."""

    rate: float
    """The false-alarm rate asked for."""
    realised: float
    """Median over random halves of the blocks: the cut from one half, the rate in the other."""
    interval: tuple[float, float]
    """5 % and 95 % quantiles of the realised rate over the halves."""
    blocks: tuple[float, ...]
    """Rate in each block of the cut from all others (the first 200 blocks)."""
    block_quantiles: tuple[float, float, float]
    """5 % quantile, median and 95 % quantile of the realised rate over blocks."""
    files: tuple[float, ...]
    """Rate in each source of the cut from all others; empty for one source."""
    judged: bool
    """Whether the half has enough pixels (30 / rate) for a verdict."""
    passed: bool | None
    """Median realised / asked within 0.8 to 1.25 (0.5 to 2 below 1e-2), over halves; and over files, within 1/3 to 3."""

    def summary(self) -> RateSummary:
        """The check of this rate as JSON values."""
        return {
            "rate": self.rate,
            "realised": self.realised,
            "interval": list(self.interval),
            "blocks": list(self.blocks),
            "block_quantiles": list(self.block_quantiles),
            "files": list(self.files),
            "judged": self.judged,
            "passed": self.passed,
        }

    @classmethod
    def from_summary(cls, summary: RateSummary) -> RateCheck:
        """The inverse of :meth:`summary`."""
        low, high = summary["interval"]
        five, median, ninety_five = summary["block_quantiles"]
        return cls(
            summary["rate"],
            summary["realised"],
            (low, high),
            tuple(summary["blocks"]),
            (five, median, ninety_five),
            tuple(summary["files"]),
            summary["judged"],
            summary["passed"],
        )


@dataclass(frozen=True)
class HeldOutCheck:
    """The check at each rate."""

    rates: tuple[RateCheck, ...]

    @property
    def passed(self) -> bool | None:
        """Whether all judged rates pass; None where none could be judged."""
        verdicts = [rate.passed for rate in self.rates if rate.passed is not None]
        return all(verdicts) if verdicts else None

    def summary(self) -> CheckSummary:
        """The verdict and the check of each rate as JSON values."""
        return {"passed": self.passed, "rates": [rate.summary() for rate in self.rates]}

    @classmethod
    def from_summary(cls, summary: CheckSummary) -> HeldOutCheck:
        """The inverse of :meth:`summary`."""
        return cls(tuple(RateCheck.from_summary(rate) for rate in summary["rates"]))


def check_held_out(
    tiles: CalibrationTiles, rates: tuple[float, ...] = CHECK_RATES, splits: int = SPLITS, seed: int = 0
) -> HeldOutCheck:
    """Compare asked with realised rates over blocks, files and ``splits`` random halves of the blocks.

    The halves are of the blocks that are resampled; blocks and files are left out one by one. Contaminated tiles
    are checked as they are: cuts above what is normal still separate equal shares.
    """
    # One descending sort serves every split: what lies above a cut is then always the beginning of the array.
    order = np.argsort(-tiles.scores, kind="stable")
    scores = tiles.scores[order]
    blocks, files = tiles.resampling_blocks[order], tiles.files[order]
    rows = []
    for rate in rates:
        over_halves = _over_halves(scores, blocks, rate, splits, seed)
        over_blocks = _left_out(scores, blocks, rate)
        over_files = _left_out(scores, files, rate)
        rows.append(_rate_check(rate, scores.size, over_halves, over_blocks, over_files))
    return HeldOutCheck(tuple(rows))


def _rate_check(
    rate: float, n: int, halves: NDArray[np.float64], blocks: NDArray[np.float64], files: NDArray[np.float64]
) -> RateCheck:
    """The check of one rate from what realised over halves, blocks and files."""
    low, median, high = _quantiles(halves)
    judged = bool(halves.size) and n / 2 * rate >= ENOUGH
    # A rarer rate rests on fewer pixels, so that chance moves it further.
    allowed = (0.8, 1.25) if rate >= 1e-2 else (0.5, 2.0)
    passed = bool(allowed[0] <= median / rate <= allowed[1]) if judged else None
    # Files differ among themselves by more than the blocks of one file do; only a gross mismatch fails the check.
    if passed and files.size:
        passed = bool(1 / 3 <= float(np.median(files)) / rate <= 3)
    shown = tuple(float(r) for r in blocks[:MOST_SHOWN])
    return RateCheck(
        rate, median, (low, high), shown, _quantiles(blocks), tuple(float(r) for r in files), judged, passed
    )


def _quantiles(realised: NDArray[np.float64]) -> tuple[float, float, float]:
    """5 %, median and 95 % of realised rates; zeros where there are none."""
    if not realised.size:
        return 0.0, 0.0, 0.0
    low, median, high = (float(q) for q in np.quantile(realised, [0.05, 0.5, 0.95]))
    return low, median, high


def _over_halves(
    scores: NDArray[np.floating], labels: NDArray[np.int64], rate: float, splits: int, seed: int
) -> NDArray[np.float64]:
    """``(splits,)``: the rate that the cut from a random half of the blocks has in the other; scores descend."""
    sizes = np.bincount(labels)
    if sizes.size < 2:
        return np.empty(0)
    # Seeded anew for each rate, so that all rates are judged on the same halves.
    random = np.random.default_rng(seed)
    realised = []
    for _ in range(splits):
        chosen = np.zeros(sizes.size, bool)
        chosen[random.permutation(sizes.size)[: sizes.size // 2]] = True
        realised.append(_realised(scores, labels, chosen, sizes, rate))
    return np.array([r for r in realised if r is not None])


def _left_out(scores: NDArray[np.floating], labels: NDArray[np.int64], rate: float) -> NDArray[np.float64]:
    """``(groups,)``: the rate in each group of the cut from all others; empty for one group. Scores descend."""
    sizes = np.bincount(labels)
    groups = np.nonzero(sizes)[0]
    if groups.size < 2:
        return np.empty(0)
    realised = [_realised(scores, labels, np.arange(sizes.size) != group, sizes, rate) for group in groups[:MOST_SHOWN]]
    return np.array([r for r in realised if r is not None])


def _realised(
    scores: NDArray[np.floating],
    labels: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    sizes: NDArray[np.int64],
    rate: float,
) -> float | None:
    """The share of the other blocks above the conformal cut of the ``chosen``; None where that lies beyond all scores."""
    total, others = int(sizes[chosen].sum()), int(sizes[~chosen].sum())
    rank = conformal_rank(total, rate)
    if rank < 1 or others < 1:
        return None
    top = 4 * rank + 1000
    while True:  # the cut is most often among the first few times ``rank`` scores
        is_chosen = chosen[labels[:top]]
        # Where ``rank`` chosen scores have been passed lies the chosen part's rank-th largest, which is the cut.
        place = int(np.searchsorted(np.cumsum(is_chosen), rank))
        if place < is_chosen.size:
            break
        top *= 4
    # Scores that tie with the cut are not above it, on either side of the split.
    above = int(np.searchsorted(-scores[: place + 1], -scores[place], side="left"))
    return float(np.count_nonzero(~is_chosen[:above]) / others)
