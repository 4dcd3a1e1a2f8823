"""Errors of reconstructions, gathered over windows or rows, and a sample of the spectra for what the errors depend on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import ModelError
from specvae.model.patches import by_band
from specvae.model.principal import Principal
from specvae.spectra import Cube

__all__ = ["ReconstructionErrors"]

Floats = NDArray[np.float32]
SAMPLE = 2_000_000
"""Values of the sampled spectra at most, about: 8 MB."""
AT_ONCE = 2_000_000
"""Values summed at once, which bounds the float64 copies."""


@dataclass
class ReconstructionErrors:
    """Sums over all valid spectra, or over the pixels of all valid patches, and a sample of them."""

    principal: Principal
    """Principal components of the training spectra, with their mean and scale."""
    side: int
    """Side of a patch in pixels; 1 for spectra."""
    step: int
    """Spacing of the sampled pixels, in pixels along rows and columns."""
    most: int
    """Rows of a table that are sampled at most."""
    count: int = 0
    """How many spectra or patches were summed."""
    squared_residuals: NDArray[np.float64] = field(init=False)
    """``(bands,)``: sums of the squares of observed less reconstructed."""
    deviations: NDArray[np.float64] = field(init=False)
    """``(bands,)``: sums of observed less training mean."""
    squared_deviations: NDArray[np.float64] = field(init=False)
    """``(bands,)``: sums of the squares of these."""
    values: list[Floats] = field(default_factory=list)
    """Sampled spectra of each window or chunk, ``(values, n)``."""
    contexts: list[Floats] = field(default_factory=list)
    """What surrounds them, ``(components, n)``; empty for a model without context."""

    def __post_init__(self) -> None:
        self.squared_residuals, self.deviations, self.squared_deviations = (
            np.zeros(len(self.centre)) for _ in range(3)
        )

    @classmethod
    def of(cls, detector: Detector, rows: int, cols: int) -> ReconstructionErrors:
        """Sums of nothing yet, for a scene of this size or a table. Raises ModelError for a model that is too old."""
        principal = detector.background.principal
        if principal is None:
            raise ModelError("the model was made before principal components were kept in it; fit it again")
        most = max(100, min(20_000, SAMPLE // detector.net.bands))
        return cls(principal, detector.stride, max(1, int(np.ceil(np.sqrt(rows * cols / most)))), most)

    @property
    def centre(self) -> NDArray[np.float64]:
        """Training mean of each band, ``(bands,)``: the origin of the sums."""
        return np.asarray(by_band(self.principal.mean, self.side).mean(axis=1), np.float64)

    @property
    def scale(self) -> NDArray[np.float64]:
        """Training standard deviation of each band, ``(bands,)``."""
        return np.asarray(self.principal.scale[:: self.side**2], np.float64)

    @property
    def pixels(self) -> int:
        """Values of each band summed so far."""
        return self.count * self.side**2

    def add(self, cube: Cube, residual: Floats, context: Floats | None) -> None:
        """Take in a window: its cube, residuals ``(values, rows, cols)`` and contexts ``(components, rows, cols)``."""
        valid = cube.valid
        self._sum(cube.values[:, valid], residual[:, valid])
        # A grid over the scene and not over the window: the sample does not depend on how the scene was cut.
        chosen = np.zeros_like(valid)
        chosen[-cube.window.row % self.step :: self.step, -cube.window.col % self.step :: self.step] = True
        chosen &= valid
        self.values.append(np.ascontiguousarray(cube.values[:, chosen]))
        if context is not None:
            self.contexts.append(np.ascontiguousarray(context[:, chosen]))

    def add_rows(self, values: Floats, residual: Floats) -> None:
        """Take in valid rows ``(bands, n)`` and their residuals."""
        # How long the table is nobody knows yet, so the first rows fill the sample, spread within their chunk.
        room = max(0, self.most - sum(v.shape[1] for v in self.values))
        self._sum(values, residual)
        self.values.append(values[:, :: max(1, -(-values.shape[1] // max(1, room)))][:, :room])

    def _sum(self, values: Floats, residual: Floats) -> None:
        self.count += values.shape[1]
        width = max(1, AT_ONCE // len(values))
        for start in range(0, values.shape[1], width):
            observed, remaining = (self._by_band(array[:, start : start + width]) for array in (values, residual))
            # About the training mean: sums of squares about 0 would lose the variance of values such as 10,000 +- 1.
            deviation = observed - self.centre[:, None]
            self.squared_residuals += np.square(remaining).sum(axis=1)
            self.deviations += deviation.sum(axis=1)
            self.squared_deviations += np.square(deviation).sum(axis=1)

    def _by_band(self, values: Floats) -> NDArray[np.float64]:
        """Values ``(values, n)`` by band, ``(bands, pixels)``, in float64."""
        return np.asarray(by_band(values, self.side).reshape(len(self.centre), -1), np.float64)

    def sample(self) -> tuple[Floats, Floats | None]:
        """``(values, n)`` spectra spread over the source, and their contexts ``(components, n)``."""
        return np.concatenate(self.values, axis=1), np.concatenate(self.contexts, axis=1) if self.contexts else None

    def by_band(self) -> dict[str, NDArray[np.float64]]:
        """Root mean square error of each band, in its own units and in standard deviations, and its variance explained."""
        rmse = np.sqrt(self.squared_residuals / self.pixels)
        return {
            "rmse": rmse,
            "rmse_standard": rmse / self.scale,
            "explained": 1 - self.squared_residuals / self._spread(),
        }

    def _spread(self) -> NDArray[np.float64]:
        """``(bands,)``: sums of squared deviations from the source's own mean."""
        # A band that is constant in the source has no variance to explain; the floor keeps its share finite.
        return np.maximum(
            self.squared_deviations - self.deviations**2 / self.pixels, 1e-12 * self.pixels * self.scale**2
        )

    def mse(self) -> float:
        """Mean squared error over all values, in the squares of the data's units."""
        return float(self.squared_residuals.sum() / (self.pixels * len(self.scale)))

    def rmse_standard(self) -> float:
        """Root mean square error over all bands, in standard deviations of the training spectra."""
        return float(np.sqrt((self.squared_residuals / self.scale**2).sum() / (self.pixels * len(self.scale))))

    def explained(self) -> float:
        """Share of the source's variance that the reconstructions have, bands in standard units."""
        return float(1 - (self.squared_residuals / self.scale**2).sum() / (self._spread() / self.scale**2).sum())
