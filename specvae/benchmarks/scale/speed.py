"""The trial ``speed``: scenes a second against the number of processes, and the share of the time that is overhead."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from specvae.benchmarks.scale.data import make_scenes
from specvae.benchmarks.scale.many import Run, declare, fit_small, run_batch
from specvae.benchmarks.settings import Settings

__all__ = ["Rate", "measure"]


@dataclass(frozen=True)
class Rate:
    """The speed of one run over the same scenes."""

    how: str
    """``jobs``, processes of this machine, or ``workers`` of a cluster."""
    processes: int
    scenes: int
    seconds: float
    """Time of the complete command."""
    busy_seconds: float
    """Time spent on scenes, all processes together."""

    @property
    def per_second(self) -> float:
        """Scenes a second."""
        return self.scenes / self.seconds

    @property
    def overhead(self) -> float:
        """Share of the processes' time that was not work on a scene: start-up, loading, planning, waiting, summary."""
        return max(0.0, 1 - self.busy_seconds / (self.seconds * self.processes))


def measure(place: Path, count: int, settings: Settings) -> list[Rate]:
    """Time ``count`` scenes with 1 and 2 processes, then with a cluster of 1 and 2 workers."""
    make_scenes(place / "inbox", count, 0)
    fit_small(place, settings)
    declare(place)
    rates = []
    for how, processes in (("jobs", 1), ("jobs", 2), ("workers", 1), ("workers", 2)):
        # A run continues where results lie: with those of the one before it would find nothing to do.
        shutil.rmtree(place / "out", ignore_errors=True)
        option = ("--jobs", str(processes)) if how == "jobs" else ("--cluster", f"local:{processes}")
        rates.append(_rate(run_batch(place, *option), how, processes))
        settings.progress(f"{how} {processes}: {rates[-1].per_second:.2f} scenes a second")
    return rates


def _rate(done: Run, how: str, processes: int) -> Rate:
    busy = sum(scene["seconds"] for scene in done.scenes)
    return Rate(how, processes, len(done.scenes), done.seconds, busy)
