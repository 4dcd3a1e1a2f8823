"""Scoring a block of a larger array, with the same bits as when all of it is scored at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from specvae.api.stored import Stored, StoredValues
from specvae.detector import Detector
from specvae.ingest.scene.windows import tile
from specvae.ingest.validity import Mask, keep_first
from specvae.model_file import pack_model, unpack_model
from specvae.spectra import Cube, Invalid, Parts, Window

__all__ = ["ArrayScorer"]

PIXELS = 1 << 18
"""Pixels that are scored at once, so that working memory does not grow with the array."""


class ArrayScorer:
    """A detector that scores arrays; pickled as the bytes of its model file, so that it travels to workers."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    def __reduce__(self) -> tuple[Callable[[bytes, str, int], ArrayScorer], tuple[bytes, str, int]]:
        # A network's own pickle would hold class paths, threads and locks; the model file's bytes hold none of them,
        # and a worker checks them as it would check a file.
        return _restored, (pack_model(self.detector, {}), self.detector.device, self.detector.threads)

    def __dask_tokenize__(self) -> str:
        """A name made from the weights alone, so that the same scores have the same name in a graph of tasks."""
        # Without it dask would hash the pickle, which holds the time at which it was packed, and recompute everything.
        net = self.detector.state.arrays
        return hashlib.sha256(b"".join(np.ascontiguousarray(net[name]).tobytes() for name in sorted(net))).hexdigest()

    def rows(self, stored: StoredValues, how: Stored, valid: Mask | None) -> NDArray[np.float32]:
        """``(3, n)`` score, reconstruction, KL of rows ``(bands, n)``. Raises InputError for a model with context."""
        values, reason = how.physical(stored)
        usable = (reason == 0) if valid is None else (reason == 0) & valid
        return _stacked(self.detector.score_rows(values.T, usable))

    def block(
        self, stored: StoredValues, how: Stored, valid: Mask | None, around: Window, inner: Window
    ) -> NDArray[np.float32]:
        """``(3, rows, cols)`` of the window ``inner`` of an array.

        ``stored`` ``(bands, rows, cols)`` lies at ``around``, which covers ``inner`` and, where the array goes on, its
        halo.
        """
        # Bands of complete cells where the scorer has any, so that none is computed twice.
        cell = self.detector.scorer.cell
        out = np.empty((3, inner.rows, inner.cols), np.float32)
        for part in tile((inner.rows, inner.cols), (cell, inner.cols), PIXELS, cell):
            window = part.shift(inner.row, inner.col)
            # `with_halo` has the coordinates of the array, which cells are aligned to; `stored` begins at `around`.
            with_halo = window.grow(self.detector.halo).clip(around)
            rows, cols = with_halo.shift(-around.row, -around.col).slices
            values, reason = how.physical(stored[:, rows, cols])
            if valid is not None:
                keep_first(reason, ~valid[rows, cols], Invalid.MASK)
            parts = self.detector.score(Cube(values, reason, with_halo), window)
            out[(slice(None), *part.slices)] = _stacked(parts)
        return out


def _stacked(parts: Parts) -> NDArray[np.float32]:
    return np.stack([parts.score, parts.reconstruction, parts.kl])


def _restored(payload: bytes, device: str, threads: int) -> ArrayScorer:
    return ArrayScorer(unpack_model(payload, "that was sent", device, threads).detector)
