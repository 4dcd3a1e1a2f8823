"""Thresholds as a user meets them on real data: rates, refusals, objects, calibration on other data, other sensors."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from scipy import stats

from specvae.ingest.options import IngestOptions
from specvae.model_file import load_model
from specvae.stages.calibrate import calibrate
from specvae.stages.fit import fit
from specvae.stages.outcome import ScoreRun
from specvae.stages.requests import CalibrateRequest, FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score
from tests.commands import run

FIRE = "scenes/coldsprings"
BEFORE, AFTER = f"{FIRE}/20160707_pre_sr7.tif", f"{FIRE}/20160723_post_sr7.tif"
SHORT = ("training.steps=150", "training.refits=1")


def scored(scene: Path | str, model: Path, out: Path, **asked: Any) -> tuple[dict[str, Any], Path, ScoreRun]:
    """Report, its folder, and the run."""
    done = score([str(scene)], ScoreRequest(model=str(model), out=str(out), device="cpu", **asked))
    assert done.outcomes[0].status == "done", done.outcomes[0].message
    folder = Path(done.outcomes[0].folder)
    return json.loads((folder / "report.json").read_text()), folder, done


@pytest.fixture(scope="module")
def fire(real_layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``before.specvae``, fitted on the clear pixels before the fire, and ``after.specvae``, calibrated
    on every second strip of the unburnt ground after it; ``strips.tif`` marks these strips."""
    folder = tmp_path_factory.mktemp("fire")
    with rasterio.open(real_layout / FIRE / "burn_mask.tif") as mask:
        burnt, profile = mask.read(1), mask.profile
    even = np.arange(burnt.shape[0])[:, None] // 12 % 2 == 0
    with rasterio.open(folder / "strips.tif", "w", **{**profile, "dtype": "uint8", "nodata": None}) as file:
        file.write(((burnt == 0) & even).astype(np.uint8), 1)
    with rasterio.open(folder / "others.tif", "w", **{**profile, "dtype": "uint8", "nodata": None}) as file:
        file.write(((burnt != 0) | even).astype(np.uint8), 1)
    normal = str(real_layout / FIRE / "20160707_pre_clear.tif")
    fit(
        [str(real_layout / BEFORE)],
        FitRequest(model=str(folder / "before.specvae"), set=SHORT, device="cpu", ingest=IngestOptions(normal=normal)),
    )
    calibrate(
        [str(real_layout / AFTER)],
        CalibrateRequest(
            model=str(folder / "before.specvae"),
            out=str(folder / "after.specvae"),
            ingest=IngestOptions(normal=str(folder / "strips.tif")),
        ),
    )
    return folder


@pytest.fixture(scope="module")
def burnt(fire: Path, real_layout: Path) -> tuple[dict[str, Any], Path]:
    """Report and folder of the scene after the fire, cut by its own unburnt strips."""
    report, folder, _ = scored(
        real_layout / AFTER, fire / "after.specvae", fire / "burnt", parts=True, fdr=0.1, false_alarm_rate=1e-2
    )
    return report, folder


def test_other_normal_data_move_the_cut_and_leave_the_network(fire: Path) -> None:
    before, after = (load_model(fire / f"{name}.specvae").detector for name in ("before", "after"))
    for mine, theirs in zip(before.net.state_dict().values(), after.net.state_dict().values(), strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert after.provenance["pixels"]["calibration"] == after.calibration.size != before.calibration.size
    assert after.calibration.threshold(1e-2).value != before.calibration.threshold(1e-2).value


def test_cuts_from_half_of_the_unburnt_strips_keep_their_rate_in_the_other_half(fire: Path, real_layout: Path) -> None:
    report, folder, _ = scored(
        real_layout / AFTER, fire / "after.specvae", fire / "strips", false_alarm_rate=1e-2,
        ingest=IngestOptions(mask=str(fire / "others.tif"), mask_values=("1",)),
    )  # fmt: skip
    assert report["threshold"]["supported"] is True
    realised = report["pixels"]["anomalous"] / report["pixels"]["valid"]
    low, high = report["threshold"]["interval"]
    assert 0.4e-2 < realised < 2.5e-2
    assert low / 2 < realised < high * 2
    assert (folder / "item.json").exists()


def test_the_table_of_thresholds_counts_what_the_map_holds(burnt: tuple[dict[str, Any], Path]) -> None:
    report, folder = burnt
    rows = list(csv.DictReader((folder / "thresholds.csv").open()))
    assert [float(row["asked_rate"]) for row in rows] == [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
    with rasterio.open(folder / "score.tif") as file:
        scores, area = file.read(1), abs(file.transform.a * file.transform.e)
    valid = np.isfinite(scores)
    for row, stated in zip(rows, report["thresholds"], strict=True):
        rate, cut = float(row["false_alarm_rate"]), float(row["value"])
        assert stated["value"] == pytest.approx(cut)
        assert float(row["expected_false_alarms"]) == pytest.approx(rate * valid.sum())
        assert float(row["expected_per_km2"]) == pytest.approx(rate * 1e6 / area, rel=1e-6)
        assert float(row["share_of_scene_above"]) == pytest.approx((scores[valid] > cut).mean(), rel=0.05, abs=3e-5)
        assert float(row["interval_low"]) <= rate <= float(row["interval_high"]) or row["supported"] == "false"
        assert float(row["value_low"]) <= cut <= float(row["value_high"])
        assert row["method"] in {"empirical", "pareto"}
    assert {row["supported"] for row in rows} == {"true", "false"}
    assert all(row["warning"] for row in rows if row["supported"] == "false")


def test_p_values_of_the_map_are_those_of_the_calibration(burnt: tuple[dict[str, Any], Path], fire: Path) -> None:
    with rasterio.open(burnt[1] / "score.tif") as file:
        scores, p = file.read(1), file.read(4)
        assert file.descriptions[3] == "p_value"
    valid = np.isfinite(scores)
    assert np.isnan(p[~valid]).all()
    assert ((p[valid] > 0) & (p[valid] <= 1)).all()
    expected = load_model(fire / "after.specvae").detector.calibration.p_values(scores[valid])
    np.testing.assert_allclose(p[valid], expected, rtol=1e-5)
    with rasterio.open(fire / "strips.tif") as file:
        known = (file.read(1) == 1) & valid
    for level in (0.01, 0.1, 0.5):
        assert (p[known] <= level).mean() == pytest.approx(level, rel=0.03), "its own calibration pixels are uniform"


def test_objects_carry_p_values_and_the_discovery_rate_that_was_asked(burnt: tuple[dict[str, Any], Path]) -> None:
    report, folder = burnt
    objects = geopandas.read_file(folder / "objects.gpkg")
    assert report["objects"]["fdr"] == 0.1
    assert report["objects"]["p_value_method"] in {"ranks", "pareto"}, (
        "forty thousand normal pixels show objects enough"
    )
    assert ((objects["p_value"] > 0) & (objects["p_value"] <= 1)).all()
    adjusted = stats.false_discovery_control(objects["p_value"], method="bh")
    np.testing.assert_allclose(objects["q_value"], adjusted)
    np.testing.assert_array_equal(objects["keep"].astype(bool), adjusted <= 0.1)
    assert report["objects"]["kept"] == int((adjusted <= 0.1).sum())


def test_the_largest_objects_of_the_fire_have_the_smallest_p_values(
    burnt: tuple[dict[str, Any], Path], real_layout: Path
) -> None:
    objects = geopandas.read_file(burnt[1] / "objects.gpkg").sort_values("p_value", kind="stable")
    with rasterio.open(real_layout / FIRE / "burn_mask.tif") as file:
        perimeter = np.argwhere(file.read(1) != 0)
    top = objects.head(2)
    assert (top["p_value"] < 0.02).all()
    assert (top["pixels"] > 200).all()
    for row, col in zip(top["row"], top["col"], strict=True):
        assert np.abs(perimeter - [row, col]).max(axis=1).min() <= 10, "its peak lies in the perimeter or beside it"


def test_few_held_out_pixels_bound_p_values_and_the_report_says_so(fire: Path, real_layout: Path) -> None:
    few = FitRequest(
        model=str(fire / "few.specvae"), set=SHORT, device="cpu", folds=1,
        ingest=IngestOptions(normal=str(real_layout / FIRE / "20160707_pre_clear.tif")),
    )  # fmt: skip
    fit([str(real_layout / BEFORE)], few)
    report, folder, _ = scored(real_layout / AFTER, fire / "few.specvae", fire / "few", fdr=0.1)
    assert report["objects"]["p_value_method"] == "bound"
    assert "specvae calibrate" in report["objects"]["p_value_note"]
    assert geopandas.read_file(folder / "objects.gpkg")["p_value"].between(0, 1).all()


def test_an_unsupported_explicit_rate_is_given_with_a_warning_and_strict_exits_5(fire: Path, real_layout: Path) -> None:
    args = ("score", real_layout / AFTER, "--model", fire / "before.specvae", "--false-alarm-rate", "1e-6")
    assert run(*args, "--out", fire / "r6") == 0
    assert run(*args, "--out", fire / "r6strict", "--strict") == 5
    report = json.loads((fire / "r6" / "20160723_post_sr7" / "report.json").read_text())
    assert report["threshold"]["false_alarm_rate"] == report["threshold"]["asked_rate"] == 1e-6
    assert report["threshold"]["supported"] is False
    assert "the data support" in report["threshold"]["warning"]
    assert report["threshold"]["warning"] in report["warnings"]


def test_the_held_out_check_is_reported_for_blocks_and_passes_or_fails(burnt: tuple[dict[str, Any], Path]) -> None:
    check = burnt[0]["calibration"]["check"]
    assert isinstance(check["passed"], bool)
    judged = [rate for rate in check["rates"] if rate["judged"]]
    assert {rate["rate"] for rate in judged} >= {0.1, 0.01}
    for rate in judged:
        low, middle, high = rate["block_quantiles"]
        assert low <= middle <= high
        assert len(rate["blocks"]) > 5
    page = (burnt[1] / "report.html").read_text()
    verdict = "passed" if check["passed"] else "did not pass"
    assert f"The held-out check {verdict}" in page
    assert page.count("<circle") >= sum(len(rate["blocks"]) for rate in check["rates"]), "a dot a block is drawn"
    assert "and in a km²" in page


def test_a_small_table_falls_back_to_the_rate_it_supports_and_tells_both(real_data: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(real_data / "spectra/ftir_strawberry.csv")
    train = frame[frame["split"] == "train"].drop(columns="split")
    train.to_csv(tmp_path / "train.csv", index=False)
    model = tmp_path / "m.specvae"
    assert run("fit", tmp_path / "train.csv", "--label-column", "adulterated", "--model", model, "--set", SHORT[0]) == 0
    args = ("score", tmp_path / "train.csv", "--model", model)
    assert run(*args, "--out", tmp_path / "default") == 0
    report = json.loads((tmp_path / "default" / "train" / "report.json").read_text())["threshold"]
    assert report["supported"] is False
    assert report["asked_rate"] == 1e-3
    assert 1 / 220 < report["false_alarm_rate"] <= 0.05
    assert "0.001 is not supported" in report["warning"]
    assert run(*args, "--out", tmp_path / "strict", "--strict") == 5
    rows = pd.read_csv(tmp_path / "default" / "train" / "scores.csv")
    assert rows["p_value"].between(0, 1).all()
    expected = load_model(model).detector.calibration.p_values(rows["score"].to_numpy(np.float32))
    np.testing.assert_allclose(rows["p_value"], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("fitted", "other", "bands"),
    [
        (f"{FIRE}_landsat8_bands/20160707_pre", "scenes/l8_newyork/LC08_L1TP_013032_20180710_20180717_01_T1", "1-7"),
        ("scenes/rufiji_timeseries/S2_20190610.tif", "scenes/aberystwyth/sen2_20210527_aber_10band.tif", None),
    ],
)
def test_another_sensor_or_processing_level_is_do_not_use(
    fitted: str, other: str, bands: str | None, real_data: Path, tmp_path: Path
) -> None:
    """Surface reflectance against digital numbers of another place; reflectance per mille against ten-thousandths."""
    model = tmp_path / "m.specvae"
    fit([str(real_data / fitted)], FitRequest(model=str(model), set=SHORT, device="cpu", max_pixels=40_000))
    report, _, done = scored(real_data / other, model, tmp_path / "out", strict=True, ingest=IngestOptions(bands=bands))
    assert report["drift"]["verdict"] == "do-not-use"
    assert report["drift"]["reasons"]
    assert done.exit_status == 5


@pytest.mark.slow
def test_without_the_rims_of_clouds_the_fire_is_found_and_its_large_objects_are_kept(
    real_layout: Path, tmp_path: Path
) -> None:
    """Clouds along the edges of the mask set the cut of the day before; by default they leave calibration alone."""
    found = {}
    for buffer in (0, "auto"):
        masked = IngestOptions(mask=str(real_layout / FIRE / "20160707_pre_clear.tif"), mask_buffer=buffer)
        model = tmp_path / f"{buffer}.specvae"
        outcome = fit([str(real_layout / BEFORE)], FitRequest(model=str(model), device="cpu", ingest=masked))
        assert any("--mask-buffer 2" in warning for warning in outcome.warnings) == (buffer == 0)
        assert any("these 2 pixels set no cut" in warning for warning in outcome.warnings) == (buffer == "auto")
        options = IngestOptions(truth=str(real_layout / FIRE / "burn_mask.tif"))
        report, folder, _ = scored(real_layout / AFTER, model, tmp_path / f"{buffer}", fdr=0.1, ingest=options)
        found[buffer] = report["metrics"]["detection_rate"]
        assert report["metrics"]["false_alarm_rate"] < 3e-3
        assert report["metrics"]["auroc"] > 0.97
    assert found[0] < 0.06
    assert 0.2 < found["auto"] < 0.5
    objects = geopandas.read_file(folder / "objects.gpkg", layer="objects")
    kept = objects[objects["keep"]]
    assert 2 <= len(kept) <= 6
    assert kept["pixels"].min() > 50
