"""Scenes that STAC names: items, collections of items, static catalogues and GeoParquet, with the pixels as the judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from affine import Affine

from specvae.errors import InputError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from tests.raster_files import UTM, ramp, write

Tree = dict[str, Any]


def item(folder: Path, name: str = "S2A_33UUP_20230715_0_L2A", start: int = 3000, **more: Any) -> Tree:
    """An item of two bands at 10 m, one at 20 m, its classes, a preview and metadata; the files beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    bands = {"blue": ("B02", 0.49, 10), "red": ("B04", 0.665, 10), "rededge1": ("B05", 0.704, 20)}
    assets: Tree = {}
    for at, (key, (band, centre, size)) in enumerate(bands.items()):
        values = ramp(1, 400 // size, 600 // size, start=start + 100 * at)
        write(folder / f"{name}_{band}.tif", values, transform=UTM["transform"] * Affine.scale(size // 10), nodata=0)
        assets[key] = {
            "href": f"./{name}_{band}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data", "reflectance"],
            "gsd": size,
            "eo:bands": [{"name": band, "common_name": key, "center_wavelength": centre, "full_width_half_max": 0.03}],
            "raster:bands": [
                {
                    "nodata": 0,
                    "data_type": "uint16",
                    "scale": 0.0001,
                    **({"offset": -0.1} if more.get("offset") else {}),
                }
            ],
        }
    write(folder / f"{name}_SCL.tif", np.full((1, 20, 30), 4, "uint8"), transform=UTM["transform"] * Affine.scale(2))
    write(folder / f"{name}_preview.tif", ramp(3).astype("uint8"))
    assets["scl"] = {"href": f"{name}_SCL.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]}
    assets["visual"] = {"href": f"{name}_preview.tif", "type": "image/tiff; application=geotiff", "roles": ["visual"]}
    assets["metadata"] = {"href": "mtd.xml", "type": "application/xml", "roles": ["metadata"]}
    properties = {"datetime": "2023-07-15T10:15:59Z", "platform": "sentinel-2a", **more.get("properties", {})}
    return {
        "type": "Feature", "stac_version": "1.0.0", "stac_extensions": [], "id": name, "geometry": None,
        "properties": properties, "links": [], "assets": assets,
    }  # fmt: skip


def written(path: Path, tree: Tree) -> Path:
    path.write_text(json.dumps(tree))
    return path


def test_an_item_is_one_scene_of_its_bands(tmp_path: Path) -> None:
    path = written(tmp_path / "in" / "item.json", item(tmp_path / "in"))
    (source,) = find_sources([str(path)])
    assert source.key == "S2A_33UUP_20230715_0_L2A"
    assert {Path(p).name for p in source.files} >= {"item.json", "S2A_33UUP_20230715_0_L2A_B02.tif"}
    with open_scene(source) as scene:
        assert scene.bands.names == ("B02", "B04", "B05")
        assert scene.bands.wavelengths == (490, 665, 704)
        assert scene.bands[0].width == 30
        assert scene.datetime == "2023-07-15T10:15:59Z"
        assert scene.shape == (40, 60)
        assert [layer.label for layer in scene.plan.product.layers if layer.left_out] == ["scl"]
        assert scene.read(scene.grid.window).values[0, 0, 0] == pytest.approx(0.3, rel=1e-6)


@pytest.mark.parametrize("names", ["bands", "eo:bands"])
def test_bands_of_one_asset_are_named_in_both_versions_of_stac(names: str, tmp_path: Path) -> None:
    write(tmp_path / "stack.tif", ramp(2, start=500))
    if names == "bands":
        listed = [
            {"name": "b", "eo:common_name": "blue", "eo:center_wavelength": 0.49},
            {"name": "n", "eo:center_wavelength": 0.842},
        ]
        more: Tree = {"raster:scale": 0.01, "nodata": 0}
    else:
        listed = [{"name": "b", "center_wavelength": 0.49}, {"name": "n", "center_wavelength": 0.842}]
        more = {"raster:bands": [{"scale": 0.01}, {"scale": 0.01}]}
    asset = {"href": "stack.tif", "type": "image/tiff; application=geotiff", names: listed, **more}
    tree = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "x",
        "properties": {"start_datetime": "2020-02-29T00:00:00Z"},
        "assets": {"data": asset},
    }
    with open_scene(written(tmp_path / "x.json", tree)) as scene:
        assert scene.bands.names == ("b", "n")
        assert scene.bands.wavelengths == (490, 842)
        assert scene.datetime == "2020-02-29T00:00:00Z"
        assert scene.read(scene.grid.window).values[0, 0, 0] == pytest.approx(5.0)


def sentinel2(folder: Path, dark: bool, stated: bool, **properties: Any) -> tuple[float, str]:
    """The first value of an item whose pixels are ``dark`` (below 1000 counts) or not, and what is said of the offset."""
    tree = item(folder, start=200 if dark else 3000, offset=stated, properties=properties)
    with open_scene(written(folder / "item.json", tree)) as scene:
        said = next(d.sentence for d in scene.decisions if d.about == "scale")
        return float(scene.read(scene.grid.window).values[0, 0, 0]), said


@pytest.mark.parametrize(
    ("dark", "stated", "properties", "offset", "guessed"),
    [
        (True, True, {"s2:processing_baseline": "05.09"}, 0.0, True),  # taken off already, and stated all the same
        (True, False, {"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": True}, 0.0, False),
        (True, False, {"s2:processing_baseline": "02.06"}, 0.0, False),
        (False, True, {"s2:processing_baseline": "05.09"}, -0.1, False),
        (False, False, {"s2:processing_baseline": "05.09"}, -0.1, True),  # carried, and not stated
        (False, False, {"s2:processing_baseline": "02.06"}, 0.0, False),  # a bright scene of before
        (False, True, {}, -0.1, False),
    ],
)
def test_the_offset_of_sentinel_2_is_that_of_the_pixels(
    dark: bool, stated: bool, properties: Tree, offset: float, guessed: bool, tmp_path: Path
) -> None:
    value, said = sentinel2(tmp_path, dark, stated, **properties)
    assert value == pytest.approx((200 if dark else 3000) * 1e-4 + offset, abs=1e-6)
    assert ("guessed" in said) == guessed
    assert "are below 1000 counts" in said


def test_a_collection_of_items_and_a_static_catalogue_are_a_scene_an_item(tmp_path: Path) -> None:
    items = [item(tmp_path, name, start) for name, start in (("a", 3000), ("b", 4000))]
    collection = written(tmp_path / "items.geojson", {"type": "FeatureCollection", "features": items})
    for tree in items:
        written(tmp_path / f"{tree['id']}.json", tree)
    links = [{"rel": "item", "href": f"./{tree['id']}.json"} for tree in items]
    child = {"type": "Collection", "stac_version": "1.0.0", "id": "c", "links": links}
    written(tmp_path / "collection.json", child)
    root = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "r",
        "links": [{"rel": "child", "href": "collection.json"}],
    }
    catalogue = written(tmp_path / "catalog.json", root)
    for path in (collection, catalogue):
        sources = find_sources([str(path)])
        assert [s.key for s in sources] == ["a", "b"]
        firsts = []
        for source in sources:
            with open_scene(source) as scene:
                firsts.append(float(scene.read(scene.grid.window).values[0, 0, 0]))
        assert firsts == pytest.approx([0.3, 0.4])
    child["links"] = [{"rel": "item", "href": "https://example.org/a.json"}]
    with pytest.raises(InputError, match="without an item on this machine"):
        find_sources([str(written(tmp_path / "collection.json", child))])


def test_stac_geoparquet_is_a_scene_a_row(tmp_path: Path) -> None:
    rows = [item(tmp_path, name, start) for name, start in (("a", 3000), ("b", 4000))]
    table = pa.Table.from_pylist(
        [
            {
                "id": r["id"],
                "assets": r["assets"],
                "geometry": b"",
                "type": "Feature",
                "stac_version": "1.0.0",
                **r["properties"],
            }
            for r in rows
        ]
    )
    pa.parquet.write_table(table, tmp_path / "items.parquet")
    sources = find_sources([str(tmp_path / "items.parquet")])
    assert [(s.key, s.is_table) for s in sources] == [("a", False), ("b", False)]
    with open_scene(sources[1]) as scene:
        assert scene.bands.names == ("B02", "B04", "B05")
        assert scene.datetime == "2023-07-15T10:15:59Z"
        assert scene.read(scene.grid.window).values[0, 0, 0] == pytest.approx(0.4)


def test_what_an_item_must_not_reach_is_refused(tmp_path: Path) -> None:
    tree = item(tmp_path / "in")
    path = tmp_path / "in" / "item.json"
    tree["assets"]["blue"]["href"] = "https://example.org/B02.tif"
    with pytest.raises(InputError, match=r"its asset blue is remote, .*allow it with --allow-remote"):
        open_scene(written(path, tree))
    secret = write(tmp_path / "secret.tif", ramp(1))
    for href in ("../secret.tif", str(secret), f"file://{secret}"):
        tree["assets"]["blue"]["href"] = href
        with pytest.raises(InputError, match="outside its own folder; allow it with --allow-remote"):
            open_scene(written(path, tree))
    tree["assets"] = {"metadata": {"href": "mtd.xml", "type": "application/xml"}}
    with pytest.raises(InputError, match="no asset that is a raster"):
        open_scene(written(path, tree))
    tree["properties"]["specvae:key"] = "a"
    with pytest.raises(InputError, match="item of a result of specvae"):
        find_sources([str(written(path, tree))])


@pytest.mark.parametrize("allowed", [False, True])
def test_json_that_is_no_stac_is_no_scene(allowed: bool, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"type": "Feature"}')
    with pytest.raises(InputError, match="cannot be read as a raster"):
        open_scene(tmp_path / "a.json", IngestOptions(allow_remote=allowed))
