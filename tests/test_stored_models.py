"""Models of earlier versions load, and score as they did when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from specvae import load_model, score_array
from specvae.detector import Detector
from specvae.scoring.cells import CellScorer

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
