"""Benchmark ``calibration``: asked against realised false-alarm rates, detection power, and a series of dates."""

from __future__ import annotations

import os
from pathlib import Path

from specvae.benchmarks.calibration.data import normal_sets, scene_series
from specvae.benchmarks.calibration.known import COVERAGE_SPLITS, judge_known
from specvae.benchmarks.calibration.page import rows_of, write_page
from specvae.benchmarks.calibration.series import judge_dates
from specvae.benchmarks.calibration.trial import Trial, run_trial
from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.config import ModelConfig, load_config
from specvae.errors import InputError
from specvae.training import pick_device

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
    config, seeds = _config(settings), settings.seeds or (1 if settings.quick else SEEDS)
    trials: list[Trial] = []
    for normal in normal_sets(folder, settings.quick):
        found = [run_trial(normal, config.model_copy(update={"seed": seed}), device) for seed in range(seeds)]
        trials.append(Trial.joined(found))
        settings.progress(trials[-1].line)
    if not trials:
        raise InputError(f"{folder} holds none of the benchmark's data; expected had, adbench, spectra or scenes in it")
    known = judge_known(4 if settings.quick else COVERAGE_SPLITS, settings.progress)
    dates = judge_dates(scene_series(folder, settings.quick), config, device, settings.progress)
    made = environment(device=device, seeds=seeds, quick=settings.quick)
    write_metrics(out, "calibration", rows_of(trials, known, dates, seeds), made)
    write_page(out, trials, known, dates, made)
    return out


def _config(settings: Settings) -> ModelConfig:
    steps = ["training.steps=40", "training.refits=0"] if settings.quick else []
    return load_config(None, None, steps)
