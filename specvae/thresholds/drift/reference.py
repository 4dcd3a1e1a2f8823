"""What a scene is compared with: quantiles of the training spectra and of the held-out scores, and the kinds of ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specvae.errors import ModelError
from specvae.thresholds.drift.comparison import GroundReference

__all__ = ["BULK", "GRID", "DriftReference", "lattice_step"]

GRID = np.r_[0.0005, 0.002, 0.01, np.linspace(0.025, 0.975, 39), 0.99, 0.998, 0.9995]
"""Shares of training pixels below each quantile of the reference."""
SAMPLE = 250_000
"""Pixels of a scene that are compared, about: their quantiles are then known to a fraction of a per cent."""
BULK = np.nonzero((GRID > 0.09) & (GRID < 0.91))[0]
"""Indices in the grid of the quantiles that anomalies and rare ground do not move."""


def lattice_step(rows: int, cols: int, sample: int = SAMPLE) -> int:
    """The spacing, in rows and columns, of the about ``sample`` pixels that are compared; the scene's size alone sets it."""
    # Rounded up: a scene a little larger than the sample is thinned rather than compared in full.
    return max(1, int(np.ceil(np.sqrt(rows * cols / sample))))


@dataclass(frozen=True, eq=False)
class DriftReference:
    """Quantiles of the training spectra and of the held-out scores."""

    bands: NDArray[np.float32]
    """``(bands, len(GRID))``: quantiles of the training spectra, physical units."""
    scores: NDArray[np.float32]
    """``(len(GRID),)``: quantiles of the held-out scores, nats; empty where none were held out."""
    ground: GroundReference | None = None
    """The kinds of ground; None in models of earlier versions, and where the training pixels are too few."""

    @classmethod
    def fit(cls, spectra: NDArray[np.floating], scores: NDArray[np.floating]) -> DriftReference:
        """From ``(bands, n)`` training spectra, n > 0, and ``(m,)`` held-out normal scores."""
        # In float64, since numpy interpolates a quantile in the type of its data.
        thin = np.asarray(spectra[:, :: max(1, spectra.shape[1] // SAMPLE)], np.float64)
        return cls(np.quantile(thin, GRID, axis=1).T.astype(np.float32), _quantiles(scores))

    def with_scores(self, scores: NDArray[np.floating]) -> DriftReference:
        """A reference with these bands and the scores of another calibration."""
        return replace(self, scores=_quantiles(scores))

    def with_ground(self, ground: GroundReference | None) -> DriftReference:
        """A reference that also compares with these kinds of ground."""
        return replace(self, ground=ground)

    def to_arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.int32]]:
        """``bands``, ``scores`` and, after ``ground.``, what the kinds of ground are; for the model file."""
        ground = {} if self.ground is None else self.ground.to_arrays()
        return {"bands": self.bands, "scores": self.scores} | {f"ground.{name}": a for name, a in ground.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32] | NDArray[np.int32]]) -> DriftReference:
        """The inverse of :meth:`to_arrays`; raises ModelError on other shapes."""
        bands, scores = np.asarray(arrays["bands"], np.float32), np.asarray(arrays["scores"], np.float32)
        if bands.ndim != 2 or bands.shape[1] != GRID.size or scores.shape not in ((0,), GRID.shape):
            raise ModelError(f"the model's drift reference has shapes {bands.shape} and {scores.shape}; refit")
        ground = {name.removeprefix("ground."): a for name, a in arrays.items() if name.startswith("ground.")}
        try:
            return cls(bands, scores, GroundReference.from_arrays(ground) if ground else None)
        except (KeyError, ValueError) as error:
            raise ModelError(f"the model's kinds of ground cannot be read ({error}); refit") from error


def _quantiles(scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """The grid's quantiles of scores; empty where there are none."""
    if not scores.size:
        return np.empty(0, np.float32)
    return np.asarray(np.quantile(np.asarray(scores, np.float64), GRID), np.float32)
