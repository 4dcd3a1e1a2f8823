"""The command line end to end on a small scene, and bad inputs: the right exit status, one line, nothing written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from sklearn.metrics import roc_auc_score

from specvae.export.report.page import claim
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import make_scene
from tests.commands import run

QUICK = ["--set", "training.steps=80", "--set", "training.refits=1", "--folds", "1"]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with normal.tif, tonight.tif, truth.tif, a table, and models fitted on them."""
    folder = tmp_path_factory.mktemp("night")
    tonight = make_scene(150, 160, seed=1, anomalies=True)
    normal = make_scene(150, 160, seed=0)
    write_scene(folder / "normal.tif", normal.values)
    write_scene(folder / "tonight.tif", tonight.values)
    write_scene(folder / "truth.tif", tonight.truth[None], names=("truth",), nodata=255)
    spectra = normal.values[:, 40:140:2, 60:150:2].reshape(10, -1).T / 10_000
    table = pd.DataFrame(spectra, columns=["492", "560", "665", "704", "740", "783", "833", "865", "1614", "2202"])
    table.insert(0, "name", [f"=s{i}" for i in range(len(table))])
    table["odd"] = 0
    table.loc[table.index[::50], ["665", "odd"]] = [0.9, 1]
    table.to_csv(folder / "spectra.csv", index=False)
    assert run("fit", folder / "normal.tif", "--model", folder / "scene.specvae", *QUICK) == 0
    assert run("fit", folder / "spectra.csv", "--label-column", "odd", "--model", folder / "table.specvae", *QUICK) == 0
    return folder


@pytest.fixture(scope="module")
def scored(night: Path) -> Path:
    out = night / "reports"
    args = ("--model", night / "scene.specvae", "--out", out, "--truth", night / "truth.tif", "--parts")
    assert run("score", night / "tonight.tif", *args) == 0
    return out / "tonight"


def test_a_score_writes_what_the_contract_lists(scored: Path) -> None:
    names = {p.name for p in scored.iterdir()}
    assert {
        "score.tif",
        "anomaly.tif",
        "quicklook.png",
        "thresholds.csv",
        "report.html",
        "report.json",
        "item.json",
    } <= names
    assert not [n for n in names if n.startswith(".")]


def test_the_maps_lie_on_the_scene_and_agree_with_each_other(scored: Path, night: Path) -> None:
    report = json.loads((scored / "report.json").read_text())
    with rasterio.open(night / "tonight.tif") as scene, rasterio.open(scored / "score.tif") as score:
        assert (score.shape, score.transform, score.crs) == (scene.shape, scene.transform, scene.crs)
        assert score.descriptions == ("score", "reconstruction", "kl", "p_value", "dominant_band")
        parts = score.read()
        invalid = (scene.read() == 0).any(axis=0)
    np.testing.assert_array_equal(np.isnan(parts), np.broadcast_to(invalid, parts.shape))
    valid = ~invalid
    assert (parts[0][valid] == parts[1][valid] + parts[2][valid]).all()
    assert (parts[3][valid] > 0).all()
    assert (parts[3][valid] <= 1).all()
    assert set(np.unique(parts[4][valid])) <= set(range(1, 11))
    with rasterio.open(scored / "anomaly.tif") as flags:
        expected = np.where(invalid, 255, parts[0] > report["threshold"]["value"])
        np.testing.assert_array_equal(flags.read(1), expected)
        assert flags.nodata == 255
    assert report["pixels"]["anomalous"] == int((expected == 1).sum())
    assert report["pixels"]["valid"] == int(valid.sum())
    assert report["pixels"]["invalid_by_reason"]["nodata"] == int(invalid.sum())


def test_the_report_has_what_the_contract_asks_and_the_anomalies_are_found(scored: Path, night: Path) -> None:
    report = json.loads((scored / "report.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    assert next(iter(report)) == "schema_version"
    for key in ("scene", "model", "pixels", "threshold", "calibration", "drift", "objects", "timing", "metrics"):
        assert key in report
    assert report["drift"]["verdict"] in {"ok", "caution", "do-not-use"}
    with rasterio.open(scored / "score.tif") as score, rasterio.open(night / "truth.tif") as truth:
        values, labels = score.read(1), truth.read(1)
    judged = np.isfinite(values) & (labels != 255)
    oracle = roc_auc_score(labels[judged] != 0, values[judged])
    assert report["metrics"]["auroc"] == pytest.approx(oracle, abs=1e-6)
    assert 0.95 < oracle <= 1.0
    assert report["metrics"]["baselines"].keys() == {"rx", "pca", "iforest"}


def test_the_same_again_touches_nothing_and_another_setting_needs_overwrite(scored: Path, night: Path) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in scored.iterdir()}
    args = ["score", night / "tonight.tif", "--model", night / "scene.specvae", "--out", night / "reports"]
    same = [*args, "--truth", night / "truth.tif", "--parts"]
    assert run(*same) == 0
    assert {p.name: p.stat().st_mtime_ns for p in scored.iterdir()} == before
    assert run(*args, "--false-alarm-rate", "1e-2") == 4
    assert {p.name: p.stat().st_mtime_ns for p in scored.iterdir()} == before


def test_memory_limits_change_no_bit(scored: Path, night: Path) -> None:
    with rasterio.open(scored / "score.tif") as made:
        expected = made.read(1)
    for limit in ("16M", "1G"):
        out = night / f"limit{limit}"
        assert (
            run("score", night / "tonight.tif", "--model", night / "scene.specvae", "--out", out, "--max-memory", limit)
            == 0
        )
        with rasterio.open(out / "tonight" / "score.tif") as made:
            np.testing.assert_array_equal(made.read(1), expected)


def test_fitting_again_with_the_same_inputs_does_nothing(night: Path) -> None:
    path = night / "scene.specvae"
    before = path.stat().st_mtime_ns
    assert run("fit", night / "normal.tif", "--model", path, *QUICK) == 0
    assert path.stat().st_mtime_ns == before
    assert run("fit", night / "normal.tif", "--model", path, *QUICK, "--seed", 5) == 4
    assert path.stat().st_mtime_ns == before


def test_two_fits_of_one_seed_are_the_same_model(night: Path, tmp_path: Path) -> None:
    from specvae.model_file import load_model

    assert run("fit", night / "normal.tif", "--model", tmp_path / "again.specvae", *QUICK) == 0
    a, b = (load_model(p).metadata["tensors_sha256"] for p in (night / "scene.specvae", tmp_path / "again.specvae"))
    assert a == b


def test_a_table_is_scored_with_its_columns_carried_along(night: Path, tmp_path: Path) -> None:
    args = ("--model", night / "table.specvae", "--out", tmp_path, "--truth", "odd")
    assert run("score", night / "spectra.csv", *args) == 0
    made = pd.read_csv(tmp_path / "spectra" / "scores.csv")
    assert list(made.columns[-5:]) == ["score", "reconstruction", "kl", "p_value", "anomaly"]
    assert made["name"].str.startswith("'=s").all()
    np.testing.assert_allclose(made["score"], made["reconstruction"] + made["kl"], rtol=1e-6)
    report = json.loads((tmp_path / "spectra" / "report.json").read_text())
    oracle = roc_auc_score(made["odd"], made["score"])
    assert report["metrics"]["auroc"] == pytest.approx(oracle, abs=1e-6)
    assert 0.95 < oracle <= 1.0


def test_rows_in_another_order_score_the_same(night: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(night / "spectra.csv")
    order = np.random.default_rng(0).permutation(len(frame))
    frame.iloc[order].to_parquet(tmp_path / "shuffled.parquet")
    assert run("score", tmp_path / "shuffled.parquet", "--model", night / "table.specvae", "--out", tmp_path) == 0
    assert run("score", night / "spectra.csv", "--model", night / "table.specvae", "--out", tmp_path) == 0
    a = pd.read_csv(tmp_path / "spectra" / "scores.csv")["score"].to_numpy()
    b = pd.read_parquet(tmp_path / "shuffled" / "scores.parquet")["score"].to_numpy()
    np.testing.assert_allclose(b, a[order], rtol=1e-5, atol=1e-5)


def test_calibrating_on_other_normal_data_moves_the_threshold_and_not_the_score(night: Path, tmp_path: Path) -> None:
    write_scene(tmp_path / "other.tif", make_scene(150, 160, seed=9).values)
    new = tmp_path / "new.specvae"
    assert run("calibrate", tmp_path / "other.tif", "--model", night / "scene.specvae", "--out", new) == 0
    for model, name in ((night / "scene.specvae", "a"), (new, "b")):
        assert run("score", night / "tonight.tif", "--model", model, "--out", tmp_path / name) == 0
    reports = [json.loads((tmp_path / n / "tonight" / "report.json").read_text()) for n in "ab"]
    assert reports[0]["threshold"]["value"] != reports[1]["threshold"]["value"]
    with rasterio.open(tmp_path / "a/tonight/score.tif") as a, rasterio.open(tmp_path / "b/tonight/score.tif") as b:
        np.testing.assert_array_equal(a.read(), b.read())


def test_inspect_tells_of_models_scenes_and_tables(night: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, kind in (("scene.specvae", "model"), ("tonight.tif", "raster"), ("spectra.csv", "table")):
        assert run("inspect", night / name, "--json") == 0
        description = json.loads(capsys.readouterr().out)
        assert description["kind"] == kind
        assert len(description["bands"]) == 10
    assert description["other_columns"] == ["name", "odd"]


def bad_inputs(night: Path, place: Path) -> dict[str, tuple[list[object], int]]:
    model = ["--model", night / "scene.specvae", "--out", place / "out"]
    (place / "text.tif").write_text("this is no raster")
    (place / "words.csv").write_text("a,b\nx,y\nz,w\n")
    (place / "empty.csv").write_text("")
    (place / "file").write_text("")
    write_scene(place / "zeros.tif", np.zeros((10, 70, 70), np.uint16))
    write_scene(place / "few.tif", np.ones((3, 70, 70), np.uint16), names=("x", "y", "z"))
    write_scene(place / "small.tif", np.ones((1, 9, 9), np.uint8), names=("m",), nodata=255)
    with rasterio.open(night / "normal.tif") as source:
        profile = source.profile | {"dtype": "float32", "nodata": None, "predictor": 1}
    with rasterio.open(place / "nan.tif", "w", **profile) as made:
        made.write(np.full((10, 150, 160), np.nan, np.float32))
    data = (night / "tonight.tif").read_bytes()
    (place / "cut.tif").write_bytes(data[: len(data) // 2])
    fit = ["--model", place / "new.specvae"]
    return {
        "a missing scene": (["score", place / "none.tif", *model], 4),
        "a pattern that matches nothing": (["score", place / "*.xyz", *model], 4),
        "a text named .tif": (["score", place / "text.tif", *model], 4),
        "other bands": (["score", place / "few.tif", *model], 4),
        "a scene of zero valid pixels": (["score", place / "zeros.tif", *model], 4),
        "a scene of NaN everywhere": (["score", place / "nan.tif", *model, "--nodata", "nan"], 4),
        "a truncated scene": (["score", place / "cut.tif", *model], 4),
        "a table for a context model": (["score", night / "spectra.csv", *model], 4),
        "a mask of another size": (["score", night / "tonight.tif", *model, "--mask", place / "small.tif"], 4),
        "a truth of another size": (["score", night / "tonight.tif", *model, "--truth", place / "small.tif"], 4),
        "a missing mask": (["score", night / "tonight.tif", *model, "--mask", place / "none.tif"], 4),
        "polygons that are none": (["score", night / "tonight.tif", *model, "--aoi", place / "text.tif"], 4),
        "an unknown mask value": (
            ["score", night / "tonight.tif", *model, "--mask", night / "truth.tif", "--mask-values", "cloudy"], 4,
        ),
        "a missing model": (["score", night / "tonight.tif", "--model", place / "no.specvae", "--out", place / "out"], 4),
        "a raster as a model": (["score", night / "tonight.tif", "--model", night / "truth.tif", "--out", place / "out"], 4),
        "a file in the folder's place": (
            ["score", night / "tonight.tif", "--model", night / "scene.specvae", "--out", place / "file"], 4,
        ),
        "two cuts": (["score", night / "tonight.tif", *model, "--threshold", 3, "--false-alarm-rate", "0.1"], 2),
        "a rate of 2": (["score", night / "tonight.tif", *model, "--false-alarm-rate", 2], 2),
        "no scene": (["score", *model], 2),
        "an unknown option": (["score", night / "tonight.tif", "--frobnicate"], 2),
        "an unknown command": (["frobnicate"], 2),
        "too little memory": (["score", night / "tonight.tif", *model, "--max-memory", "5"], 4),
        "fit on zero valid pixels": (["fit", place / "zeros.tif", *fit], 4),
        "fit on NaN everywhere": (["fit", place / "nan.tif", *fit], 4),
        "fit on words": (["fit", place / "words.csv", *fit], 4),
        "fit on an empty table": (["fit", place / "empty.csv", *fit], 4),
        "fit with an unknown band": (["fit", night / "normal.tif", *fit, "--bands", "ultraviolet"], 2),
        "fit with an unknown label": (["fit", night / "spectra.csv", *fit, "--label-column", "nope"], 4),
        "fit with an unknown setting": (["fit", night / "normal.tif", *fit, "--set", "training.stepz=3"], 2),
        "fit with a wrong setting": (["fit", night / "normal.tif", *fit, "--set", "training.steps=many"], 2),
        "fit with an unknown preset": (["fit", night / "normal.tif", *fit, "--preset", "nope"], 2),
        "fit with a normal mask of another size": (["fit", night / "normal.tif", *fit, "--normal", place / "small.tif"], 4),
        "fit with no source": (["fit", *fit], 2),
        "fit on cuda without one": (["fit", night / "normal.tif", *fit, "--device", "cuda"], 2),
        "calibrate on other bands": (["calibrate", place / "few.tif", "--model", night / "scene.specvae"], 4),
        "inspect of nothing": (["inspect", place / "none.tif"], 4),
    }  # fmt: skip


NAMES = [
    "a missing scene",
    "a pattern that matches nothing",
    "a text named .tif",
    "other bands",
    "a scene of zero valid pixels",
    "a scene of NaN everywhere",
    "a truncated scene",
    "a table for a context model",
    "a mask of another size",
    "a truth of another size",
    "a missing mask",
    "polygons that are none",
    "an unknown mask value",
    "a missing model",
    "a raster as a model",
    "a file in the folder's place",
    "two cuts",
    "a rate of 2",
    "no scene",
    "an unknown option",
    "an unknown command",
    "too little memory",
    "fit on zero valid pixels",
    "fit on NaN everywhere",
    "fit on words",
    "fit on an empty table",
    "fit with an unknown band",
    "fit with an unknown label",
    "fit with an unknown setting",
    "fit with a wrong setting",
    "fit with an unknown preset",
    "fit with a normal mask of another size",
    "fit with no source",
    "fit on cuda without one",
    "calibrate on other bands",
    "inspect of nothing",
]


def test_every_bad_input_is_tried(night: Path, tmp_path: Path) -> None:
    assert sorted(bad_inputs(night, tmp_path)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_one_line_and_nothing_is_written(
    name: str, night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args, status = bad_inputs(night, tmp_path)[name]
    if name == "fit on cuda without one":
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is a CUDA device")
    before = sorted(p for p in tmp_path.rglob("*"))
    capsys.readouterr()
    assert run(*args) == status
    printed = capsys.readouterr()
    assert printed.err.startswith("specvae: ")
    assert printed.err.count("\n") == 1, printed.err
    assert "Traceback" not in printed.err
    assert sorted(p for p in tmp_path.rglob("*") if p.name != "out") == before
    assert not list((tmp_path / "out").glob("*/*"))


def test_one_failed_scene_among_others_is_status_3(night: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.tif").write_text("no raster")
    (tmp_path / "in" / "good.tif").write_bytes((night / "tonight.tif").read_bytes())
    args = ("--model", night / "scene.specvae", "--out", tmp_path / "out")
    assert run("score", tmp_path / "in", *args) == 3
    assert (tmp_path / "out" / "good" / "item.json").exists()
    assert not (tmp_path / "out" / "bad").exists()


def test_the_module_runs_as_a_process_and_prints_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "specvae", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("specvae, version")


def test_a_mask_among_the_scenes_of_a_fit_is_reported_with_both_names(
    night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run("fit", night / "normal.tif", night / "truth.tif", "--model", tmp_path / "m.specvae", *QUICK)
    printed = capsys.readouterr().err
    assert status == 4
    assert len(printed.strip().splitlines()) == 1
    assert "truth.tif cannot be fitted together with" in printed
    assert "normal has 10" in printed
    assert "truth has 1 (truth)" in printed


def test_a_fit_on_nothing_says_why_nothing_is_valid(
    night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with rasterio.open(night / "normal.tif") as scene:
        profile = scene.profile | {"count": 1, "dtype": "uint8", "nodata": None}
        nothing = np.zeros((1, *scene.shape), np.uint8)
    with rasterio.open(tmp_path / "mask.tif", "w", **profile) as mask:
        mask.write(nothing)
    args = ("--mask", tmp_path / "mask.tif", "--mask-values", "0", "--model", tmp_path / "m.specvae")
    assert run("fit", night / "normal.tif", *args) == 4
    assert re.search(r"\(not valid: .*23,\d{3} mask\)|\(not valid: 24,000 mask\)", capsys.readouterr().err)


def test_calibrating_on_what_was_trained_on_is_warned_of(
    night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--model", night / "scene.specvae", "--out")
    assert run("calibrate", night / "normal.tif", *args, tmp_path / "same.specvae") == 0
    assert "the model was fitted on normal.tif too" in capsys.readouterr().err
    write_scene(tmp_path / "other.tif", make_scene(150, 160, seed=2).values)
    assert run("calibrate", tmp_path / "other.tif", *args, tmp_path / "other.specvae") == 0
    assert "fitted on" not in capsys.readouterr().err


def test_a_fit_and_a_calibration_tell_the_smallest_rate_that_they_carry(
    night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from specvae.model_file import load_model

    write_scene(tmp_path / "other.tif", make_scene(150, 160, seed=2).values)
    args = (tmp_path / "other.tif", "--model", night / "scene.specvae", "--out", tmp_path / "other.specvae")
    for words, path in (
        (("fit", night / "normal.tif", "--model", night / "scene.specvae", *QUICK), night / "scene.specvae"),
        (("calibrate", *args), tmp_path / "other.specvae"),
        (("calibrate", *args), tmp_path / "other.specvae"),
    ):
        assert run(*words) == 0
        rate = load_model(path).detector.calibration.smallest_rate
        assert rate is not None
        assert f"enough for false-alarm rates down to {rate:.2g}" in capsys.readouterr().out
    few = pd.read_csv(night / "spectra.csv").head(60)
    few.to_csv(tmp_path / "few.csv", index=False)
    assert run("fit", tmp_path / "few.csv", "--model", tmp_path / "few.specvae", *QUICK, "--folds", "6") == 0
    said = capsys.readouterr()
    assert load_model(tmp_path / "few.specvae").detector.calibration.smallest_rate is None
    assert "each from one of 6 folds (too few for any false-alarm rate)" in said.out


def test_what_was_pooled_and_what_was_trained_on_is_printed(
    night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--model", night / "scene.specvae", "--out", tmp_path, "--pool", "--fdr", "0.1")
    assert run("score", night / "tonight.tif", *args) == 0
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "tonight" / "report.json").read_text())
    assert f"{report['evidence']['anomalous']:,} by the pooled evidence" in printed
    assert f"{report['objects']['kept']:,} of {report['objects']['written']:,} objects kept" in printed


@pytest.mark.parametrize(
    ("anomalous", "words"), [(0, "would be if"), (9, "would be even if"), (11, "would be if"), (400, "would be if")]
)
def test_the_claim_says_when_there_is_no_more_than_chance(anomalous: int, words: str) -> None:
    report = {
        "scene": {"kind": "map"},
        "model": {},
        "objects": {"count": 3},
        "pixels": {"anomalous": anomalous, "valid": 10_000},
        "trust": {"expected": [10.0, 4.0, 25.0]},
    }
    claimed = claim(report)
    assert words in claimed
    assert "about 10 (4 to 25)" in claimed
    assert claimed.endswith("no more than chance.") == ("even" in words)
