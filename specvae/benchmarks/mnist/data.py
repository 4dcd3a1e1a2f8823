"""MNIST as the benchmark uses it: flattened images in 0..1 with their labels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from specvae.benchmarks.datasets import fetch_mnist, mnist
from specvae.benchmarks.settings import Settings

__all__ = ["Digits", "load_digits"]


@dataclass(frozen=True, eq=False)
class Digits:
    """Training and test images ``(n, 784)`` in 0..1 and their labels ``(n,)``."""

    train: NDArray[np.float32]
    train_labels: NDArray[np.uint8]
    test: NDArray[np.float32]
    test_labels: NDArray[np.uint8]

    def first(self, train: int, test: int) -> Digits:
        """The first so many of each."""
        return Digits(self.train[:train], self.train_labels[:train], self.test[:test], self.test_labels[:test])

    def binarised(self, seed: int) -> NDArray[np.float32]:
        """Test images drawn as 0 or 1, each pixel with its grey level for probability."""
        return np.asarray(np.random.default_rng(seed).random(self.test.shape) < self.test, np.float32)

    def pca_error(self, components: int) -> float:
        """Mean squared error of test images kept as this many principal components of the training images."""
        pca = PCA(components, svd_solver="covariance_eigh").fit(self.train)
        return float(np.square(pca.inverse_transform(pca.transform(self.test)) - self.test).mean())


def load_digits(settings: Settings) -> Digits:
    """MNIST from ``--data``, else the folder of benchmark data, else downloaded into ``data/cache/mnist``.

    Raises InputError, saying what to do, where neither is there.
    """
    folder = settings.data or Path(os.environ.get("SPECVAE_DATA", "data/cache")) / "mnist"
    if settings.data is None and not folder.is_dir():
        folder = fetch_mnist(Path("data/cache/mnist"))
    found = mnist(folder)

    def flat(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)

    return Digits(
        flat(found["train_images"]), found["train_labels"], flat(found["test_images"]), found["test_labels"]
    )  # fmt: skip
