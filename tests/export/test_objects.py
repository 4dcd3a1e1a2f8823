"""Objects read back from files are where, as large and as odd as they were planted."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import geopandas
import numpy as np
import pandas
import pyogrio
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Geod
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from shapely.geometry import Point, box

from specvae.bands import Band, BandSet
from specvae.errors import InputError, UsageError
from specvae.export.objects import outlines as outlines_file
from specvae.export.objects.frame import SceneFacts, object_rows, shapes_of
from specvae.export.objects.known import mark_known, read_known
from specvae.export.objects.outlines import outlines
from specvae.export.objects.writing import write_objects
from specvae.export.reasons_in_words import Wording
from specvae.ingest.grid import Grid
from specvae.scoring.gathered.joining import Components
from specvae.scoring.gathered.object_table import ObjectTable
from specvae.spectra import Cube, Explanation, Parts, ScoredWindow, Window

ROWS, COLS = 60, 50
WORDING = Wording(
    BandSet(tuple(Band(name) for name in ("blue", "red", "<script>"))), np.zeros(3), np.full(3, 2.0), surroundings=True
)


def turned(degrees: float) -> Affine:
    a, r = np.deg2rad(degrees), 20.0
    return Affine(r * np.cos(a), r * np.sin(a), 6e5, r * np.sin(a), -r * np.cos(a), 5e6)


GRIDS = {
    "utm": Grid(ROWS, COLS, CRS.from_epsg(32613), Affine(30, 0, 5e5, 0, -30, 4.4e6)),
    "south-up": Grid(ROWS, COLS, CRS.from_epsg(32613), Affine(30, 0, 5e5, 0, 30, 4.4e6)),
    "rotated": Grid(ROWS, COLS, CRS.from_epsg(32613), turned(33)),
    "geographic": Grid(ROWS, COLS, CRS.from_epsg(4326), Affine(0.01, 0, 20, 0, -0.01, 64.3)),
    "web mercator": Grid(ROWS, COLS, CRS.from_epsg(3857), Affine(30, 0, 1e6, 0, -30, 8.4e6)),
    "feet": Grid(ROWS, COLS, CRS.from_epsg(2263), Affine(50, 0, 9.8e5, 0, -50, 2e5)),
    "without CRS": Grid(ROWS, COLS),
}


def table_of(mask: NDArray[np.bool_]) -> ObjectTable:
    reconstruction = np.where(mask, 12.0, 1.0).astype(np.float32)
    reconstruction[np.unravel_index(np.flatnonzero(mask)[:1], mask.shape)] = 20.0
    kl = np.full(mask.shape, 4.0, np.float32)

    def explain(rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Explanation:
        each = np.outer([1.0, 2.0, 9.0], np.ones(rows.size)).astype(np.float32)
        return Explanation(each, -2 * each, 4 / each, each, 0 * each, 0 * each)

    cube = Cube(np.ones((3, *mask.shape), np.float32), np.zeros(mask.shape, np.uint8), Window(0, 0, *mask.shape))
    components = Components()
    components.update(ScoredWindow(cube, Parts(reconstruction + kl, reconstruction, kl), mask, explain))
    return components.finish().table


def frame_of(mask: NDArray[np.bool_], grid: Grid):  # type: ignore[no-untyped-def]
    table = table_of(mask)
    scene = SceneFacts("tonight", "2024-06-01T10:00:00Z", 9.5, 1e-3, (5e-4, 2e-3), "ok")
    return object_rows(table, grid, WORDING, shapes_of(table, lambda w: mask[w.slices]), None, scene)


def planted() -> NDArray[np.bool_]:
    mask = np.zeros((ROWS, COLS), bool)
    mask[10:30, 5:25] = True
    mask[14:20, 10:15] = False  # a hole
    mask[40, 40] = mask[41, 41] = mask[42, 40] = True  # a diagonal
    return mask


@pytest.mark.parametrize("name", ["objects.gpkg", "objects.geojson", "objects.parquet"])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))
def test_areas_and_places_are_right_when_read_back(grid: Grid, name: str, tmp_path: Path) -> None:
    mask = planted()
    write_objects(frame_of(mask, grid), tmp_path, ("gpkg", "geojson", "parquet"))
    path = tmp_path / name
    back = geopandas.read_parquet(path) if name.endswith("parquet") else pyogrio.read_dataframe(path)
    assert back["pixels"].tolist() == [370, 3]
    if grid.crs is None:
        assert back["area_m2"].isna().all()
        assert [shape.area for shape in back.geometry] == pytest.approx([370, 3])
        return
    drawn = back.geometry if name.endswith("geojson") is False else back.geometry.to_crs(grid.crs.to_wkt())
    for i, shape in enumerate(drawn):
        geodesic = sum(
            abs(Geod(ellps="WGS84").geometry_area_perimeter(p)[0])
            for p in geopandas.GeoSeries([shape], crs=grid.crs.to_wkt()).to_crs(4326)[0].geoms
        )
        assert back["area_m2"][i] == pytest.approx(geodesic, rel=0.01)
    centre = Point(back["lon"][0], back["lat"][0])
    lonlat = drawn.set_crs(grid.crs.to_wkt(), allow_override=True).to_crs(4326)
    assert centre.distance(lonlat[0].centroid) < 1e-4


def test_geojson_follows_rfc_7946(tmp_path: Path) -> None:
    write_objects(frame_of(planted(), GRIDS["utm"]), tmp_path, ("geojson",))
    tree = json.loads((tmp_path / "objects.geojson").read_text())
    assert tree["type"] == "FeatureCollection"
    assert "crs" not in tree
    for feature in tree["features"]:
        assert set(feature) >= {"type", "geometry", "properties"}
        for polygon in feature["geometry"]["coordinates"]:
            rings = [shapely.LinearRing(ring) for ring in polygon]
            assert rings[0].is_ccw
            assert not any(ring.is_ccw for ring in rings[1:])
            assert all(-180 <= x <= 180 and -90 <= y <= 90 for ring in polygon for x, y in ring)


def test_outlines_are_exact_and_valid_on_noise() -> None:
    rng = np.random.default_rng(3)
    mask = rng.random((70, 60)) < 0.35
    table = table_of(mask)
    shapes, exact = outlines(table, lambda w: mask[w.slices])
    assert exact.all()
    assert all(shape.is_valid for shape in shapes)
    assert [shape.area for shape in shapes] == pytest.approx(table.pixels.tolist())
    assert shapely.union_all(list(shapes)).area == pytest.approx(mask.sum())


def test_an_object_too_ragged_to_draw_is_given_as_its_box() -> None:
    mask = np.random.default_rng(3).random((1200, 1200)) < 0.5
    table = table_of(mask)
    shapes, exact = outlines(table.take(table.pixels > 10_000), lambda w: mask[w.slices])
    assert exact.tolist() == [False]
    assert shapes[0].area > 0.9 * mask.size


def test_outlines_of_large_objects_stop_at_a_number_of_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((300, 400), bool)
    for col in range(0, 400, 100):
        mask[:, col : col + 90 : 2] = mask[::2, col : col + 90] = True
    table = table_of(mask)
    assert len(table) == 4
    assert outlines(table, lambda w: mask[w.slices])[1].all()
    one = shapely.get_num_coordinates(outlines(table, lambda w: mask[w.slices])[0][0])
    monkeypatch.setattr(outlines_file, "ALL_CORNERS", one + 1)
    shapes, exact = outlines(table, lambda w: mask[w.slices])
    assert exact.tolist() == [True, True, False, False]
    assert [shape.area for shape in shapes[:2]] == pytest.approx(table.pixels[:2].tolist())
    assert [shape.area for shape in shapes[2:]] == pytest.approx([300 * 90] * 2)


def test_the_bands_that_drive_an_object_come_with_their_signed_deviation() -> None:
    frame = frame_of(planted(), GRIDS["utm"])
    # Expected are 4, 2 and 4/9, and 1 is observed: the last band contributes most.
    assert frame["bands"][0] == "<script> +125 %, red -50 %, blue -75 % against its surroundings"
    assert [frame[f"band_{k}"][0] for k in (1, 2, 3)] == ["<script>", "red", "blue"]
    assert [frame[f"change_{k}"][0] for k in (1, 2, 3)] == pytest.approx([125, -50, -75], rel=1e-5)
    # Contributions are brought to the mean score of the pixels, 16 and a little.
    assert sum(frame[f"nats_{k}"][0] for k in (1, 2, 3)) == pytest.approx(12.0, rel=1e-6)
    assert frame["peak"].tolist() == [24.0, 16.0]
    assert (frame["kl_share"] + frame["reconstruction_share"]).tolist() == pytest.approx([1, 1])
    assert frame["kl_share"][1] == pytest.approx(0.25)


def test_pieces_within_three_pixels_are_one_event_and_the_most_evidence_comes_first() -> None:
    mask = np.zeros((ROWS, COLS), bool)
    mask[5, 5:8] = mask[5, 10] = True  # two pixels between them
    mask[30, 30:35] = True
    mask[30, 39] = True  # four pixels away
    frame = frame_of(mask, GRIDS["utm"])
    assert frame["evidence"].tolist() == sorted(frame["evidence"], reverse=True)
    assert frame["rank"].tolist() == [1, 2, 3, 4]
    by_place = {(row, col): event for row, col, event in zip(frame["row"], frame["col"], frame["event"], strict=True)}
    assert len(set(by_place.values())) == 3
    assert by_place[5, 5] == by_place[5, 10] != by_place[30, 39] != by_place[30, 30]


def test_a_geopackage_says_of_which_scene_it_is_and_brings_points_and_styles(tmp_path: Path) -> None:
    write_objects(frame_of(planted(), GRIDS["utm"]), tmp_path)
    path = tmp_path / "objects.gpkg"
    outlines_of, points = (pyogrio.read_dataframe(path, layer=name) for name in ("objects", "object_points"))
    for back in (outlines_of, points):
        assert set(back["scene"]) == {"tonight"}
        assert str(back["date"][0]).startswith("2024-06-01")
        assert set(back["cut"]) == {9.5}
        assert set(back["verdict"]) == {"ok"}
        assert back["rank"].tolist() == [1, 2]
        assert back["band_1"][0] == "<script>"
    assert points.geom_type.unique().tolist() == ["Point"]
    assert points.within(outlines_of.geometry).all()
    with closing(sqlite3.connect(path)) as file:
        styles = dict(file.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault = 1"))
    assert set(styles) == {"objects", "object_points"}
    roots = {name: ElementTree.fromstring(text.split("\n", 1)[1]) for name, text in styles.items()}
    kinds = {name: [symbol.attrib["type"] for symbol in root.iter("symbol")] for name, root in roots.items()}
    assert kinds == {"objects": ["fill"], "object_points": ["marker"]}


@pytest.mark.skipif(not Path("/usr/bin/qgis").exists(), reason="QGIS is not installed")
def test_qgis_takes_the_styles_up_by_itself(tmp_path: Path) -> None:
    write_objects(frame_of(planted(), GRIDS["utm"]), tmp_path)
    code = (
        "import sys; from qgis.core import QgsApplication, QgsVectorLayer; app = QgsApplication([], False); app.initQgis()\n"
        "for name in ('objects', 'object_points'):\n"
        "    layer = QgsVectorLayer(f'{sys.argv[1]}|layername={name}', name, 'ogr')\n"
        "    print(layer.renderer().symbol().color().name(), layer.labelsEnabled())\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, str(tmp_path / "objects.gpkg")],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == ["#e6007e", "True", "#e6007e", "True"]


def test_no_object_gives_an_empty_layer(tmp_path: Path) -> None:
    write_objects(frame_of(np.zeros((ROWS, COLS), bool), GRIDS["utm"]), tmp_path, ("gpkg", "geojson", "parquet"))
    for name in ("objects.gpkg", "objects.geojson"):
        back = pyogrio.read_dataframe(tmp_path / name)
        assert len(back) == 0
    info = pyogrio.read_info(tmp_path / "objects.gpkg")
    assert {"area_m2", "peak", "bands", "p_value"} <= set(info["fields"])
    assert info["crs"] == "EPSG:32613"
    assert len(geopandas.read_parquet(tmp_path / "objects.parquet")) == 0


def test_ground_control_points_place_the_objects() -> None:
    truth = GRIDS["utm"].transform
    points = tuple(
        GroundControlPoint(r, c, truth.c + truth.a * c, truth.f + truth.e * r, 0) for r in (0, ROWS) for c in (0, COLS)
    )
    by_points = frame_of(planted(), Grid(ROWS, COLS, gcps=points, gcps_crs=CRS.from_epsg(32613)))
    by_transform = frame_of(planted(), GRIDS["utm"])
    assert by_points["lon"] == pytest.approx(by_transform["lon"], abs=1e-6)
    assert by_points.geometry[0].symmetric_difference(by_transform.geometry[0]).area < 1


def test_known_objects_are_those_that_share_ground(tmp_path: Path) -> None:
    frame = frame_of(planted(), GRIDS["utm"])
    first = frame.geometry[0].bounds
    beside = box(first[2], first[1], first[2] + 300, first[3])
    assert mark_known(frame, geopandas.GeoDataFrame(geometry=[beside], crs=frame.crs.to_wkt())).tolist() == [
        False,
        False,
    ]
    geopandas.GeoDataFrame(geometry=[frame.geometry[0]], crs=frame.crs.to_wkt()).to_crs(4326).to_file(
        tmp_path / "old.geojson"
    )
    assert mark_known(frame, read_known(str(tmp_path / "old.geojson"))).tolist() == [True, False]
    point = geopandas.GeoDataFrame(geometry=[frame.geometry[1].representative_point()], crs=frame.crs.to_wkt())
    assert mark_known(frame, point).tolist() == [False, True]
    assert mark_known(frame, point[:0]).tolist() == [False, False]


def test_a_known_file_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_known(str(tmp_path / "none.gpkg"))
    (tmp_path / "text.gpkg").write_text("no")
    with pytest.raises(InputError, match="cannot be read as a vector file"):
        read_known(str(tmp_path / "text.gpkg"))


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shp; use gpkg, geojson, parquet"):
        write_objects(frame_of(planted(), GRIDS["utm"]), tmp_path, ("shp",))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))
def test_a_geopackage_reads_back_like_one_that_gdal_writes(grid: Grid, tmp_path: Path) -> None:
    rows = frame_of(planted(), grid).insert("bands", known=np.array([True, False]))
    rows.columns["p_value"][0] = np.nan
    write_objects(rows, tmp_path)
    by_gdal = tmp_path / "gdal.gpkg"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.write_dataframe(rows.to_frame(), by_gdal, layer="objects", geometry_type="MultiPolygon")
        mine, other = (pyogrio.read_dataframe(path) for path in (tmp_path / "objects.gpkg", by_gdal))
    pandas.testing.assert_frame_equal(mine.drop(columns="geometry"), other.drop(columns="geometry"))
    assert shapely.equals_exact(mine.geometry.to_numpy(), other.geometry.to_numpy(), 1e-9).all()
    assert (mine.crs == other.crs) or (grid.crs is None and mine.crs is None)
    ours, gdals = (pyogrio.read_info(path) for path in (tmp_path / "objects.gpkg", by_gdal))
    assert ours["geometry_type"] == gdals["geometry_type"] == "MultiPolygon"
    assert ours["total_bounds"] == pytest.approx(gdals["total_bounds"])
    assert ours["features"] == 2


def test_a_reference_system_without_a_code_keeps_its_definition(tmp_path: Path) -> None:
    odd = CRS.from_proj4("+proj=laea +lat_0=40 +lon_0=-105 +datum=WGS84 +units=m")
    write_objects(frame_of(planted(), Grid(ROWS, COLS, odd, Affine(30, 0, 1e4, 0, -30, 2e4))), tmp_path)
    back = pyogrio.read_dataframe(tmp_path / "objects.gpkg")
    assert back.to_crs(4326).total_bounds == pytest.approx([-104.880, 40.17, -104.868, 40.18], abs=0.02)


def test_a_score_imports_no_data_frame() -> None:
    """Neither pandas nor what brings it along is needed until a table comes, or another format is asked for."""
    code = (
        "import sys, specvae.stages.score.run, specvae.stages.score.objects; "
        "print([m for m in ('pandas', 'geopandas', 'pyogrio', 'matplotlib', 'sklearn', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
