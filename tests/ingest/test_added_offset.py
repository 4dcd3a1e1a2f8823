"""--offset: a number is added to every band; auto takes Sentinel-2's 1000 away where the darkest pixels carry it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from specvae.errors import InputError, UsageError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.table.reading import open_table
from specvae.spectra import Window


def written(path: Path, added: float, dtype: str = "uint16") -> tuple[str, np.ndarray]:
    """A scene of three bands with fill along one side, and its values without what is added."""
    random = np.random.default_rng(0)
    ground = random.gamma(2, 300, (3, 80, 90)).astype(int) + 5
    values = (ground + added).clip(1)
    values[:, :, :8] = 0
    profile: dict[str, Any] = {"driver": "GTiff", "width": 90, "height": 80, "count": 3, "dtype": dtype, "nodata": 0}
    with rasterio.open(path, "w", transform=Affine(10, 0, 0, 0, -10, 0), crs="EPSG:32633", **profile) as file:
        file.write(values.astype(dtype))
    return str(path), ground


def read(path: str, offset: str | float | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    with open_scene(path, IngestOptions(offset=offset)) as scene:
        cube = scene.read(Window(0, 0, scene.rows, scene.cols))
        return cube.values, cube.valid, scene.notes


def test_a_number_is_added_to_every_band_and_fill_stays_fill(tmp_path: Path) -> None:
    path, ground = written(tmp_path / "a.tif", 1000)
    values, valid, _ = read(path, "-1000")
    assert not valid[:, :8].any()
    np.testing.assert_allclose(values[:, valid], ground[:, valid], atol=1e-3)
    np.testing.assert_allclose(read(path, 2.5)[0][:, valid] - read(path, None)[0][:, valid], 2.5)


def test_auto_takes_away_what_the_darkest_pixels_carry_and_says_so(tmp_path: Path) -> None:
    path, ground = written(tmp_path / "a.tif", 1000)
    values, valid, notes = read(path, "auto")
    np.testing.assert_allclose(values[:, valid], ground[:, valid], atol=1e-3)
    assert any("-1000" in note and "04.00" in note and "--offset 0" in note for note in notes)


def test_auto_leaves_alone_what_is_dark_already_and_says_so(tmp_path: Path) -> None:
    path, ground = written(tmp_path / "a.tif", 0)
    values, valid, notes = read(path, "auto")
    np.testing.assert_allclose(values[:, valid], ground[:, valid])
    assert any("no offset" in note and "--offset -1000" in note for note in notes)


def test_even_evidence_is_refused_with_the_options_that_decide(tmp_path: Path) -> None:
    path, _ = written(tmp_path / "a.tif", 750)
    with pytest.raises(InputError, match=r"cannot be told .* --offset 0 or --offset -1000"):
        read(path, "auto")


@pytest.mark.parametrize("offset", ["much", "nan", "inf"])
def test_what_is_no_number_is_refused(offset: str) -> None:
    with pytest.raises(UsageError, match="--offset is"):
        IngestOptions(offset=offset)


def test_a_table_takes_none(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("b1,b2\n1,2\n3,4\n")
    with pytest.raises(InputError, match="leave --offset out"):
        open_table(str(tmp_path / "rows.csv"), IngestOptions(offset=1.0))


def test_results_without_an_offset_keep_their_fingerprint() -> None:
    assert "offset" not in IngestOptions().to_json()
    assert IngestOptions(offset="-1000").to_json()["offset"] == -1000.0
