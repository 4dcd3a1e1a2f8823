"""A table with two clusters, a skewed and a constant column, and the model fitted on it, each made once in a process."""

from __future__ import annotations

from functools import cache

import numpy as np

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.training.sampling import region_of_rows

CONFIG = ModelConfig.model_validate({"training": {"steps": 60, "refits": 1}, "sampling": {"folds": 1}})
NAMES = tuple(f"b{i}" for i in range(6))


@cache
def rows(n: int = 9000, seed: int = 0) -> np.ndarray:
    """Two clusters, one skewed band, one constant band: ``(n, 6)``."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, 2, n)[:, None]
    values = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 4)) + 6 * cluster
    skewed = rng.exponential(size=(n, 1))
    return np.hstack([1000 + 50 * values, 10 * skewed, np.full((n, 1), 7.0)]).astype(np.float32)


def fitted(values: np.ndarray, config: ModelConfig = CONFIG) -> Detector:
    region = region_of_rows(values, np.ones(len(values), bool), config.sampling, config.seed)
    bands = BandSet(tuple(Band(f"b{i}") for i in range(values.shape[1])))
    return Detector.fit([region], bands, config, ("table",), context=False)


@cache
def detector() -> Detector:
    return fitted(rows())
