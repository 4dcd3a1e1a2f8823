"""Kinds of ground: the training spectra as a mixture of laws, so that a scene is compared with training pixels like it.

A crop of water has other bands than the scene that it was cut from, and is no less normal. So the shares of the kinds are
estimated anew for each scene, and only what no kind of normal ground shows counts as drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_BANDS", "GroundKinds", "Membership"]

KINDS = 32
"""Kinds at most."""
PIXELS_PER_KIND = 10
"""Pixels a band and kind at least, so that the covariance of a kind is estimated and not guessed."""
SAMPLE = 12_000
"""Training pixels that the kinds are learned from, at most."""
MOST_BANDS = 16
"""Bands that are compared; of more, so many evenly spaced ones, since neighbours of a spectrometer say the same."""
FREEDOM = 6.0
"""Degrees of freedom of Student's law, whose heavy tails keep anomalies from deciding."""
LEARNING_STEPS = 3
"""Steps of expectation and maximisation after the start by k-means."""
WEIGHT_STEPS = 5
"""Steps in which the shares of the kinds are estimated for a scene."""
AT_ONCE = 1000
"""Spectra whose densities are computed at once."""
OWN_SHARES = 0.9
"""Part of a scene's shares that are its own; the rest are the training's, so that no kind is ever impossible."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Membership:
    """How some spectra belong to the kinds, the shares of the kinds being those of these very spectra."""

    log_density: Floats
    """``(n,)``: log density of each spectrum under the mixture, of normalised bands."""
    share: Floats
    """``(n, kinds)``: probability of each kind."""
    surprise: Floats
    """``(n,)``: how much more improbable each spectrum is than training pixels of its kinds are in the mean, nats."""

    @property
    def kind(self) -> NDArray[np.int64]:
        """``(n,)``: the most probable kind of each spectrum."""
        return np.asarray(self.share.argmax(axis=1), np.int64)


@dataclass(frozen=True, eq=False)
class GroundKinds:
    """A mixture of multivariate Student laws over the normalised bands of the training spectra."""

    bands: NDArray[np.int64]
    """Indices of the bands that are compared."""
    centre: Floats
    """``(bands,)``: median of each, physical units."""
    scale: Floats
    """``(bands,)``: spread of each, physical units."""
    mean: Floats
    """``(kinds, bands)``, normalised."""
    whitening: Floats
    """``(kinds, bands, bands)``: the inverse of the Cholesky factor of each covariance."""
    weight: Floats
    """``(kinds,)``: shares in training."""
    typical: Floats
    """``(kinds,)``: mean log density of the training pixels of each kind under its law."""

    @classmethod
    def fit(cls, spectra: NDArray[np.floating]) -> GroundKinds | None:
        """Learn the kinds from ``(bands, n)`` training spectra; None where they are too few or hardly vary."""
        thin = np.asarray(spectra[:, :: max(1, spectra.shape[1] // SAMPLE)], np.float64)
        low, middle, high = np.quantile(thin, [0.1, 0.5, 0.9], axis=1)
        bands = _compared(np.nonzero(high > low)[0])
        count = min(KINDS, thin.shape[1] // (PIXELS_PER_KIND * max(1, bands.size)))
        if not bands.size or count < 1:
            return None
        centre, scale = middle[bands], (high - low)[bands] / 2.56
        normalised = ((thin[bands] - centre[:, None]) / scale[:, None]).T
        learned = _learn(normalised, count)
        kinds = cls(bands, centre, scale, *learned, np.zeros(len(learned[0])))
        densities = kinds._log_densities(normalised)
        share = _shares(densities, kinds.weight)
        typical = (share * densities).sum(axis=0) / np.maximum(share.sum(axis=0), 1e-9)
        return cls(bands, centre, scale, *learned, typical)

    def membership(self, spectra: NDArray[np.floating]) -> Membership:
        """How ``(bands, n)`` spectra in physical units belong to the kinds, by shares of their own."""
        densities = self._log_densities(self.normalised(spectra))
        relative, weight, top = self._shared_out(densities)
        share = (relative * weight[:, 0]).astype(np.float64)
        total = share.sum(axis=1, keepdims=True)
        share /= total
        surprise = (share * (self.typical - densities)).sum(axis=1)
        return Membership((top + np.log(total))[:, 0], share, surprise)

    def _shared_out(self, densities: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32], Floats]:
        """Estimate the shares of the kinds from ``(..., n, kinds)`` log densities of spectra.

        Returns the densities divided by the highest of each spectrum ``(..., n, kinds)``, the shares ``(..., kinds, 1)``, and
        the logarithm of the highest ``(..., n, 1)``.
        """
        top = densities.max(axis=-1, keepdims=True)
        # Shares need no more than single precision, in which exponentials and products take a fraction of the time.
        relative, usual = np.exp((densities - top).astype(np.float32)), self.weight.astype(np.float32)[:, None]
        weight = usual
        for _ in range(WEIGHT_STEPS):
            # The mean share of each kind, without the shares of each spectrum.
            mean = (
                weight * (np.swapaxes(relative, -1, -2) @ (1 / (relative @ weight))) / np.float32(densities.shape[-2])
            )
            weight = OWN_SHARES * mean + (1 - OWN_SHARES) * usual
        return relative, weight, top

    def log_density_of_each(self, spectra: NDArray[np.floating], count: int) -> Floats:
        """``(count, n / count)``: log density of ``(bands, n)`` spectra, ``count`` scenes in turn, each by shares of its own."""
        densities = self._log_densities(self.normalised(spectra)).reshape(count, -1, len(self.mean))
        relative, weight, top = self._shared_out(densities)
        return np.asarray((top + np.log(relative @ weight))[..., 0])

    def normalised(self, spectra: NDArray[np.floating]) -> Floats:
        """``(bands, n)`` physical units -> ``(n, compared bands)``."""
        return ((np.asarray(spectra, np.float64)[self.bands] - self.centre[:, None]) / self.scale[:, None]).T

    def residual(self, spectra: NDArray[np.floating], share: Floats) -> Floats:
        """``(compared bands,)``: median distance of each band from the means of the pixels' kinds, in the kinds' spreads."""
        distance = (self.normalised(spectra) - share @ self.mean) / (share @ self._deviation)
        return np.asarray(np.median(distance, axis=0))

    def _log_densities(self, normalised: Floats) -> Floats:
        """``(n, kinds)``: log density under each kind, without the constant that all kinds share."""
        # In float32, a kind and a thousand spectra at a time: a library of matrix products shares out larger ones among
        # threads, and these then take six times as long as one of them alone.
        parts = [
            self._square(normalised[i : i + AT_ONCE].astype(np.float32)) for i in range(0, len(normalised), AT_ONCE)
        ]
        square = np.concatenate(parts) if parts else np.zeros((0, len(self.mean)), np.float32)
        bands = self.mean.shape[1]
        return np.asarray(self._volume - 0.5 * (FREEDOM + bands) * np.log1p(square / FREEDOM), np.float64)

    def _square(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(n, kinds)``: squared Mahalanobis distance from each kind; at most 1e30 a band, so that none overflows."""
        whitening, shift = self._products
        white = np.matmul(whitening, normalised.T)
        white -= shift[:, :, None]
        np.clip(white, -1e15, 1e15, out=white)
        return np.asarray(np.einsum("kbn,kbn->nk", white, white))

    @cached_property
    def _products(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The whitenings ``(kinds, bands, bands)``, and the means whitened ``(kinds, bands)``."""
        shift = np.einsum("kij,kj->ki", self.whitening, self.mean)
        return self.whitening.astype(np.float32), shift.astype(np.float32)

    @cached_property
    def _volume(self) -> NDArray[np.float32]:
        """``(kinds,)``: log volume of each whitening."""
        return np.asarray(np.log(np.einsum("kii->ki", self.whitening)).sum(axis=1), np.float32)

    @cached_property
    def _deviation(self) -> Floats:
        """``(kinds, bands)``: standard deviation of each band in each kind."""
        return np.asarray(np.sqrt(np.einsum("kij,kij->ki", *(2 * [np.linalg.inv(self.whitening)]))))

    def to_arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.int32]]:
        """The fields by name, for the model file."""
        fields: dict[str, NDArray[np.float32] | NDArray[np.int32]] = {"bands": self.bands.astype(np.int32)}
        for name in ("centre", "scale", "mean", "whitening", "weight", "typical"):
            fields[name] = np.asarray(getattr(self, name), np.float32)
        return fields

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.floating] | NDArray[np.integer]]) -> GroundKinds:
        """The inverse of :meth:`to_arrays`. Raises KeyError or ValueError for other arrays."""
        names = ("centre", "scale", "mean", "whitening", "weight", "typical")
        fields = [np.asarray(arrays[name], np.float64) for name in names]
        kinds = cls(np.asarray(arrays["bands"], np.int64), *fields)
        if kinds.whitening.shape != (*kinds.mean.shape, kinds.mean.shape[1]):
            raise ValueError(f"the kinds have means {kinds.mean.shape} and whitenings {kinds.whitening.shape}")
        return kinds


def _compared(varying: NDArray[np.intp]) -> NDArray[np.int64]:
    """At most 16 of the bands that vary, evenly spaced."""
    if varying.size <= MOST_BANDS:
        return np.asarray(varying, np.int64)
    return np.asarray(varying[np.linspace(0, varying.size - 1, MOST_BANDS).round().astype(int)], np.int64)


def _learn(normalised: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """Means, whitenings and weights of at most ``count`` kinds of ``(n, bands)`` normalised spectra."""
    from scipy.cluster.vq import kmeans2  # a fit alone needs it

    # Absurd values would draw a mean each; the laws' tails account for them.
    clipped = np.clip(normalised, -12, 12)
    _, label = kmeans2(clipped, count, minit="++", rng=np.random.default_rng(0), iter=8)
    share = np.eye(count)[label]
    share = share[:, share.sum(axis=0) > 0]
    for _ in range(LEARNING_STEPS):
        mean, whitening, weight = _maximised(clipped, share)
        kinds = GroundKinds(
            np.arange(mean.shape[1]), np.zeros(1), np.ones(1), mean, whitening, weight, np.zeros(len(mean))
        )
        share = _shares(kinds._log_densities(clipped), weight)
    return _maximised(clipped, share)


def _shares(densities: Floats, weight: Floats) -> Floats:
    """``(n, kinds)``: probability of each kind, from log densities and shares of the kinds."""
    logs = densities + np.log(np.maximum(weight, 1e-12))
    share = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def _maximised(normalised: Floats, share: Floats) -> tuple[Floats, Floats, Floats]:
    """Means, whitenings and weights of the kinds, given how the spectra ``(n, bands)`` belong to them."""
    count, bands = share.sum(axis=0) + 1e-9, normalised.shape[1]
    mean = (share.T @ normalised) / count[:, None]
    scatter = np.stack(
        [((normalised - m) * s[:, None]).T @ (normalised - m) for m, s in zip(mean, share.T, strict=True)]
    )
    pooled = scatter.sum(axis=0) / len(normalised) + 1e-6 * np.eye(bands)
    whitening = []
    for covariance, pixels in zip(scatter / count[:, None, None], count, strict=True):
        size = max(float(np.trace(covariance)), 1e-6 * float(np.trace(pooled)))
        # Few pixels say little of a covariance: it is drawn towards the one that all kinds share, at its own size.
        own = pixels / (pixels + 3 * bands)
        drawn = own * covariance + (1 - own) * pooled * (size / np.trace(pooled)) + 1e-5 * size / bands * np.eye(bands)
        whitening.append(np.linalg.inv(np.linalg.cholesky(drawn)))
    return mean, np.stack(whitening), count / count.sum()
