"""Benchmark data sets that are files of their own kind: MNIST's images, ADBench's npz and DTE's table of figures."""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.table.idx import read_idx

__all__ = [
    "MNIST_MD5",
    "OneClass",
    "fetch_mnist",
    "mnist",
    "plain_name",
    "published_figures",
    "read_adbench",
    "semi_supervised",
]

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"

MNIST_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""Of the gzipped files."""


def mnist(folder: Path | str) -> dict[str, Any]:
    """``train_images (60000, 28, 28)``, ``train_labels``, ``test_images``, ``test_labels``, all uint8.

    Raises InputError, saying what to do, where a file is absent or is another.
    """
    arrays = {}
    for name, digest in MNIST_MD5.items():
        path = next((p for p in (Path(folder) / f"{name}.gz", Path(folder) / name) if p.is_file()), None)
        if path is None:
            raise InputError(
                f"{folder} holds no {name}.gz; put MNIST's four original IDX files there, or give --data DIR"
            )
        if path.suffix == ".gz" and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != digest:
            raise InputError(f"{path} is not MNIST's original file (md5 {digest} expected); copy it again")
        split, what = ("train" if name.startswith("train") else "test"), name.split("-")[1]
        arrays[f"{split}_{what}"] = read_idx(path)
    return arrays


def fetch_mnist(folder: Path) -> Path:
    """MNIST's files in ``folder``, downloaded where they are not there, each checked against its hash; the folder.

    Raises InputError, saying what to do, where that cannot be done.
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
    except Exception as error:  # every transport has errors of its own
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
    """``(n, bands)``, all normal."""
    test: NDArray[np.float64]
    """``(m, bands)``"""
    anomalous: NDArray[np.bool_]
    """``(m,)``: the truth of ``test``, for figures alone."""


def read_adbench(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``X (n, bands)`` and ``y == 1 (n,)`` of an ADBench ``.npz``. Raises InputError for what is not one."""
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

    Trained on is the first half of the normal rows, in the order of the file, unshuffled; the rest of them and every
    anomaly is the test. Raises InputError where one of the three is empty.
    """
    values, anomalous = read_adbench(path)
    normal, odd = np.flatnonzero(~anomalous), np.flatnonzero(anomalous)
    half = len(normal) // 2
    if half == 0 or len(odd) == 0:
        raise InputError(f"{path} has {len(normal)} normal rows and {len(odd)} anomalies; the split needs both")
    test = np.concatenate([normal[half:], odd])
    return OneClass(path.stem, values[normal[:half]], values[test], anomalous[test])


def published_figures(path: Path) -> dict[str, dict[str, float]]:
    """DTE's published table: method -> set -> AUROC in 0..1; sets by :func:`plain_name`."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        for method, cell in row.items():
            figure = re.match(r"\s*([\d.]+)", cell or "")
            if method != "Dataset" and figure:
                found.setdefault(method, {})[plain_name(row["Dataset"])] = float(figure[1]) / 100
    return found


def plain_name(stem: str) -> str:
    """``30_satellite`` -> ``satellite``: what a set is called without ADBench's number, case and marks."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^\d+_", "", stem).casefold())
