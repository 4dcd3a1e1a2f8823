"""Benchmark ``calibration``: asked against realised false-alarm rates, detection power, and a series of dates.

Five questions are put to the product's thresholds. On normal data of many kinds (``trial``): does the asked rate realise on
blocks that were not calibrated on? On the squares between those that were fitted (``checkerboard``): does it realise there,
with cuts from cross-fitting? With anomalies planted in what is fitted (``planted``): is it called contaminated? On scores of a
known law (``known``): do the intervals cover the true rate, and how far does a tail reach? Over the dates of one place
(``series``): does the verdict on drift go with the rate that realises?
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from specvae.benchmarks.calibration.checkerboard import Board, judge_board, squares
from specvae.benchmarks.calibration.checkpoints import Checkpoints
from specvae.benchmarks.calibration.data import NormalSet, normal_sets, scene_series
from specvae.benchmarks.calibration.known import COVERAGE_SPLITS, Known, judge_known
from specvae.benchmarks.calibration.page import rows_of, write_page
from specvae.benchmarks.calibration.planted import Planted, judge_planted, planted_scenes
from specvae.benchmarks.calibration.series import Dates, judge_dates
from specvae.benchmarks.calibration.trial import SPLITS, Trial, run_trial
from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings, data_root
from specvae.errors import InputError, UsageError
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.device import pick_device
from specvae.version import __version__

__all__ = ["run"]

SEEDS = 1
"""One seed of a full run: every fit is judged over twenty random splits already."""
PARTS = ("sets", "checkerboards", "contamination", "known", "series")
"""Parts of the benchmark, in the order of its page; ``--presets`` names some."""
QUICK_SPLITS = 4
QUICK_SETTINGS = ["training.steps=40", "training.refits=0"]


def run(settings: Settings) -> Path:
    """Fit, calibrate and test on every data set, write ``metrics.json``, ``report.md`` and figures, and return their folder.

    With ``presets`` only the :data:`PARTS` that it names.
    """
    wanted = _wanted(settings)
    folder = settings.data or data_root()
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder}; give --data, the folder that holds had, adbench, spectra, scenes"
        )
    out, device = settings.place("calibration"), pick_device(settings.device)
    seeds = settings.seed_count(SEEDS)
    # What a stored piece depends on beside its name: one of another version or size is not taken up again.
    identity: dict[str, str | int] = {"version": __version__, "quick": settings.quick, "seeds": seeds, "splits": SPLITS}
    bench = Bench(settings, folder, seeds, device, Checkpoints(out / "work", identity))
    boards = bench.boards() if "checkerboards" in wanted else ()
    planted = bench.planted() if "contamination" in wanted else ()
    trials = [bench.trial(normal) for normal in normal_sets(folder, settings.quick)] if "sets" in wanted else []
    if not trials and not boards and not planted:
        raise InputError(f"{folder} holds none of the benchmark's data; expected had, adbench, spectra or scenes in it")
    known = bench.known() if "known" in wanted else None
    dates = bench.dates() if "series" in wanted else None
    made_with = environment(device=device, seeds=seeds, quick=settings.quick)
    write_metrics(out, "calibration", rows_of(trials, boards, planted, known, dates, seeds), made_with)
    write_page(out, trials, boards, planted, known, dates, made_with)
    # Only now: until the page is written, an interrupted run must find what it had finished.
    bench.checkpoints.clear()
    return out


@dataclass(frozen=True)
class Bench:
    """The pieces of the benchmark; each is computed, or loaded from an interrupted run with the same settings."""

    settings: Settings
    folder: Path
    seeds: int
    device: str
    checkpoints: Checkpoints

    def trial(self, normal: NormalSet) -> Trial:
        """The trials of one data set under all seeds, joined."""
        config = _config(self.settings)

        def make() -> Trial:
            configs = [config.model_copy(update={"seed": seed}) for seed in range(self.seeds)]
            return Trial.joined([run_trial(normal, each, self.device) for each in configs])

        trial = self.checkpoints.get(normal.name, make)
        self.settings.progress(trial.line)
        return trial

    def boards(self) -> tuple[Board, ...]:
        """The checkerboard of every scene."""
        config, boards = _config(self.settings), []
        for board in squares(self.folder, self.settings.quick):
            made = self.checkpoints.get(f"{board.name}, checkerboard", partial(judge_board, board, config, self.device))
            self.settings.progress(made.line)
            boards.append(made)
        return tuple(boards)

    def planted(self) -> tuple[Planted, ...]:
        """Parts of the scenes, with anomalies planted in them."""
        config, judged = _config(self.settings), []
        for scene in planted_scenes(self.folder, self.settings.quick):
            made = self.checkpoints.get(f"{scene.name}, planted", partial(judge_planted, scene, config, self.device))
            self.settings.progress(f"{scene.name}: contaminated {made.found}")
            judged.append(made)
        return tuple(judged)

    def known(self) -> Known:
        """Thresholds of scores whose law is known."""
        splits, progress = QUICK_SPLITS if self.settings.quick else COVERAGE_SPLITS, self.settings.progress
        return judge_known(splits, progress, self.checkpoints.get)

    def dates(self) -> Dates | None:
        """The series of dates, or None where there are too few."""
        paths = scene_series(self.folder, self.settings.quick)
        return self.checkpoints.get(
            "series", lambda: judge_dates(paths, _config(self.settings), self.device, self.settings.progress)
        )


def _wanted(settings: Settings) -> tuple[str, ...]:
    """The parts that are run. Raises UsageError where a name is none of them."""
    unknown = [name for name in settings.presets if name not in PARTS]
    if unknown:
        raise UsageError(f"--presets: {unknown[0]!r} is no part of this benchmark; known: {', '.join(PARTS)}")
    return settings.presets or PARTS


def _config(settings: Settings) -> ModelConfig:
    return load_config(None, None, QUICK_SETTINGS if settings.quick else [])
