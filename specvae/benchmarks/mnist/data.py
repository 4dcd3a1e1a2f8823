"""MNIST as the benchmark uses it: flattened images in 0..1 with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from specvae.benchmarks.datasets import fetch_mnist, mnist
from specvae.benchmarks.settings import Settings, data_root

__all__ = ["Digits", "load_digits", "pca_residual"]


@dataclass(frozen=True, eq=False)
class Digits:
    """Training and test images ``(n, 784)`` in 0..1 and their labels ``(n,)``."""

    train: NDArray[np.float32]
    train_labels: NDArray[np.uint8]
    test: NDArray[np.float32]
    test_labels: NDArray[np.uint8]

    def first(self, train: int, test: int) -> Digits:
        """The first ``train`` training and ``test`` test images."""
        return Digits(self.train[:train], self.train_labels[:train], self.test[:test], self.test_labels[:test])

    def binarised(self, seed: int) -> NDArray[np.float32]:
        """Test images of zeros and ones: each pixel is one with its grey level as the probability."""
        return np.asarray(np.random.default_rng(seed).random(self.test.shape) < self.test, np.float32)

    def pca_error(self, components: int) -> float:
        """Mean squared error of test images rebuilt from this many principal components of the training images."""
        return float(np.square(pca_residual(self.train, self.test, components)).mean())


def pca_residual(train: NDArray[np.float32], test: NDArray[np.float32], components: int) -> NDArray[np.floating]:
    """``(m, values)``: test images as principal components of the training images rebuild them, less the images."""
    # The covariance is small beside 60,000 images: its eigenvectors cost far less than a decomposition of all images.
    pca = PCA(components, svd_solver="covariance_eigh").fit(train)
    return np.asarray(pca.inverse_transform(pca.transform(test)) - test)


def load_digits(settings: Settings) -> Digits:
    """Load MNIST from ``--data``, else from the folder of benchmark data, else download it into ``data/cache/mnist``.

    Raises InputError, saying what to do, where none of these gives the files.
    """
    folder = settings.data or data_root() / "mnist"
    if settings.data is None and not folder.is_dir():
        folder = fetch_mnist(Path("data/cache/mnist"))
    images = mnist(folder)

    def flat(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
        return grey.reshape(len(grey), -1).astype(np.float32) / np.float32(255)

    return Digits(
        flat(images["train_images"]), images["train_labels"], flat(images["test_images"]), images["test_labels"]
    )
