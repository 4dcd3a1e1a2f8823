"""How the stored values of an array serve a model: the order of its bands, their scale, what means no data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.errors import InputError
from specvae.ingest.layer import Layer
from specvae.ingest.validity import decode, keep_first
from specvae.spectra import Invalid

__all__ = ["Stored", "band_set", "stored_as"]


@dataclass(frozen=True)
class Stored:
    """How the stored values of an array become physical ones, by band of the model."""

    order: tuple[int, ...]
    """For each band of the model, its 0-based index in the array."""
    layers: tuple[Layer, ...]
    """Scale, offset and nodata of each band of the model."""

    def physical(self, stored: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """``(bands, ...)`` as stored -> physical values of the model's bands, and reasons ``(...)``."""
        chosen = stored if self.order == tuple(range(len(stored))) else stored[list(self.order)]
        if chosen.dtype.kind == "b":
            chosen = chosen.astype(np.uint8)
        reason = np.zeros(chosen.shape[1:], np.uint8)
        values = np.empty(chosen.shape, np.float32)
        decode(chosen, self.layers, list(values), reason)
        keep_first(reason, np.asarray(~np.isfinite(values).all(axis=0)), Invalid.NAN)  # beyond float32
        return values, reason


def band_set(count: int, names: Sequence[str] | None) -> BandSet:
    """Bands of an array that are known by name alone, or not at all."""
    if names is None:
        return BandSet((Band(),) * count)
    if len(names) != count:
        raise InputError(f"{len(names)} band names came for an array of {count} bands; name each")
    return BandSet(tuple(Band(str(name)) for name in names))


def stored_as(
    detector: Detector,
    source: BandSet,
    dtype: np.dtype[Any],
    nodata: float | None,
    scale: Sequence[float] = (),
    offset: Sequence[float] = (),
) -> Stored:
    """How an array with the bands ``source`` serves the detector. Raises ModelError where it does not."""
    match = detector.bands.match(source)
    if match.warning:
        warnings.warn(match.warning, UserWarning, stacklevel=4)
    kind = str(np.dtype(np.uint8) if dtype.kind == "b" else dtype)
    layers = tuple(
        Layer("", i + 1, source[i], kind, scale[i] if scale else 1.0, offset[i] if offset else 0.0, nodata)
        for i in match.order
    )
    return Stored(match.order, layers)
