"""Detectors for comparison: RX, PCA residual and isolation forest, fitted on the same training spectra.

Arrays in, scores out, higher = more anomalous. RX is the Mahalanobis distance of Reed and Yu (1990) with a
covariance shrunk by Ledoit and Wolf (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.model.principal import Principal
from specvae.scoring.chronochrome import Chronochrome

__all__ = ["METHODS", "Background"]

METHODS = ("rx", "pca", "iforest")
REFERENCE = 4096
"""Training spectra that are stored for the isolation forest and for envelopes in reports."""


@dataclass(frozen=True)
class Background:
    """Statistics of the training spectra that the baselines need, small enough for the model file."""

    mean: NDArray[np.float64]
    """``(bands,)``"""
    covariance: NDArray[np.float64]
    """``(bands, bands)``, shrunk."""
    reference: NDArray[np.float32]
    """``(n, bands)``: up to 4,096 training spectra, evenly taken."""
    principal: Principal | None = None
    """Components as many as the latent values, of all values of a patch; None in models written before they were stored."""
    change: Chronochrome | None = None
    """The linear baseline of a model of two dates; None for a model of one."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The baselines that :meth:`scores` gives."""
        return METHODS if self.change is None else (*METHODS, "chronochrome")

    @classmethod
    def fit(cls, spectra: NDArray[np.floating]) -> Background:
        """Learn from ``(bands, n)`` training spectra."""
        from sklearn.covariance import LedoitWolf

        rows = np.asarray(spectra, np.float64).T
        rows = rows[:: max(1, len(rows) // 200_000)]
        scale = rows.std(axis=0)
        scale[scale == 0] = 1.0
        # Shrinkage is towards a multiple of the identity, which has a sense only in standard units.
        shrunk = LedoitWolf().fit((rows - rows.mean(axis=0)) / scale).covariance_
        pick = np.linspace(0, len(rows) - 1, min(REFERENCE, len(rows))).astype(int)
        return cls(rows.mean(axis=0), shrunk * np.outer(scale, scale), rows[pick].astype(np.float32))

    @cached_property
    def _axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Scale, eigenvalues (descending) and eigenvectors of the correlation."""
        # Of the correlation: bands in very different units would cost the covariance's small eigenvalues all their digits.
        scale = np.sqrt(np.maximum(np.diag(self.covariance), 1e-300))
        values, vectors = np.linalg.eigh(self.covariance / np.outer(scale, scale))
        order = np.argsort(values)[::-1]
        return scale, np.maximum(values[order], 1e-10), vectors[:, order]

    @cached_property
    def _forest(self) -> Any:
        # Fitted anew from the stored spectra, the same each time: a stored forest is a pickle, which runs code when loaded.
        from sklearn.ensemble import IsolationForest

        return IsolationForest(random_state=0).fit(self.reference)

    def rx(self, spectra: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(n, bands)`` -> squared Mahalanobis distance ``(n,)``."""
        scale, values, vectors = self._axes
        along = ((np.asarray(spectra, np.float64) - self.mean) / scale) @ vectors
        return np.asarray((along**2 / values).sum(axis=1))

    def pca(self, spectra: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(n, bands)`` -> squared residual beyond the components of 90 % of the variance, ``(n,)``."""
        scale, values, vectors = self._axes
        retained = int(np.searchsorted(np.cumsum(values) / values.sum(), 0.9)) + 1
        along = ((np.asarray(spectra, np.float64) - self.mean) / scale) @ vectors[:, retained:]
        return np.asarray((along**2).sum(axis=1))

    def iforest(self, spectra: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(n, bands)`` -> isolation forest's anomaly score ``(n,)``."""
        return np.asarray(-self._forest.score_samples(np.asarray(spectra, np.float32)))

    def scores(self, spectra: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(n, bands)`` -> ``(methods, n)``, in the order of ``methods``; of two dates the later date's bands come first."""
        if not len(spectra):
            return np.zeros((len(self.methods), 0))
        later, earlier = spectra[:, : len(self.mean)], spectra[:, len(self.mean) :]
        rows = [self.rx(later), self.pca(later), self.iforest(later)]
        return np.stack(rows if self.change is None else [*rows, self.change.scores(later.T, earlier.T)])
