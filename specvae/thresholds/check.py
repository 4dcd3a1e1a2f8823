"""The held-out check: what rate realises in blocks and files that had no part in setting the cut."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.empirical import conformal_threshold
from specvae.thresholds.tiles import CalibrationTiles

__all__ = ["HeldOutCheck", "check_held_out"]

FOLDS = 10
RATES = (1e-1, 1e-2, 1e-3)
PASS = {1e-1: (0.8, 1.25), 1e-2: (0.67, 1.5), 1e-3: (0.5, 2.0)}
"""Realised over asked within which the check passes, where there are at least 30 / rate pixels."""


@dataclass(frozen=True)
class HeldOutCheck:
    """Asked against realised rates."""

    rows: tuple[dict[str, Any], ...]
    """One a rate: asked, realised (pooled), median and 5 and 95 % over groups, groups, enough (pixels), passed."""
    grouped_by: str
    """``block`` or ``file``."""
    passed: bool | None
    """None where no rate has enough pixels to tell."""

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"rows": list(self.rows)}


def check_held_out(tiles: CalibrationTiles) -> HeldOutCheck:
    """Cross-validate the calibration: a fold's cut comes from the other folds' groups (files where there are several)."""
    by_file = len(set(tiles.files.tolist())) > 1
    groups = tiles.files if by_file else tiles.resampling_blocks
    scores = tiles.scores
    count = int(groups.max()) + 1 if groups.size else 0
    if count < 2:
        return HeldOutCheck((), "file" if by_file else "block", None)
    fold = (np.random.default_rng(0).permutation(count) % min(FOLDS, count))[groups]
    above = {rate: np.zeros(scores.size, bool) for rate in RATES}
    for number in range(int(fold.max()) + 1):
        mine = fold == number
        others = np.sort(scores[~mine])
        for rate in RATES:
            above[rate][mine] = scores[mine] > conformal_threshold(others, rate)
    rows = tuple(_row(rate, above[rate], groups, count) for rate in RATES)
    verdicts = [row["passed"] for row in rows if row["enough"]]
    return HeldOutCheck(rows, "file" if by_file else "block", all(verdicts) if verdicts else None)


def _row(rate: float, above: NDArray[np.bool_], groups: NDArray[np.int64], count: int) -> dict[str, Any]:
    sizes = np.bincount(groups, minlength=count)
    shares = np.bincount(groups, weights=above, minlength=count)[sizes > 0] / sizes[sizes > 0]
    realised = float(above.mean())
    low, high = PASS[rate]
    middle = [float(q) for q in np.quantile(shares, [0.05, 0.5, 0.95])]
    return {
        "asked": rate,
        "realised": realised,
        "p05": middle[0],
        "median": middle[1],
        "p95": middle[2],
        "groups": int((sizes > 0).sum()),
        "enough": bool(above.size >= 30 / rate),
        "passed": bool(low <= realised / rate <= high),
    }
