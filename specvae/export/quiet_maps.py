"""Maps that hold the same value nearly everywhere: only tiles in which something differs are written before the last copy.

A band that says nothing of most ground, as the evidence of alerts, would cost as much as the scores of all pixels: each value is
written, compressed, read and compressed again. Here a tile that was never written reads as what its band holds of quiet ground,
which a GeoTIFF knows of one value a file: bands lie in a file for each such value, and a VRT puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from specvae.errors import OutputError
from specvae.export.maps import TILE, AssetBands, MapBand, asset_bands, check_size
from specvae.export.overviews import pooled
from specvae.ingest.grid import Grid

__all__ = ["QuietMap"]


class QuietMap:
    """A float32 map whose bands hold 0, or no value, where nothing happened; :meth:`close` makes the COG.

    ``always``: the one band that is written everywhere. Overviews keep the pixel with the highest first band, as those of a
    :class:`specvae.export.maps.MapWriter` do. A context manager that removes its own files.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid,
        bands: Mapping[MapBand, float],
        always: int,
        tags: dict[str, str],
        threads: int = 1,
    ) -> None:
        """Open the intermediate files. ``bands``: each with what it holds of quiet ground, 0 or NaN; ``always``: its index."""
        self.path, self.grid, self.bands, self.always, self.threads = path, grid, tuple(bands), always, threads
        # NaN is no key: it equals nothing, itself neither.
        fills = ["nan" if np.isnan(value) else "0" for value in bands.values()]
        self._places = [(fill, 1 + fills[:number].count(fill)) for number, fill in enumerate(fills)]
        """The file of each band, by its value, and the band's number in it."""
        sizes = [grid.shape]
        while max(sizes[-1]) > TILE and TILE >> len(sizes):  # of a tile a pixel is left at least
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        self._files: dict[tuple[str, int], Any] = {}
        try:
            for level, size in enumerate(sizes):
                for fill in sorted(set(fills)):
                    self._files[fill, level] = self._open(fill, level, size, fills.count(fill))
            self._describe(tags)
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None
        self.levels = len(sizes)

    def _open(self, fill: str, level: int, size: tuple[int, int], count: int) -> Any:
        shape = {"width": size[1], "height": size[0], "count": count, "dtype": "float32"}
        tiles = {"tiled": True, "blockxsize": TILE, "blockysize": TILE, "interleave": "band", "bigtiff": "IF_SAFER"}
        packed = {"compress": "zstd", "zstd_level": 1, "num_threads": self.threads, "sparse_ok": True}
        place: dict[str, Any] = {}
        if level == 0 and self.grid.transform != Affine.identity():
            place["transform"] = self.grid.transform
        if level == 0 and self.grid.crs is not None and not (self.grid.gcps and not place):
            place["crs"] = self.grid.crs
        # A tile that is missing reads as the file's nodata, and as 0 where it has none.
        nodata = {"nodata": np.nan} if fill == "nan" else {}
        return rasterio.open(
            self._file(fill, level), "w", driver="GTiff", **shape, **tiles, **packed, **place, **nodata
        )

    def _file(self, fill: str, level: int) -> Path:
        return self.path.with_name(f"{self.path.stem}.{fill}-{level}.tif")

    def _describe(self, tags: dict[str, str]) -> None:
        for (fill, number), band in zip(self._places, self.bands, strict=True):
            file = self._files[fill, 0]
            file.set_band_description(number, band.name)
            file.set_band_unit(number, band.unit)
            file.update_tags(number, description=band.description)
        first = self._files[self._places[0][0], 0]
        first.update_tags(**tags)
        # A file has either a transform or ground control points; a grid with both is placed by its transform.
        if self.grid.gcps and self.grid.transform == Affine.identity():
            first.gcps = (list(self.grid.gcps), self.grid.gcps_crs)
        if self.grid.rpcs is not None:
            first.rpcs = self.grid.rpcs

    @property
    def asset_bands(self) -> AssetBands:
        """The bands as the STAC item describes them."""
        return asset_bands(self.bands, "float32", float("nan"))

    def write_quiet(self, row: int, col: int, values: NDArray[np.uint16]) -> None:
        """A tile ``(rows, cols)`` of the band that is always written, in which the other bands say nothing."""
        fill, number = self._places[self.always]
        try:
            for level in range(self.levels):
                window = RasterWindow(col >> level, row >> level, values.shape[1], values.shape[0])
                self._files[fill, level].write(values.astype(np.float32), number, window=window)
                # Of four pixels that are alike in the first band the first one is kept.
                values = values[::2, ::2]
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None

    def write(self, row: int, col: int, block: NDArray[np.float32]) -> None:
        """A tile ``(bands, rows, cols)`` in which something happened; it begins at a multiple of TILE."""
        try:
            for level in range(self.levels):
                window = RasterWindow(col >> level, row >> level, block.shape[2], block.shape[1])
                for (fill, number), values in zip(self._places, block, strict=True):
                    self._files[fill, level].write(values, number, window=window)
                block = pooled(block, float("nan"))
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None

    def __enter__(self) -> QuietMap:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for (fill, level), file in self._files.items():
            file.close()
            self._file(fill, level).unlink(missing_ok=True)
            self._vrt(fill).unlink(missing_ok=True)

    def close(self) -> Path:
        """Write the COG; its path. Raises OutputError where the disk is full."""
        try:
            for file in self._files.values():
                file.close()
            self._copy(self._joined())
        except rasterio.errors.RasterioError as error:
            raise self._failed(error) from None
        return self.path

    def _copy(self, source: Path) -> None:
        """Copy the finished file into a COG whose bands lie apart.

        The COG driver of GDAL 3.10 writes pixel by pixel alone, which takes five times as long; what it calls to copy overviews
        and pixels into their order writes band by band as well.
        """
        rasterio.shutil.copy(
            source,
            self.path,
            driver="GTiff",
            copy_src_overviews="YES",
            interleave="BAND",
            compress="ZSTD",
            zstd_level="1",
            tiled="YES",
            blockxsize=str(TILE),
            blockysize=str(TILE),
            num_threads=str(max(1, self.threads)),
            bigtiff="IF_SAFER",
        )
        check_size(self.path, self.grid)

    def _vrt(self, fill: str) -> Path:
        return self.path.with_name(f"{self.path.stem}.{fill}.vrt")

    def _joined(self) -> Path:
        """A VRT of all bands in their order, with their overviews."""
        trees = {}
        for fill in {fill for fill, _ in self._places}:
            rasterio.shutil.copy(self._file(fill, 0), self._vrt(fill), driver="VRT")
            trees[fill] = ElementTree.parse(self._vrt(fill))
        main = self._places[0][0]
        root = trees[main].getroot()
        found = {fill: tree.getroot().findall("VRTRasterBand") for fill, tree in trees.items()}
        for band in found[main]:
            root.remove(band)
        for at, (fill, number) in enumerate(self._places, start=1):
            root.append(self._band(found[fill][number - 1], at, fill, number))
        trees[main].write(self._vrt(main), encoding="utf-8")
        return self._vrt(main)

    def _band(self, band: ElementTree.Element, at: int, fill: str, number: int) -> ElementTree.Element:
        """The band of a VRT as the one of another number, with its overviews; invalid pixels are NaN in each."""
        band.set("band", str(at))
        for name, value in (("NoDataValue", "nan"), ("ColorInterp", "Gray" if at == 1 else "Undefined")):
            for old in band.findall(name):
                band.remove(old)
            ElementTree.SubElement(band, name).text = value
        for level in range(1, self.levels):
            overview = ElementTree.SubElement(band, "Overview")
            file = ElementTree.SubElement(overview, "SourceFilename", relativeToVRT="1")
            file.text = self._file(fill, level).name
            ElementTree.SubElement(overview, "SourceBand").text = str(number)
        return band

    def _failed(self, error: Exception) -> OutputError:
        """The error of a write; GDAL's own message, which names the reason, is the cause of rasterio's."""
        return OutputError(f"{self.path} cannot be written: {error.__cause__ or error}; is the disk full?")
