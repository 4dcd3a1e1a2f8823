"""The settings of every benchmark, and the list of benchmarks."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from specvae.errors import InputError, UsageError

__all__ = ["BENCHMARKS", "Settings", "data_root", "run_benchmark"]

BENCHMARKS = (
    "adbench",
    "calibration",
    "faults",
    "hyperspectral",
    "mnist",
    "reasons",
    "scale",
    "speed",
    "transfer",
    "verdicts",
    "watch",
)
"""The name of each benchmark: a module of this room with ``run(settings)``, which returns the folder of its report."""


def _silent(line: str) -> None:
    """A named function, and no lambda: settings travel to worker processes."""


@dataclass(frozen=True)
class Settings:
    """Settings of the command line; None means the benchmark's own default."""

    data: Path | None = None
    """Folder of the benchmark's files; see :meth:`folder`."""
    out: Path | None = None
    seeds: int | None = None
    """How many seeds to average, or how often to repeat a timing."""
    quick: bool = False
    """Whether to make a short run that exercises everything; its figures mean little."""
    presets: tuple[str, ...] = ()
    """Parts of the benchmark to run; all where empty."""
    epochs: int | None = None
    device: str = "auto"
    sizes: tuple[int, ...] = ()
    """``speed`` and ``watch``: sides of the scenes to make, in pixels; ``scale``: the number of scenes."""
    bands: int | None = None
    dtype: str | None = None
    progress: Callable[[str], None] = _silent
    """Called with one line about each piece of work that is done."""

    def folder(self, name: str) -> Path:
        """The folder of the data: ``data`` where given, else the folder ``name`` below :func:`data_root`.

        Raises InputError where there is no such folder.
        """
        place = self.data or data_root() / name
        if not place.is_dir():
            raise InputError(f"there is no folder {place}; give --data, the folder of the benchmark's files")
        return place

    def place(self, name: str) -> Path:
        """The folder that the report of the benchmark ``name`` goes into."""
        return self.out or Path("reports") / "benchmarks" / name

    def seed_count(self, default: int) -> int:
        """How many seeds to average: those asked for, else one in a quick run, else the benchmark's ``default``."""
        return self.seeds or (1 if self.quick else default)


def data_root() -> Path:
    """The folder that holds the folders of benchmark data: ``SPECVAE_DATA``, else ``data/cache``."""
    return Path(os.environ.get("SPECVAE_DATA", "data/cache"))


def run_benchmark(name: str, settings: Settings) -> Path:
    """Run the benchmark ``name`` and return the folder of its report. Raises UsageError for an unknown name."""
    if name not in BENCHMARKS:
        raise UsageError(f"there is no benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
    # Imported when it runs: benchmarks need plotting and learning libraries that no other command waits for.
    folder: Path = importlib.import_module(f"specvae.benchmarks.{name}").run(settings)
    return folder
