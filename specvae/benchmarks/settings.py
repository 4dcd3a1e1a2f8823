"""What every benchmark is told."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from specvae.errors import InputError, UsageError

__all__ = ["BENCHMARKS", "Settings", "run_benchmark"]

BENCHMARKS = ("adbench", "calibration", "hyperspectral", "mnist", "scale", "speed")
"""Names; each is a module here with ``run(settings) -> Path``, the folder of its report."""


@dataclass(frozen=True)
class Settings:
    """What the command line says; None: the benchmark's own default."""

    data: Path | None = None
    out: Path | None = None
    seeds: int | None = None
    quick: bool = False
    """A run of seconds that exercises everything and whose figures mean little."""
    presets: tuple[str, ...] = ()
    epochs: int | None = None
    device: str = "auto"
    sizes: tuple[int, ...] = ()
    """Sides of the scenes that ``speed`` makes, in pixels."""
    bands: int | None = None
    dtype: str | None = None
    progress: Callable[[str], None] = lambda line: None
    """Is given a line about each thing done."""

    def folder(self, name: str) -> Path:
        """The data: ``data``, else the folder ``name`` of ``SPECVAE_DATA``, else of ``data/cache``.

        Raises InputError where there is none.
        """
        place = self.data or Path(os.environ.get("SPECVAE_DATA", "data/cache")) / name
        if not place.is_dir():
            raise InputError(f"there is no folder {place}; give --data, the folder of the benchmark's files")
        return place

    def place(self, name: str) -> Path:
        """Where the benchmark's report goes."""
        return self.out or Path("reports") / "benchmarks" / name


def run_benchmark(name: str, settings: Settings) -> Path:
    """Run the benchmark ``name`` and return the folder of its report."""
    if name not in BENCHMARKS:
        raise UsageError(f"there is no benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
    folder: Path = importlib.import_module(f"specvae.benchmarks.{name}").run(settings)
    return folder
