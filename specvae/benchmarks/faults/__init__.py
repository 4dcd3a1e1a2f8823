"""Benchmark ``faults``: what is lost when processes are killed, disks fill, clocks jump, inputs vanish and runs meet."""

from __future__ import annotations

import tempfile
from pathlib import Path

from specvae.benchmarks.faults.page import write_page
from specvae.benchmarks.faults.place import make_place
from specvae.benchmarks.faults.trials import Trial, all_trials
from specvae.benchmarks.report import Environment, Row, environment, write_metrics
from specvae.benchmarks.settings import Settings

__all__ = ["run"]

KILLS, QUICK_KILLS = 200, 12
"""Moments at which a process is killed, over score, run and watch together."""


def run(settings: Settings) -> Path:
    """Do every fault and write the report; its folder. The first of ``sizes`` is the number of kills."""
    out = settings.place("faults")
    kills = settings.sizes[0] if settings.sizes else QUICK_KILLS if settings.quick else KILLS
    with tempfile.TemporaryDirectory(prefix="specvae-faults-") as folder:
        trials = all_trials(make_place(Path(folder)), kills, settings)
    made_with = environment(device="cpu")
    write_metrics(out, "faults", _rows(trials), made_with)
    _write(out, trials, made_with)
    return out


def _rows(trials: list[Trial]) -> list[Row]:
    return [
        Row(trial.name, "specvae", metric, float(value), max(1, trial.tried), trial.seconds)
        for trial in trials
        for metric, value in (("tried", trial.tried), ("torn", len(trial.torn)), ("lost", len(trial.lost)))
    ]


def _write(out: Path, trials: list[Trial], made_with: Environment) -> None:
    write_page(out, trials, made_with)
