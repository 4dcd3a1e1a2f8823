"""The grid of a raster: its size and where its pixels lie, by a transform, control points, RPCs or nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from affine import Affine, TransformNotInvertibleError
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.rpc import RPC
from rasterio.transform import GCPTransformer, RPCTransformer

from specvae.errors import InputError
from specvae.spectra import Window

__all__ = ["Grid"]

FloatArray = NDArray[np.float64]
LONGITUDE_LATITUDE = CRS.from_epsg(4326)
SAME_PLACE = 0.01
"""Distance in pixels up to which corners count as the same: more than rounding in files, less than can be seen."""


@dataclass(frozen=True)
class Grid:
    """Size and georeferencing of a raster."""

    rows: int
    """Number of rows."""
    cols: int
    """Number of columns."""
    crs: CRS | None = None
    """Of the transform; None where the raster states none."""
    transform: Affine = Affine.identity()
    """From (col, row) to coordinates; the identity where the raster states none. May be rotated or south-up."""
    gcps: tuple[GroundControlPoint, ...] = ()
    """Ground control points, where these and no transform place the raster."""
    gcps_crs: CRS | None = None
    """CRS of the control points' coordinates."""
    rpcs: RPC | None = None
    """Rational polynomial coefficients, where these place the raster."""

    @property
    def window(self) -> Window:
        """The window of all pixels."""
        return Window(0, 0, self.rows, self.cols)

    @classmethod
    def of(cls, dataset: DatasetReader) -> Grid:
        """The grid of an open dataset. Raises InputError where its CRS cannot be understood."""
        try:
            points, points_crs = dataset.gcps
            crs, rpcs, transform = dataset.crs, dataset.rpcs, dataset.transform
            for system in (crs, points_crs):
                _check_understood(system)
        except Exception as error:  # PROJ's and GDAL's own errors share no class
            raise InputError(f"{dataset.name}: its georeferencing cannot be understood: {error}") from error
        # GDAL passes on what a damaged header holds, and a transform with NaN or infinities places nothing.
        if not all(math.isfinite(number) for number in tuple(transform)):
            transform = Affine.identity()
        return cls(dataset.height, dataset.width, crs, transform, tuple(points), points_crs, rpcs)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.rows, self.cols

    @property
    def placed(self) -> bool:
        """Whether pixels have coordinates by an affine transform."""
        return self.transform != Affine.identity()

    def same_place(self, other: Grid, tolerance: float = SAME_PLACE) -> bool:
        """Whether both have the same size and, within ``tolerance`` pixels, the same corners."""
        return self.shape == other.shape and self._corner_distance(other) <= tolerance

    def same_footprint(self, other: Grid) -> bool:
        """Whether both cover the same ground, within half a pixel of the coarser, whatever their resolutions."""
        # Sizes are rounded to whole pixels, so that the edges of one scene at two resolutions differ by part of a
        # pixel.
        coarse = max(self.cols / other.cols, self.rows / other.rows, 1.0)
        return self._corner_distance(other) <= coarse / 2 + SAME_PLACE

    def _corner_distance(self, other: Grid) -> float:
        """Largest distance of corresponding corners, in this grid's pixels."""
        try:
            to_pixels = ~self.transform
        except TransformNotInvertibleError:  # a degenerate transform places nothing
            return 0.0 if self.transform == other.transform else math.inf
        distances = []
        for right, bottom in ((0, 0), (1, 0), (0, 1), (1, 1)):
            place = _apply(other.transform, right * other.cols, bottom * other.rows)
            col, row = _apply(to_pixels, *place)
            distances += [abs(right * self.cols - col), abs(bottom * self.rows - row)]
        return max(distances)

    @property
    def place_crs(self) -> CRS | None:
        """CRS of what :meth:`place` gives; None where nothing places the raster on Earth."""
        if self.crs is not None and self.transform != Affine.identity():
            return self.crs
        if self.gcps:
            return self.gcps_crs
        return LONGITUDE_LATITUDE if self.rpcs is not None else self.crs

    def place(self, rows: FloatArray, cols: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Coordinates x, y in :attr:`place_crs` of pixel positions ``(n,)``; (0, 0) is the outer corner of the first pixel.

        Without a CRS they are the transform's own; GCPs are fitted and RPCs evaluated at height 0, so approximate.
        """
        if self.transform == Affine.identity() and (self.gcps or self.rpcs):
            return self._place_by_model(rows, cols)
        t = self.transform
        return t.c + t.a * cols + t.b * rows, t.f + t.d * cols + t.e * rows

    def _place_by_model(self, rows: FloatArray, cols: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Coordinates of pixel positions by the control points or, without these, the RPCs."""
        if not len(rows):
            return np.empty(0), np.empty(0)
        transformer = GCPTransformer(list(self.gcps)) if self.gcps else RPCTransformer(self.rpcs)
        with transformer as model:
            # rasterio means the centres of pixels unless asked for another corner, whereas positions here count from
            # the outer one.
            xs, ys = model.xy(np.asarray(rows, float), np.asarray(cols, float), offset="ul")
        return np.asarray(xs, float), np.asarray(ys, float)

    def coarsened(self, stride: int) -> Grid:
        """The grid whose pixels are ``stride`` times as large, the last row and column possibly overhanging."""
        points = tuple(
            GroundControlPoint(p.row / stride, p.col / stride, p.x, p.y, p.z, p.id, p.info) for p in self.gcps
        )
        # The identity stands for a raster without a transform; multiplied, it would pass for a transform.
        transform = self.transform if self.transform == Affine.identity() else self.transform * Affine.scale(stride)
        return Grid(-(-self.rows // stride), -(-self.cols // stride), self.crs, transform, points, self.gcps_crs)


def _apply(transform: Affine, col: float, row: float) -> tuple[float, float]:
    """Where a transform takes a position (col, row)."""
    t = transform
    return t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f


def _check_understood(crs: CRS | None) -> None:
    """Ask a CRS all that will be asked of it later, so that one that GDAL cannot work with fails at once."""
    if crs is not None:
        crs.to_wkt()
        crs.to_string()
        if crs.is_projected:
            crs.linear_units_factor[1]
        elif crs.is_geographic:
            crs.units_factor[1]
