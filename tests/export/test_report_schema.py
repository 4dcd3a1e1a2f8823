"""Every report.json follows the schema in the package, and thresholds.csv is a table that machines read."""

from __future__ import annotations

import csv
import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas
import pyogrio
import pytest
import rasterio
from rasterio.transform import from_origin

from specvae.export.report.page import claim
from specvae.ingest.options import IngestOptions
from specvae.stages.fit import fit
from specvae.stages.outcome import ScoreRun
from specvae.stages.requests import FitRequest
from specvae.stages.score import gatherers
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score


def schema() -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((resources.files("specvae.export.report") / "report.schema.json").read_text())
    return tree


def write(path: Path, values: np.ndarray) -> None:
    profile = {
        "driver": "GTiff",
        "count": len(values),
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": "float32",
    }
    with rasterio.open(
        path, "w", **profile, crs="EPSG:32633", transform=from_origin(4e5, 5e6, 10, 10), nodata=-1
    ) as file:
        file.write(values.astype(np.float32))
        file.descriptions = [f"B{i}" for i in range(1, len(values) + 1)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, tonight's scene with a planted object, its truth, and a table."""
    folder = tmp_path_factory.mktemp("schema")
    rng = np.random.default_rng(0)
    base = rng.gamma(20, 5, (3, 200, 200))
    scene = base.copy()
    scene[:, 40:46, 40:46] = np.array([900, 5, 700])[:, None, None]
    scene[:, :3] = -1
    truth = np.zeros((1, 200, 200))
    truth[0, 40:46, 40:46] = 1
    write(folder / "normal.tif", base)
    write(folder / "tonight.tif", scene)
    write(folder / "truth.tif", truth)
    lonely = np.full((3, 20, 20), -1.0)
    lonely[:, 7, 9] = 100
    write(folder / "one_pixel.tif", lonely)
    np.savetxt(folder / "rows.csv", base[:, :, 0].T, delimiter=",", header="B1,B2,B3", comments="")
    fit(
        [str(folder / "normal.tif")],
        FitRequest(
            model=str(folder / "m.specvae"),
            context="none",
            device="cpu",
            set=("training.steps=60", "training.refits=1"),
        ),
    )
    return folder


def scored(place: Path, name: str, truth: str | None = None, **options: Any) -> tuple[dict[str, Any], ScoreRun]:
    request = ScoreRequest(
        model=str(place / "m.specvae"), out=str(place / "out"), ingest=IngestOptions(truth=truth), device="cpu",
        overwrite=True, **options,
    )  # fmt: skip
    run = score([str(place / name)], request)
    return json.loads((place / "out" / Path(name).stem / "report.json").read_text()), run


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", ["normal.tif", "tonight.tif", "rows.csv", "one_pixel.tif"])
def test_a_report_follows_it(place: Path, name: str) -> None:
    report, _ = scored(place, name)
    jsonschema.validate(report, schema())
    assert next(iter(report)) == "schema_version"


def test_a_report_with_truth_a_cut_in_nats_and_parts_follows_it(place: Path) -> None:
    report, _ = scored(place, "tonight.tif", str(place / "truth.tif"), threshold=5.0, parts=True)
    jsonschema.validate(report, schema())
    assert report["threshold"]["value"] == 5.0
    assert report["threshold"]["method"] == "given"
    assert report["threshold"]["asked_rate"] is None
    assert report["metrics"]["auroc"] > 0.9


def test_the_schema_refuses_what_is_no_report(place: Path) -> None:
    report, _ = scored(place, "normal.tif")
    jsonschema.validate(report, schema())
    for section, wrong in (("drift", {"verdict": "fine"}), ("threshold", {"value": 1}), ("schema_version", 2)):
        with pytest.raises(jsonschema.ValidationError) as refused:
            jsonschema.validate({**report, section: wrong}, schema())
        assert refused.value.absolute_path[0] == section


@pytest.mark.parametrize(("rate", "status"), [(1e-7, 5), (0.1, 0)])
def test_an_unsupported_rate_is_given_with_a_warning_and_strict_exits_5(place: Path, rate: float, status: int) -> None:
    report, run = scored(place, "normal.tif", false_alarm_rate=rate, strict=True)
    assert report["threshold"]["false_alarm_rate"] == rate
    assert report["threshold"]["supported"] is (status == 0)
    assert any("is not supported" in warning for warning in report["warnings"]) is (status == 5)
    assert run.exit_status == status


def test_thresholds_csv_has_a_row_for_each_rate_and_falls_with_it(place: Path) -> None:
    report, _ = scored(place, "tonight.tif")
    with (place / "out" / "tonight" / "thresholds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["asked_rate"]) for row in rows] == [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
    shares = [float(row["share_of_scene_above"]) for row in rows]
    assert shares == sorted(shares, reverse=True)
    for row, stated in zip(rows, report["thresholds"], strict=True):
        assert float(row["interval_low"]) <= float(row["asked_rate"]) <= float(row["interval_high"])
        assert float(row["value"]) == pytest.approx(stated["value"])
        assert float(row["expected_false_alarms"]) == pytest.approx(
            float(row["false_alarm_rate"]) * report["pixels"]["valid"]
        )
        assert float(row["expected_per_km2"]) == pytest.approx(float(row["false_alarm_rate"]) * 1e4)


@pytest.mark.parametrize(
    ("quantile", "lead"),
    [(0.2, "Most of the scene is anomalous: "), (0.6, "A large part of the scene is anomalous: "), (0.9, None)],
)
def test_a_scene_that_is_anomalous_at_large_is_said_to_be_so(place: Path, quantile: float, lead: str | None) -> None:
    scored(place, "normal.tif")
    with rasterio.open(place / "out" / "normal" / "score.tif") as scores:
        cut = float(np.nanquantile(scores.read(1), quantile))
    report, _ = scored(place, "normal.tif", threshold=cut)
    page = (place / "out" / "normal" / "report.html").read_text(encoding="utf-8")
    share = report["pixels"]["anomalous"] / report["pixels"]["valid"]
    assert share == pytest.approx(1 - quantile, abs=0.01)
    sentences = [warning for warning in report["warnings"] if "of the scene is anomalous" in warning]
    if lead is None:
        assert not sentences
        assert claim(report).startswith(f"{report['pixels']['anomalous']:,} of ")
        return
    assert len(sentences) == 1
    assert f"{100 * share:.3g} % of its valid pixels" in sentences[0]
    assert sentences[0] in page
    assert claim(report).startswith(lead + f"{report['pixels']['anomalous']:,} of ")
    assert claim(report) in page


def test_a_cap_writes_the_strongest_objects_and_says_how_many_it_left_out(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every, _ = scored(place, "normal.tif", false_alarm_rate=0.05)
    table = pyogrio.read_dataframe(place / "out" / "normal" / "objects.gpkg")
    assert every["objects"]["count"] == every["objects"]["written"] == len(table) > 300
    assert every["objects"]["left_out"] is None
    monkeypatch.setattr(gatherers, "MOST_OBJECTS", 50)
    capped, _ = scored(place, "normal.tif", false_alarm_rate=0.05)
    # Events join what is written, and others where fewer objects are: the rest of each object is what it was.
    table, written = (
        frame.drop(columns=["id", "event"]).sort_values("rank", ignore_index=True)
        for frame in (table, pyogrio.read_dataframe(place / "out" / "normal" / "objects.gpkg"))
    )
    pandas.testing.assert_frame_equal(written, table.iloc[:50])
    section = capped["objects"]
    assert (section["count"], section["written"]) == (len(table), 50)
    pixels = table["pixels"].iloc[50:].sum()
    assert section["left_out"] == (
        f"the 50 objects of the most evidence are written; {len(table) - 50:,} more of {pixels:,} pixels, with peaks of "
        f"{table['peak'].iloc[50:].max():.4g} nats at most, are in anomaly.tif only"
    )
    page = (place / "out" / "normal" / "report.html").read_text(encoding="utf-8")
    assert f"The 50 objects of the most evidence are written; {len(table) - 50:,} more" in page


@pytest.mark.parametrize(
    ("largest", "side", "clause"),
    [
        (
            {"pixels": 226, "area_m2": 4.2e6},
            15,
            ", one of them an event of 4.2 km², larger than what the model looks around",
        ),
        ({"pixels": 1200, "area_m2": None}, 15, ", one of them an event of 1,200 pixels, larger than what"),
        ({"pixels": 225, "area_m2": 4.2e6}, 15, None),
        ({"pixels": 5000, "area_m2": 4.2e6}, None, None),
        (None, 15, None),
    ],
)
def test_an_event_larger_than_the_ring_is_said_to_be_so(
    place: Path, largest: dict[str, Any] | None, side: int | None, clause: str | None
) -> None:
    report, _ = scored(place, "tonight.tif")
    assert report["model"]["looks_around"] is None
    objects = {"count": 3, "file": None, "largest": largest}
    report |= {"model": report["model"] | {"looks_around": side}, "objects": objects}
    assert ("larger than what the model looks around" in claim(report)) is (clause is not None)
    assert clause is None or clause in claim(report)


def test_the_largest_object_is_that_of_the_most_pixels(place: Path) -> None:
    report, _ = scored(place, "tonight.tif")
    objects = pyogrio.read_dataframe(place / "out" / "tonight" / "objects.gpkg")
    first = objects.loc[objects["pixels"].idxmax()]
    assert report["objects"]["largest"] == {"pixels": int(first["pixels"]), "area_m2": pytest.approx(first["area_m2"])}


def test_pooling_says_what_it_cannot_see(place: Path) -> None:
    report, _ = scored(place, "tonight.tif", pool=True)
    sentence = "cannot see what is larger than that"
    assert sum(sentence in warning for warning in report["warnings"]) == 1
    # The window is as wide as normal scores are alike, of noise without any pattern the narrowest: 6 pixels to each side.
    assert "13 x 13 pixels" in " ".join(report["warnings"])
    assert sentence in (place / "out" / "tonight" / "report.html").read_text(encoding="utf-8")
    assert not any(sentence in warning for warning in scored(place, "tonight.tif")[0]["warnings"])
