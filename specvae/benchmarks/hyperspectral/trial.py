"""One scene fitted on itself and scored by the product's own path, and what the baselines say of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.benchmarks.hyperspectral.mat_scene import MatScene
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.context import RingContext
from specvae.scoring.baselines import METHODS, Background
from specvae.scoring.pooling import pool
from specvae.spectra import Cube, Window
from specvae.training.sampling import Region, Role, split_blocks

__all__ = ["Result", "baselines", "fit_and_score"]


@dataclass(frozen=True)
class Result:
    """One scene, one seed."""

    maps: dict[str, NDArray[np.float32]]
    """Method -> ``(rows, cols)``."""
    fit_seconds: float
    score_seconds: float
    processor_seconds: float
    """Of fit and score on all cores: on a machine that others use too, it is what an idle one would need."""
    diagnostics: dict[str, Any]


def fit_and_score(scene: MatScene, settings: Iterable[str], seed: int, device: str) -> Result:
    """Fit on the scene itself, without its map, and score it."""
    config = load_config(settings=[*settings, f"seed={seed}"])
    started, spent = time.perf_counter(), time.process_time()
    region = _region(scene, config)
    bands = BandSet(tuple(Band(f"band {i + 1}") for i in range(len(scene.values))))
    context = config.context.kind != "none"
    detector = Detector.fit([region], bands, config, (scene.name,), context, device, threads=2)
    fitted = time.perf_counter()
    score = detector.score(region.cube, region.window).score
    scored = time.perf_counter()
    maps = {"specvae": score, "specvae-pooled": pool(score)}
    processor = time.process_time() - spent
    return Result(maps, fitted - started, scored - fitted, processor, detector.provenance["diagnostics"])


def _region(scene: MatScene, config: ModelConfig) -> Region:
    shape = scene.truth.shape
    window = Window(0, 0, *shape)
    reason = np.asarray(~np.isfinite(scene.values).all(axis=0), np.uint8)
    buffer = RingContext(1, config.context).halo if config.context.kind != "none" else 0
    split = split_blocks((shape[0], shape[1]), buffer, config.sampling, config.seed)
    role = np.where(reason == 0, split.role(window), np.uint8(Role.UNUSED)).astype(np.uint8)
    return Region(Cube(scene.values, reason, window), window, role, split.block(window), 0)


def baselines(scene: MatScene) -> dict[str, tuple[NDArray[np.float32], float]]:
    """Method -> map and seconds, each fitted on all pixels of the scene."""
    spectra = scene.values.reshape(len(scene.values), -1)
    found = {}
    for name in METHODS:
        started = time.perf_counter()
        score = getattr(Background.fit(spectra), name)(spectra.T)
        found[name] = (score.reshape(scene.truth.shape).astype(np.float32), time.perf_counter() - started)
    return found
