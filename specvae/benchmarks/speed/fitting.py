"""How fast a fit is, when it is as good as it gets, and whether a fit ten times as long detects more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from specvae.benchmarks.report import Row
from specvae.benchmarks.speed.processes import timed_process
from specvae.ingest.options import IngestOptions
from specvae.model_file import load_model
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import make_scene
from specvae.stages.fit import fit
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

__all__ = ["fit_rows"]

DATASET = "fit"
LONGER = 10
NEAR = 0.01
"""Of the way from the first validation loss to the last that may be missing."""


def fit_rows(work: Path, side: int, device: str) -> list[Row]:
    """Fit a ``side x side`` scene with the defaults and ten times as long; score a second night of it with both."""
    normal, tonight = make_scene(side, side, 0), make_scene(side, side, 1, anomalies=True)
    write_scene(work / "normal.tif", normal.values)
    write_scene(work / "tonight.tif", tonight.values)
    write_scene(work / "truth.tif", np.minimum(tonight.truth, 255)[None], names=("planted",), nodata=255)
    usual, longer = work / "usual.specvae", work / "longer.specvae"
    command = ["fit", str(work / "normal.tif"), "--model", str(usual), "--device", device]
    whole = timed_process([sys.executable, "-m", "specvae", *command]).seconds
    told = load_model(usual)
    batch, pixels = told.detector.config.training.batch, told.detector.provenance["pixels"]["train"]
    steps = told.detector.provenance["history"][-1]["steps"]
    epochs = max(1, round(LONGER * steps / max(1, pixels // batch)))
    fit([str(work / "normal.tif")], model=str(longer), device=device, set=(f"training.epochs={epochs}",))
    return [*_rows("specvae", usual, work, whole), *_rows(f"specvae-{LONGER}x", longer, work, None)]


def _rows(method: str, model: Path, work: Path, whole: float | None) -> list[Row]:
    detector = load_model(model).detector
    history = detector.provenance["history"]
    training = history[-1]["seconds"]
    seen = history[-1]["step"] * min(detector.config.training.batch, detector.provenance["pixels"]["train"])
    metrics = _metrics(work, model)
    values = {
        "auroc": metrics["auroc"],
        "average_precision": metrics["average_precision"],
        "seconds": training if whole is None else whole,
        "seconds_training": training,
        "seconds_to_1_percent": settled(history),
        "spectra_per_s": seen / max(1e-9, training),
    }
    return [Row(DATASET, method, name, value, 1, values["seconds"]) for name, value in values.items()]


def _metrics(work: Path, model: Path) -> dict[str, Any]:
    request = ScoreRequest(
        model=str(model), out=str(work / model.stem), ingest=IngestOptions(truth=str(work / "truth.tif"))
    )
    outcome = score([str(work / "tonight.tif")], request).outcomes[0]
    metrics: dict[str, Any] = (outcome.report or {})["metrics"]
    return metrics


def settled(history: list[dict[str, float]]) -> float:
    """Seconds of training after which the validation loss stays within 1 % of the way to its last value."""
    losses = np.array([check["validation"] for check in history])
    reach = NEAR * max(abs(losses[0] - losses[-1]), 1e-12)
    late = np.flatnonzero(np.abs(losses - losses[-1]) > reach)
    return float(history[0 if not late.size else min(late[-1] + 1, len(history) - 1)]["seconds"])
