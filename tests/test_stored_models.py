"""Models of earlier versions load, and score as they did when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from specvae import load_model, score_array
from specvae.detector import Detector
from specvae.export.comparison.finding import State
from specvae.scoring.cells import CellScorer
from specvae.stages.compare import compare
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

STORED = Path(__file__).parent / "stored"
pytestmark = pytest.mark.filterwarnings("ignore:bands were matched by their order alone")


NAMES = ["ring", "pixel", "table"]


def scored(name: str, model: Detector) -> np.ndarray:
    """``(3, ...)``: score, reconstruction and KL of the scene, or the rows, that the model was written with."""
    stored = np.load(STORED / "scores.npz")
    cube = stored["rows"] if name == "table" else stored["scene"].astype(np.float32)
    valid = None if name == "table" else (cube != 0).all(axis=0)
    return score_array(cube, model, valid=valid, parts=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_written_before_the_move_scores_as_it_did(name: str) -> None:
    """By torch, as then: processors differ in the last bits of a product of matrices; on one the bits were compared."""
    detector = load_model(STORED / f"{name}.specvae").detector
    detector._scorer = CellScorer(detector.net)
    np.testing.assert_allclose(scored(name, detector), np.load(STORED / "scores.npz")[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_compiled_scorer_gives_what_torch_gave(name: str) -> None:
    """Rounding in float32 alone is 3e-5 of torch's scores of the ring model, against the same sums in float64."""
    before = np.load(STORED / "scores.npz")[name]
    ours = scored(name, load_model(STORED / f"{name}.specvae").detector)
    away = np.abs(ours[0] - before[0]) / np.maximum(1.0, np.abs(before[0]))
    assert np.nanquantile(away, 0.99) < 1e-5
    assert np.nanmax(away) < 5e-5


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_model_keeps_its_thresholds(name: str) -> None:
    stored = json.loads((STORED / "thresholds.json").read_text(encoding="utf-8"))[name]
    table = load_model(STORED / f"{name}.specvae").detector.calibration.table()
    assert {f"{cut.false_alarm_rate:g}": pytest.approx(cut.value, rel=1e-6) for cut in table} == stored


def test_the_result_of_an_earlier_version_compares_as_equal(tmp_path: Path) -> None:
    """What a user does after an update: score a scene again, and compare it with the result of before."""
    scene = np.load(STORED / "scores.npz")["scene"]
    grid = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_800_000, 20, 20), "nodata": 0}
    with rasterio.open(tmp_path / "scene.tif", "w", "GTiff", 80, 96, 6, dtype="uint16", **grid) as raster:
        raster.write(scene)
    request = ScoreRequest(model=str(STORED / "ring.specvae"), out=str(tmp_path / "reports"))
    assert score([str(tmp_path / "scene.tif")], request).exit_status == 0
    comparison = compare(str(STORED / "ring-result"), str(tmp_path / "reports" / "scene"), 5e-5)
    states = {f.what: f.state for f in comparison.findings if f.where not in ("only in A", "only in B")}
    # Rounding in float32 is 3e-5 of the scores of this model, and the cuts are stored in it.
    assert states.pop("score.tif score") is not State.DIFFERS
    cuts = {"thresholds.csv rate", "thresholds.csv value", "thresholds.csv method"}
    assert not {what for what in cuts & set(states) if states[what] is not State.EQUAL}
    assert not [f for f in comparison.findings if f.where == "only in A"]
