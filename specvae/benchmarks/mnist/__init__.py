"""Benchmark ``mnist``: five classic systems and ours as presets, densities in nats, and digits as anomalies.

Every trained preset and every anomaly figure is stored in the report's ``work`` folder under a name that holds its settings, so
that a run that was interrupted continues, and a report can be written again without training.
"""

from __future__ import annotations

from pathlib import Path

from specvae.benchmarks.mnist.anomalies import DETECTOR, run_anomalies
from specvae.benchmarks.mnist.data import MNIST, Digits, ImageSet, load_digits
from specvae.benchmarks.mnist.page import rows_of, write_page
from specvae.benchmarks.mnist.trial import OURS, PRESETS, Trial, run_trial
from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.errors import UsageError
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.device import pick_device

__all__ = ["run"]

QUICK_TRAIN, QUICK_TEST, QUICK_EPOCHS = 2000, 500, 2
"""Images and epochs of a quick run."""
QUICK_DIGITS = (0, 1)
BOUND_DRAWS, OUR_DRAWS, QUICK_DRAWS = 100, 1000, 10
"""Draws an image of the importance-weighted bound; it tightens with their number, and its cost grows in proportion."""
BOUND_IMAGES, ALL_TEST_IMAGES = 1000, 10_000
KNOWN = (*PRESETS, OURS, DETECTOR)
"""Every preset of the benchmark, in the order of the report."""


def run(settings: Settings, images: ImageSet = MNIST) -> Path:
    """Train the presets, or load what was trained with the same settings before, and write the report; its folder.

    Each preset is trained once; ``settings.seeds`` is the number of models a digit that the anomaly figures are means of.
    """
    digits = load_digits(settings, images)
    if settings.quick:
        digits = digits.first(QUICK_TRAIN, QUICK_TEST)
    out, device, seeds = settings.place(images.name), pick_device(settings.device), settings.seeds or 1
    names = chosen(settings)
    trials = {
        name: _trial(name, epochs, digits, out / "work", settings) for name, epochs in names.items() if name != DETECTOR
    }
    rows = []
    if DETECTOR in names:
        which = QUICK_DIGITS if settings.quick else tuple(range(10))
        config = config_of(DETECTOR, settings, names[DETECTOR])
        rows = run_anomalies(config, seeds, digits, which, out / "work", device, settings.progress)
    made_with = environment(
        seeds=seeds, quick=settings.quick, device=device, train=len(digits.train), test=len(digits.test)
    )
    write_metrics(out, images.name, [*rows_of(trials, images), *rows], made_with)
    write_page(out, images, trials, rows, [name for name in KNOWN if name not in names], made_with)
    return out


def _trial(name: str, epochs: int | None, digits: Digits, work: Path, settings: Settings) -> Trial:
    """The trial of a preset. The importance-weighted bound is costly: only ours, in a full run, has it on all test images."""
    images = ALL_TEST_IMAGES if name == OURS and epochs is None else BOUND_IMAGES
    bound = (QUICK_DRAWS, QUICK_TEST) if settings.quick else (OUR_DRAWS if name == OURS else BOUND_DRAWS, images)
    config = config_of(name, settings, epochs)
    trial = run_trial(config, digits, work, pick_device(settings.device), bound, settings.progress)
    settings.progress(f"{name}: test loss {trial.figures['test_loss']:.2f} nats, {trial.figures['cpu_seconds']:.0f} s")
    return trial


def chosen(settings: Settings) -> dict[str, int | None]:
    """The presets that ``--presets`` names, or all, each with its own number of epochs where given, as in ``mlp:5``.

    Raises UsageError for a preset that is not of this benchmark, or a number of epochs that is none.
    """
    names: dict[str, int | None] = {}
    for word in settings.presets or KNOWN:
        name, colon, epochs = word.partition(":")
        if name not in KNOWN:
            raise UsageError(f"--presets: {name!r} is no preset of this benchmark; known: {', '.join(KNOWN)}")
        if colon and not (epochs.isdigit() and int(epochs)):
            raise UsageError(f"--presets: {word!r} has {epochs!r} for epochs; give a positive number, as in {name}:5")
        # None, and not the preset's own epochs: a quick run may still lower those, but not what was asked for.
        names[name] = int(epochs) if colon else None
    return names


def config_of(name: str, settings: Settings, epochs: int | None = None) -> ModelConfig:
    """The configuration of a preset, with the epochs given for it, else those of the settings, else its own."""
    epochs = epochs or settings.epochs or (QUICK_EPOCHS if settings.quick else None)
    return load_config(name, overrides={"training.epochs": epochs})
