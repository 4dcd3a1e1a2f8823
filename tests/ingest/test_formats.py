"""Formats are one list: a new one is a file that makes products, and a line; what is stored how is a value."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats import registry
from specvae.ingest.formats.array_files import ArrayCube, ArrayReader
from specvae.ingest.formats.containers import BandsLastVariable
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.spectra import Window


class _Countdown:
    """The storage of a made format: every pixel of band b has the value 10 b + row."""

    def open(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool) -> ArrayReader:
        bands = 10.0 * np.arange(1, len(layers) + 1)[:, None, None] + np.arange(grid.rows)[None, :, None]
        return ArrayReader(layers, np.broadcast_to(bands, (len(layers), *grid.shape)).astype("float32"))


def _countdown(source: Source, options: IngestOptions) -> Product | None:
    if not source.path.endswith((".countdown", "countdowns")):
        return None
    path = source.path
    layers = tuple(Layer(path, i, Band(f"b{i}")) for i in (1, 2))
    return Product(
        "made", path, "countdown", layers, {path: Grid(3, 4)}, {path: (3, 4)}, tuple(source.files), _Countdown()
    )


@pytest.fixture
def with_countdown(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = re.compile("countdown")
    form = Format("countdown", _countdown)
    folder = Format("folder of countdowns", _countdown, folder_mark=mark, archive_mark=mark)
    monkeypatch.setattr(registry, "FORMATS", (form, folder, *registry.FORMATS))


@pytest.mark.usefixtures("with_countdown")
def test_a_format_of_files_is_one_line_in_the_registry(tmp_path: Path) -> None:
    (tmp_path / "a.countdown").write_text("3 2 1")
    with open_scene(tmp_path / "a.countdown") as scene:
        cube = scene.read(Window(1, 0, 2, 4))
    assert cube.values[:, :, 0].tolist() == [[11.0, 12.0], [21.0, 22.0]]
    assert cube.valid.all()


@pytest.mark.usefixtures("with_countdown")
def test_the_mark_of_a_format_makes_its_folder_one_scene(tmp_path: Path) -> None:
    folder = tmp_path / "countdowns"
    folder.mkdir()
    (folder / "countdown.txt").write_text("3 2 1")
    (source,) = find_sources([folder])
    assert (source.key, source.is_table) == ("countdowns", False)
    with open_scene(source) as scene:
        assert (scene.shape, scene.bands.names) == ((3, 4), ("b1", "b2"))


def test_a_folder_without_a_known_mark_is_no_product(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")
    assert not registry.is_product_folder(str(tmp_path))
    with pytest.raises(InputError, match=r"is damaged, or none of the products known .Sentinel-2 product"):
        registry.product_of(Source("a", str(tmp_path)), IngestOptions())


def test_every_format_has_a_name_of_its_own_and_marks_of_both_kinds_or_none() -> None:
    assert len({form.name for form in registry.FORMATS}) == len(registry.FORMATS)
    assert all((form.folder_mark is None) == (form.archive_mark is None) for form in registry.FORMATS)


@pytest.mark.parametrize("storage", [GdalBands(), BandsLastVariable(), ArrayCube("cube", (0, 1, 2))])
def test_a_storage_arrives_in_another_process_as_it_was(storage: object) -> None:
    assert pickle.loads(pickle.dumps(storage)) == storage


@pytest.mark.parametrize("bands_first", [True, False])
def test_an_array_cube_says_which_array_and_which_axis(tmp_path: Path, bands_first: bool) -> None:
    cube = np.arange(2 * 3 * 4, dtype="float32").reshape(2, 3, 4)
    stored = cube if bands_first else np.moveaxis(cube, 0, 2)
    path = str(tmp_path / "a|b.npz")
    np.savez(path, **{"key|with|bars": stored, "other": np.zeros(3)})
    layers = tuple(Layer(path, i, Band()) for i in (1, 2))
    reader = ArrayCube("key|with|bars", (0, 1, 2) if bands_first else (2, 0, 1)).open(
        layers, Grid(3, 4), allow_remote=False
    )
    np.testing.assert_array_equal(reader.read(Window(0, 0, 3, 4)), cube)
