"""NetCDF and HDF5 containers: the cube among their variables, or the two-dimensional variables that are its bands."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats.band_metadata import layers_of
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.formats.limits import check_raster
from specvae.ingest.formats.one_file import acquired, block_of
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product

__all__ = ["BANDS_LAST", "product_of_container"]

MOST = 500
BANDS_LAST = "bands-last"
ALONG = ("downtrack", "number_of_lines", "lines", "line", "rows", "row", "y", "along_track", "scanline", "num_rows")
"""Names of a first axis that runs along the ground, so that the bands are the last one."""
NOT_SPECTRAL = re.compile(
    r"(?:^|[/_])(?:lat(?:itude)?|lon(?:gitude)?|x|y|glt_?x|glt_?y|elev(?:ation)?|crs|spatial_ref|time|"
    r"transverse_mercator|bnds|bounds|sza|vza|saa|vaa|raa|[a-z_]*flags?|[a-z_]*mask|[a-z_]*qa[a-z_]*|quality[a-z_]*|"
    r"solar_[a-z]+|sensor_[a-z]+|altitude|depth)$",
    re.I,
)
WAVELENGTH = re.compile(r"[A-Za-z]_?(\d{3,4})(?:nm)?$")


@dataclass(frozen=True)
class Variable:
    """One variable of a container."""

    name: str
    path: str
    layers: tuple[Layer, ...]
    grid: Grid
    block: tuple[int, int]
    extra: str
    """Name of the axis that GDAL takes for bands."""


def product_of_container(path: str, dataset: Any, options: IngestOptions) -> Product:
    """The product in an open container without bands of its own. Raises InputError where no cube can be told."""
    told = dataset.tags(ns="SUBDATASETS")
    names = [told[key] for key in sorted(told, key=_number) if key.endswith("_NAME")][:MOST]
    found = [v for name in names if (v := _variable(name, options)) is not None]
    spectral = [v for v in found if not NOT_SPECTRAL.search(v.name)]
    if not spectral:
        listed = ", ".join(_short(name) for name in names[:10]) or "nothing"
        raise InputError(f"{path} holds no spectral variable that can be read as a raster (it has {listed})")
    notes = (
        [f"variables not used: {', '.join(v.name for v in found if v not in spectral)}"] if found != spectral else []
    )
    cubes = [v for v in spectral if len(v.layers) > 1]
    if len(cubes) == 1:
        product = _of_cube(path, cubes[0])
    elif cubes:
        listed = ", ".join(v.path for v in cubes[:6])
        raise InputError(f"{path} holds {len(cubes)} cubes; give one of them: {listed}")
    else:
        product = _of_planes(path, spectral)
    tags = dataset.tags()
    return replace(product, notes=(*product.notes, *notes), datetime=acquired(tags, path))


def _variable(name: str, options: IngestOptions) -> Variable | None:
    """A variable as a raster, or None where it is none."""
    try:
        with open_dataset(name, allow_remote=options.allow_remote) as opened:
            check_raster(opened, name, options.allow_huge)
            with errors_in_one_line(name):
                layers = tuple(layers_of(opened, name))
                extra = opened.tags().get("NETCDF_DIM_EXTRA", "").strip("{}")
                return Variable(_short(name), name, layers, Grid.of(opened), block_of(opened), extra)
    except InputError:
        return None


def _of_cube(path: str, cube: Variable) -> Product:
    """One three-dimensional variable, whichever of its axes holds the bands."""
    if cube.extra.casefold() not in ALONG:
        read = f"{cube.name} is read with {cube.extra or 'its first axis'} as bands"
        return Product(Path(path).stem, path, "container", cube.layers, {cube.path: cube.grid}, {cube.path: cube.block},
                       (path,), (read,))  # fmt: skip
    first, bands = cube.layers[0], cube.grid.cols
    layers = tuple(replace(first, index=i, band=Band(unit=first.band.unit)) for i in range(1, bands + 1))
    grid = Grid(len(cube.layers), cube.grid.rows)
    read = f"{cube.name} is read as (rows, cols, bands), in the sensor's own geometry, without a CRS"
    return Product(Path(path).stem, path, "container", layers, {cube.path: grid}, {cube.path: (1, grid.cols)}, (path,),
                   (read,), shapes_from=BANDS_LAST)  # fmt: skip


def _of_planes(path: str, planes: list[Variable]) -> Product:
    """Two-dimensional variables of the commonest size, each a band."""
    shape = Counter(v.grid.shape for v in planes).most_common(1)[0][0]
    used = [v for v in planes if v.grid.shape == shape]
    layers = tuple(replace(v.layers[0], band=_band(v)) for v in used)
    return Product(
        Path(path).stem, path, "container", layers, {v.path: v.grid for v in used}, {v.path: v.block for v in used},
        (path,), (f"each of {len(used)} variables is read as a band",),
    )  # fmt: skip


def _band(variable: Variable) -> Band:
    band = variable.layers[0].band
    hit = WAVELENGTH.search(variable.name)
    guess = float(hit.group(1)) if hit and 300 <= float(hit.group(1)) <= 2600 else None
    return replace(band, name=variable.name, wavelength=band.wavelength or guess)


def _short(name: str) -> str:
    """``NETCDF:"file.nc":reflectance`` -> ``reflectance``."""
    return name.rsplit(":", 1)[-1].strip("/")


def _number(key: str) -> int:
    digits = re.sub(r"\D", "", key)
    return int(digits) if digits else 0
