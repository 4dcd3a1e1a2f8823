"""``score --pool``: evidence.tif is the pooled score, and its cut keeps its rate on fresh normal ground."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import rasterio
from sklearn.metrics import roc_auc_score

import specvae.training.sampling
from specvae.ingest.options import IngestOptions
from specvae.model_file import load_model, save_model
from specvae.scoring.pooling import pool
from specvae.spectra import Cube, Window
from specvae.stages.calibrate import calibrate
from specvae.stages.demo.scenes import write_scene
from specvae.stages.fit import fit
from specvae.stages.outcome import SceneOutcome
from specvae.stages.requests import CalibrateRequest, FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

NAMES = ("B1", "B2", "B3", "B4")
SETTINGS = ("training.steps=60", "training.refits=0", "sampling.folds=1")


def ground(seed: int, rows: int = 200, cols: int = 240) -> np.ndarray:
    """Patches of smooth and rough ground, 4 bands."""
    rng = np.random.default_rng(seed)
    rough = np.where(rng.random((-(-rows // 20), -(-cols // 20))) < 0.5, 10.0, 40.0).repeat(20, 0).repeat(20, 1)
    mean = np.array([400.0, 600, 500, 900])[:, None, None]
    return np.asarray(np.clip(mean + rough[:rows, :cols] * rng.normal(size=(4, rows, cols)), 1, 4000).astype(np.uint16))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    scene = ground(1)
    scene[:, :3, :40] = 0
    truth = np.zeros((1, 200, 240), np.uint8)
    for row, col in ((50, 60), (120, 180), (160, 30)):
        scene[:, row : row + 2, col : col + 2] = np.array([700, 400, 800, 500])[:, None, None]
        truth[0, row : row + 2, col : col + 2] = 1
    for name, values in (("normal", ground(0)), ("other", ground(2)), ("tonight", scene)):
        write_scene(folder / f"{name}.tif", values, NAMES)
    write_scene(folder / "truth.tif", truth, ("truth",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specvae.training.sampling, "WHOLE", 10_000)  # read block by block, as a large scene is
        # One fold: what is held out is scored by the model itself, so that it can be compared with what that model gives.
        request = FitRequest(model=str(folder / "m.specvae"), device="cpu", set=SETTINGS, folds=1)
        fit([str(folder / "normal.tif")], request)
    return folder


def scored(place: Path, name: str, out: str = "out", truth: str | None = None, **options: Any) -> SceneOutcome:
    request = ScoreRequest(
        model=str(place / "m.specvae"), out=str(place / out), pool=True, ingest=IngestOptions(nodata="0", truth=truth),
        device="cpu", overwrite=True, **options,
    )  # fmt: skip
    return score([str(place / name)], request).outcomes[0]


def read(place: Path, name: str, out: str = "out/tonight") -> np.ndarray:
    with rasterio.open(place / out / name) as raster:
        return np.asarray(raster.read(1))


def test_evidence_is_the_pooled_score_and_its_flags_are_those_above_its_cut(place: Path) -> None:
    outcome = scored(place, "tonight.tif", truth=str(place / "truth.tif"))
    assert outcome.status == "done", outcome.message
    report = json.loads((place / "out" / "tonight" / "report.json").read_text())
    section = report["evidence"]
    evidence, flags = read(place, section["file"]), read(place, section["flags"])
    reach = load_model(place / "m.specvae").detector.provenance["pooling"]["reach"]
    assert section["reach"] == reach
    assert any(f"the {2 * reach + 1} x {2 * reach + 1} pixels around" in warning for warning in report["warnings"])
    np.testing.assert_array_equal(evidence, pool(read(place, "score.tif"), reach))
    assert np.isnan(evidence[:3, :40]).all()
    np.testing.assert_array_equal(flags == 255, np.isnan(evidence))
    np.testing.assert_array_equal(flags == 1, evidence > section["threshold"]["value"])
    assert section["anomalous"] == (flags == 1).sum()
    with rasterio.open(place / "truth.tif") as raster:
        planted = raster.read(1)[np.isfinite(evidence)] == 1
    oracle = roc_auc_score(planted, evidence[np.isfinite(evidence)])
    assert section["metrics"]["auroc"] == pytest.approx(oracle, abs=1e-6)
    assert 0.95 < oracle <= 1.0
    schema = json.loads((resources.files("specvae.export.report") / "report.schema.json").read_text())
    jsonschema.validate(report, schema)
    page = (place / "out" / "tonight" / "report.html").read_text()
    assert "Evidence over space" in page
    item = json.loads((place / "out" / "tonight" / "item.json").read_text())
    assert any("evidence_anomaly.tif" in asset["href"] for asset in item["assets"].values())


def test_a_smaller_memory_changes_no_bit(place: Path) -> None:
    scored(place, "tonight.tif")
    scored(place, "tonight.tif", out="small", max_memory="64M")
    np.testing.assert_array_equal(read(place, "evidence.tif"), read(place, "evidence.tif", "small/tonight"))


def test_the_held_out_evidence_is_that_of_the_whole_scene(place: Path) -> None:
    detector = load_model(place / "m.specvae").detector
    assert detector.evidence is not None
    values = ground(0)
    whole = Window(0, 0, 200, 240)
    scores = detector.score(Cube(values.astype(np.float32), np.zeros((200, 240), np.uint8), whole), whole).score
    full = pool(scores, detector.provenance["pooling"]["reach"])
    columns = -(-240 // 64)
    assert len(detector.evidence.tiles) == len(detector.calibration.tiles) > 0
    for tile in detector.evidence.tiles.tiles:
        row, col = divmod(tile.block, columns)
        there = full[64 * row :, 64 * col :][: tile.score.shape[0], : tile.score.shape[1]]
        np.testing.assert_array_equal(tile.score[tile.valid], there[tile.valid])


def test_the_cut_keeps_its_rate_on_fresh_normal_ground(place: Path) -> None:
    outcome = scored(place, "other.tif", false_alarm_rate=0.01)
    assert outcome.report is not None
    section = outcome.report["evidence"]
    assert section["threshold"]["false_alarm_rate"] == 0.01
    assert 0.004 < section["anomalous"] / outcome.report["pixels"]["valid"] < 0.02


def test_calibrating_anew_gives_the_evidence_a_new_cut(place: Path) -> None:
    fresh = calibrate(
        [str(place / "other.tif")], CalibrateRequest(model=str(place / "m.specvae"), out=str(place / "c.specvae"))
    )
    pair = [load_model(p).detector.evidence_calibration() for p in (place / "m.specvae", fresh.model)]
    assert pair[1].size == 200 * 240 > pair[0].size
    assert pair[0].threshold(0.01).value == pytest.approx(pair[1].threshold(0.01).value, abs=0.3)


def test_a_model_without_evidence_and_a_table_are_refused_in_one_line(place: Path) -> None:
    detector = load_model(place / "m.specvae").detector
    detector.evidence = None
    save_model(detector, place / "bare.specvae", {})
    request = ScoreRequest(model=str(place / "bare.specvae"), out=str(place / "bare"), pool=True, device="cpu")
    outcome = score([str(place / "tonight.tif")], request).outcomes[0]
    assert (outcome.status, outcome.exit_status) == ("failed", 4)
    assert "fit it again" in outcome.message
    assert not (place / "bare" / "tonight").exists()
    np.savetxt(place / "rows.csv", ground(0, 20, 20)[:, :, 0].T, delimiter=",", header=",".join(NAMES), comments="")
    assert "is a table" in scored(place, "rows.csv").message
