"""Data sets in files of their own kind: MNIST's images, ADBench's ``.npz`` and DTE's table of published figures."""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.table.idx import read_idx

__all__ = [
    "MNIST_MD5",
    "MnistImages",
    "OneClass",
    "fetch_mnist",
    "mnist",
    "plain_name",
    "published_figures",
    "read_adbench",
    "semi_supervised",
]

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""The mirror that PyTorch's torchvision uses too; the original site often refuses downloads."""

MNIST_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""MD5 of the gzipped original files."""


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


@dataclass(frozen=True)
class OneClass:
    """A data set split for one-class learning: nothing anomalous is trained on."""

    name: str
    """The file's stem."""
    train: NDArray[np.float64]
    """``(n, bands)``, the rows to train on, all normal."""
    test: NDArray[np.float64]
    """``(m, bands)``, the rows to score."""
    anomalous: NDArray[np.bool_]
    """``(m,)``: True where a row of ``test`` is an anomaly; for the metrics alone."""


def read_adbench(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rows ``(n, bands)`` and whether each is an anomaly ``(n,)``, from an ADBench ``.npz``.

    Raises InputError for a file of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            values, label = np.asarray(file["X"], np.float64), np.asarray(file["y"]).ravel()
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not an ADBench file ({error}); expected an .npz with X and y") from None
    if values.ndim != 2 or len(values) != len(label) or not np.isin(label, (0, 1)).all():
        raise InputError(
            f"{path}: X is {values.shape} and y {label.shape} with values {np.unique(label)[:5].tolist()}; "
            "expected (rows, columns) and one 0 or 1 a row"
        )
    return values, label == 1


def semi_supervised(path: Path) -> OneClass:
    """DTE's split of an ADBench file (Livernoche et al., ICLR 2024).

    The first half of the normal rows, in the order of the file and not shuffled, is for training; the other half and every
    anomaly are the test. Raises InputError where one of the three is empty.
    """
    values, anomalous = read_adbench(path)
    normal, odd = np.flatnonzero(~anomalous), np.flatnonzero(anomalous)
    half = len(normal) // 2
    if half == 0 or len(odd) == 0:
        raise InputError(f"{path} has {len(normal)} normal rows and {len(odd)} anomalies; the split needs both")
    test = np.concatenate([normal[half:], odd])
    return OneClass(path.stem, values[normal[:half]], values[test], anomalous[test])


def published_figures(path: Path) -> dict[str, dict[str, float]]:
    """DTE's published table as method -> data set -> AUROC in 0..1; data sets are named as by :func:`plain_name`."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figures: dict[str, dict[str, float]] = {}
    for row in rows:
        for method, cell in row.items():
            # A cell is a mean with its deviation behind it, 53.69(0.15), in per cent; the number in front is wanted.
            figure = re.match(r"\s*([\d.]+)", cell or "")
            if method != "Dataset" and figure:
                figures.setdefault(method, {})[plain_name(row["Dataset"])] = float(figure[1]) / 100
    return figures


def plain_name(stem: str) -> str:
    """A data set's name without ADBench's number, capitals and marks: ``30_satellite`` becomes ``satellite``."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^\d+_", "", stem).casefold())
