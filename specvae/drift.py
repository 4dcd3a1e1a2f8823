"""Drift: whether a scene is of the kind that the model was fitted on, before anyone trusts its map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Drift", "DriftReference"]

PROBABILITIES = np.array([0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0])
CAUTION_OUTSIDE, STOP_OUTSIDE = 0.10, 0.50
"""Share of pixels outside a band's training range (0.1 to 99.9 %)."""
CAUTION_ABOVE, STOP_ABOVE = 0.10, 0.40
"""Share of pixels whose p-value is under 1e-2: more than anomalies could explain."""
CAUTION_SHIFT, STOP_SHIFT = 0.75, 2.0
"""Shift of a band's median in units of the training 5 to 95 % range."""


@dataclass(frozen=True)
class Drift:
    """The verdict for one scene, and what it rests on."""

    verdict: str
    """``ok``, ``caution`` or ``do-not-use``."""
    reasons: tuple[str, ...]
    """In words; empty where ok."""
    outside: tuple[float, ...]
    """For each band, the share of pixels outside the training 0.1 to 99.9 % range."""
    shift: tuple[float, ...]
    """For each band, the median's shift in units of the training 5 to 95 % range."""
    score_median_rank: float | None
    """Where the scene's median score stands among calibration scores, 0..1; about 0.5 where nothing drifted."""
    above_1e_2: float | None
    """Share of pixels scoring above the calibration's 99 % quantile."""
    pixels: int

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class DriftReference:
    """What a scene is compared with."""

    bands: NDArray[np.float64]
    """``(bands, probabilities)``: quantiles of the training spectra."""
    scores: NDArray[np.float64]
    """``(1001,)``: quantiles of the calibration scores, empty without any."""

    @classmethod
    def fit(cls, spectra: NDArray[np.floating], scores: NDArray[np.floating]) -> DriftReference:
        """From ``(bands, n)`` training spectra and ``(m,)`` calibration scores."""
        thin = np.asarray(spectra[:, :: max(1, spectra.shape[1] // 200_000)], np.float64)
        return cls(np.quantile(thin, PROBABILITIES, axis=1).T.copy(), _score_quantiles(scores))

    def with_scores(self, scores: NDArray[np.floating]) -> DriftReference:
        """The same bands with the scores of another calibration."""
        return DriftReference(self.bands, _score_quantiles(scores))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """For the model file."""
        return {"bands": self.bands, "scores": self.scores}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> DriftReference:
        """The inverse of :meth:`to_arrays`."""
        return cls(arrays["bands"], arrays["scores"])

    def judge(
        self,
        values: NDArray[np.floating],
        score: NDArray[np.floating],
        labels: tuple[str, ...],
        notes: tuple[str, ...] = (),
    ) -> Drift:
        """The verdict for a sample of valid pixels: ``(bands, n)`` and ``(n,)``. ``notes`` each make for caution."""
        n = score.size
        if n == 0:
            return Drift("do-not-use", ("no valid pixel",), (), (), None, None, 0)
        low, high = self.bands[:, 1:2], self.bands[:, -2:-1]
        span = np.maximum(self.bands[:, 9] - self.bands[:, 3], 1e-12 + 1e-6 * np.abs(self.bands[:, 6]))
        outside = ((values < low) | (values > high)).mean(axis=1)
        shift = (np.median(values, axis=1) - self.bands[:, 6]) / span
        rank = above = None
        if self.scores.size:
            rank = float(np.searchsorted(self.scores, np.median(score)) / self.scores.size)
            above = float((score > np.quantile(self.scores, 0.99)).mean())
        stop = _reasons(outside, shift, rank, above, labels, STOP_OUTSIDE, STOP_SHIFT, STOP_ABOVE, 0.99)
        care = _reasons(outside, shift, rank, above, labels, CAUTION_OUTSIDE, CAUTION_SHIFT, CAUTION_ABOVE, 0.9)
        reasons = tuple(stop or care) + notes
        verdict = "do-not-use" if stop else "caution" if reasons else "ok"
        return Drift(verdict, reasons, tuple(map(float, outside)), tuple(map(float, shift)), rank, above, int(n))


def _score_quantiles(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    if not scores.size:
        return np.zeros(0)
    return np.asarray(np.quantile(np.asarray(scores, np.float64), np.linspace(0, 1, 1001)))


def _reasons(
    outside: NDArray[np.float64],
    shift: NDArray[np.float64],
    rank: float | None,
    above: float | None,
    labels: tuple[str, ...],
    most_outside: float,
    most_shift: float,
    most_above: float,
    most_rank: float,
) -> list[str]:
    reasons = []
    for name, where, verb in (("outside", outside > most_outside, ""), ("shift", np.abs(shift) > most_shift, "")):
        bands = [labels[i] for i in np.nonzero(where)[0]]
        if not bands:
            continue
        shown = ", ".join(bands[:6]) + (f" and {len(bands) - 6} more" if len(bands) > 6 else "") + verb
        worst = f"{float(outside.max()):.0%}" if name == "outside" else f"{float(np.abs(shift).max()):.1f}"
        told = {
            "outside": f"up to {worst} of the pixels lie outside the training range in {shown}",
            "shift": f"the median moved by up to {worst} of the training range in {shown}",
        }
        reasons.append(told[name])
    if above is not None and above > most_above:
        reasons.append(f"{above:.0%} of the pixels score above the cut that 1 % of normal pixels exceed")
    if rank is not None and rank > most_rank:
        reasons.append(f"the median pixel scores higher than {rank:.0%} of normal pixels")
    return reasons
