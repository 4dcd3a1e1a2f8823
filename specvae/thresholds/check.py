"""The held-out check: rates asked of one part of the held-out data, realised in another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.conformal import conformal_rank
from specvae.thresholds.tiles import CalibrationTiles

__all__ = ["CHECK_RATES", "HeldOutCheck", "RateCheck", "check_held_out"]

CHECK_RATES = (1e-1, 1e-2, 1e-3)
SPLITS = 50
MOST_SHOWN = 200
"""Blocks listed one by one in a report."""
ENOUGH = 30
"""Expected pixels above a cut from which on its rate is judged."""


@dataclass(frozen=True)
class RateCheck:
    """One asked rate against what realised."""

    rate: float
    realised: float
    """Median over random halves of the blocks: the cut from one half, the rate in the other."""
    interval: tuple[float, float]
    """5 and 95 % over the halves."""
    blocks: tuple[float, ...]
    """In each block, the cut from all others (the first 200)."""
    block_quantiles: tuple[float, float, float]
    """5 %, median, 95 % over blocks."""
    files: tuple[float, ...]
    """In each source, the cut from all others; empty for one source."""
    judged: bool
    """Whether the half has enough pixels (30 / rate) for a verdict."""
    passed: bool | None
    """Median realised / asked within 0.8 to 1.25 (0.5 to 2 below 1e-2), over halves; and over files, within 1/3 to 3."""


@dataclass(frozen=True)
class HeldOutCheck:
    """The check at each rate."""

    rates: tuple[RateCheck, ...]

    @property
    def passed(self) -> bool | None:
        """All judged rates pass; None where none could be judged."""
        verdicts = [rate.passed for rate in self.rates if rate.passed is not None]
        return all(verdicts) if verdicts else None

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        rows = [asdict(rate) for rate in self.rates]
        listed = [{k: list(v) if isinstance(v, tuple) else v for k, v in row.items()} for row in rows]
        return {"passed": self.passed, "rates": listed}

    @classmethod
    def from_summary(cls, summary: dict[str, Any]) -> HeldOutCheck:
        """The inverse of :meth:`summary`."""
        rows: list[dict[str, Any]] = [
            {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()} for row in summary["rates"]
        ]
        return cls(tuple(RateCheck(**row) for row in rows))


def check_held_out(
    tiles: CalibrationTiles, rates: tuple[float, ...] = CHECK_RATES, splits: int = SPLITS, seed: int = 0
) -> HeldOutCheck:
    """Asked against realised rates over blocks, files and ``splits`` random halves of the blocks.

    The halves are of the blocks that are resampled; blocks and files are left out one by one. Contaminated tiles
    are checked as they are: cuts above what is normal still separate equal shares.
    """
    order = np.argsort(-tiles.scores, kind="stable")
    scores = tiles.scores[order]
    halves, blocks = tiles.resampling_blocks[order], tiles.resampling_blocks[order]
    files = tiles.files[order]
    rows = []
    for rate in rates:
        over_halves = _over_halves(scores, halves, rate, splits, seed)
        over_blocks = _left_out(scores, blocks, rate)
        over_files = _left_out(scores, files, rate)
        rows.append(_rate_check(rate, scores.size, over_halves, over_blocks, over_files))
    return HeldOutCheck(tuple(rows))


def _rate_check(
    rate: float, n: int, halves: NDArray[np.float64], blocks: NDArray[np.float64], files: NDArray[np.float64]
) -> RateCheck:
    low, median, high = _quantiles(halves)
    judged = bool(halves.size) and n / 2 * rate >= ENOUGH
    allowed = (0.8, 1.25) if rate >= 1e-2 else (0.5, 2.0)
    passed = bool(allowed[0] <= median / rate <= allowed[1]) if judged else None
    if passed and files.size:
        passed = bool(1 / 3 <= float(np.median(files)) / rate <= 3)
    shown = tuple(float(r) for r in blocks[:MOST_SHOWN])
    return RateCheck(
        rate, median, (low, high), shown, _quantiles(blocks), tuple(float(r) for r in files), judged, passed
    )


def _quantiles(realised: NDArray[np.float64]) -> tuple[float, float, float]:
    """5 %, median and 95 %; zeros where there is nothing."""
    if not realised.size:
        return 0.0, 0.0, 0.0
    low, median, high = (float(q) for q in np.quantile(realised, [0.05, 0.5, 0.95]))
    return low, median, high


def _over_halves(
    scores: NDArray[np.floating], labels: NDArray[np.int64], rate: float, splits: int, seed: int
) -> NDArray[np.float64]:
    """``(splits,)``: cut from a random half of the blocks, realised in the other; scores descend."""
    sizes = np.bincount(labels)
    if sizes.size < 2:
        return np.empty(0)
    random = np.random.default_rng(seed)
    realised = []
    for _ in range(splits):
        chosen = np.zeros(sizes.size, bool)
        chosen[random.permutation(sizes.size)[: sizes.size // 2]] = True
        realised.append(_realised(scores, labels, chosen, sizes, rate))
    return np.array([r for r in realised if r is not None])


def _left_out(scores: NDArray[np.floating], labels: NDArray[np.int64], rate: float) -> NDArray[np.float64]:
    """``(groups,)``: cut from all other groups, realised in each; empty for one group. Scores descend."""
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
    """Share of the other blocks above the conformal cut of the ``chosen``; None where the cut lies beyond all."""
    total, others = int(sizes[chosen].sum()), int(sizes[~chosen].sum())
    rank = conformal_rank(total, rate)
    if rank < 1 or others < 1:
        return None
    top = 4 * rank + 1000
    while True:  # the cut is most often among the first few times ``rank`` scores
        mine = chosen[labels[:top]]
        place = int(np.searchsorted(np.cumsum(mine), rank))
        if place < mine.size:
            break
        top *= 4
    above = int(np.searchsorted(-scores[: place + 1], -scores[place], side="left"))
    return float(np.count_nonzero(~mine[:above]) / others)
