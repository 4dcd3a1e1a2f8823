"""A scene: a raster opened with its bands, its grid and its rules of validity, read by windows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as RasterWindow

from specvae.errors import InputError, ReadError, UsageError
from specvae.raster.bands import bands_of, choose
from specvae.raster.grid import Grid
from specvae.raster.masks import MaskRaster
from specvae.raster.options import IngestOptions
from specvae.raster.sources import Source
from specvae.raster.vectors import Polygons, is_vector
from specvae.spectra import BandMatch, BandSet, Cube, Invalid, Window

__all__ = ["Scene", "open_raster", "open_scene"]

SATURATED = {"uint16": 65_535, "int16": 32_767}


def open_raster(path: str) -> Any:
    """An open rasterio dataset. Raises InputError, in one line, where GDAL cannot."""
    if not path.startswith("/vsi") and "://" not in path and not Path(path).exists():
        raise InputError(f"there is no file {path}")
    try:
        return rasterio.open(path, sharing=False)
    except (rasterio.errors.RasterioError, rasterio.errors.RasterioIOError) as error:
        raise InputError(f"{path} cannot be read as a raster: {error}; `specvae inspect` tells more") from None


@dataclass
class Scene:
    """An open raster, as a model or a fit sees it. A context manager; one thread reads at a time."""

    path: str
    key: str
    bands: BandSet
    grid: Grid
    block: tuple[int, int]
    """Rows and cols of the file's own blocks."""
    dtype: str
    notes: list[str]
    band_match: BandMatch | None
    source_bands: BandSet
    """All bands of the file."""
    indexes: tuple[int, ...]
    """1-based numbers of the bands that are read, in order."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._dataset: Any = None
        self._mask: MaskRaster | None = None
        self._aoi: Polygons | None = None
        self._normal: MaskRaster | Polygons | None = None
        self._truth: MaskRaster | Polygons | None = None
        self._nodata: list[float | None] = []
        self._scaled = False
        self._file_mask = False
        self._scale: Any = 1.0
        self._offset: Any = 0.0

    @property
    def rows(self) -> int:
        """Rows of the scene."""
        return self.grid.rows

    @property
    def cols(self) -> int:
        """Columns of the scene."""
        return self.grid.cols

    @property
    def pixel_size(self) -> float | None:
        """Side of a pixel in the CRS's units, or None without georeferencing."""
        t = self.grid.transform
        return None if t == Affine.identity() else float(abs(t.determinant) ** 0.5)

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every file."""
        for opened in (self._dataset, self._mask, self._normal, self._truth):
            if opened is not None and hasattr(opened, "close"):
                opened.close()

    def read(self, window: Window) -> Cube:
        """The window's spectra in physical units and why pixels are invalid.

        Raises ReadError, naming file and window, where the file cannot be decoded there.
        """
        raw = self._raw(window)
        reason = np.zeros(raw.shape[1:], np.uint8)
        values = raw.astype(np.float32) if raw.dtype != np.float32 else raw
        if self.dtype in SATURATED:
            reason[(raw == SATURATED[self.dtype]).any(axis=0)] = Invalid.SATURATED
        if raw.dtype.kind in "fc":
            reason[~np.isfinite(values).all(axis=0)] = Invalid.NAN
        if self._mask is not None:
            reason[self._mask.excluded(window)] = Invalid.MASK
        reason[self._missing(raw, window)] = Invalid.NODATA
        if self._aoi is not None:
            reason[~self._aoi.inside(window)] = Invalid.OUTSIDE
        if self._scaled:
            values *= self._scale
            values += self._offset
        return Cube(values, reason, window)

    def normal(self, window: Window) -> NDArray[np.bool_]:
        """``(rows, cols)``: what ``--normal`` says is normal; all of it where nothing was said."""
        if self._normal is None:
            return np.ones((window.rows, window.cols), bool)
        return self._normal.inside(window)

    def truth(self, window: Window) -> NDArray[np.uint8] | None:
        """``(rows, cols)``: 1 anomalous, 0 normal, 255 unknown; None where no truth was given."""
        if self._truth is None:
            return None
        if isinstance(self._truth, Polygons):
            return self._truth.inside(window).astype(np.uint8)
        return self._truth.truth(window)

    @property
    def has_truth(self) -> bool:
        """Whether a truth was given."""
        return self._truth is not None

    @property
    def pixel_area_m2(self) -> float | None:
        """Area of a pixel in square metres, or None; in a geographic CRS, that of the middle pixel."""
        crs, t = self.grid.crs, self.grid.transform
        if crs is None or t == Affine.identity():
            return None
        if crs.is_projected:
            return float(abs(t.determinant) * crs.linear_units_factor[1] ** 2)
        if not crs.is_geographic:
            return None
        _, latitude = (
            t @ (self.cols / 2, self.rows / 2) if hasattr(t, "__matmul__") else t * (self.cols / 2, self.rows / 2)
        )
        return float(abs(t.determinant) * 111_320.0**2 * np.cos(np.radians(latitude)))

    def about(self) -> dict[str, Any]:
        """The ``scene`` section of a report."""
        return {
            "path": self.path,
            "key": self.key,
            "kind": "raster",
            "rows": self.rows,
            "cols": self.cols,
            "bands": list(self.bands.labels),
            "wavelengths": self.bands.wavelengths,
            "band_match": self.band_match.by if self.band_match else None,
            "crs": self.grid.crs.to_string() if self.grid.crs else None,
            "pixel_area_m2": self.pixel_area_m2,
            "notes": self.notes,
        }

    def footprint(self) -> tuple[dict[str, Any] | None, list[float] | None]:
        """GeoJSON polygon and bounding box in longitude and latitude, or None without a CRS."""
        from rasterio.warp import transform as warp

        crs = self.grid.place_crs
        if crs is None:
            return None, None
        rows = np.array([0.0, 0.0, self.rows, self.rows, 0.0])
        cols = np.array([0.0, self.cols, self.cols, 0.0, 0.0])
        try:
            x, y = self.grid.place(rows, cols)
            lon, lat = warp(crs, "EPSG:4326", list(x), list(y))
        except (rasterio.errors.RasterioError, ValueError):
            return None, None
        if not np.isfinite([*lon, *lat]).all():
            return None, None
        ring = [[float(a), float(b)] for a, b in zip(lon, lat, strict=True)]
        return {"type": "Polygon", "coordinates": [ring]}, [min(lon), min(lat), max(lon), max(lat)]

    @contextmanager
    def cached(self, size: int) -> Iterator[None]:
        """Read with GDAL's block cache bounded to ``size`` bytes."""
        with rasterio.Env(GDAL_CACHEMAX=max(16, size >> 20), GDAL_NUM_THREADS="2"):
            yield

    def windows(self, pixels: int, multiple: int = 64) -> list[Window]:
        """Windows of about ``pixels``, aligned to multiples of 64, in the file's own order: no block is decoded twice."""
        tall, wide = self.block

        def up(n: int, step: int) -> int:
            return -(-n // step) * step

        rows = up(min(tall, self.rows), multiple)
        across = up(self.cols, multiple)
        cols = across if tall * across <= 2 * pixels or wide >= self.cols else up(min(wide, self.cols), multiple)
        if rows * cols < pixels:
            if cols < across:
                cols = min(across, max(cols, pixels // rows // cols * cols))
            if cols >= across:
                rows = min(up(self.rows, multiple), max(rows, pixels // across // rows * rows))
        elif cols >= across and rows * cols > 4 * pixels:
            rows = max(multiple, pixels // across // multiple * multiple)
        whole = self.grid.window
        return [
            Window(r, c, rows, cols).clip(whole) for r in range(0, self.rows, rows) for c in range(0, self.cols, cols)
        ]

    def describe(self) -> dict[str, Any]:
        """How the scene is read, JSON-ready."""
        chosen = set(self.indexes)
        return {
            "path": self.path,
            "driver": self._dataset.driver,
            "rows": self.rows,
            "cols": self.cols,
            "dtype": self.dtype,
            "crs": self.grid.crs.to_string() if self.grid.crs else None,
            "pixel_size": self.pixel_size,
            "block": list(self.block),
            "nodata": [None if n is None else str(n) for n in self._nodata],
            "bands": [
                {"number": i, "name": b.name, "wavelength_nm": b.wavelength, "width_nm": b.width, "used": i in chosen}
                for i, b in enumerate(self.source_bands, start=1)
            ],
            "band_match": self.band_match.by if self.band_match else None,
            "notes": self.notes,
        }

    def _raw(self, window: Window) -> Any:
        place = RasterWindow(window.col, window.row, window.cols, window.rows)
        try:
            with self._lock:
                raw = self._dataset.read(list(self.indexes), window=place)
        except (rasterio.errors.RasterioError, rasterio.errors.RasterioIOError) as error:
            cause = error.__cause__ or error
            where = (
                f"rows {window.row} to {window.row + window.rows}, columns {window.col} to {window.col + window.cols}"
            )
            raise ReadError(
                f"{self.path} cannot be read at {where}: {cause}; the file is damaged, copy it again"
            ) from None
        return np.abs(raw) if raw.dtype.kind == "c" else raw

    def _missing(self, raw: Any, window: Window) -> NDArray[np.bool_]:
        """``(rows, cols)``: True where any band is nodata, or a mask or alpha band of the file says so."""
        missing = np.zeros(raw.shape[1:], bool)
        kinds = {n for n in self._nodata if n is not None}
        if len(kinds) == 1 and len(self._nodata) == sum(n is not None for n in self._nodata):
            missing |= _equals(raw, kinds.pop()).any(axis=0)
        else:
            for band, nodata in zip(raw, self._nodata, strict=True):
                if nodata is not None:
                    missing |= _equals(band, nodata)
        if self._file_mask:
            place = RasterWindow(window.col, window.row, window.cols, window.rows)
            with self._lock:
                missing |= self._dataset.dataset_mask(window=place) == 0
        return missing


def _equals(raw: Any, nodata: float) -> Any:
    """Where native values are nodata; NaN is compared as NaN, and floats to their own precision."""
    if nodata != nodata:
        return np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, bool)
    if raw.dtype.kind in "iu":
        limits = np.iinfo(raw.dtype)
        if nodata != int(nodata) or not limits.min <= nodata <= limits.max:
            return np.zeros(raw.shape, bool)
    with np.errstate(over="ignore"):
        return raw == np.asarray(nodata).astype(raw.dtype)


def open_scene(source: Source | str, options: IngestOptions | None = None, match: BandSet | None = None) -> Scene:
    """Open a raster for reading by windows.

    ``match`` are a model's bands: the scene then gives these, in their order. Raises InputError for what cannot be
    read, ModelError where the bands do not match, UsageError for a wrong band list.
    """
    options = options or IngestOptions()
    source = source if isinstance(source, Source) else Source(source, Path(source).stem, files=(source,))
    dataset = open_raster(source.path)
    try:
        return _described(dataset, source, options, match)
    except BaseException:
        dataset.close()
        raise


def _described(dataset: Any, source: Source, options: IngestOptions, match: BandSet | None) -> Scene:
    if not dataset.count or not dataset.width or not dataset.height:
        raise InputError(
            f"{source.path} holds no band of pixels; give one of its subdatasets: {dataset.subdatasets[:4]}"
        )
    every = bands_of(dataset)
    notes: list[str] = []
    usable = tuple(i for i, interp in enumerate(dataset.colorinterp) if interp != ColorInterp.alpha)
    candidates = every.take(usable)
    chosen = choose(options.bands, candidates) if options.bands else tuple(range(len(candidates)))
    taken = candidates.take(chosen)
    matched = match.match(taken) if match is not None else None
    if matched is not None:
        chosen = tuple(chosen[i] for i in matched.order)
        taken = candidates.take(chosen)
        if matched.warning:
            notes.append(matched.warning)
    indexes = tuple(usable[i] + 1 for i in chosen)
    gcps, gcps_crs = dataset.gcps
    grid = Grid(dataset.height, dataset.width, dataset.crs, dataset.transform, tuple(gcps), gcps_crs, dataset.rpcs)
    dtype = np.dtype(np.result_type(*[_dtype(dataset.dtypes[i - 1]) for i in indexes])).name
    scene = Scene(
        source.path,
        source.key,
        taken,
        grid,
        dataset.block_shapes[indexes[0] - 1],
        dtype,
        notes,
        matched,
        every,
        indexes,
    )
    scene._dataset = dataset
    scene._nodata = _nodata_values(dataset, indexes, options)
    flags = set(dataset.mask_flag_enums[indexes[0] - 1])
    scene._file_mask = MaskFlags.per_dataset in flags
    scale = np.array([dataset.scales[i - 1] for i in indexes], np.float32)
    offset = np.array([dataset.offsets[i - 1] for i in indexes], np.float32)
    scene._scaled = bool((scale != 1).any() or (offset != 0).any())
    scene._scale, scene._offset = scale[:, None, None], offset[:, None, None]
    _companions(scene, source, options)
    return scene


def _dtype(name: str) -> str:
    return {"complex_int16": "complex64", "int8": "int8"}.get(name, name)


def _nodata_values(dataset: Any, indexes: tuple[int, ...], options: IngestOptions) -> list[float | None]:
    if options.nodata and options.nodata != "auto":
        try:
            return [float(options.nodata)] * len(indexes)
        except ValueError:
            raise UsageError(f"--nodata takes a number, nan or auto, not {options.nodata!r}") from None
    return [dataset.nodatavals[i - 1] for i in indexes]


def _companions(scene: Scene, source: Source, options: IngestOptions) -> None:
    """Open masks, polygons and truths beside the scene; each must lie on its grid."""

    def raster_or_polygons(path: str) -> MaskRaster | Polygons:
        return Polygons(path, scene.grid) if is_vector(path) else MaskRaster(path, scene.grid, scene.path)

    stem = source.stem
    if path := options.companion(options.mask, stem):
        scene._mask = MaskRaster(path, scene.grid, scene.path, options.mask_values)
    if path := options.companion(options.aoi, stem):
        scene._aoi = Polygons(path, scene.grid)
    if path := options.companion(options.normal, stem):
        scene._normal = raster_or_polygons(path)
    if path := options.companion(options.truth, stem):
        scene._truth = raster_or_polygons(path)
