"""Principal components of the training spectra or patches: the linear compression that a network must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.model.patches import by_band

__all__ = ["Principal"]

Array = NDArray[np.floating]
MOST, VALUES = 20_000, 20_000_000
"""Training spectra that components are learned from, at most, and values of all of them together."""


@dataclass(frozen=True)
class Principal:
    """Leading components of the covariance, best in the data's own units, and of the correlation, best in standard ones."""

    mean: NDArray[np.float64]
    """``(values,)``"""
    scale: NDArray[np.float64]
    """``(values,)``: standard deviation in training, one for all pixels of a patch's band, never 0."""
    plain: NDArray[np.float64]
    """``(components, values)``, orthonormal: of the covariance."""
    standard: NDArray[np.float64]
    """``(components, values)``, orthonormal: of the values divided by ``scale``."""

    @classmethod
    def fit(cls, spectra: Array, components: int, side: int = 1) -> Principal:
        """Learn from ``(values, n)`` training spectra, or patches of ``side`` x ``side`` pixels.

        Examples
        --------
        >>> line = np.outer([3.0, 4.0], np.linspace(-1, 1, 50))
        >>> np.abs(Principal.fit(line, 1).plain).round(2).tolist()
        [[0.6, 0.8]]
        """
        from sklearn.decomposition import PCA

        values, n = spectra.shape
        rows = np.asarray(spectra[:, :: max(1, -(-n // min(MOST, max(2, VALUES // values))))].T, np.float64)
        components = min(components, *rows.shape)
        scale = _scale(rows.T, side)
        with np.errstate(invalid="ignore", divide="ignore"):  # spectra that are all alike have no variance to share out
            plain, standard = (PCA(components, random_state=0).fit(rows / by) for by in (1.0, scale))
        arrays = (rows.mean(axis=0), scale, plain.components_, standard.components_)
        return cls(*(np.asarray(array, np.float64) for array in arrays))

    def residual(self, spectra: Array, in_units: bool = True) -> NDArray[np.float64]:
        """``(components, n)``: mean squared residual of ``(values, n)`` spectra after 1, 2, ... components.

        Either in the squares of the data's units, by the covariance's components, or in those of ``scale``, by the
        correlation's.
        """
        away = np.asarray(spectra, np.float64) - self.mean[:, None]
        axes = self.plain if in_units else self.standard
        if not in_units:
            away /= self.scale[:, None]
        # The axes are orthonormal: the explained squares add up, and the residual is the remainder.
        explained = np.cumsum(np.square(axes @ away), axis=0)
        return np.asarray(np.maximum(np.square(away).sum(axis=0) - explained, 0.0) / len(away))


def _scale(spectra: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """``(values,)`` standard deviations by band; a band that never varied is scaled by its own magnitude."""
    bands = by_band(spectra, side)
    bands = bands.reshape(len(bands), -1)
    spread, magnitude = bands.std(axis=1), np.abs(bands).max(axis=1)
    varied = spread > 1e-7 * magnitude
    return np.repeat(np.where(varied, spread, np.where(magnitude > 0, magnitude, 1.0)), side**2)
