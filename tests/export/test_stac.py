"""STAC items and collections validate, and say where, when, of what and by which model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from pystac.validation import RegisteredValidator
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from specvae.cli.main import cli
from specvae.export.stac import write_collection
from tests.stac_schemas import SCHEMAS


@pytest.fixture(autouse=True, scope="module")
def _schemas_at_hand():  # type: ignore[no-untyped-def]
    """The validator with the extensions' schemas, so that nothing is fetched."""
    validator = JsonSchemaSTACValidator()
    validator.schema_cache.update(SCHEMAS)
    before = RegisteredValidator.get_validator()
    RegisteredValidator.set_validator(validator)
    yield
    RegisteredValidator.set_validator(before)


def scene(path: Path, seed: int, **place: Any) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=(1, 96, 80)) * 0.05 + rng.normal(0, 0.01, (4, 96, 80)) + 0.4).astype(np.float32)
    values[2, 40:44, 30:36] += 0.5
    with rasterio.open(path, "w", driver="GTiff", width=80, height=96, count=4, dtype="float32", **place) as out:
        out.write(values)


UTM = {"crs": "EPSG:32613", "transform": Affine(30, 0, 5e5, 0, -30, 4.4e6)}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit, and three scenes scored: one placed and dated, one without CRS, one with a hostile name."""
    folder = tmp_path_factory.mktemp("stac")
    scene(folder / "normal.tif", 0, **UTM)
    (folder / "in").mkdir()
    scene(folder / "in" / "S2_20240131T101010.tif", 1, **UTM)
    scene(folder / "in" / "bare.tif", 2)
    model, out = str(folder / "m.specvae"), str(folder / "reports")
    cli(["fit", str(folder / "normal.tif"), "--model", model, "--context", "none"], standalone_mode=False)
    cli(["score", str(folder / "in"), "--model", model, "--out", out, "--objects", "geojson"], standalone_mode=False)
    return folder / "reports"


def item(reports: Path, name: str) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((reports / name).read_text())
    return tree


def test_every_item_and_the_collection_validate(reports: Path) -> None:
    for path in [*reports.rglob("item.json"), *reports.rglob("model.json")]:
        found = pystac.Item.from_file(str(path))
        uris = found.validate()
        assert len(uris) == 1 + len(found.stac_extensions)
    pystac.Collection.from_file(str(reports / "collection.json")).validate()
    assert len(list(pystac.Collection.from_file(str(reports / "collection.json")).get_items())) == 2


@pytest.mark.parametrize(
    ("where", "value"),
    [("proj:shape", [1.5, 2]), ("proj:nonsense", 1), ("processing:software", {"a": 1})],
)
def test_the_schemas_would_notice(reports: Path, where: str, value: Any) -> None:
    tree = item(reports, "S2_20240131T101010/item.json")
    tree["properties"][where] = value
    with pytest.raises(pystac.STACValidationError):
        pystac.Item.from_dict(tree).validate()


def test_a_dated_scene_keeps_its_time_and_place(reports: Path) -> None:
    tree = item(reports, "S2_20240131T101010/item.json")
    assert tree["properties"]["datetime"].startswith("2024-01-31")
    assert tree["properties"]["specvae:datetime_from"] == "scene"
    assert tree["properties"]["proj:code"] == "EPSG:32613"
    assert tree["properties"]["proj:shape"] == [96, 80]
    assert tree["properties"]["proj:transform"] == [30, 0, 5e5, 0, -30, 4.4e6]
    west, south, east, north = tree["bbox"]
    assert (west, north) == pytest.approx((-105.0, 39.75), abs=0.02)
    assert (east - west, north - south) == pytest.approx((80 * 30 / 85_400, 96 * 30 / 111_000), rel=0.03)


def test_a_scene_that_nothing_places_has_a_null_geometry_and_the_processing_time(reports: Path) -> None:
    tree = item(reports, "bare/item.json")
    assert tree["geometry"] is None
    assert "bbox" not in tree
    assert tree["properties"]["specvae:datetime_from"] == "processing"
    assert tree["properties"]["datetime"][:10] == tree["properties"]["created"][:10]


def test_assets_are_whole_and_links_lead_somewhere(reports: Path) -> None:
    folder = reports / "S2_20240131T101010"
    tree = item(reports, "S2_20240131T101010/item.json")
    names = {asset["href"] for asset in tree["assets"].values()}
    assert {"./score.tif", "./anomaly.tif", "./objects.geojson", "./report.html", "./report.json"} <= names
    for asset in tree["assets"].values():
        content = (folder / asset["href"]).read_bytes()
        assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
        assert asset["file:size"] == len(content)
    derived = [link for link in tree["links"] if link["rel"] == "derived_from"]
    assert len(derived) == 3
    for link in derived:
        target = (folder / link["href"]).resolve()
        assert target.exists()
        if "file:checksum" in link:
            assert link["file:checksum"] == "1220" + hashlib.sha256(target.read_bytes()).hexdigest()
    assert tree["assets"]["score"]["bands"][0] == {
        "name": "score",
        "description": "anomaly score: reconstruction + kl; higher is more anomalous",
        "unit": "nat",
        "data_type": "float32",
        "nodata": "nan",
    }


def test_the_models_own_item_names_its_bands_and_file(reports: Path) -> None:
    tree = item(reports, "bare/model.json")
    assert (reports / "bare" / tree["assets"]["model"]["href"]).resolve().name == "m.specvae"
    assert tree["properties"]["mlm:input"][0]["bands"] == [b["name"] for b in tree["assets"]["model"]["bands"]]
    assert tree["properties"]["mlm:total_parameters"] > 100
    assert tree["geometry"] is None


def test_a_collection_covers_its_items_and_writes_nothing_new(reports: Path) -> None:
    path = reports / "collection.json"
    before = path.stat().st_mtime_ns
    tree = json.loads(path.read_text())
    assert tree["extent"]["spatial"]["bbox"][0] == pytest.approx(item(reports, "S2_20240131T101010/item.json")["bbox"])
    assert tree["extent"]["temporal"]["interval"][0][0].startswith("2024-01-31")
    write_collection(reports, "reports")
    assert path.stat().st_mtime_ns == before


def test_no_finished_folder_gives_no_collection(tmp_path: Path) -> None:
    (tmp_path / ".scene.part-1").mkdir()
    (tmp_path / ".scene.part-1" / "item.json").write_text("{}")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "item.json").write_text('{"properties": {}}')
    assert write_collection(tmp_path) is None
    assert not (tmp_path / "collection.json").exists()
