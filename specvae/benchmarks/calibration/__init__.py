"""Benchmark ``calibration``: asked against realised false-alarm rates, detection power, and a series of dates."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from specvae.benchmarks.calibration.data import NormalSet, normal_sets, scene_series
from specvae.benchmarks.calibration.kept import Kept
from specvae.benchmarks.calibration.known import COVERAGE_SPLITS, Known, judge_known
from specvae.benchmarks.calibration.page import rows_of, write_page
from specvae.benchmarks.calibration.series import Dates, judge_dates
from specvae.benchmarks.calibration.trial import SPLITS, Trial, run_trial
from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.errors import InputError
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.device import pick_device
from specvae.version import __version__

__all__ = ["run"]

SEEDS = 1


def run(settings: Settings) -> Path:
    """Fit, calibrate and test on every set; write ``metrics.json``, ``report.md`` and figures."""
    folder = settings.data or Path(os.environ.get("SPECVAE_DATA", "data/cache"))
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder}; give --data, the folder that holds had, adbench, spectra, scenes"
        )
    out, device = settings.place("calibration"), pick_device(settings.device)
    seeds = settings.seeds or (1 if settings.quick else SEEDS)
    bench = Bench(settings, folder, seeds, device, Kept(out / "work", _made(settings, seeds)))
    trials = [bench.trial(normal) for normal in normal_sets(folder, settings.quick)]
    if not trials:
        raise InputError(f"{folder} holds none of the benchmark's data; expected had, adbench, spectra or scenes in it")
    known, dates = bench.known(), bench.dates()
    made = environment(device=device, seeds=seeds, quick=settings.quick)
    write_metrics(out, "calibration", rows_of(trials, known, dates, seeds), made)
    write_page(out, trials, known, dates, made)
    bench.kept.clear()
    return out


@dataclass(frozen=True)
class Bench:
    """The benchmark's pieces, each made once."""

    settings: Settings
    folder: Path
    seeds: int
    device: str
    kept: Kept

    def trial(self, normal: NormalSet) -> Trial:
        """All seeds of one set."""
        config = _config(self.settings)

        def make() -> Trial:
            seeds = range(self.seeds)
            found = [run_trial(normal, config.model_copy(update={"seed": seed}), self.device) for seed in seeds]
            return Trial.joined(found)

        trial = self.kept.get(normal.name, make)
        self.settings.progress(trial.line)
        return trial

    def known(self) -> Known:
        """Where the law is known."""
        splits, progress = 4 if self.settings.quick else COVERAGE_SPLITS, self.settings.progress
        return judge_known(splits, progress, self.kept.get)

    def dates(self) -> Dates | None:
        """The series of dates."""
        paths = scene_series(self.folder, self.settings.quick)
        return self.kept.get(
            "series", lambda: judge_dates(paths, _config(self.settings), self.device, self.settings.progress)
        )


def _made(settings: Settings, seeds: int) -> dict[str, object]:
    return {"version": __version__, "quick": settings.quick, "seeds": seeds, "splits": SPLITS}


def _config(settings: Settings) -> ModelConfig:
    steps = ["training.steps=40", "training.refits=0"] if settings.quick else []
    return load_config(None, None, steps)
