"""What the examples share: where the data are, and the pages that they write."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]


def arguments(about: str | None) -> argparse.Namespace:
    """``--data``, the folder of the data, ``--out``, where the page goes, and ``--quick``."""
    parser = argparse.ArgumentParser(description=about)
    told = os.environ.get("SPECVAE_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(told))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    parser.add_argument("--seeds", type=int, default=3, help="how many to average, where there are any")
    parser.add_argument("--quick", action="store_true", help="a run that exercises everything; its figures mean little")
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    return told


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, the first column left, the others right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write(path: Path, *pieces: str, packages: Sequence[str]) -> None:
    """Write a page that ends with what it was made with."""
    made = ", ".join(f"{name} {version(name)}" for name in packages)
    last = f"*Written by `python examples/{path.stem}.py`, with Python {platform.python_version()}, {made}.*"
    path.write_text("\n\n".join([*pieces, last]) + "\n", encoding="utf-8")
    print(path)


def strawberry(data: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Pure purees to train on, all purees of the test split, and which of them are adulterated."""
    import pandas as pd

    frame = pd.read_csv(data / "spectra" / "ftir_strawberry.csv")
    bands = [name for name in frame if name.startswith("ch")]
    odd, test = frame["adulterated"].to_numpy(bool), (frame["split"] == "test").to_numpy()
    values = frame[bands].to_numpy()
    return values[~test & ~odd], values[test], odd[test]
