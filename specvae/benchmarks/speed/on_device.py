"""Scoring of spectra that lie in the memory of the device already, beside its own limits by bytes and by operations.

Nothing is read, gathered or carried to the device here: what is timed is normalisation and the two terms alone. The
contexts are given, since the ring is summed on the host; the rows ``resident`` time the path of a scene, ring and
transfers included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from specvae.benchmarks.report import Row
from specvae.benchmarks.speed.work import SpectrumWork
from specvae.model.config import ModelConfig
from specvae.model.precision import full_precision
from specvae.model.spectral_net import SpectralNet
from specvae.scoring.traced import BothTerms, Programs

__all__ = ["DeviceLimits", "measure_limits", "on_device_rows"]

BAND_COUNTS = (12, 200)
"""A Sentinel-2 product's bands, and those of an imaging spectrometer."""
REPEATS = 5
"""Rounds, of which the quickest counts: other work on the machine only ever slows one."""
SPECTRA_BYTES, SMALL_SPECTRA_BYTES = 800_000_000, 4_000_000
"""Bytes of the spectra that are scored, on a GPU and on the CPU: far more than the caches of a GPU hold."""
SPECTRA_AT_ONCE = (4096, 65_536, 262_144, 1_048_576)
"""Spectra that are scored at once; the quickest number counts, and is stated."""
COPY_BYTES, SMALL_COPY_BYTES = 2_000_000_000, 64_000_000
PRODUCT_SIDE, SMALL_PRODUCT_SIDE = 8192, 512
"""Bytes copied, and side of the square matrices multiplied, to measure a GPU's limits, and the CPU's."""
TRAINING_SPECTRA = 5000
"""Spectra that the normaliser and the context's components are learned from; the time of a score depends on sizes alone."""


@dataclass(frozen=True)
class DeviceLimits:
    """What a device reaches on the two operations that bound all others, in full float32."""

    copied: float
    """Bytes read and written by a copy within its memory, a second."""
    multiplied: float
    """Floating-point operations of a large product of square matrices, a second."""

    def spectra_per_s(self, work: SpectrumWork) -> float:
        """Spectra a second that neither limit lets a score exceed: its roofline (Williams et al., 2009)."""
        return min(self.copied / work.bytes, self.multiplied / work.operations)


def measure_limits(device: str) -> DeviceLimits:
    """Copy within the device's memory and multiply on it, as fast as it does."""
    large = device != "cpu"
    source = torch.zeros((COPY_BYTES if large else SMALL_COPY_BYTES) // 4, device=device)
    target = torch.empty_like(source)
    copying = quickest(device, lambda: target.copy_(source))
    side = PRODUCT_SIDE if large else SMALL_PRODUCT_SIDE
    factor, product = torch.rand(side, side, device=device), torch.empty(side, side, device=device)
    with full_precision():
        multiplying = quickest(device, lambda: torch.mm(factor, factor, out=product))
    return DeviceLimits(2.0 * 4 * source.numel() / copying, 2.0 * side**3 / multiplying)


def on_device_rows(device: str) -> list[Row]:
    """Rows on scoring at each number of bands, without and with contexts: spectra a second and what bounds them."""
    limits = measure_limits(device)
    rows = [
        Row("device", "copy", "gb_per_s", limits.copied / 1e9, REPEATS, 0.0),
        Row("device", "product", "gflop_per_s", limits.multiplied / 1e9, REPEATS, 0.0),
    ]
    for bands in BAND_COUNTS:
        for context in (False, True):
            rows += _rows_of_one(device, bands, context, limits)
    return rows


@torch.inference_mode()
def _rows_of_one(device: str, bands: int, context: bool, limits: DeviceLimits) -> list[Row]:
    net = _net(bands, context).to(device).eval()
    size = (SPECTRA_BYTES if device != "cpu" else SMALL_SPECTRA_BYTES) // (4 * bands)
    spectra = torch.randn(bands, size, device=device)
    contexts = torch.randn(net.components, size, device=device) if context else None
    seconds, at_once = _quickest_width(device, net, spectra, contexts)
    work = SpectrumWork.of(net, bands, given_contexts=True)
    rate, limit = size / seconds, limits.spectra_per_s(work)
    values = {
        "mspectra_per_s": rate / 1e6,
        "bytes_per_spectrum": work.bytes,
        "operations_per_spectrum": work.operations,
        "limit_by_bytes_mspectra_per_s": limits.copied / work.bytes / 1e6,
        "limit_by_operations_mspectra_per_s": limits.multiplied / work.operations / 1e6,
        "share_of_limit": rate / limit,
        "spectra_at_once": float(at_once),
    }
    method = f"{bands} bands, {'with' if context else 'without'} context"
    return [Row("device", method, metric, value, REPEATS, seconds) for metric, value in values.items()]


def _net(bands: int, context: bool) -> SpectralNet:
    """A net that was not trained: its arithmetic is that of a trained one."""
    spectra = np.random.default_rng(0).normal(size=(bands, TRAINING_SPECTRA)).astype(np.float32)
    return SpectralNet.untrained(spectra, ModelConfig().resolved(table=False, bands=bands), context)


def _quickest_width(device: str, net: SpectralNet, spectra: Tensor, contexts: Tensor | None) -> tuple[float, int]:
    """Seconds of a score of all spectra, and how many at once were quickest."""
    programs = Programs(net, device)
    size = spectra.shape[1]
    timed = []
    for width in sorted({min(width, size) for width in SPECTRA_AT_ONCE}):
        # Contiguous, as the cells of a scene are once they are gathered.
        pieces = [_piece(spectra, contexts, start, width) for start in range(0, size - width + 1, width)]
        with full_precision():
            seconds = quickest(device, partial(_score, programs, net, pieces))
        # What does not fill the last piece is not scored.
        timed.append((seconds * size / (width * len(pieces)), width))
    return min(timed)


def _piece(spectra: Tensor, contexts: Tensor | None, start: int, width: int) -> tuple[Tensor, ...]:
    arrays = (spectra,) if contexts is None else (spectra, contexts)
    return tuple(array[:, start : start + width].contiguous() for array in arrays)


def _score(programs: Programs, net: SpectralNet, pieces: Sequence[tuple[Tensor, ...]]) -> None:
    """Normalise the spectra of each piece and compute both terms, as for a scene's cells."""
    for spectra, *contexts in pieces:
        programs.run(BothTerms, net.normalised(spectra).values, *contexts)


def quickest(device: str, job: Callable[[], object]) -> float:
    """Seconds of the quickest of some rounds, once a first one has prepared and allocated what the others use again."""
    job()
    seconds = []
    for _ in range(REPEATS):
        _finish(device)
        begun = time.perf_counter()
        job()
        _finish(device)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _finish(device: str) -> None:
    """Wait for the device: work on a GPU goes on after the call that asked for it has returned."""
    if device != "cpu":
        torch.cuda.synchronize(device)
