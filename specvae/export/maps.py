"""Maps: windows are written to a tiled TIFF beside the target, which GDAL's COG driver copies into place at the end.

The copy is needed because a cloud-optimised GeoTIFF has its overviews in front of its pixels, and these are known last.

GDAL has no resampling of overviews that keeps a single anomalous pixel: averages dilute it, and the nearest pixel is
another one in three of four cases. So overviews are pooled here: each pixel of an overview is the one of its four that
has the highest first band, all bands taken from it.
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
from specvae.ingest.grid import Grid
from specvae.ingest.scene.windows import tile
from specvae.spectra import Window

__all__ = ["AssetBand", "AssetBands", "MapBand", "MapWriter", "pooled"]

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


def pooled(block: NDArray[Any], nodata: float) -> NDArray[Any]:
    """``(bands, rows, cols)`` -> half the size, rounded up: of each 2 x 2 the pixel with the highest first band."""
    bands, rows, cols = block.shape
    if bands == 1:
        return _highest(block[0], nodata)[None]
    tall, wide = -(-rows // 2), -(-cols // 2)
    padded = np.full((bands, 2 * tall, 2 * wide), nodata, block.dtype)
    padded[:, :rows, :cols] = block
    squares = padded.reshape(bands, tall, 2, wide, 2).transpose(0, 1, 3, 2, 4).reshape(bands, tall, wide, 4)
    # All bands come from the pixel that wins by its score: the terms of a pixel of the overview add up to its score,
    # which the highest of each band by itself would not.
    score = squares[0].astype(np.float32)
    key = np.where(np.isnan(score) | (score == nodata), -np.inf, score)
    return np.take_along_axis(squares, key.argmax(axis=-1)[None, :, :, None], axis=-1)[..., 0]


def _highest(band: NDArray[Any], nodata: float) -> NDArray[Any]:
    """``(rows, cols)`` -> half the size: of each 2 x 2 the highest value that is not nodata."""
    if np.isnan(nodata):
        return _pairs(_pairs(band).T).T
    if band.dtype.kind == "u" and nodata == np.iinfo(band.dtype).max:
        # One more, and nodata, the highest unsigned number, overflows to 0, the lowest: no mask has to be made.
        one = band.dtype.type(1)
        return np.asarray(_pairs(_pairs(band + one).T).T - one)
    best = _pairs(_pairs(np.where(band == nodata, np.float32(np.nan), band)).T).T
    return np.asarray(np.where(np.isnan(best), nodata, best), band.dtype)


def _pairs(values: NDArray[Any]) -> NDArray[Any]:
    """Half the rows, rounded up: of each two values the higher, of a number and NaN the number."""
    best = values[::2].copy()
    np.fmax(best[: len(values) // 2], values[1::2], out=best[: len(values) // 2])
    return best


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
    ) -> None:
        """Open the intermediate TIFF.

        With ``highest``, overviews keep the pixels with the highest first band; else they are averages of valid pixels.
        """
        self.path, self.grid, self.bands, self.nodata, self.threads = path, grid, tuple(bands), nodata, threads
        self.highest = highest
        self.dtype = dtype
        self._parts = [path.with_name(f"{path.stem}.base.tif")]
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
        nodata = "nan" if np.isnan(self.nodata) else float(self.nodata)
        return [
            AssetBand(name=band.name, description=band.description, unit=band.unit, data_type=self.dtype, nodata=nodata)
            for band in self.bands
        ]

    def __enter__(self) -> MapWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._dataset.closed:
            self._dataset.close()
        for part in self._parts:
            part.unlink(missing_ok=True)
            part.with_name(part.name + ".aux.xml").unlink(missing_ok=True)

    def write(self, window: Window, block: NDArray[Any]) -> None:
        """Write ``(bands, rows, cols)``."""
        place = RasterWindow(window.col, window.row, window.cols, window.rows)
        try:
            self._dataset.write(block, window=place)
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None

    def close(self) -> Path:
        """Pool the overviews and write the COG; its path. Raises OutputError where the disk is full."""
        try:
            self._dataset.close()
            source = self._parts[0]
            if self.highest and max(self.grid.rows, self.grid.cols) > TILE:
                source = self._with_overviews()
            floating = np.dtype(self.dtype).kind == "f"
            # FORCE_USE_EXISTING makes the driver take the overviews of its source, and none where the source has none;
            # by itself it would resample new ones, in which single anomalous pixels are lost.
            overviews = {"overviews": "FORCE_USE_EXISTING"} if self.highest else {"overview_resampling": "AVERAGE"}
            # The fastest level of ZSTD: the last digits of scores are noise, which no level compresses.
            # Statistics would need one more pass over all pixels, and nobody reads them: QGIS has the style's range.
            rasterio.shutil.copy(
                source,
                self.path,
                driver="COG",
                compress="ZSTD",
                level="1",
                blocksize=str(TILE),
                predictor="FLOATING_POINT" if floating else "STANDARD",
                num_threads=str(max(1, self.threads)),
                bigtiff="IF_SAFER",
                statistics="NO",
                **overviews,
            )
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None
        self._check()
        return self.path

    def _check(self) -> None:
        """Raise OutputError where the finished map is not of the scene's size."""
        # A copy that the disk had no room for need not raise: what was written is opened, to see that it is a map.
        with rasterio.open(self.path) as check:
            if (check.height, check.width) != (self.grid.rows, self.grid.cols):
                raise OutputError(f"{self.path} was not written whole; is the disk full?")

    def _failed(self, error: Exception) -> OutputError:
        """The error of a write; GDAL's own message, which names the reason, is the cause of rasterio's."""
        return OutputError(f"{self.path} cannot be written: {error.__cause__ or error}; is the disk full?")

    def _with_overviews(self) -> Path:
        """A VRT of the base with its pooled overviews.

        The COG driver takes overviews from its source alone, and rasterio cannot write pixels into the overviews of a
        GeoTIFF. A VRT can have any files as the overviews of its bands: it names them.
        """
        levels: list[Path] = []
        finer = self._parts[0]
        rows, cols = self.grid.rows, self.grid.cols
        while max(rows, cols) > TILE:
            rows, cols = -(-rows // 2), -(-cols // 2)
            level = self.path.with_name(f"{self.path.stem}.overview{len(levels) + 1}.tif")
            self._parts.append(level)
            # Each level is pooled from the one before, a quarter of the work of pooling the base again.
            self._pool_file(finer, level, rows, cols)
            levels.append(level)
            finer = level
        vrt = self.path.with_name(f"{self.path.stem}.base.vrt")
        self._parts.append(vrt)
        rasterio.shutil.copy(self._parts[0], vrt, driver="VRT")
        text = vrt.read_text(encoding="utf-8")
        pieces = text.split("</VRTRasterBand>")
        for i in range(len(self.bands)):
            pieces[i] += "".join(
                f'<Overview><SourceFilename relativeToVRT="1">{_escaped(level.name)}</SourceFilename>'
                f"<SourceBand>{i + 1}</SourceBand></Overview>"
                for level in levels
            )
        vrt.write_text("</VRTRasterBand>".join(pieces), encoding="utf-8")
        return vrt

    def _pool_file(self, source: Path, target: Path, rows: int, cols: int) -> None:
        """Write the overview ``target`` of ``source``, ``(rows, cols)`` pixels large."""
        profile = self._profile(Grid(rows, cols), False)
        with rasterio.open(source) as fine, rasterio.open(target, "w", **profile) as coarse:
            # Some blocks at once, however wide the map is: rows of them would grow with its width.
            for part in tile((rows, cols), (TILE, TILE), POOLED_AT_ONCE):
                below, right = (
                    min(2 * part.rows, fine.height - 2 * part.row),
                    min(2 * part.cols, fine.width - 2 * part.col),
                )
                block = fine.read(window=RasterWindow(2 * part.col, 2 * part.row, right, below))
                coarse.write(pooled(block, self.nodata), window=RasterWindow(part.col, part.row, part.cols, part.rows))


def _escaped(name: str) -> str:
    """A file's name as XML can hold it."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
