"""Benchmark ``mnist``: five classic systems and ours as presets, density in nats, and digits as anomalies."""

from __future__ import annotations

from pathlib import Path

from specvae.benchmarks.mnist.data import load_digits
from specvae.benchmarks.mnist.trials import OURS, PRESETS, Trial, run_trial
from specvae.benchmarks.settings import Settings
from specvae.config import ModelConfig, load_config
from specvae.errors import UsageError
from specvae.training import pick_device

__all__ = ["run"]

QUICK_TRAIN, QUICK_TEST, QUICK_EPOCHS = 2000, 500, 2


def run(settings: Settings) -> Path:
    """Train the presets, or take trained ones of the same settings from the report's work folder, and write the report."""
    digits = load_digits(settings)
    if settings.quick:
        digits = digits.first(QUICK_TRAIN, QUICK_TEST)
    out, device = settings.place("mnist"), pick_device(settings.device)
    trials: list[Trial] = []
    for name in chosen(settings):
        bound = (10, 100) if settings.quick else (1000, 10_000) if name == OURS else (100, 1000)
        trial = run_trial(config_of(name, settings), digits, out / "work", device, bound, settings.progress)
        settings.progress(f"{name}: test loss {trial.figures['test_loss']:.2f} nats, {trial.figures['seconds']:.0f} s")
        trials.append(trial)
    return out


def chosen(settings: Settings) -> tuple[str, ...]:
    """The presets asked for, or all. Raises UsageError for one that is not for images."""
    known = (*PRESETS, OURS)
    unknown = [name for name in settings.presets if name not in known]
    if unknown:
        raise UsageError(f"--presets: {unknown[0]!r} is no preset of this benchmark; known: {', '.join(known)}")
    return settings.presets or known


def config_of(name: str, settings: Settings) -> ModelConfig:
    """A preset with its own epochs, or those asked for."""
    epochs = settings.epochs or (QUICK_EPOCHS if settings.quick else None)
    return load_config(name, overrides={"training.epochs": epochs})
