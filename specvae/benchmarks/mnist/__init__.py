"""Benchmark ``mnist``: five classic systems and ours as presets, density in nats, and digits as anomalies."""

from __future__ import annotations

from pathlib import Path

from specvae.benchmarks.mnist.anomalies import DETECTOR, run_anomalies
from specvae.benchmarks.mnist.data import Digits, load_digits
from specvae.benchmarks.mnist.page import trial_rows, write_page
from specvae.benchmarks.mnist.trials import OURS, PRESETS, Trial, run_trial
from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.errors import UsageError
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.device import pick_device

__all__ = ["run"]

QUICK_TRAIN, QUICK_TEST, QUICK_EPOCHS = 2000, 500, 2
KNOWN = (*PRESETS, OURS, DETECTOR)


def run(settings: Settings) -> Path:
    """Train the presets, or take what the report's work folder holds of the same settings, and write the report.

    Each preset is trained once; ``settings.seeds`` is how many models of a digit the anomaly figures are means of.
    """
    digits = load_digits(settings)
    if settings.quick:
        digits = digits.first(QUICK_TRAIN, QUICK_TEST)
    out, device, seeds = settings.place("mnist"), pick_device(settings.device), settings.seeds or 1
    names = chosen(settings)
    trials = {
        name: _trial(name, epochs, digits, out / "work", settings) for name, epochs in names.items() if name != DETECTOR
    }
    rows = []
    if DETECTOR in names:
        which = (0, 1) if settings.quick else tuple(range(10))
        config = config_of(DETECTOR, settings, names[DETECTOR])
        rows = run_anomalies(config, seeds, digits, which, out / "work", device, settings.progress)
    told = environment(seeds=seeds, quick=settings.quick, device=device, train=len(digits.train), test=len(digits.test))
    write_metrics(out, "mnist", [*trial_rows(trials), *rows], told)
    write_page(trials, rows, [name for name in KNOWN if name not in names], told, out)
    return out


def _trial(name: str, epochs: int | None, digits: Digits, work: Path, settings: Settings) -> Trial:
    """A preset's trial; the importance-weighted bound is dear, so only ours in full has it in full."""
    images = 10_000 if name == OURS and epochs is None else 1000
    bound = (10, QUICK_TEST) if settings.quick else (1000 if name == OURS else 100, images)
    config = config_of(name, settings, epochs)
    trial = run_trial(config, digits, work, pick_device(settings.device), bound, settings.progress)
    settings.progress(f"{name}: test loss {trial.figures['test_loss']:.2f} nats, {trial.figures['cpu_seconds']:.0f} s")
    return trial


def chosen(settings: Settings) -> dict[str, int | None]:
    """The presets asked for, or all, each with the epochs asked for it alone: ``mlp`` or ``mlp:5``.

    Raises UsageError for one that is not for images.
    """
    found: dict[str, int | None] = {}
    for word in settings.presets or KNOWN:
        name, colon, epochs = word.partition(":")
        if name not in KNOWN:
            raise UsageError(f"--presets: {name!r} is no preset of this benchmark; known: {', '.join(KNOWN)}")
        if colon and not (epochs.isdigit() and int(epochs)):
            raise UsageError(f"--presets: {word!r} has {epochs!r} for epochs; give a positive number, as in {name}:5")
        found[name] = int(epochs) if colon else None
    return found


def config_of(name: str, settings: Settings, epochs: int | None = None) -> ModelConfig:
    """A preset with its own epochs, or those asked for."""
    epochs = epochs or settings.epochs or (QUICK_EPOCHS if settings.quick else None)
    return load_config(name, overrides={"training.epochs": epochs})
