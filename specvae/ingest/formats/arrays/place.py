"""The place of a cube of an HDF5 or NetCDF file: from coordinates along its axes, and from a CRS beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from specvae.ingest.formats.arrays.axes import Axes
from specvae.ingest.formats.arrays.tree import ArrayNode, Tree
from specvae.ingest.grid import Grid

__all__ = ["WGS84", "crs_of", "grid_of", "is_south_up"]

UNEVEN = 0.01
"""Share of a step by which coordinates may deviate from even ones: they are often stored as float32."""
WGS84 = CRS.from_epsg(4326)


def grid_of(tree: Tree, cube: ArrayNode, axes: Axes) -> Grid:
    """The grid of a cube, north up where its coordinates say where north is; without a place where they do not."""
    rows, cols = cube.shape[axes.rows], cube.shape[axes.cols]
    y, x = (_coordinate(tree, cube, axis) for axis in (axes.rows, axes.cols))
    if y is None or x is None:
        return Grid(rows, cols)
    down, across = _step(y), _step(x)
    if down is None or across is None:
        return Grid(rows, cols)
    top, crs = max(float(y[0]), float(y[-1])), crs_of(tree, cube, axes)
    # Coordinates are those of the centres of pixels.
    transform = Affine(across, 0, float(x[0]) - across / 2, 0, -abs(down), top + abs(down) / 2)
    size = (
        _metres(tree, cube, axes) if crs is not None and crs.is_projected and crs.linear_units_factor[1] == 1 else 1.0
    )
    return Grid(rows, cols, crs, Affine.scale(size) * transform)


def _metres(tree: Tree, cube: ArrayNode, axes: Axes) -> float:
    """Metres in the unit of a cube's coordinates, which CF allows to be kilometres where those of the CRS are metres."""
    node = _coordinate_node(tree, cube, axes.cols)
    unit = "" if node is None else str(node.attrs.get("units", "")).casefold().strip()
    return 1000.0 if re.fullmatch(r"km|kilomet(?:er|re)s?", unit) else 1.0


def is_south_up(tree: Tree, cube: ArrayNode, axes: Axes) -> bool:
    """Whether the first row is the southernmost."""
    y = _coordinate(tree, cube, axes.rows)
    step = None if y is None else _step(y)
    return step is not None and step > 0


def crs_of(tree: Tree, cube: ArrayNode, axes: Axes) -> CRS | None:
    """The CRS of a cube's coordinates: of its grid mapping, else of the root's attributes, else degrees; None if unknown."""
    mapping = str(cube.attrs.get("grid_mapping", "")).split(":")[0].strip()
    named = [
        path for path in (f"{cube.group}/{mapping}".strip("/"), mapping, "crs", "spatial_ref") if path in tree.arrays
    ]
    for attrs in (*(tree.arrays[path].attrs for path in named), cube.attrs, tree.attrs.get("", {})):
        system = _crs(attrs)
        if system is not None:
            return system
    node = _coordinate_node(tree, cube, axes.rows)
    words = (
        ""
        if node is None
        else f"{node.short} {node.attrs.get('units', '')} {node.attrs.get('standard_name', '')}".casefold()
    )
    return WGS84 if "lat" in words or "degrees" in words else None


def _crs(attrs: Mapping[str, object]) -> CRS | None:
    """The CRS that attributes state, as WKT, as a code, or by CF's parameters; None where they state none."""
    for key in ("crs_wkt", "spatial_ref", "esri_pe_string", "epsg_code", "EPSG_code", "crs", "epsg"):
        value = attrs.get(key)
        if value not in (None, ""):
            try:
                text = str(value)
                return CRS.from_epsg(int(text)) if text.isdigit() else CRS.from_user_input(text)
            except Exception:  # PROJ's, GDAL's and rasterio's errors share no class
                continue
    if "grid_mapping_name" in attrs:
        import pyproj  # here, for few files need it

        try:
            return CRS.from_wkt(pyproj.CRS.from_cf(dict(attrs)).to_wkt())
        except Exception:  # as above
            return None
    return None


def _coordinate_node(tree: Tree, cube: ArrayNode, axis: int) -> ArrayNode | None:
    """The array of coordinates along an axis, None where there is none."""
    name = cube.dims[axis] if axis < len(cube.dims) else ""
    for path in (f"{cube.group}/{name}".strip("/"), name):
        node = tree.arrays.get(path)
        if name and node is not None and node.shape == (cube.shape[axis],) and node.name in tree.small and node.real:
            return node
    return None


def _coordinate(tree: Tree, cube: ArrayNode, axis: int) -> NDArray[np.float64] | None:
    """The coordinates along an axis, None where there are none."""
    node = _coordinate_node(tree, cube, axis)
    # A dimension of NetCDF without a variable is stored as an array of zeros that says so.
    if node is None or "not a netCDF variable" in str(node.attrs.get("NAME", "")):
        return None
    return np.asarray(tree.small[node.name], np.float64)


def _step(values: NDArray[np.float64]) -> float | None:
    """The step of even coordinates, None where they are uneven or do not run on."""
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    steps = np.diff(values)
    mean = float((values[-1] - values[0]) / (len(values) - 1))
    return mean if mean and bool((np.abs(steps - mean) <= UNEVEN * abs(mean)).all()) else None
