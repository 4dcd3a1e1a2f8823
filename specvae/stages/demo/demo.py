"""The stage ``demo``: two nights of a synthetic place, fitted on the first, scored on the second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import maximum_filter

from specvae.model_file import load_model
from specvae.stages.demo.scenes import write_scene
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.options import IngestOptions
from specvae.stages.fit import fit
from specvae.stages.score.run import score
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.demo.synthetic import make_scene

__all__ = ["DemoOutcome", "demo"]


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo found, and where it lies."""

    folder: Path
    planted: int
    found: int
    """Planted anomalies with at least one flagged pixel."""
    false_alarms: int
    """Flagged normal pixels that see nothing planted."""
    normal_pixels: int
    """Normal pixels that see nothing planted."""
    beside: int
    """Flagged normal pixels that see something planted: what surrounds them is not normal."""
    reach: int
    """How far a pixel of the model sees, pixels."""
    auroc: float | None
    verdict: str


def demo(out: str = "demo", seed: int = 0) -> DemoOutcome:
    """Make ``normal.tif`` and ``tonight.tif`` with its truth, fit on the first, score the second as a user would."""
    place = Path(out)
    place.mkdir(parents=True, exist_ok=True)
    normal, tonight = make_scene(seed=seed), make_scene(seed=seed + 1, anomalies=True)
    write_scene(place / "normal.tif", normal.values)
    write_scene(place / "tonight.tif", tonight.values)
    write_scene(place / "truth.tif", np.minimum(tonight.truth, 255)[None], names=("planted",), nodata=255)
    model = str(place / "model.specvae")
    fit_anew_or_keep(str(place / "normal.tif"), model)
    ingest = IngestOptions(truth=str(place / "truth.tif"))
    request = ScoreRequest(model=model, out=str(place / "reports"), ingest=ingest, parts=True)
    outcome = score([str(place / "tonight.tif")], request).outcomes[0]
    if outcome.status == "failed":
        outcome = score([str(place / "tonight.tif")], replace(request, overwrite=True)).outcomes[0]
    with open_scene(str(place / "reports" / "tonight" / "anomaly.tif")) as flags:
        cube = flags.read(flags.grid.window)
    anomalous = (cube.values[0] == 1) & cube.valid
    hit = set(np.unique(tonight.truth[anomalous])) - {0, 255}
    report = outcome.report or {}
    reach = load_model(model).detector.halo
    normal = tonight.truth == 0
    seen = maximum_filter(np.isin(tonight.truth, (0, 255), invert=True), 2 * reach + 1)
    return DemoOutcome(
        place, tonight.planted, len(hit), int((anomalous & normal & ~seen).sum()), int((normal & ~seen).sum()),
        int((anomalous & normal & seen).sum()), reach, report["metrics"]["auroc"], report["drift"]["verdict"],
    )  # fmt: skip


def fit_anew_or_keep(scene: str, model: str) -> None:
    """Fit ``scene``: nothing to do where the model was made from it, replaced where it was made from another."""
    fit([scene], FitRequest(model=model, renew=True))
