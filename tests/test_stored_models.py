"""Models of earlier versions load, and score as they did when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from specvae import load_model, score_array

STORED = Path(__file__).parent / "stored"
pytestmark = pytest.mark.filterwarnings("ignore:bands were matched by their order alone")


@pytest.mark.parametrize("name", ["ring", "pixel", "table"])
def test_a_model_written_before_the_move_scores_as_it_did(name: str) -> None:
    """Processors differ in the last bits of a product of matrices; on one processor the bits were compared before each move."""
    stored = np.load(STORED / "scores.npz")
    cube = stored["rows"] if name == "table" else stored["scene"].astype(np.float32)
    valid = None if name == "table" else (cube != 0).all(axis=0)
    scores = score_array(cube, str(STORED / f"{name}.specvae"), valid=valid, parts=True)
    np.testing.assert_allclose(scores, stored[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["ring", "pixel", "table"])
def test_a_stored_model_keeps_its_thresholds(name: str) -> None:
    stored = json.loads((STORED / "thresholds.json").read_text(encoding="utf-8"))[name]
    table = load_model(STORED / f"{name}.specvae").detector.calibration.table()
    assert {f"{cut.false_alarm_rate:g}": pytest.approx(cut.value, rel=1e-6) for cut in table} == stored
