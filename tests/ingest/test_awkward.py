"""Unheard-of files of every kind, from the command line: read as GDAL reads them, scored on their own grid, or refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from tests.awkward_containers import CASES
from tests.awkward_files import Case
from tests.commands import call
from tests.raster_files import write

FEW = ["--set", "training.steps=20", "--set", "training.refits=1", "--set", "training.epochs=1", "--context", "none"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Small models whose bands have no name, by their number."""
    folder = tmp_path_factory.mktemp("models")

    def model(bands: int) -> Path:
        path = folder / f"{bands}.specvae"
        if not path.exists():
            values = np.random.default_rng(bands).normal(100, 9, (bands, 64, 64)).astype("float32")
            status, text = call(["fit", str(write(folder / f"{bands}.tif", values)), "--model", str(path), *FEW])
            assert status == 0, text
        return path

    return model


def truth_of(case: Case, folder: Path, source: str) -> tuple[Any, Any, Any]:
    """GDAL's own opinion: (valid, physical values, the open file's georeferencing)."""
    path = source if case.oracle == "self" else str(folder / str(case.oracle))
    with rasterio.open(path) as file:
        used = [i for i in file.indexes if file.colorinterp[i - 1].name != "alpha"][: case.bands]
        raw = file.read(used)
        valid = (file.read_masks(used) != 0).all(axis=0) & np.isfinite(raw).all(axis=0)
        scale = np.array([file.scales[i - 1] for i in used])[:, None, None]
        offset = np.array([file.offsets[i - 1] for i in used])[:, None, None]
        place = (file.crs, file.transform, len(file.gcps[0]), file.rpcs is not None)
    return valid, raw.astype(np.float64) * scale + offset, place


def options_of(args: list[str]) -> IngestOptions:
    """The command line's options, as the library takes them."""
    flags = {"allow_remote": "--allow-remote" in args}
    rest = [a for a in args if a != "--allow-remote"]
    return IngestOptions(**flags, **dict(zip((a[2:] for a in rest[::2]), rest[1::2], strict=True)))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_an_awkward_file_is_read_as_gdal_reads_it_or_refused_in_one_line(case: Case, tmp_path: Path) -> None:
    source = str(case.make(tmp_path))
    args = [a.replace("{folder}", str(tmp_path)) for a in case.args]
    status, text = call(["inspect", source, "--json", *args])
    if case.refused and status:
        refused(case, status, text)
        return
    assert status == 0, text
    described = json.loads(text)
    if case.bands:
        assert len(described["bands"]) == case.bands
    said = [*described["notes"], *(row["chosen"] for row in described["decisions"])]
    for note in case.notes:
        assert any(note in text for text in said), (note, said)
    if case.valid is not None:
        assert described["valid_share"] == pytest.approx(case.valid / described["pixels_looked_at"])
    if case.oracle is not None and not case.refused:
        with open_scene(source, options_of(args)) as scene:
            cube = scene.read(scene.grid.window)
        valid, values, _ = truth_of(case, tmp_path, source)
        assert np.array_equal(cube.valid, valid)
        limit = np.finfo(np.float32).max
        assert np.allclose(cube.values[:, valid], values[:, valid].clip(-limit, limit), rtol=1e-6)


QUICK = {
    "Mars", "control points only", "rotated", "an engineering CRS", "a VRT with another nodata in each band",
    "names that are markup", "bands at two resolutions", "an SCL raster by its name", "an undeclared collar", "one valid pixel",
    "an area across the antimeridian", "a TIFF in a zip file", "NetCDF of three planes, south up", "the Moon, projected",
    "a geocentric CRS", "pixels of no size", "TIFF cut short", "all nodata", "a name with all that is odd",
}  # fmt: skip
"""Scored in every run of the tests; the rest in the long one."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=() if c.name in QUICK else pytest.mark.slow) for c in CASES],
    ids=lambda c: c.name,
)
def test_an_awkward_file_is_scored_on_its_own_grid_or_refused_in_one_line(
    case: Case, tmp_path: Path, models: Any
) -> None:
    source = str(case.make(tmp_path))
    args = [a.replace("{folder}", str(tmp_path)) for a in case.args]
    status, text = call(["inspect", source, "--json", *args])
    if case.refused and status:
        refused(case, status, text)
        return
    described, out = json.loads(text), tmp_path / "out"
    args += ["--objects", "gpkg", "--objects", "geojson", "--false-alarm-rate", "0.2"]
    status, text = call(["score", source, "--model", str(models(len(described["bands"]))), "--out", str(out), *args])
    if case.refused:
        refused(case, status, text)
        assert not out.exists() or not [p for p in out.rglob("*") if p.is_file()]
        return
    assert status == 0, text
    (report,) = out.rglob("report.json")
    scored(case, tmp_path, source, report.parent, described)


def refused(case: Case, status: int, text: str) -> None:
    assert status == 4, text
    lines = [line for line in text.strip().splitlines() if line]
    assert len(lines) == 1, text
    assert re.search(case.refused, text), text


def scored(case: Case, folder: Path, source: str, place: Path, described: dict[str, Any]) -> None:
    """The maps lie where the source lies, and what is valid has a score."""
    pixels = json.loads((place / "report.json").read_text())["pixels"]
    with rasterio.open(place / "score.tif") as file:
        score = file.read(1)
        place_of_map = (file.crs, file.transform, len(file.gcps[0]), file.rpcs is not None)
    there = np.isfinite(score)
    assert not np.isinf(score).any()
    assert there.sum() == pixels["valid"]
    assert described["valid_share"] == pytest.approx(pixels["valid"] / pixels["total"])
    if case.oracle is not None:
        valid, _, true_place = truth_of(case, folder, source)
        assert np.array_equal(there, valid)
        if case.placed:
            assert place_of_map == true_place
    if case.valid is not None:
        assert pixels["valid"] == case.valid
    if case.reasons:
        assert {k: v for k, v in pixels["invalid_by_reason"].items() if v} == case.reasons
    page = (place / "report.html").read_text()
    assert "<script>alert(1)" not in page
