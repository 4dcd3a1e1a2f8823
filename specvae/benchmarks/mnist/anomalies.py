"""Digits as anomalies: one digit is normal, or one is the anomaly; our detector, PCA and the nearest neighbour."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from specvae.benchmarks.mnist.data import Digits, ImageSet, pca_residual
from specvae.benchmarks.mnist.image_model import ImageModel
from specvae.benchmarks.report import Row
from specvae.files.atomic import atomic_file
from specvae.model.config import ModelConfig
from specvae.scoring.gathered.metrics import auroc

__all__ = ["ANOMALOUS", "DETECTOR", "NORMAL", "dataset_name", "run_anomalies"]

DETECTOR = "image-mixture"
"""The preset that detects odd digits, the same for every digit."""
NORMAL, ANOMALOUS = "normal", "anomalous"
"""The kinds of task: the digit is the normal class, or it is the anomaly."""
COMPONENTS = 30
"""Principal components of the PCA baseline."""
VALIDATION_STEP = 20
"""Every 20th training image is also the validation that decides when training stops."""

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """One digit against all others, as the normal class or as the anomaly."""

    kind: str
    """:data:`NORMAL` or :data:`ANOMALOUS`."""
    digit: int

    def split(self, digits: Digits) -> tuple[Images, NDArray[np.bool_]]:
        """Training images, all normal, and the truth ``(m,)`` of the test images, True = anomalous."""
        same, test = digits.train_labels == self.digit, digits.test_labels == self.digit
        if self.kind == NORMAL:
            return digits.train[same], ~test
        return digits.train[~same], test


def dataset_name(images: ImageSet, kind: str, digit: int) -> str:
    """The ``dataset`` of a row of metrics.json: ``mnist-normal-3``."""
    return f"{images.name}-{kind}-{digit}"


def run_anomalies(
    config: ModelConfig,
    seeds: int,
    digits: Digits,
    which: tuple[int, ...],
    work: Path,
    device: str,
    progress: Callable[[str], None],
) -> list[Row]:
    """Rows of AUROC for every task and method; results that are stored in ``work`` are not computed again."""
    rows = []
    for kind in (NORMAL, ANOMALOUS):
        for digit in which:
            task = Task(kind, digit)
            ours = [_ours(config.model_copy(update={"seed": seed}), device) for seed in range(seeds)]
            results = {DETECTOR: [_measured(method, task, digits, work) for method in ours]}
            # The baselines draw nothing at random, so that one run of each stands for all seeds.
            results |= {name: [_measured(method, task, digits, work)] for name, method in BASELINES.items()}
            task_rows = [_row(digits.source, task, name, measured) for name, measured in results.items()]
            rows += task_rows
            progress(f"digit {digit} {kind}: " + ", ".join(f"{r.method} {r.value:.4f}" for r in task_rows))
    return rows


@dataclass(frozen=True)
class Method:
    """A method that scores test images by their likeness to the training images."""

    name: str
    """Name and settings: the part of the file name of a stored result that identifies the method."""
    score: Callable[[Images, Images], NDArray[np.floating]]
    """``(n, 784)`` training and ``(m, 784)`` test images -> ``(m,)``, higher = more anomalous."""


def _ours(config: ModelConfig, device: str) -> Method:
    def score(train: Images, test: Images) -> NDArray[np.floating]:
        return ImageModel.fit(train, config, train[::VALIDATION_STEP], device).score(test).score

    # Without the defaults, so that a setting that a later version adds leaves the names of stored results as they are.
    mark = hashlib.sha256(config.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:10]
    return Method(f"{config.preset}-{config.seed}-{mark}", score)


def _pca(train: Images, test: Images) -> NDArray[np.floating]:
    return np.asarray(np.square(pca_residual(train, test, min(COMPONENTS, len(train)))).sum(axis=1))


def _nearest(train: Images, test: Images) -> NDArray[np.floating]:
    # In 784 dimensions a tree prunes nothing, and all distances together are one matrix product.
    return np.asarray(NearestNeighbors(n_neighbors=1, algorithm="brute").fit(train).kneighbors(test)[0][:, 0])


BASELINES = {"pca": Method(f"pca{COMPONENTS}", _pca), "knn": Method("knn1", _nearest)}
"""The squared residual beyond 30 principal components, and the distance to the nearest training image."""


def _measured(method: Method, task: Task, digits: Digits, work: Path) -> tuple[float, float]:
    """AUROC and processor seconds of a method, loaded from ``work`` where they were measured before."""
    sizes = f"{len(digits.train)}-{len(digits.test)}"
    place = work / f"{task.kind}-{task.digit}-{method.name}-{sizes}.json"
    if place.is_file():
        stored = json.loads(place.read_text(encoding="utf-8"))
        return stored["auroc"], stored["seconds"]
    train, truth = task.split(digits)
    begun = time.process_time()
    area = auroc(method.score(train, digits.test), truth)
    seconds = time.process_time() - begun
    assert area is not None
    place.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(place) as beside:
        beside.write_text(json.dumps({"auroc": area, "seconds": seconds}), encoding="utf-8")
    return area, seconds


def _row(images: ImageSet, task: Task, method: str, measured: list[tuple[float, float]]) -> Row:
    areas, seconds = zip(*measured, strict=True)
    return Row(
        dataset_name(images, task.kind, task.digit), method, "auroc", fmean(areas), len(measured), fmean(seconds)
    )
