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


SAMPLES = (ROOT / "data" / "samples").resolve()
"""Made-up stand-ins for the real data, with the same names."""


def arguments(about: str | None) -> argparse.Namespace:
    """``--data``, the folder of the data, ``--out``, where the page goes, and ``--quick``.

    Where the real data are not found the samples take their place, in a quick run whose page goes to ``reports/examples``.
    """
    real = Path(os.environ.get("SPECVAE_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, default=real if real.is_dir() else SAMPLES)
    parser.add_argument("--out", type=Path, help="default: docs/results, of the samples reports/examples")
    parser.add_argument("--seeds", type=int, default=3, help="how many to average, where there are any")
    parser.add_argument("--quick", action="store_true", help="a run that exercises everything; its figures mean little")
    options = parser.parse_args()
    if options.data.resolve() == SAMPLES:
        print(f"on the samples in {SAMPLES}: the figures mean nothing; give the real data with --data or SPECVAE_DATA")
        options.quick = True
    options.out = options.out or ROOT / ("reports/examples" if options.data.resolve() == SAMPLES else "docs/results")
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, the first column left, the others right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write(options: argparse.Namespace, name: str, *pieces: str, packages: Sequence[str]) -> None:
    """Write the page ``name`` of :func:`arguments`; it ends with what it was made with."""
    path = options.out / name
    if options.data.resolve() == SAMPLES:
        pieces = (pieces[0], "*Run on the made-up samples of `data/samples`: the figures mean nothing.*", *pieces[1:])
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
