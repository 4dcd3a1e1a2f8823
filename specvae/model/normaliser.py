"""Per-band normalisation, learned from valid training pixels and stored in the model."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from specvae.model.config import ModelConfig, NormaliserConfig
from specvae.model.marginals import Marginals
from specvae.model.sizes import LINEAR_REACH, default_latent

__all__ = ["Normaliser", "compressed"]

LARGEST = 3e38
"""Standard units to which infinities are cut, a little below the largest float32."""
SHORTEST = 1e-3
"""Share of the length asked for below which a column counts as empty, and is not stretched to it."""
RIDGE = 1e-3
"""Share of a band's variance added to all directions before patches are whitened, so that noise is not amplified without bound."""


class Normaliser(nn.Module):
    """Centre and scale each band, then compress what is absurdly far, monotonically.

    ``y = t`` for ``|t| <= 8`` and ``sign(t) (8 + log1p(|t| - 8))`` beyond, with ``t = (x - centre) / scale``: one
    value of 1e30 stays finite and still ranks above 1e29. A band that never varied is scaled by its own
    magnitude, so that a departure from it is seen. With marginals, ``t`` is mapped to a standard normal before.

    Examples
    --------
    >>> import numpy as np
    >>> n = Normaliser.fit(np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]))
    >>> n.constant.tolist()
    [False, True]
    """

    centre: Tensor
    scale: Tensor
    constant: Tensor
    blur: Tensor
    mix: Tensor
    unmix: Tensor

    def __init__(self, bands: int, marginal: bool = False, smooth: bool = False, mixed: int = 0) -> None:
        super().__init__()
        self.reach = LINEAR_REACH
        """Standard units up to which the normalised value is linear."""
        self.length = 0.0
        """Euclidean length that every column is brought to, so that an image's amount of ink is no surprise; 0: as it came."""
        # Symmetric whitening of the bands of a patch's pixels, so that no band can be predicted from another one.
        self.register_buffer("mix", torch.eye(mixed), persistent=bool(mixed))
        self.register_buffer("unmix", torch.eye(mixed), persistent=bool(mixed))
        self.register_buffer("blur", torch.zeros(*(2 * [bands if smooth else 0])), persistent=smooth)
        self.marginals = Marginals(bands) if marginal else None
        self.register_buffer("centre", torch.zeros(bands, 1))
        self.register_buffer("scale", torch.ones(bands, 1))
        self.register_buffer("constant", torch.zeros(bands, dtype=torch.bool))

    @classmethod
    def learned(cls, spectra: NDArray[np.float32], config: ModelConfig) -> Normaliser:
        """The normaliser that the configuration asks for, learned from ``(bands, n)`` training spectra."""
        bands = len(spectra)
        if config.normaliser.kind == "fixed":
            normaliser = cls.fixed(bands, config.normaliser, config.network.shape)
        else:
            # Redundant bands say the same thing many times over: together they cost no more than the latent dimensions.
            weight = min(1.0, (config.network.latent or default_latent(bands)) / bands)
            marginal = weight if config.normaliser.kind == "marginal" else None
            normaliser = cls.fit(spectra, marginal, config.patch or 1, config.normaliser.kernels)
        normaliser.reach = config.normaliser.reach or normaliser.reach
        return normaliser

    @classmethod
    def fit(
        cls, values: NDArray[np.floating], marginal: float | None = None, side: int = 1, kernels: int = 256
    ) -> Normaliser:
        """Learn centre and scale from ``(bands, n)`` valid training spectra; computed in float64.

        With ``marginal`` each band's distribution is learned as well, by so many ``kernels``, its cost multiplied by that
        weight. With a ``side``
        the values are those of patches, ``(bands * side * side, n)``, and a band's pixels share one centre and scale.
        """
        if side > 1:
            return cls._of_patches(values, side)
        wide = _winsorised(np.asarray(values, dtype=np.float64))
        centre = wide.mean(axis=1)
        deviation = wide.std(axis=1)
        magnitude = np.maximum(np.abs(centre), np.abs(wide).max(axis=1))
        # A band that is constant in float32 may still vary by rounding, about 1e-7 of its magnitude.
        constant = deviation <= 1e-7 * magnitude
        scale = np.where(constant, np.where(magnitude > 0, magnitude, 1.0), deviation)
        normaliser = cls(len(centre))
        normaliser.centre.copy_(torch.from_numpy(centre)[:, None])
        normaliser.scale.copy_(torch.from_numpy(scale)[:, None])
        normaliser.constant.copy_(torch.from_numpy(constant))
        if marginal is not None:
            normaliser.marginals = Marginals.fit((wide - centre[:, None]) / scale[:, None], marginal, kernels)
        return normaliser

    @classmethod
    def _of_patches(cls, values: NDArray[np.floating], side: int) -> Normaliser:
        many, n = values.shape
        pixels = values.reshape(many // side**2, side**2 * n)[:, :: max(1, n * side**2 // 500_000)]
        pooled = cls.fit(pixels)
        normaliser = cls(many, mixed=len(pixels))
        with torch.no_grad():
            mix, unmix = _whitening(pooled(torch.from_numpy(np.ascontiguousarray(pixels, np.float32))).double().numpy())
        normaliser.mix.copy_(torch.from_numpy(mix))
        normaliser.unmix.copy_(torch.from_numpy(unmix))
        for name in ("centre", "scale", "constant"):
            getattr(normaliser, name).copy_(getattr(pooled, name).repeat_interleave(side**2, dim=0))
        return normaliser

    @classmethod
    def fixed(cls, bands: int, config: NormaliserConfig, shape: tuple[int, int, int] | None = None) -> Normaliser:
        """Centre, scale and blur as the configuration gives them, for images of ``shape`` (channels, rows, cols)."""
        smooth = bool(config.smooth and shape)
        normaliser = cls(bands, smooth=smooth)
        normaliser.centre.fill_(config.centre)
        normaliser.scale.fill_(config.scale)
        normaliser.length = config.length
        if smooth and shape is not None:
            normaliser.blur.copy_(torch.from_numpy(_blur(shape, config.smooth)))
        return normaliser

    def forward(self, values: Tensor) -> Tensor:
        """``(bands, n)`` physical units -> ``(bands, n)`` compressed standard units, always finite for finite input."""
        t = self.standard(values)
        if len(self.blur):
            t = self.blur @ t
        if self.length:
            t = self._lengthened(t)
        if len(self.mix):
            t = (self.mix @ t.reshape(len(self.mix), -1)).reshape(t.shape)
        return compressed(t if self.marginals is None else self.marginals(t), self.reach)

    def _lengthened(self, t: Tensor) -> Tensor:
        """Every column brought to ``length``; its largest value is first brought to one, for squares may overflow float32."""
        largest = t.abs().amax(dim=0).clamp(min=SHORTEST * self.length / len(t) ** 0.5)
        t = t / largest
        length = torch.linalg.vector_norm(t, dim=0).clamp(min=SHORTEST)
        return torch.mul(t, self.length / length)

    def with_cost(self, values: Tensor) -> tuple[Tensor, Tensor | None]:
        """The result of :meth:`forward`, and the nats of the change of variable by band, ``(bands, n)``, as :meth:`cost`."""
        if self.marginals is None:
            return self(values), None
        t, cost = self.marginals.with_cost(self.standard(values))
        return compressed(t, self.reach), cost

    def cost(self, values: Tensor) -> Tensor | None:
        """``(bands, n)`` physical units -> nats of the change of variable by band, or None where it has no marginals."""
        if self.marginals is None:
            return None
        return self.marginals.cost(self.standard(values))

    def standard(self, values: Tensor) -> Tensor:
        """``(bands, n)`` physical units -> standard units, centred and scaled alone, not compressed."""
        return torch.sub(values, self.centre).div_(self.scale)

    def physical(self, standard: Tensor) -> Tensor:
        """The way back of :meth:`standard`."""
        return standard * self.scale + self.centre

    def expanded(self, normalised: Tensor) -> Tensor:
        """The way back of the compression: ``(bands, n)`` as long as they were before it."""
        size = normalised.abs()
        # expm1(69) is about 1e30: the decoder may expect anything, and float32 must not overflow.
        far = torch.expm1((size - self.reach).clamp(min=0.0, max=69.0)) + self.reach
        return torch.where(size <= self.reach, size, far).copysign(normalised)

    def inverse(self, normalised: Tensor) -> Tensor:
        """``(bands, n)`` standard units -> physical units."""
        t = self.expanded(normalised)
        if self.marginals is not None:
            t = self.marginals.inverse(t)
        if len(self.unmix):
            t = (self.unmix @ t.reshape(len(self.unmix), -1)).reshape(t.shape)
        return self.physical(t)


def _whitening(pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The symmetric map ``(bands, bands)`` that makes bands ``(bands, n)`` uncorrelated, and its inverse."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(pixels)))
    spread = np.sqrt(np.maximum(values, 0.0) + RIDGE * max(float(values.mean()), 1e-12))
    return (vectors / spread) @ vectors.T, (vectors * spread) @ vectors.T


def _blur(shape: tuple[int, int, int], sigma: float) -> NDArray[np.float64]:
    """``(values, values)``: a Gaussian blur of the flattened image as a matrix, channels apart, zero beyond it."""
    channels, rows, cols = shape
    unit = np.eye(rows * cols).reshape(-1, rows, cols)
    one = gaussian_filter(unit, (0.0, sigma, sigma), mode="constant").reshape(-1, rows * cols)
    return np.asarray(np.kron(np.eye(channels), one))


def compressed(t: Tensor, reach: float) -> Tensor:
    """Standard units, values beyond ``reach`` compressed by a logarithm."""
    # Nearly every block holds no value beyond the reach: looking for one costs one pass over it, the compression several.
    # Both ways give the same bits to a value within the reach, so that they do not depend on a pixel's company.
    if t.device.type == "cpu" and not torch.compiler.is_compiling() and t.numel():
        low, high = torch.aminmax(t)
        if float(low) >= -reach and float(high) <= reach:
            return t
    size = t.abs().nan_to_num_(nan=0.0, posinf=LARGEST).clamp_(max=LARGEST)
    far = torch.log1p((size - reach).clamp_(min=0.0)).add_(reach)
    size = torch.where(size <= reach, size, far)
    return torch.where(t < 0, -size, size)


def _winsorised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(bands, n)`` with values far outside the bulk cut, so that one absurd value cannot set a scale."""
    step = max(1, values.shape[1] // 100_000)
    low, high = np.quantile(values[:, ::step], [0.001, 0.999], axis=1)
    reach = 3.0 * (high - low)
    return np.asarray(np.clip(values, (low - reach)[:, None], (high + reach)[:, None]))
