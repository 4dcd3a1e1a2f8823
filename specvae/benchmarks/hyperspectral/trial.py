"""One trial: a scene fitted on itself and scored as the product does it, and the baselines' maps of the same scene."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.benchmarks.hyperspectral.data import MatScene
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.context import RingContext
from specvae.scoring.baselines import METHODS, Background
from specvae.scoring.pooling import pool, stored_reach
from specvae.spectra import Cube, Window
from specvae.training.quota import Quota, Role
from specvae.training.sampling import Region, cross_split, split_blocks

__all__ = ["Baseline", "Diagnostics", "Result", "baselines", "fit_and_score", "region_of"]

THREADS = 2
"""Threads of every fit, so that processor seconds compare between machines."""


class Diagnostics(TypedDict):
    """What the page shows of a fit's diagnostics."""

    active_latent: int
    """Latent dimensions that carry information."""
    latent: int
    kl_share: float
    """Share of the KL term in the score."""
    warnings: list[str]


@dataclass(frozen=True)
class Result:
    """The maps and costs of one scene under one seed."""

    maps: dict[str, NDArray[np.float32]]
    """Method -> ``(rows, cols)``."""
    fit_seconds: float
    score_seconds: float
    processor_seconds: float
    """Processor time of fit and score, all cores together: unlike the clock, it does not count the work of others on the
    same machine."""
    diagnostics: Diagnostics


def fit_and_score(scene: MatScene, settings: Iterable[str], seed: int, device: str) -> Result:
    """Fit on the scene itself, without its map, and score it; ``settings`` are ``key=value`` changes of the default."""
    config = load_config(settings=[*settings, f"seed={seed}"])
    started, spent = time.perf_counter(), time.process_time()
    window = Window(0, 0, *scene.truth.shape)
    reason = np.asarray(~np.isfinite(scene.values).all(axis=0), np.uint8)
    region = region_of(Cube(scene.values, reason, window), config)
    bands = BandSet(tuple(Band(f"band {i + 1}") for i in range(len(scene.values))))
    context = config.context.kind != "none"
    detector = Detector.fit([region], bands, config, (scene.name,), context, device, threads=THREADS)
    fitted = time.perf_counter()
    score = detector.score(region.cube, region.window).score
    scored = time.perf_counter()
    maps = {"specvae": score, "specvae-pooled": pool(score, stored_reach(detector.provenance))}
    processor = time.process_time() - spent
    return Result(maps, fitted - started, scored - fitted, processor, detector.provenance["diagnostics"])


def region_of(cube: Cube, config: ModelConfig, number: int = 0, count: int = 1) -> Region:
    """The cube as one of ``count`` regions to fit on, as ``specvae fit`` divides it.

    All of its blocks train, and all calibrate by the models of the folds; where the configuration says one fold, blocks are
    split for training, validation and calibration.
    """
    window, valid, seed = cube.window, cube.valid, config.seed + number
    size = (window.rows, window.cols)
    if config.sampling.fold_count == 1:
        # Where a ring of neighbours is used, blocks of different roles must lie further apart than the ring reaches.
        buffer = RingContext(1, config.context).halo if config.context.kind != "none" else 0
        held = split_blocks(size, buffer, config.sampling, seed)
        role = np.where(valid, held.role(window), np.uint8(Role.UNUSED)).astype(np.uint8)
        return Region(cube, window, role, held.block(window), number)
    split = cross_split(size, config.context.outer // 2, config.sampling, seed)
    quota, block = Quota.crossed(config.sampling, count), split.block(window)
    role = quota.take(np.where(valid, split.role(window), np.uint8(Role.UNUSED)).astype(np.uint8))
    folds = split.fold_map(window, quota.calibrating(valid, block))
    return Region(cube, window, role, block, number, folds)


class Baseline(NamedTuple):
    """A baseline's map of a scene."""

    score: NDArray[np.float32]
    """``(rows, cols)``, higher = more anomalous."""
    seconds: float


def baselines(scene: MatScene) -> dict[str, Baseline]:
    """Each baseline by name, fitted on all pixels of the scene."""
    spectra = scene.values.reshape(len(scene.values), -1)
    maps = {}
    for name in METHODS:
        started = time.perf_counter()
        # Fitted anew for each method, so that its seconds are those of fit and score as the product's are.
        score = getattr(Background.fit(spectra), name)(spectra.T)
        maps[name] = Baseline(score.reshape(scene.truth.shape).astype(np.float32), time.perf_counter() - started)
    return maps
