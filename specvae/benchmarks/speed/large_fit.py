"""The cost of a large fit: millions of spectra in memory, five passes, from the split to the thresholds."""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.benchmarks.report import Row
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.spectra import Cube, Window
from specvae.stages.demo.synthetic import make_scene
from specvae.training.quota import Quota
from specvae.training.sampling import Region, split_blocks

__all__ = ["large_fit_rows"]

BANDS, EPOCHS = 12, 5
SPECTRA, CPU_SPECTRA, QUICK_SPECTRA = 10_000_000, 500_000, 20_000
"""Training spectra on a GPU, on the CPU, and in a quick run on the CPU."""
BATCH = 16_384
"""Spectra of a step: a GPU takes a step of many in about the time of a step of few. Smaller samples take a hundredth."""
LAND = 512
"""Side of the ground that the scene repeats, pixels."""


def large_fit_rows(device: str, quick: bool) -> list[Row]:
    """Rows on one fit without context, the data in memory when its time begins."""
    spectra = SPECTRA if device != "cpu" else QUICK_SPECTRA if quick else CPU_SPECTRA
    batch = min(BATCH, max(1, spectra // 100))
    config = ModelConfig.model_validate(
        {"training": {"epochs": EPOCHS, "batch": batch}, "sampling": {"max_pixels": spectra}}
    )
    cube = _scene(spectra, config)
    begun = time.perf_counter()
    detector = Detector.fit([_region(cube, config)], _bands(), config, ("scene",), context=False, device=device)
    seconds = time.perf_counter() - begun
    last, trained = detector.provenance["history"][-1], detector.provenance["pixels"]["train"]
    values = {
        "spectra": float(trained),
        "epochs": float(EPOCHS),
        "batch": float(batch),
        "steps": float(last["step"]),
        "seconds": seconds,
        "seconds_training": last["seconds"],
        "mspectra_per_s": last["step"] * batch / max(1e-9, last["seconds"]) / 1e6,
    }
    return [Row("large-fit", device, metric, value, 1, seconds) for metric, value in values.items()]


def _scene(spectra: int, config: ModelConfig) -> Cube:
    """A scene of valid pixels, so large that ``spectra`` of them remain when some are held out."""
    held = config.sampling.calibration + config.sampling.validation
    # A few more, since whole blocks are held out.
    side = math.ceil(math.sqrt(1.1 * spectra / (1.0 - held)))
    land = make_scene(LAND, LAND, 0, wavelengths=np.linspace(443, 2202, BANDS)).values.astype(np.float32)
    times = -(-side // LAND)
    values: NDArray[np.float32] = np.tile(land, (1, times, times))[:, :side, :side]
    noise = np.random.default_rng(0).standard_normal(values.shape, np.float32)
    values += np.sqrt(np.maximum(values, 1.0) / 4.0) * noise
    return Cube(values, np.zeros((side, side), np.uint8), Window(0, 0, side, side))


def _region(cube: Cube, config: ModelConfig) -> Region:
    split = split_blocks((cube.window.rows, cube.window.cols), 0, config.sampling, config.seed)
    role = Quota.share(config.sampling, 1).take(split.role(cube.window))
    return Region(cube, cube.window, role, split.block(cube.window), 0)


def _bands() -> BandSet:
    return BandSet(tuple(Band(f"band {number + 1}") for number in range(BANDS)))
