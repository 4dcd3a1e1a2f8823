"""Reports of a burnt scene, a hyperspectral one and a lab's table: reasons add up, files agree, the map survives overviews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from specvae.ingest.options import IngestOptions
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

QUICK = ("training.steps=250", "training.refits=0")


@pytest.fixture(scope="module")
def fire(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of the scene after the fire, by a model of the clear ground before it; scored again with those known."""
    place, scenes = tmp_path_factory.mktemp("fire"), real_data / "scenes" / "coldsprings"
    model = str(place / "m.specvae")
    fit(
        [str(scenes / "20160707_pre_sr7.tif")],
        FitRequest(model=model, set=QUICK, ingest=IngestOptions(normal=str(scenes / "20160707_pre_clear.tif"))),
    )
    after = str(scenes / "20160723_post_sr7.tif")
    ingest = IngestOptions(truth=str(scenes / "burn_mask.tif"))
    options = {"model": model, "parts": True, "objects": ("gpkg", "geojson", "parquet"), "ingest": ingest}
    first = ScoreRequest(out=str(place / "first"), false_alarm_rate=0.01, **options)  # type: ignore[arg-type]
    assert score([after], first).exit_status == 0
    known = str(place / "first" / "{stem}" / "objects.gpkg")
    again = ScoreRequest(out=str(place / "again"), false_alarm_rate=0.05, known=known, **options)  # type: ignore[arg-type]
    assert score([after], again).exit_status == 0
    return place


def folder(fire: Path, name: str = "first") -> Path:
    return fire / name / "20160723_post_sr7"


def report_of(place: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((place / "report.json").read_text())
    return tree


@pytest.mark.slow
def test_objects_agree_with_the_maps_in_every_format(fire: Path) -> None:
    place = folder(fire)
    with rasterio.open(place / "anomaly.tif") as raster:
        flagged = int((raster.read(1) == 1).sum())
    frames = [
        geopandas.read_file(place / "objects.gpkg"),
        geopandas.read_file(place / "objects.geojson"),
        geopandas.read_parquet(place / "objects.parquet"),
    ]
    assert flagged == report_of(place)["pixels"]["anomalous"] > 500
    for frame in frames:
        assert frame["pixels"].sum() == flagged
        np.testing.assert_allclose(frame["area_m2"], 900 * frame["pixels"], rtol=0.01)
        np.testing.assert_allclose(frame.to_crs(32613).area, frame["area_m2"], rtol=0.01)
        np.testing.assert_allclose(frame["reconstruction_share"] + frame["kl_share"], 1, atol=1e-5)
        assert frame["lon"].between(-105.6, -105.4).all()
        assert frame["lat"].between(39.95, 40.01).all()


@pytest.mark.slow
def test_the_reasons_of_an_object_add_up_to_its_score(fire: Path) -> None:
    place = folder(fire)
    summed = pd.read_csv(place / "explanations.csv").groupby("object")["contribution_nats"].sum()
    frame = geopandas.read_file(place / "objects.gpkg").set_index("id").loc[summed.index]
    np.testing.assert_allclose(summed, frame["mean"], rtol=1e-5)


@pytest.mark.slow
def test_what_was_known_is_marked_and_the_rest_is_new(fire: Path) -> None:
    first, again = (geopandas.read_file(folder(fire, name) / "objects.gpkg") for name in ("first", "again"))
    section = report_of(folder(fire, "again"))["objects"]
    overlap = again.geometry.apply(lambda shape: first.intersection(shape).area.sum() > 0)
    assert list(again["known"].astype(bool)) == list(overlap)
    assert 0 < section["new"] == int((~overlap).sum()) < len(again)


@pytest.mark.slow
def test_maps_are_cogs_that_say_what_they_hold(fire: Path) -> None:
    for name in ("score.tif", "anomaly.tif"):
        valid, errors, _ = cog_validate(str(folder(fire) / name), strict=True, quiet=True)
        assert valid, errors
    with rasterio.open(folder(fire) / "score.tif") as raster:
        assert raster.descriptions == ("score", "reconstruction", "kl", "p_value", "dominant_band")
        assert raster.units[:3] == ("nat",) * 3
        assert raster.tags()["direction"] == "higher is more anomalous"
        assert raster.tags()["specvae_model_sha256"] == report_of(folder(fire))["model"]["sha256"]
    assert (folder(fire) / "score.qml").exists()
    assert (folder(fire) / "anomaly.qml").exists()


@pytest.mark.slow
def test_the_items_say_when_and_what_made_them(fire: Path) -> None:
    item = json.loads((folder(fire) / "item.json").read_text())
    assert item["properties"]["datetime"].startswith("2016-07-23")
    assert item["properties"]["proj:code"] == "EPSG:32613"
    assert any(link["rel"] == "derived_from" for link in item["links"])
    model = json.loads((folder(fire) / "model.json").read_text())
    assert model["assets"]["model"]["mlm:artifact_type"] == "safetensors"
    assert model["properties"]["mlm:input"][0]["bands"][0] == "B1_coastal"


@pytest.mark.slow
def test_rows_of_a_table_are_explained_to_the_last_nat(real_data: Path, tmp_path: Path) -> None:
    source, model = str(real_data / "spectra" / "ftir_strawberry.csv"), str(tmp_path / "m.specvae")
    fit([source], FitRequest(model=model, set=QUICK, ingest=IngestOptions(label_column="adulterated")))
    score([source], ScoreRequest(model=model, out=str(tmp_path / "r"), explain=25))
    place = tmp_path / "r" / "ftir_strawberry"
    summed = pd.read_csv(place / "explanations.csv").groupby("row")["contribution_nats"].sum()
    rows = pd.read_csv(place / "scores.csv")
    assert len(summed) == 25
    assert set(summed.index) == set(rows["score"].nlargest(25).index)
    np.testing.assert_allclose(summed, rows["score"].iloc[summed.index], rtol=1e-5)
    assert (place / "report.html").stat().st_size < 5e6


@pytest.mark.slow
def test_a_hyperspectral_scene_without_a_crs_has_a_page_and_places_in_pixels(real_data: Path, tmp_path: Path) -> None:
    source, model = str(real_data / "had" / "abu-beach-2.mat"), str(tmp_path / "m.specvae")
    fit([source], FitRequest(model=model, set=QUICK))
    request = ScoreRequest(model=model, out=str(tmp_path / "r"), false_alarm_rate=0.02, objects=("gpkg", "geojson"))
    score([source], request)
    place = tmp_path / "r" / "abu-beach-2"
    frame = geopandas.read_file(place / "objects.gpkg")
    assert frame["area_m2"].isna().all()
    np.testing.assert_allclose(frame.area[frame["outline"] == "exact"], frame["pixels"][frame["outline"] == "exact"])
    item = json.loads((place / "item.json").read_text())
    assert item["geometry"] is None
    assert item["properties"]["specvae:datetime_from"] == "processing"
    assert (place / "report.html").stat().st_size < 5e6
