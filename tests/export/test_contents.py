"""The registry of result files agrees with what a score writes, with the STAC item and with the documentation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio

from specvae.export.contents import CONTENTS, HEADER, NAMES, When, result_table
from specvae.export.result_folders import result_folder
from specvae.ingest.options import IngestOptions
from specvae.stages.demo.scenes import write_scene
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

ROOT = Path(__file__).parents[2]
BANDS = ("B1", "B2", "B3")
PATCH = ("training.steps=60", "training.refits=0")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene and a table with a planted object, their truth, an older result, a model of pixels and one of patches."""
    folder = tmp_path_factory.mktemp("contents")
    rng = np.random.default_rng(0)
    normal, scene = (rng.gamma(20, 5, (3, 160, 160)) for _ in range(2))
    scene[:, 40:56, 40:56] = np.array([900, 5, 700])[:, None, None]
    truth = np.zeros((1, 160, 160), np.uint8)
    truth[0, 40:56, 40:56] = 1
    for name, values, bands in (("normal", normal, BANDS), ("tonight", scene, BANDS), ("truth", truth, ("truth",))):
        write_scene(folder / f"{name}.tif", values.astype(np.float32), bands)
    rows = pd.DataFrame(scene[:, 40].T, columns=list(BANDS)).assign(truth=truth[0, 40])
    rows.to_csv(folder / "rows.csv", index=False)
    rows.to_parquet(folder / "more.parquet", index=False)
    for model, options in (("pixel", {"context": "none"}), ("patch", {"patch": 8})):
        fit(
            [str(folder / "normal.tif")],
            FitRequest(model=str(folder / f"{model}.specvae"), device="cpu", set=PATCH, **options),
        )
    return folder


def listing(place: Path, name: str, model: str, **options: Any) -> set[str]:
    """The names of the files that a score leaves."""
    truth = "truth" if name.startswith(("rows", "more")) else str(place / "truth.tif")
    request = ScoreRequest(
        model=str(place / f"{model}.specvae"),
        out=str(place / "out"),
        ingest=IngestOptions(truth=truth),
        device="cpu",
        overwrite=True,
        **options,
    )
    outcome = score([str(place / name)], request).outcomes[0]
    assert outcome.status == "done", outcome.message
    return {path.name for path in Path(outcome.folder).iterdir()}


def named(*when: When) -> set[str]:
    """The files of the registry that are written then, and always."""
    return {file.name for file in CONTENTS if file.when in {When.ALWAYS, *when}}


FORMATS = ("gpkg", "geojson", "parquet")
RASTER = (When.RASTER, When.GEOPACKAGE, When.GEOJSON, When.GEOPARQUET, When.EXPLAINED, When.POOL)


def test_a_scene_with_every_option_has_the_files_of_the_registry(place: Path) -> None:
    names = listing(place, "tonight.tif", "pixel", parts=True, pool=True, fdr=0.1, objects=FORMATS)
    assert names == named(*RASTER)
    known = str(place / "out" / "tonight" / "objects.gpkg")
    (place / "known.gpkg").write_bytes(Path(known).read_bytes())
    again = listing(
        place, "tonight.tif", "pixel", parts=True, pool=True, known=str(place / "known.gpkg"), objects=("geojson",)
    )
    assert again == named(When.RASTER, When.GEOJSON, When.EXPLAINED, When.POOL)
    assert listing(place, "normal.tif", "pixel", threshold=1e6) == named(When.RASTER, When.GEOPACKAGE)


def test_a_scene_of_patches_with_every_option_has_the_files_of_the_registry(place: Path) -> None:
    options = {"parts": True, "pool": True, "fdr": 0.1, "objects": FORMATS, "threshold": 1.0}
    assert listing(place, "tonight.tif", "patch", **options) == named(*RASTER, When.PATCH_PARTS)


@pytest.mark.parametrize(("name", "when"), [("rows.csv", When.CSV), ("more.parquet", When.PARQUET)])
def test_a_table_has_the_files_of_the_registry(place: Path, name: str, when: When) -> None:
    assert listing(place, name, "pixel", parts=True) == named(when, When.EXPLAINED)


def test_a_new_result_leaves_nothing_of_an_older_one(place: Path) -> None:
    assert "pixels.tif" in listing(place, "tonight.tif", "patch", parts=True)
    assert "pixels.tif" not in listing(place, "tonight.tif", "patch")


def test_every_result_file_of_an_older_result_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in {*NAMES, "notes.txt"}:
        (tmp_path / name).write_text("old")
    with result_folder(tmp_path) as work:
        (work.path / "item.json").write_text("new")
        work.commit()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"item.json": "new", "notes.txt": "old"}


def test_every_file_with_a_role_is_an_asset(place: Path) -> None:
    names = listing(place, "tonight.tif", "patch", parts=True, pool=True, objects=FORMATS)
    item = json.loads((place / "out" / "tonight" / "item.json").read_text())
    assets = {asset["href"]: asset for asset in item["assets"].values()}
    expected = {f"./{file.name}": file for file in CONTENTS if file.role and file.name in names}
    assert set(assets) == set(expected)
    for href, file in expected.items():
        assert file.role is not None
        assert (assets[href]["type"], assets[href]["roles"], assets[href]["title"]) == (
            file.media_type,
            [file.role.value],
            file.title,
        )


def test_an_asset_says_of_its_bands_what_the_map_says(place: Path) -> None:
    listing(place, "tonight.tif", "patch", parts=True, pool=True)
    folder = place / "out" / "tonight"
    assets = json.loads((folder / "item.json").read_text())["assets"].values()
    bands = {asset["href"]: asset["bands"] for asset in assets if "bands" in asset}
    assert len(bands) == 5
    for href, described in bands.items():
        with rasterio.open(folder / href) as raster:
            assert [band["name"] for band in described] == list(raster.descriptions)
            assert [band["unit"] for band in described] == list(raster.units)
            assert [band["data_type"] for band in described] == list(raster.dtypes)
            assert [float(band["nodata"]) for band in described] == pytest.approx(raster.nodatavals, nan_ok=True)
            for number, band in enumerate(described, start=1):
                assert band["description"] == raster.tags(number)["description"]


def _tables(text: str) -> list[str]:
    """The tables of a Markdown text that list result files."""
    lines, tables = text.splitlines(), []
    for start, line in enumerate(lines):
        if _cells(line) == list(HEADER):
            end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
            tables.append("\n".join(lines[start:end]))
    return tables


def _cells(line: str) -> Sequence[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_documentation_has_the_table_of_the_registry_once() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    assert [table for page in pages for table in _tables(page.read_text(encoding="utf-8"))] == [result_table()]
