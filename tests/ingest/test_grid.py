"""The grid places pixels on Earth, whatever says where they lie."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from specvae.ingest.grid import Grid

UTM = CRS.from_epsg(32613)


@pytest.mark.parametrize(
    "transform",
    [
        Affine(30, 0, 5e5, 0, -30, 4e6),
        Affine(30, 0, 5e5, 0, 30, 4e6),
        Affine.translation(5e5, 4e6) * Affine.rotation(33) * Affine.scale(10, -10),
    ],
    ids=["north-up", "south-up", "rotated"],
)
def test_pixels_lie_where_the_transform_puts_them(transform: Affine) -> None:
    grid = Grid(100, 80, UTM, transform)
    rows, cols = np.array([0.0, 10.5, 99.0]), np.array([0.0, 3.25, 79.0])
    xs, ys = grid.place(rows, cols)
    for row, col, x, y in zip(rows, cols, xs, ys, strict=True):
        assert transform * (col, row) == pytest.approx((x, y), abs=1e-6)
    assert grid.place_crs == UTM


def test_ground_control_points_place_the_raster() -> None:
    truth = Affine(10, 2, 3e5, 1, -10, 5e6)
    points = tuple(GroundControlPoint(r, c, *(truth * (c, r)), 0) for r in (0, 50) for c in (0, 40))
    grid = Grid(50, 40, gcps=points, gcps_crs=UTM)
    xs, ys = grid.place(np.array([25.0]), np.array([10.0]))
    assert truth * (10, 25) == pytest.approx((xs[0], ys[0]), abs=0.01)
    assert grid.place_crs == UTM
    assert grid.coarsened(5).place(np.array([5.0]), np.array([2.0]))[0][0] == pytest.approx(xs[0], abs=0.01)


def test_a_raster_that_nothing_places_keeps_its_pixel_coordinates() -> None:
    grid = Grid(5, 6)
    assert grid.place_crs is None
    assert grid.place(np.array([2.0]), np.array([4.0])) == (4.0, 2.0)


def test_no_positions_give_no_coordinates() -> None:
    points = (GroundControlPoint(0, 0, 1, 1), GroundControlPoint(9, 0, 1, 2), GroundControlPoint(0, 9, 2, 1))
    for grid in (Grid(5, 5), Grid(5, 5, gcps=points)):
        assert len(grid.place(np.empty(0), np.empty(0))[0]) == 0


def test_a_coarser_grid_covers_the_same_ground() -> None:
    grid = Grid(100, 81, UTM, Affine(30, 0, 5e5, 0, -30, 4e6))
    coarse = grid.coarsened(8)
    assert (coarse.rows, coarse.cols) == (13, 11)
    assert coarse.transform == Affine(240, 0, 5e5, 0, -240, 4e6)


@pytest.mark.parametrize("name", ["gcp", "rpc"])
def test_real_files_without_a_transform_are_placed(real_layout, name: str) -> None:  # type: ignore[no-untyped-def]
    files = [p for p in (real_layout / "awkward").glob("*") if name in p.name.lower() and p.suffix.lower() == ".tif"]
    assert files
    with rasterio.open(files[0]) as source:
        gcps, crs = source.gcps
        grid = Grid(source.height, source.width, source.crs, source.transform, tuple(gcps), crs, source.rpcs)
    xs, ys = grid.place(np.array([grid.rows / 2]), np.array([grid.cols / 2]))
    assert np.isfinite([xs[0], ys[0]]).all()
    assert grid.place_crs is not None
