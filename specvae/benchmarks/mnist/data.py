"""MNIST: its four original files, read or downloaded, and the benchmark's flattened images in 0..1 with their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from specvae.benchmarks.settings import Settings, data_root
from specvae.errors import InputError
from specvae.ingest.table.idx import read_idx

__all__ = ["MNIST", "Digits", "ImageArrays", "ImageSet", "fetch", "load_digits", "pca_residual", "read_images"]


@dataclass(frozen=True)
class ImageSet:
    """Grey images of ten classes in four IDX files, as MNIST has them."""

    name: str
    """How its benchmark, its folders and its rows in ``metrics.json`` are called."""
    title: str
    """What people call it."""
    url: str
    """The folder on the web that the gzipped files are downloaded from."""
    md5: Mapping[str, str]
    """MD5 of each gzipped file by its name without ``.gz``: training images and labels, test images and labels."""


MNIST = ImageSet(
    "mnist",
    "MNIST",
    # The mirror that PyTorch's torchvision uses too; the original site often refuses downloads.
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
)


@dataclass(frozen=True, eq=False)
class Digits:
    """Training and test images ``(n, 784)`` in 0..1 and their labels ``(n,)``."""

    source: ImageSet
    train: NDArray[np.float32]
    train_labels: NDArray[np.uint8]
    test: NDArray[np.float32]
    test_labels: NDArray[np.uint8]

    def first(self, train: int, test: int) -> Digits:
        """The first ``train`` training and ``test`` test images."""
        return replace(
            self,
            train=self.train[:train],
            train_labels=self.train_labels[:train],
            test=self.test[:test],
            test_labels=self.test_labels[:test],
        )

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


class ImageArrays(TypedDict):
    """The four arrays of an image set, all uint8, with MNIST's shapes."""

    train_images: NDArray[np.uint8]
    """``(60000, 28, 28)``"""
    train_labels: NDArray[np.uint8]
    """``(60000,)``"""
    test_images: NDArray[np.uint8]
    """``(10000, 28, 28)``"""
    test_labels: NDArray[np.uint8]
    """``(10000,)``"""


def read_images(folder: Path | str, images: ImageSet) -> ImageArrays:
    """Read the four original files of an image set from ``folder``.

    Raises InputError, saying what to do, where a file is absent or differs from the original.
    """
    train_images, train_labels, test_images, test_labels = (
        _original(Path(folder), name, images) for name in images.md5
    )
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }


def _original(folder: Path, name: str, images: ImageSet) -> NDArray[np.uint8]:
    """One of the four files, gzipped or not; the published hash is of the gzipped one only."""
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)
    if path is None:
        raise InputError(
            f"{folder} holds no {name}.gz; put {images.title}'s four original IDX files there, or give --data DIR"
        )
    digest = images.md5[name]
    # MD5 finds a damaged copy and is what was published; a FIPS machine allows it where it is not for security.
    if path.suffix == ".gz" and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != digest:
        raise InputError(f"{path} is not {images.title}'s original file (md5 {digest} expected); copy it again")
    return read_idx(path)


def fetch(folder: Path, images: ImageSet) -> Path:
    """Download the files of an image set into ``folder`` unless they are there, check each against its hash, and return the folder.

    Raises InputError, saying what to do, where that fails.
    """
    wanted = {f"{name}.gz": f"md5:{digest}" for name, digest in images.md5.items()}
    if all((folder / name).is_file() for name in wanted):
        return folder
    try:
        import pooch  # type: ignore[import-untyped]

        logger = pooch.get_logger()
        logger.setLevel("ERROR")
        # The hash is the four files' published one, so the transport adds no trust and takes none.
        for name, digest in wanted.items():
            pooch.retrieve(images.url + name, digest, fname=name, path=folder)
    except Exception as error:  # pooch passes on the errors of whichever transport it used
        raise InputError(
            f"{images.title} is not in {folder} and could not be downloaded ({type(error).__name__}); "
            f"put its four IDX files ({', '.join(wanted)}) into a folder and give --data DIR"
        ) from None
    return folder


def load_digits(settings: Settings, images: ImageSet = MNIST) -> Digits:
    """Load an image set from ``--data``, else from its folder of benchmark data, else download it into ``data/cache``.

    Raises InputError, saying what to do, where none of these gives the files.
    """
    folder = settings.data or data_root() / images.name
    if settings.data is None and not folder.is_dir():
        folder = fetch(Path("data/cache") / images.name, images)
    arrays = read_images(folder, images)

    def flat(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
        return grey.reshape(len(grey), -1).astype(np.float32) / np.float32(255)

    return Digits(
        images,
        flat(arrays["train_images"]),
        arrays["train_labels"],
        flat(arrays["test_images"]),
        arrays["test_labels"],
    )
