"""MNIST: its four original files, read or downloaded, and the benchmark's flattened images in 0..1 with their labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from specvae.benchmarks.settings import Settings, data_root
from specvae.errors import InputError
from specvae.ingest.table.idx import read_idx

__all__ = ["MNIST_MD5", "Digits", "MnistImages", "fetch_mnist", "load_digits", "mnist", "pca_residual"]

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""The mirror that PyTorch's torchvision uses too; the original site often refuses downloads."""

MNIST_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""MD5 of the gzipped original files."""


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


class MnistImages(TypedDict):
    """MNIST's four arrays, all uint8."""

    train_images: NDArray[np.uint8]
    """``(60000, 28, 28)``"""
    train_labels: NDArray[np.uint8]
    """``(60000,)``"""
    test_images: NDArray[np.uint8]
    """``(10000, 28, 28)``"""
    test_labels: NDArray[np.uint8]
    """``(10000,)``"""


def mnist(folder: Path | str) -> MnistImages:
    """Read MNIST's four original files from ``folder``.

    Raises InputError, saying what to do, where a file is absent or differs from the original.
    """
    train_images, train_labels, test_images, test_labels = (_original(Path(folder), name) for name in MNIST_MD5)
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }


def _original(folder: Path, name: str) -> NDArray[np.uint8]:
    """One of the four files, gzipped or not; the published hash is of the gzipped one only."""
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)
    if path is None:
        raise InputError(f"{folder} holds no {name}.gz; put MNIST's four original IDX files there, or give --data DIR")
    digest = MNIST_MD5[name]
    # MD5 finds a damaged copy and is what was published; a FIPS machine allows it where it is not for security.
    if path.suffix == ".gz" and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != digest:
        raise InputError(f"{path} is not MNIST's original file (md5 {digest} expected); copy it again")
    return read_idx(path)


def fetch_mnist(folder: Path) -> Path:
    """Download MNIST's files into ``folder`` unless they are there, check each against its hash, and return the folder.

    Raises InputError, saying what to do, where that fails.
    """
    wanted = {f"{name}.gz": f"md5:{digest}" for name, digest in MNIST_MD5.items()}
    if all((folder / name).is_file() for name in wanted):
        return folder
    try:
        import pooch  # type: ignore[import-untyped]

        logger = pooch.get_logger()
        logger.setLevel("ERROR")
        # The hash is the four files' published one, so the transport adds no trust and takes none.
        for name, digest in wanted.items():
            pooch.retrieve(MNIST_URL + name, digest, fname=name, path=folder)
    except Exception as error:  # pooch passes on the errors of whichever transport it used
        raise InputError(
            f"MNIST is not in {folder} and could not be downloaded ({type(error).__name__}); "
            f"put its four IDX files ({', '.join(wanted)}) into a folder and give --data DIR"
        ) from None
    return folder


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
