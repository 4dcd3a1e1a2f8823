"""What programs read: ``--json`` and run.json have the facts as fields, follow their schemas, and agree with the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest

from tests.commands import run
from tests.json_schemas import SCHEMAS, text_of
from tests.raster_files import write

SCHEMA = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS if path.exists()}
QUICK = ("--set", "training.steps=40", "--context", "none", "--folds", "2")


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_the_schemas_in_the_package_are_those_of_the_types(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == text_of(path), "run python -m tests.json_schemas --write"
    jsonschema.Draft202012Validator.check_schema(json.loads(text_of(path)))


def printed(capsys: pytest.CaptureFixture[str], status: int, *words: object) -> Any:
    capsys.readouterr()
    assert run(*words) == status
    return json.loads(capsys.readouterr().out, parse_constant=lambda text: pytest.fail(f"{text} in JSON"))


def test_a_fit_and_a_score_say_every_fact_as_a_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(1).normal(1000, 50, (4, 96, 96)).astype("uint16")
    values[:, 10:20, 30:40] = 0
    write(tmp_path / "normal.tif", values, nodata=0)
    values[2, 50:54, 50:54] = 9000
    write(tmp_path / "a.tif", values, nodata=0)
    (tmp_path / "b.tif").write_bytes(b"no raster")
    model, out = tmp_path / "m.specvae", tmp_path / "out"
    fit = ("fit", tmp_path / "normal.tif", "--model", model, *QUICK, "--json")
    first, again = printed(capsys, 0, *fit), printed(capsys, 0, *fit)
    jsonschema.validate(first, SCHEMA["fit.schema.json"])
    assert (first["status"], again["status"]) == ("written", "already")
    assert first["invalid_by_reason"]["nodata"] == again["invalid_by_reason"]["nodata"] == 100
    assert first["counts"]["calibration"] == 96 * 96 - 100
    assert first["cut"] == again["cut"]
    assert first["rate_interval"][0] <= first["rate"] <= first["rate_interval"][1]
    assert first["files"] == {"model": str(model)}

    score = ("score", tmp_path / "a.tif", tmp_path / "b.tif", "--model", model, "--out", out, "--json")
    good, broken = rows = printed(capsys, 3, *score)
    jsonschema.validate(rows, SCHEMA["score.schema.json"])
    assert (good["status"], broken["status"]) == ("done", "failed")
    assert broken["exit_status"] == 4
    assert "cut" not in broken
    report = json.loads((out / "a" / "report.json").read_text())
    pixels, cut, trust = report["pixels"], report["threshold"], report["trust"]
    for name in ("total", "valid", "anomalous", "invalid_by_reason"):
        assert good[name] == pixels[name]
    assert good["anomalous"] >= 16
    assert good["objects"] == report["objects"]["count"] >= 1
    assert [good[name] for name in ("cut", "rate", "rate_interval", "asked_rate", "cut_method")] == [
        cut[name] for name in ("value", "false_alarm_rate", "interval", "asked_rate", "method")
    ]
    assert [good[name] for name in ("verdict", "reasons", "expected")] == [
        trust[name] for name in ("verdict", "reasons", "expected")
    ]
    assert good["warnings"] == report["warnings"]
    assert all(Path(path) == out / "a" / Path(path).name and Path(path).is_file() for path in good["files"].values())
    assert {Path(path).name for path in good["files"].values()} >= {
        "score.tif",
        "anomaly.tif",
        "objects.gpkg",
        "thresholds.csv",
        "report.html",
        "report.json",
    }

    (tmp_path / "x.toml").write_text(
        f'[[stage]]\nrun = "score"\nscene = ["a.tif", "b.tif"]\nmodel = "{model}"\nout = "out"\n', encoding="utf-8"
    )
    batch = printed(capsys, 3, "run", tmp_path / "x.toml", "--json")
    jsonschema.validate(batch, SCHEMA["run.schema.json"])
    stored = json.loads((out / "run.json").read_text())
    jsonschema.validate(stored, SCHEMA["run.schema.json"])
    in_batch, invalid = stored["stages"][0]["scenes"]
    assert (in_batch["status"], invalid["status"]) == ("already", "invalid")
    facts = good.keys() - {"status", "message", "exit_status", "scene", "folder", "files"}
    assert {name: in_batch[name] for name in facts} == {name: good[name] for name in facts}
    assert {Path(path).name for path in in_batch["files"].values()} == {
        Path(path).name for path in good["files"].values()
    }


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_have_one_number_in_every_file_and_unusable_ones_no_flag(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.DataFrame(np.random.default_rng(0).normal(0.3, 0.02, (400, 4)), columns=["450", "550", "650", "850"])
    table.to_csv(tmp_path / "normal.csv", index=False)
    table.loc[7, "650"], table.loc[123, "650"] = 3.0, np.nan
    save = table.to_parquet if kind == "parquet" else table.to_csv
    save(tmp_path / f"more.{kind}", index=False)
    model = tmp_path / "m.specvae"
    assert run("fit", tmp_path / "normal.csv", "--model", model, "--set", "training.steps=40", "--folds", "2") == 0
    words = ("score", tmp_path / f"more.{kind}", "--model", model, "--out", tmp_path / "out", "--json")
    (row,) = printed(capsys, 0, *words)
    jsonschema.validate([row], SCHEMA["score.schema.json"])
    folder = tmp_path / "out" / "more"
    read = pd.read_parquet if kind == "parquet" else pd.read_csv
    scores = read(folder / f"scores.{kind}")
    assert scores["row"].tolist() == list(range(400))
    top = int(scores["score"].idxmax())
    assert top == 7
    assert scores["anomaly"][7] == 1
    assert np.flatnonzero(scores["anomaly"].isna()).tolist() == [123]
    assert int(scores["anomaly"].sum()) == row["anomalous"]
    explained = pd.read_csv(folder / "explanations.csv")
    assert explained["row"][0] == top
    assert table.loc[explained["row"][0], "650"] == pytest.approx(
        explained.loc[explained["band"].astype(str).str.contains("650"), "observed"].iloc[0], rel=1e-5
    )
    page = (folder / "report.html").read_text()
    assert 'data-value="7"><button>7</button>' in page
    assert "as pandas counts them" in page
    if kind == "csv":
        assert (folder / "scores.csv").read_text().splitlines()[124].endswith(",,,,")


def test_interpolating_takes_the_numbers_that_the_files_have(tmp_path: Path) -> None:
    table = pd.DataFrame(np.random.default_rng(0).normal(0.3, 0.02, (60, 3)), columns=["450", "550", "650"])
    table.to_csv(tmp_path / "t.csv", index=False)
    model = tmp_path / "m.specvae"
    assert run("fit", tmp_path / "t.csv", "--model", model, "--set", "training.steps=20", "--folds", "1") == 0
    place = ("--model", model, "--out", tmp_path / "path", "--format", "csv")
    assert run("interpolate", tmp_path / "t.csv", "--start", 0, "--end", 59, *place) == 0
    path = pd.read_csv(tmp_path / "path" / "path.csv")
    bands = path.iloc[[0, -1]].filter(regex="450|550|650")
    np.testing.assert_allclose(bands.to_numpy(), table.iloc[[0, 59]].to_numpy(), rtol=1e-5)
    assert run("interpolate", tmp_path / "t.csv", "--start", 0, "--end", 60, *place, "--overwrite") == 2
