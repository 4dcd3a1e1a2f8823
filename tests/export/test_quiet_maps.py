"""Maps that are the same nearly everywhere hold what a map that was written in full holds, overviews too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from specvae.errors import OutputError
from specvae.export.maps import TILE, MapBand, MapWriter
from specvae.export.quiet_maps import QuietMap
from specvae.ingest.grid import Grid
from specvae.spectra import Window

BANDS = {
    MapBand("evidence", "of an alert", "nat"): 0.0,
    MapBand("looks", "clear ones", ""): 0.0,
    MapBand("day", "of the first", "days"): float("nan"),
}
GRID = Grid(1100, 1290, rasterio.CRS.from_epsg(32632), Affine(20, 0, 500_000, 0, -20, 5_800_000))


def values_of(seed: int) -> np.ndarray:
    """Three bands of which the second differs everywhere; an alert in two tiles, and ground that was never seen."""
    rng = np.random.default_rng(seed)
    values = np.zeros((3, GRID.rows, GRID.cols), np.float32)
    values[1], values[2] = rng.integers(1, 40, values.shape[1:]), np.nan
    values[0, 500:530, 700:703], values[2, 500:530, 700:703] = rng.random((30, 3)), 20_000
    values[:, 1090:, 1200:] = np.nan
    return values


def write_quiet(path: Path, values: np.ndarray) -> int:
    """Write the map; how many tiles were quiet."""
    quiet = 0
    with QuietMap(path, GRID, BANDS, 1, {"unit": "nat"}) as file:
        for row in range(0, GRID.rows, TILE):
            for col in range(0, GRID.cols, TILE):
                block = values[:, row : row + TILE, col : col + TILE]
                if np.isnan(block[0]).any() or block[0].any():
                    file.write(row, col, block)
                else:
                    quiet += 1
                    file.write_quiet(row, col, block[1].astype(np.uint16))
        file.close()
    return quiet


def contents(path: Path) -> list[object]:
    """All that a reader sees: pixels of each level, and what describes them."""
    levels = []
    with rasterio.open(path) as file:
        about = [file.profile, file.tags(), [file.tags(at) for at in file.indexes], file.descriptions, file.units]
        factors = file.overviews(1)
    for level in (None, *range(len(factors))):
        with rasterio.open(path, **({} if level is None else {"overview_level": level})) as file:
            levels.append(file.read())
    return [*about, factors, levels]


def test_a_map_of_quiet_tiles_is_the_map_in_full(tmp_path: Path) -> None:
    values = values_of(0)
    quiet = write_quiet(tmp_path / "quiet.tif", values)
    assert 0 < quiet < 9
    with MapWriter(
        tmp_path / "full.tif", GRID, list(BANDS), "float32", np.nan, {"unit": "nat"}, predicted=False
    ) as full:
        full.write(Window(0, 0, GRID.rows, GRID.cols), values)
        full.close()
    (*one, quiet_levels), (*other, full_levels) = contents(tmp_path / "quiet.tif"), contents(tmp_path / "full.tif")
    assert (one[0].pop("interleave"), other[0].pop("interleave")) == ("band", "pixel")
    assert str(one) == str(other)  # NaN as nodata equals nothing
    assert len(quiet_levels) == 3
    for a, b in zip(quiet_levels, full_levels, strict=True):
        assert np.array_equal(a, b, equal_nan=True)
    assert {path.name for path in tmp_path.iterdir()} == {"quiet.tif", "full.tif"}


def test_it_is_cloud_optimised(tmp_path: Path) -> None:
    cogeo = pytest.importorskip("rio_cogeo.cogeo", reason="rio-cogeo comes with the extra `test`")
    write_quiet(tmp_path / "quiet.tif", values_of(1))
    valid, errors, warnings = cogeo.cog_validate(tmp_path / "quiet.tif", strict=True)
    assert (valid, errors, warnings) == (True, [], [])


def test_a_place_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        QuietMap(tmp_path / "nowhere" / "quiet.tif", GRID, BANDS, 1, {})
