"""NetCDF and HDF5 containers: the cube among their variables, or the two-dimensional variables that are its bands."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from specvae.bands import Band
from specvae.errors import InputError, ReadError
from specvae.ingest.band_reader import FileMasks, StoredValues
from specvae.ingest.decision import Decision
from specvae.ingest.formats.acquisition import acquired
from specvae.ingest.formats.arrays.place import WGS84
from specvae.ingest.formats.arrays.times import time_of
from specvae.ingest.formats.arrays.tree import ArrayNode, is_tree, read_tree
from specvae.ingest.formats.band_kinds import why_no_spectrum
from specvae.ingest.formats.band_metadata import layers_of
from specvae.ingest.formats.band_names import outside_family
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.formats.limits import check_raster
from specvae.ingest.formats.one_file import BAND_AXES, block_of
from specvae.ingest.formats.wavelengths import float_or
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.spectra import Window

__all__ = ["NOT_SPECTRAL", "band_of_variable", "product_of_container"]

MOST_VARIABLES = 500
"""Variables of a container that are looked at."""
ALONG = ("downtrack", "number_of_lines", "lines", "line", "rows", "row", "y", "along_track", "scanline", "num_rows")
"""Names of a first axis that runs along the ground, so that the bands are the last one."""
NOT_SPECTRAL = re.compile(
    r"(?:^|[/_])(?:lat(?:itude)?|lon(?:gitude)?|x|y|glt_?x|glt_?y|elev(?:ation)?|crs|spatial_ref|time|"
    r"transverse_mercator|bnds|bounds|sza|vza|saa|vaa|raa|[a-z_]*flags?|[a-z_]*mask|[a-z_]*qa[a-z_]*|quality[a-z_]*|"
    r"solar_[a-z]+|sensor_[a-z]+|altitude|depth|"
    r"(?:[a-z_0-9]*_)?(?:unc(?:ert(?:ainty|ainties)?)?|err(?:ors?)?|std(?:ev)?|stdev|sigma|snr|noise|covariance))$",
    re.I,
)
"""Names of variables that hold coordinates, geometry, flags or other things than spectra."""
WAVELENGTH = re.compile(r"[A-Za-z]_?(\d{3,4})(?:nm)?$")


@dataclass(frozen=True)
class Variable:
    """One variable of a container, as GDAL reads it: its first axis as bands, the last two as rows and columns."""

    name: str
    """Its name inside the container."""
    path: str
    """GDAL's name of it as a dataset."""
    layers: tuple[Layer, ...]
    grid: Grid
    block: tuple[int, int]
    """Rows and columns that are decoded at once."""
    extra: str
    """Name of the axis that GDAL takes for bands."""


@dataclass(frozen=True)
class BandsLastVariable:
    """The storage of a variable whose axes are (rows, cols, bands), which GDAL takes for (bands, rows, cols)."""

    def open(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool) -> BandsLastReader:
        """A reader of ``layers``, which lie in one variable."""
        return BandsLastReader(layers, allow_remote=allow_remote)


class BandsLastReader:
    """Bands of a variable whose last axis counts bands: GDAL gives its rows as bands, and its bands as columns."""

    def __init__(self, layers: tuple[Layer, ...], *, allow_remote: bool = False) -> None:
        self.layers, self.path = layers, layers[0].path
        self._order = [layer.index - 1 for layer in layers]
        self._file = open_dataset(self.path, allow_remote=allow_remote)

    @property
    def in_blocks(self) -> None:
        """None: such a variable comes row by row."""

    def read(self, window: Window) -> StoredValues:
        """Stored values ``(bands, rows, cols)`` in the file's own type."""
        # GDAL's bands are our rows, its rows our columns, and its columns our bands: what comes is (rows, cols, bands).
        rows = list(range(window.row + 1, window.row + window.rows + 1))
        box = RasterioWindow(0, window.col, self._file.width, window.cols)
        with errors_in_one_line(f"{self.path} cannot be read at row {window.row}", ReadError):
            stored = self._file.read(rows, window=box)
        return np.ascontiguousarray(np.moveaxis(stored, 2, 0)[self._order])

    def masked(self, window: Window) -> FileMasks:
        """No masks: a variable has none."""
        return None, None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def product_of_container(path: str, dataset: DatasetReader, options: IngestOptions) -> Product:
    """The product in an open container without bands of its own. Raises InputError where no single cube is spectral."""
    tags = dataset.tags(ns="SUBDATASETS")
    # By number, for the order of planes is that of the bands, and as text SUBDATASET_10 comes before SUBDATASET_2.
    names = [tags[key] for key in sorted(tags, key=_number) if key.endswith("_NAME")][:MOST_VARIABLES]
    variables = [v for name in names if (v := _variable(name, options)) is not None]
    spectral = [v for v in variables if not NOT_SPECTRAL.search(v.name)]
    if not spectral:
        listed = ", ".join(_short(name) for name in names[:10]) or _arrays_of(path)
        raise InputError(f"{path} holds no spectral variable that can be read as a raster (it has {listed})")
    cubes = [v for v in spectral if len(v.layers) > 1]
    if len(cubes) > 1:
        listed = ", ".join(v.path for v in cubes[:6])
        raise InputError(f"{path} holds {len(cubes)} cubes; give one of them: {listed}")
    product = _of_cube(path, cubes[0]) if cubes else _of_planes(path, spectral, options.bands)
    unused = ", ".join(v.name for v in variables if v not in spectral)
    notes = [f"variables not used: {unused}"] if variables != spectral else []
    stated = {"time_coverage_start": time_of(read_tree(path)) or ""} if is_tree(path) else {}
    taken = acquired({**stated, **dataset.tags()}, path)
    return replace(product, notes=(*product.notes, *notes), datetime=taken)


def _arrays_of(path: str) -> str:
    """What the arrays of a container are of which GDAL makes no raster, in words."""
    nodes = list(read_tree(path).arrays.values())[:8] if is_tree(path) else []
    return ", ".join(f"{n.name} of {'x'.join(map(str, n.shape)) or 'one value'} {_kind(n)}" for n in nodes) or "nothing"


def _kind(node: ArrayNode) -> str:
    """The type of an array in words: numpy calls the rows of a table ``void``."""
    return f"with the fields {', '.join(node.dtype.names[:6])}" if node.dtype.names else node.dtype.name


def _variable(name: str, options: IngestOptions) -> Variable | None:
    """A variable as a raster; None where GDAL or the limits on sizes refuse it."""
    try:
        with open_dataset(name, allow_remote=options.allow_remote) as opened:
            check_raster(opened, name, options.allow_huge)
            with errors_in_one_line(name):
                layers = tuple(_with_nodata(layer, opened) for layer in layers_of(opened, name))
                extra = opened.tags().get("NETCDF_DIM_EXTRA", "").strip("{}")
                return Variable(_short(name), name, layers, _placed(opened), block_of(opened), extra)
    # One variable that is odd, a text or an empty one, must not hide the cube beside it.
    except InputError:
        return None


def _with_nodata(layer: Layer, dataset: DatasetReader) -> Layer:
    """A band with the attribute ``nodata`` that programs write in place of CF's, where GDAL takes NetCDF's default."""
    tags = {key.casefold(): value for key, value in dataset.tags(layer.index).items()}
    stated = float_or(tags.get("nodata", ""))
    return layer if "_fillvalue" in tags or math.isnan(stated) else replace(layer, nodata=stated)


def _placed(dataset: DatasetReader) -> Grid:
    """The grid of a variable; in degrees where its coordinates say so without a grid mapping beside them, as CF allows."""
    grid, tags = Grid.of(dataset), {key.casefold(): value for key, value in dataset.tags().items()}
    units = [tags.get(f"{name}#units", "") for name in ("lat", "latitude")]
    degrees = any(unit.casefold().startswith("degree") for unit in units)
    return replace(grid, crs=WGS84) if grid.crs is None and grid.placed and degrees else grid


def _of_cube(path: str, cube: Variable) -> Product:
    """The product of one three-dimensional variable, whichever of its axes holds the bands."""
    if cube.extra.casefold() in ALONG:
        return _of_bands_last(path, cube)
    return Product(
        name=Path(path).stem,
        path=path,
        kind="container",
        layers=cube.layers,
        grids={cube.path: cube.grid},
        blocks={cube.path: cube.block},
        files=(path,),
        storage=GdalBands(),
        decisions=(_axes(cube, cube.extra or "its first axis"),),
    )


def _axes(cube: Variable, axis: str) -> Decision:
    """Which axis of a variable counts bands, as GDAL has it."""
    named = bool(BAND_AXES.match(axis))
    evidence = "the name of its axis" if named else "the order of its axes"
    return Decision("axes", f"{cube.name} is read with {axis} as bands", evidence, guessed=not named)


def _of_bands_last(path: str, cube: Variable) -> Product:
    """The product of a variable (rows, cols, bands): what GDAL takes for bands are rows, and its columns are bands."""
    first, bands = cube.layers[0], cube.grid.cols
    grid = Grid(len(cube.layers), cube.grid.rows)
    return Product(
        name=Path(path).stem,
        path=path,
        kind="container",
        layers=tuple(replace(first, index=i, band=Band(unit=first.band.unit)) for i in range(1, bands + 1)),
        grids={cube.path: grid},
        # GDAL reads such a variable one of its bands at a time, which is one row here.
        blocks={cube.path: (1, grid.cols)},
        files=(path,),
        storage=BandsLastVariable(),
        notes=(f"{cube.name} is in the sensor's own geometry, without a CRS",),
        decisions=(Decision("axes", f"{cube.name} is read as (rows, cols, bands)", f"its first axis, {cube.extra}"),),
    )


def _of_planes(path: str, planes: list[Variable], asked: str | None) -> Product:
    """The product of two-dimensional variables: those of the commonest size, each a band; ``asked``: the --bands.

    Raises InputError where they are several families of bands.
    """
    # Coarser planes beside the spectral ones are geometry or angles at tie points.
    shape = Counter(v.grid.shape for v in planes).most_common(1)[0][0]
    used = [v for v in planes if v.grid.shape == shape]
    names = _short_names(used)
    layers = [
        replace(v.layers[0], band=band_of_variable(v.layers[0].band, name)) for v, name in zip(used, names, strict=True)
    ]
    outside = outside_family([layer.band for layer in layers], path, asked)
    reasons = [layer.left_out or why_no_spectrum(layer.band.name) or outside.get(at) for at, layer in enumerate(layers)]
    return Product(
        name=Path(path).stem,
        path=path,
        kind="container",
        layers=tuple(replace(layer, left_out=why) for layer, why in zip(layers, reasons, strict=True)),
        grids={v.path: v.grid for v in used},
        blocks={v.path: v.block for v in used},
        files=(path,),
        storage=GdalBands(),
        decisions=(
            Decision("files", f"each of {len(used)} variables is a band", f"their common size, {_size(shape)}"),
        ),
    )


def _size(shape: tuple[int, int]) -> str:
    """``500x400``, rows and columns."""
    return "x".join(map(str, shape))


def _short_names(planes: list[Variable]) -> list[str]:
    """The names of variables without the group that they share, where that keeps them apart."""
    short = [v.name.rsplit("/", 1)[-1] for v in planes]
    return short if len(set(short)) == len(short) else [v.name for v in planes]


def band_of_variable(band: Band, name: str) -> Band:
    """The band of a two-dimensional variable: named after it, at the wavelength in its name (``Rrs_443``)."""
    hit = WAVELENGTH.search(name)
    # A number at the end of a name may count or date something; reflected light is measured from 300 to 2600 nm.
    guess = float(hit.group(1)) if hit and 300 <= float(hit.group(1)) <= 2600 else None
    return replace(band, name=name, wavelength=band.wavelength or guess)


def _short(name: str) -> str:
    """A variable's name without its file: ``NETCDF:"file.nc":reflectance`` is ``reflectance``."""
    return name.rsplit(":", 1)[-1].strip("/")


def _number(key: str) -> int:
    """The number in ``SUBDATASET_12_NAME``, by which these keys are sorted."""
    digits = re.sub(r"\D", "", key)
    return int(digits) if digits else 0
