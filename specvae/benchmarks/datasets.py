"""Data sets in files of their own kind: ADBench's ``.npz`` and DTE's table of published figures."""

from __future__ import annotations

import csv
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError

__all__ = [
    "OneClass",
    "plain_name",
    "published_figures",
    "read_adbench",
    "semi_supervised",
]


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
