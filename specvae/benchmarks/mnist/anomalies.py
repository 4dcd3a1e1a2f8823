"""Digits as anomalies: one digit normal, or one anomalous; ours, principal components and the nearest neighbour."""

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
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from specvae.benchmarks.mnist.data import Digits
from specvae.benchmarks.mnist.image_model import ImageModel
from specvae.benchmarks.report import Row
from specvae.files.atomic import atomic_file
from specvae.model.config import ModelConfig
from specvae.scoring.gathered.metrics import auroc

__all__ = ["ANOMALOUS", "DETECTOR", "NORMAL", "dataset_name", "run_anomalies"]

DETECTOR = "image-mixture"
"""The preset that looks for odd digits, one for all of them."""
NORMAL, ANOMALOUS = "normal", "anomalous"
COMPONENTS = 30
HELD = 20
"""Every so many-th training image tells training when to stop."""

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """One digit that is normal, or anomalous, against all others."""

    kind: str
    digit: int

    def split(self, digits: Digits) -> tuple[Images, NDArray[np.bool_]]:
        """Training images, all normal, and the truth ``(m,)`` of the test images, True = anomalous."""
        same, test = digits.train_labels == self.digit, digits.test_labels == self.digit
        if self.kind == NORMAL:
            return digits.train[same], ~test
        return digits.train[~same], test


def dataset_name(kind: str, digit: int) -> str:
    """The ``dataset`` of a row of metrics.json: ``mnist-normal-3``."""
    return f"mnist-{kind}-{digit}"


def run_anomalies(
    config: ModelConfig, seeds: int, digits: Digits, which: tuple[int, ...], work: Path, device: str,
    tell: Callable[[str], None],
) -> list[Row]:  # fmt: skip
    """Rows of AUROC for every task and method; what ``work`` holds already is not done again."""
    rows = []
    for kind in (NORMAL, ANOMALOUS):
        for digit in which:
            task = Task(kind, digit)
            mine = [
                _kept(_ours(config.model_copy(update={"seed": s}), device), task, digits, work) for s in range(seeds)
            ]
            found = {DETECTOR: mine}
            found |= {name: [_kept(method, task, digits, work)] for name, method in BASELINES.items()}
            rows += [_row(task, name, results) for name, results in found.items()]
            tell(f"digit {digit} {kind}: " + ", ".join(f"{r.method} {r.value:.4f}" for r in rows[-len(found) :]))
    return rows


@dataclass(frozen=True)
class Method:
    """A way to score test images by what training images are like."""

    name: str
    """With its settings, so that a kept result is found again."""
    score: Callable[[Images, Images], NDArray[np.floating]]
    """``(n, 784)`` training and ``(m, 784)`` test images -> ``(m,)``, higher = more anomalous."""


def _ours(config: ModelConfig, device: str) -> Method:
    def score(train: Images, test: Images) -> NDArray[np.floating]:
        return ImageModel.fit(train, config, train[::HELD], device).score(test).score

    mark = hashlib.sha256(config.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:10]
    return Method(f"{config.preset}-{config.seed}-{mark}", score)


def _pca(train: Images, test: Images) -> NDArray[np.floating]:
    pca = PCA(min(COMPONENTS, len(train)), svd_solver="covariance_eigh").fit(train)
    return np.asarray(np.square(pca.inverse_transform(pca.transform(test)) - test).sum(axis=1))


def _nearest(train: Images, test: Images) -> NDArray[np.floating]:
    return np.asarray(NearestNeighbors(n_neighbors=1, algorithm="brute").fit(train).kneighbors(test)[0][:, 0])


BASELINES = {"pca": Method(f"pca{COMPONENTS}", _pca), "knn": Method("knn1", _nearest)}
"""Residual beyond 30 principal components, and distance to the nearest training image."""


def _kept(method: Method, task: Task, digits: Digits, work: Path) -> tuple[float, float]:
    """AUROC and seconds, from ``work`` where they are known."""
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


def _row(task: Task, method: str, found: list[tuple[float, float]]) -> Row:
    areas, seconds = zip(*found, strict=True)
    return Row(dataset_name(task.kind, task.digit), method, "auroc", fmean(areas), len(found), fmean(seconds))
