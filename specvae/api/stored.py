"""How the stored values of an array serve a model: the order of its bands, their scale, what means no data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.errors import InputError
from specvae.ingest.layer import Layer
from specvae.ingest.validity import decode, keep_first
from specvae.spectra import Invalid

__all__ = ["Stored", "StoredValues", "band_set", "stored_as"]

StoredValues: TypeAlias = NDArray[np.generic]
"""An array's values as they came, of any real type: integers that a scale applies to, floats, booleans."""


@dataclass(frozen=True)
class Stored:
    """How the stored values of an array become physical ones, by band of the model."""

    order: tuple[int, ...]
    """For each band of the model, its 0-based index in the array."""
    layers: tuple[Layer, ...]
    """Scale, offset and nodata of each band of the model."""

    def physical(self, stored: StoredValues) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """``(bands, ...)`` as stored -> physical values of the model's bands, and reasons ``(...)``."""
        # Indexing with a list copies the array: not where the order is the model's own.
        chosen = stored if self.order == tuple(range(len(stored))) else stored[list(self.order)]
        if chosen.dtype.kind == "b":
            chosen = chosen.astype(np.uint8)
        reason = np.zeros(chosen.shape[1:], np.uint8)
        values = np.empty(chosen.shape, np.float32)
        decode(chosen, self.layers, list(values), reason)
        # A float64 that was finite may be infinite as float32, in which the model computes.
        keep_first(reason, np.asarray(~np.isfinite(values).all(axis=0)), Invalid.NAN)
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
    dtype: np.dtype[np.generic],
    nodata: float | None,
    scale: Sequence[float] = (),
    offset: Sequence[float] = (),
) -> Stored:
    """How an array with the bands ``source`` serves the detector. Raises ModelError where it does not."""
    match = detector.bands.match(source)
    if match.warning:
        # stacklevel: the line of the user's that calls score_array.
        warnings.warn(match.warning, UserWarning, stacklevel=4)
    kind = str(np.dtype(np.uint8) if dtype.kind == "b" else dtype)
    layers = tuple(
        Layer("", i + 1, source[i], kind, scale[i] if scale else 1.0, offset[i] if offset else 0.0, nodata)
        for i in match.order
    )
    return Stored(match.order, layers)
