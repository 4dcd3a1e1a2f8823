"""One window as scored: its explanations, and what goes to the maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.export.maps import MapBand
from specvae.spectra import Cube, Explanation, Residuals, ScoredWindow, positions

__all__ = ["FLAG_BAND", "Piece", "explained", "map_bands", "score_bands", "surprise_of"]

SCORE_BANDS = (
    MapBand("score", "anomaly score: reconstruction + kl; higher is more anomalous", "nat"),
    MapBand("reconstruction", "half the sum over bands of squared deviations from the reconstruction", "nat"),
    MapBand("kl", "divergence of the posterior from the prior", "nat"),
    MapBand("p_value", "share of normal pixels that score as high", "1"),
    MapBand(
        "dominant_band",
        "1-based number of the band that contributes most; of what is not flagged, most to the reconstruction term",
        "1",
    ),
)
FLAG_BAND = MapBand("anomaly", "1 anomalous, 0 normal, 255 invalid", "1")
Values = NDArray[np.float32]
LEAST_P_VALUE = 1e-12
"""Smaller p-values of a pixel count as this one: no held-out data reach further."""
EXPLAINED_ROWS = 16
"""Rows of a window that are explained at once where all pixels are."""


@dataclass(frozen=True, eq=False)
class Piece:
    """One window as scored, on its way to the accumulators and the files."""

    scored: ScoredWindow
    context: NDArray[np.float32] | None
    sampled: Explanation | None
    """Why the sample's pixels score as they do; None without a sample."""
    truth: NDArray[np.uint8] | None
    cube: Cube
    """The window as the model reads it: of patches, all their values, where ``scored`` has their means."""


def score_bands(parts: bool) -> tuple[MapBand, ...]:
    """The bands of score.tif: the score, and with ``parts`` what it is made of."""
    return SCORE_BANDS if parts else SCORE_BANDS[:1]


def surprise_of(
    detector: Detector, score: NDArray[np.float32], anomalous: NDArray[np.bool_]
) -> NDArray[np.float32] | None:
    """-log p of the anomalous pixels, 0 elsewhere; None for a model without held-out scores."""
    if not detector.calibration.size:
        return None
    surprise = np.zeros(score.shape, np.float32)
    surprise[anomalous] = -np.log(np.maximum(detector.calibration.p_values(score[anomalous]), LEAST_P_VALUE))
    return surprise


def map_bands(detector: Detector, piece: Piece, with_parts: bool) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """What goes to score.tif ``(bands, rows, cols)`` and to anomaly.tif ``(1, rows, cols)``."""
    scored = piece.scored
    flags = np.where(scored.cube.valid, scored.anomalous.astype(np.uint8), np.uint8(255))[None]
    if not with_parts:
        return scored.parts.score[None], flags
    return _all_parts(detector, piece), flags


def explained(
    detector: Detector,
    cube: Cube,
    context: NDArray[np.float32] | None,
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
) -> Explanation:
    """Why the pixels at these rows and columns of the window score as they do; see :class:`Explainer`."""
    around = None if context is None else context[:, rows, cols]
    return detector.explain(cube.spectra(rows, cols), around)


def _all_parts(detector: Detector, piece: Piece) -> NDArray[np.float32]:
    """``(5, rows, cols)``: score, reconstruction, kl, p-value and dominant band."""
    cube, parts, anomalous = piece.cube, piece.scored.parts, piece.scored.anomalous
    dominant = np.full(cube.valid.shape, np.nan, np.float32)

    def fill(mask: NDArray[np.bool_], why: Callable[[Values, Values | None], Explanation | Residuals]) -> None:
        for start in range(0, len(dominant), EXPLAINED_ROWS):
            rows, cols = positions(mask[start : start + EXPLAINED_ROWS])
            if rows.size:
                around = None if piece.context is None else piece.context[:, rows + start, cols]
                found = why(cube.spectra(rows + start, cols), around)
                dominant[rows + start, cols] = found.contribution.argmax(axis=0) + 1

    # Of normal pixels, which are many, the reconstruction alone is looked at: it takes a thirtieth of the time.
    fill(cube.valid & ~anomalous, detector.residuals)
    fill(anomalous, detector.explain)
    p = detector.calibration.p_values(parts.score).astype(np.float32)
    return np.stack([parts.score, parts.reconstruction, parts.kl, p, dominant])
