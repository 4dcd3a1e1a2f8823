"""The cost of a fit: how long it takes, when it stops to improve, and whether a fit ten times as long detects more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from specvae.benchmarks.report import Row
from specvae.benchmarks.speed.processes import timed_command
from specvae.ingest.options import IngestOptions
from specvae.model_file import load_model
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import make_scene
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

__all__ = ["fit_rows"]

DATASET = "fit"
LONGER = 10
"""Factor of the longer fit's steps."""
NEAR = 0.01
"""Share of the way from the first validation loss to the last that may be missing when a fit has settled."""


class Check(TypedDict):
    """What is read of one entry of a fit's history."""

    seconds: float
    validation: float


def fit_rows(work: Path, side: int, device: str) -> list[Row]:
    """Fit a ``side x side`` scene with the defaults and ten times as long, and score a second date of it with both."""
    normal, tonight = make_scene(side, side, 0), make_scene(side, side, 1, anomalies=True)
    write_scene(work / "normal.tif", normal.values)
    write_scene(work / "tonight.tif", tonight.values)
    write_scene(work / "truth.tif", np.minimum(tonight.truth, 255)[None], names=("planted",), nodata=255)
    usual, longer = work / "usual.specvae", work / "longer.specvae"
    seconds = timed_command("fit", work / "normal.tif", "--model", usual, "--device", device).seconds
    detector = load_model(usual).detector
    batch, pixels = detector.config.training.batch, detector.provenance["pixels"]["train"]
    steps = detector.provenance["history"][-1]["steps"]
    # The steps of the default fit were its own choice; in epochs, a pass takes as many steps as there are batches.
    epochs = max(1, round(LONGER * steps / max(1, pixels // batch)))
    request = FitRequest(model=str(longer), device=device, set=(f"training.epochs={epochs}",))
    fit([str(work / "normal.tif")], request)
    return [*_rows("specvae", usual, work, seconds), *_rows(f"specvae-{LONGER}x", longer, work, None)]


def _rows(method: str, model: Path, work: Path, process: float | None) -> list[Row]:
    """The rows of one model; ``process`` is the time of its complete fit, None where only the training was timed."""
    detector = load_model(model).detector
    history = detector.provenance["history"]
    training = history[-1]["seconds"]
    seen = history[-1]["step"] * min(detector.config.training.batch, detector.provenance["pixels"]["train"])
    areas = _metrics(work, model)
    values = {
        "auroc": areas["auroc"],
        "average_precision": areas["average_precision"],
        "seconds": training if process is None else process,
        "seconds_training": training,
        "seconds_to_1_percent": settled(history),
        "spectra_per_s": seen / max(1e-9, training),
    }
    return [Row(DATASET, method, name, value, 1, values["seconds"]) for name, value in values.items()]


def _metrics(work: Path, model: Path) -> dict[str, float]:
    """Metrics of the model's score of the second date against the planted truth."""
    request = ScoreRequest(
        model=str(model), out=str(work / model.stem), ingest=IngestOptions(truth=str(work / "truth.tif"))
    )
    outcome = score([str(work / "tonight.tif")], request).outcomes[0]
    report: dict[str, Any] = dict(outcome.report or {})
    metrics: dict[str, float] = report["metrics"]
    return metrics


def settled(history: Sequence[Check]) -> float:
    """Seconds of training after which the validation loss stays within 1 % of the way to its last value."""
    losses = np.array([check["validation"] for check in history])
    tolerance = NEAR * max(abs(losses[0] - losses[-1]), 1e-12)
    late = np.flatnonzero(np.abs(losses - losses[-1]) > tolerance)
    # The first check after the last one that was still too far off.
    return float(history[0 if not late.size else min(late[-1] + 1, len(history) - 1)]["seconds"])
