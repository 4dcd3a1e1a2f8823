"""Scoring of spectra that are in memory already, beside the limits that arithmetic and memory set."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.report import Row
from specvae.benchmarks.speed.work import SpectrumWork
from specvae.detector import Detector
from specvae.ingest.scene.opening import open_scene
from specvae.model_file import load_model
from specvae.spectra import CELL, Cube, Window

__all__ = ["resident_rows"]

REPEATS = 5
"""Rounds, of which the quickest counts: other work on the machine only ever slows one."""
PRODUCTS = 400
"""Matrix products in a round."""
LARGEST_SIDE = 1024
"""Side of the cube in memory, pixels, where the scene is larger."""


def resident_rows(work: Path, scene: Path, device: str, threads: int) -> list[Row]:
    """Rows on the models ``score`` and ``score-context`` over a cube in memory: pixels a second, and what bounds them."""
    rows = []
    for name in ("score", "score-context"):
        detector = load_model(work / f"{name}.specvae").detector.on(device, threads)
        with open_scene(str(scene), match=detector.bands) as opened:
            side = min(opened.rows, opened.cols, LARGEST_SIDE)
            window = Window(0, 0, side, side)
            cube = opened.read(window)
        # Once untimed: the first score of a shape prepares and allocates what the others use again.
        detector.score(cube, window)
        seconds = min(_timed(detector, cube, window) for _ in range(REPEATS))
        work_of_one = SpectrumWork.of(detector.net, len(detector.bands))
        values = {
            "mpx_per_s": window.size / 1e6 / seconds,
            "operations_per_pixel": work_of_one.operations,
            "bytes_per_pixel": work_of_one.bytes,
            "gflop_per_s": work_of_one.operations * window.size / seconds / 1e9,
        }
        if detector.device == "cpu":
            values["floor_mpx_per_s"] = _product_rate(threads) / work_of_one.operations * 1e3
        rows += [Row("resident", name, metric, value, REPEATS, seconds) for metric, value in values.items()]
    return rows


def _timed(detector: Detector, cube: Cube, window: Window) -> float:
    """Seconds of one score of the cube."""
    begun = time.perf_counter()
    detector.score(cube, window)
    return time.perf_counter() - begun


def _product_rate(threads: int) -> float:
    """GFLOP/s of products of the shape that a cell has, ``(40, 16) @ (16, 4096)``: scoring cannot be faster."""
    rng = np.random.default_rng(0)
    weights, spectra = rng.random((40, 16), np.float32), rng.random((16, CELL**2), np.float32)
    out = np.empty((40, CELL**2), np.float32)
    best = min(_products(weights, spectra, out) for _ in range(REPEATS))
    rate: float = threads * 2.0 * weights.size * spectra.shape[1] * PRODUCTS / best / 1e9
    return rate


def _products(weights: NDArray[np.float32], spectra: NDArray[np.float32], out: NDArray[np.float32]) -> float:
    """Seconds of one round of products."""
    begun = time.perf_counter()
    for _ in range(PRODUCTS):
        np.matmul(weights, spectra, out=out)
    return time.perf_counter() - begun
