"""Maps: windows are written to a tiled TIFF beside the target, which GDAL's COG driver copies into place at the end.

The copy is needed because a cloud-optimised GeoTIFF has its overviews in front of its pixels, and these are known last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from specvae.errors import OutputError
from specvae.export.overviews import begins_and_ends_in_fours, pooled
from specvae.ingest.grid import Grid
from specvae.spectra import Window

__all__ = ["TILE", "AssetBand", "AssetBands", "MapBand", "MapWriter", "asset_bands", "check_size", "write_cog"]

TILE = 512
SMALL = 1 << 28
"""Bytes of a map up to which the intermediate TIFF is not compressed."""
POOLED_AT_ONCE = 1 << 19
"""Pixels of an overview that are pooled at once."""


@dataclass(frozen=True)
class MapBand:
    """A band of a map."""

    name: str
    description: str
    unit: str


class AssetBand(TypedDict):
    """A band of a map as the map's asset in a STAC item describes it."""

    name: str
    description: str
    unit: str
    data_type: str
    nodata: float | str
    """The value of invalid pixels; NaN, which JSON cannot hold, as the word ``nan``."""


AssetBands = list[AssetBand]


@dataclass(frozen=True)
class _Level:
    """An overview in the making."""

    path: Path
    finer: tuple[int, int]
    """Rows and columns of the level below it, which has twice as many."""
    dataset: rasterio.io.DatasetWriter


class MapWriter:
    """One map, written window by window; :meth:`close` makes the COG. A context manager that removes its own files."""

    def __init__(
        self,
        path: Path,
        grid: Grid,
        bands: Sequence[MapBand],
        dtype: str,
        nodata: float,
        tags: dict[str, str],
        threads: int = 1,
        highest: bool = True,
        predicted: bool = True,
    ) -> None:
        """Open the intermediate TIFF.

        With ``highest``, overviews keep the pixels with the highest first band; else they are averages of valid pixels.
        ``predicted``: whether a pixel's neighbour says much of it, so that differences are stored.
        """
        self.path, self.grid, self.bands, self.nodata, self.threads = path, grid, tuple(bands), nodata, threads
        self.highest, self.predicted = highest, predicted
        self.dtype = dtype
        self._parts = [path.with_name(f"{path.stem}.base.tif")]
        self._levels: list[_Level] = []
        size = grid.rows * grid.cols * len(bands) * np.dtype(dtype).itemsize
        profile = self._profile(grid, size > SMALL)
        try:
            self._dataset: Any = rasterio.open(self._parts[0], "w", **profile)
        except rasterio.errors.RasterioError as error:
            raise OutputError(f"{path} cannot be written: {error}") from None
        # A file has either a transform or ground control points; a grid with both is placed by its transform.
        if grid.gcps and grid.transform == Affine.identity():
            self._dataset.gcps = (list(grid.gcps), grid.gcps_crs)
        if grid.rpcs is not None:
            self._dataset.rpcs = grid.rpcs
        self._dataset.update_tags(**tags)
        for i, band in enumerate(bands, start=1):
            self._dataset.set_band_description(i, band.name)
            self._dataset.set_band_unit(i, band.unit)
            self._dataset.update_tags(i, description=band.description)
        try:
            self._open_levels()
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None
        self._pooled = len(self._levels)
        """Overviews that are written as windows come; the others are pooled from files at the end."""

    def _open_levels(self) -> None:
        """Open a file for each pooled overview, the finest first, until one block holds it."""
        if not self.highest:
            return
        rows, cols = self.grid.rows, self.grid.cols
        while max(rows, cols) > TILE:
            finer, rows, cols = (rows, cols), -(-rows // 2), -(-cols // 2)
            path = self.path.with_name(f"{self.path.stem}.overview{len(self._levels) + 1}.tif")
            self._parts.append(path)
            self._levels.append(_Level(path, finer, rasterio.open(path, "w", **self._profile(Grid(rows, cols), False))))

    def _profile(self, grid: Grid, compress: bool) -> dict[str, Any]:
        """Rasterio's keywords for an intermediate TIFF."""
        # Bands lie apart, since score and terms compress better each beside its like. Blocks that were never written
        # are filled with nodata rather than omitted, since not every reader knows what a missing block means.
        profile: dict[str, Any] = {
            "driver": "GTiff",
            "width": grid.cols,
            "height": grid.rows,
            "count": len(self.bands),
            "dtype": self.dtype,
            "nodata": self.nodata,
            "tiled": True,
            "blockxsize": TILE,
            "blockysize": TILE,
            "bigtiff": "IF_SAFER",
            "interleave": "band",
            "sparse_ok": False,
        }
        if grid.transform != Affine.identity():
            profile["transform"] = grid.transform
        if grid.crs is not None and not (grid.gcps and grid.transform == Affine.identity()):
            profile["crs"] = grid.crs
        # A small map is not compressed on its way, which would cost more time than the disk does; of a large one the
        # intermediate file would fill the disk, so that the fastest level of ZSTD is worth its time.
        return profile | ({"compress": "zstd", "zstd_level": 1, "num_threads": self.threads} if compress else {})

    @property
    def asset_bands(self) -> AssetBands:
        """The bands as the STAC item describes them; the writer knows them, so that no map is opened again for it."""
        return asset_bands(self.bands, self.dtype, self.nodata)

    def __enter__(self) -> MapWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for dataset in (self._dataset, *(level.dataset for level in self._levels)):
            if not dataset.closed:
                dataset.close()
        for part in self._parts:
            part.unlink(missing_ok=True)
            part.with_name(part.name + ".aux.xml").unlink(missing_ok=True)

    def write(self, window: Window, block: NDArray[Any]) -> None:
        """Write ``(bands, rows, cols)``, and what it becomes in the overviews while it is in the processor's cache."""
        try:
            self._dataset.write(block, window=_place(window))
            for number, level in enumerate(self._levels[: self._pooled]):
                if not begins_and_ends_in_fours(window, level.finer):
                    # Four pixels of this level lie in two windows: it is pooled from the finished file below it.
                    self._pooled = number
                    return
                window = Window(window.row // 2, window.col // 2, -(-window.rows // 2), -(-window.cols // 2))
                block = pooled(block, self.nodata)
                level.dataset.write(block, window=_place(window))
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None

    def close(self) -> Path:
        """Pool the overviews and write the COG; its path. Raises OutputError where the disk is full."""
        try:
            self._dataset.close()
            source = self._with_overviews() if self._levels else self._parts[0]
            predictor = "FLOATING_POINT" if np.dtype(self.dtype).kind == "f" else "STANDARD"
            predictor = predictor if self.predicted else "NO"
            write_cog(source, self.path, self.grid, self.threads, predictor, overviews=self.highest)
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None
        return self.path

    def _failed(self, error: Exception) -> OutputError:
        """The error of a write; GDAL's own message, which names the reason, is the cause of rasterio's."""
        return OutputError(f"{self.path} cannot be written: {error.__cause__ or error}; is the disk full?")

    def _with_overviews(self) -> Path:
        """A VRT of the base with its pooled overviews.

        The COG driver takes overviews from its source alone, and rasterio cannot write pixels into the overviews of a
        GeoTIFF. A VRT can have any files as the overviews of its bands: it names them.
        """
        for level in self._levels:
            level.dataset.close()
        files = [self._parts[0], *(level.path for level in self._levels)]
        for finer, level in zip(files[self._pooled :], self._levels[self._pooled :], strict=False):
            # Each level is pooled from the one before, a quarter of the work of pooling the base again.
            self._pool_file(finer, level)
        vrt = self.path.with_name(f"{self.path.stem}.base.vrt")
        self._parts.append(vrt)
        rasterio.shutil.copy(self._parts[0], vrt, driver="VRT")
        text = vrt.read_text(encoding="utf-8")
        pieces = text.split("</VRTRasterBand>")
        for i in range(len(self.bands)):
            pieces[i] += "".join(
                f'<Overview><SourceFilename relativeToVRT="1">{_escaped(level.path.name)}</SourceFilename>'
                f"<SourceBand>{i + 1}</SourceBand></Overview>"
                for level in self._levels
            )
        vrt.write_text("</VRTRasterBand>".join(pieces), encoding="utf-8")
        return vrt

    def _pool_file(self, source: Path, level: _Level) -> None:
        """Write an overview from the finished file of the one below it."""
        rows, cols = -(-level.finer[0] // 2), -(-level.finer[1] // 2)
        profile = self._profile(Grid(rows, cols), False)
        with rasterio.open(source) as fine, rasterio.open(level.path, "w", **profile) as coarse:
            # Rows of blocks at once, about four million pixels of the overview: enough to keep GDAL busy, and bounded.
            step = max(TILE, (1 << 22) // max(1, cols) // TILE * TILE)
            for row in range(0, rows, step):
                tall = min(step, rows - row)
                block = fine.read(window=RasterWindow(0, 2 * row, fine.width, min(2 * tall, fine.height - 2 * row)))
                coarse.write(pooled(block, self.nodata), window=RasterWindow(0, row, cols, tall))


def asset_bands(bands: Sequence[MapBand], dtype: str, nodata: float) -> AssetBands:
    """Bands as the STAC item describes them."""
    value = "nan" if np.isnan(nodata) else float(nodata)
    return [
        AssetBand(name=band.name, description=band.description, unit=band.unit, data_type=dtype, nodata=value)
        for band in bands
    ]


def write_cog(source: Path, path: Path, grid: Grid, threads: int, predictor: str, overviews: bool) -> None:
    """Copy a finished file into a COG; ``overviews``: that of the source, else averages of valid pixels.

    Raises OutputError where it is not of the grid's size afterwards.
    """
    # FORCE_USE_EXISTING makes the driver take the overviews of its source, and none where the source has none;
    # by itself it would resample new ones, in which single anomalous pixels are lost.
    pooling = {"overviews": "FORCE_USE_EXISTING"} if overviews else {"overview_resampling": "AVERAGE"}
    # The fastest level of ZSTD: the last digits of scores are noise, which no level compresses.
    # Statistics would need one more pass over all pixels, and nobody reads them: QGIS has the style's range.
    rasterio.shutil.copy(
        source,
        path,
        driver="COG",
        compress="ZSTD",
        level="1",
        blocksize=str(TILE),
        predictor=predictor,
        num_threads=str(max(1, threads)),
        bigtiff="IF_SAFER",
        statistics="NO",
        **pooling,
    )
    check_size(path, grid)


def check_size(path: Path, grid: Grid) -> None:
    """Raise OutputError where a finished map is not of the grid's size."""
    # A copy that the disk had no room for need not raise: what was written is opened, to see that it is a map.
    with rasterio.open(path) as check:
        if (check.height, check.width) != (grid.rows, grid.cols):
            raise OutputError(f"{path} was not written whole; is the disk full?")


def _place(window: Window) -> RasterWindow:
    """A window as rasterio takes it."""
    return RasterWindow(window.col, window.row, window.cols, window.rows)


def _escaped(name: str) -> str:
    """A file's name as XML can hold it."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
