"""The stage ``demo``: two nights of a synthetic place, fitted on the first, scored on the second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import maximum_filter

from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.model_file import load_model
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import SyntheticScene, make_scene
from specvae.stages.fit import fit
from specvae.stages.outcome import SceneOutcome
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

__all__ = ["DemoOutcome", "demo"]

TAKEN = "2026:07:14 10:30:00"
"""When the second night was, as far as a made-up night has a date: a watch needs one."""


@dataclass(frozen=True)
class DemoOutcome:
    """How many of the planted anomalies the demo detected, at what cost in false alarms, and where its files are."""

    folder: Path
    """Where everything was written."""
    planted: int
    """How many anomalies were planted."""
    detected: int
    """Planted anomalies with at least one flagged pixel."""
    false_alarms: int
    """Flagged normal pixels that have nothing planted within their halo."""
    normal_pixels: int
    """Normal pixels that have nothing planted within their halo."""
    beside: int
    """Flagged normal pixels that have something planted within their halo: what surrounds them is not normal."""
    halo: int
    """How far around a pixel the model looks, in pixels."""
    auroc: float | None
    """Area under the ROC curve of the scores against the truth."""
    verdict: str
    """The joined verdict: whether the map is to be trusted."""


def demo(out: str = "demo", seed: int = 0) -> DemoOutcome:
    """Make ``normal.tif`` and ``tonight.tif`` with its truth, fit on the first, score the second as a user would."""
    place = Path(out)
    place.mkdir(parents=True, exist_ok=True)
    normal, tonight = make_scene(seed=seed), make_scene(seed=seed + 1, anomalies=True)
    write_scene(place / "normal.tif", normal.values)
    write_scene(place / "tonight.tif", tonight.values, taken=TAKEN)
    write_scene(place / "truth.tif", np.minimum(tonight.truth, 255)[None], names=("planted",), nodata=255)
    model = str(place / "model.specvae")
    # A second demo finds its model made from the same scene; with another seed it replaces it.
    fit([str(place / "normal.tif")], FitRequest(model=model, renew=True))
    ingest = IngestOptions(truth=str(place / "truth.tif"))
    request = ScoreRequest(model=model, out=str(place / "reports"), ingest=ingest, parts=True)
    outcome = score([str(place / "tonight.tif")], request).outcomes[0]
    # Without overwrite at first, so that the same demo again makes nothing; a result of another seed is then refused.
    if outcome.status == "failed":
        outcome = score([str(place / "tonight.tif")], replace(request, overwrite=True)).outcomes[0]
    return _counted(place, tonight, outcome, load_model(model).detector.halo)


def _counted(place: Path, tonight: SyntheticScene, outcome: SceneOutcome, halo: int) -> DemoOutcome:
    """Count what the map of the night flags, by whether it was planted."""
    # Read back from the map, so that what is said of it is what a user sees in it.
    with open_scene(str(place / "reports" / "tonight" / "anomaly.tif")) as flags:
        cube = flags.read(flags.grid.window)
    anomalous = (cube.values[0] == 1) & cube.valid
    detected = set(np.unique(tonight.truth[anomalous])) - {0, 255}
    report = outcome.report or {}
    normal = tonight.truth == 0
    # Normal pixels near a planted one see it in their surroundings: their flags are counted apart from false alarms.
    near = maximum_filter(np.isin(tonight.truth, (0, 255), invert=True), 2 * halo + 1)
    return DemoOutcome(
        folder=place,
        planted=tonight.planted,
        detected=len(detected),
        false_alarms=int((anomalous & normal & ~near).sum()),
        normal_pixels=int((normal & ~near).sum()),
        beside=int((anomalous & normal & near).sum()),
        halo=halo,
        auroc=report["metrics"]["auroc"],
        verdict=report["trust"]["verdict"],
    )
