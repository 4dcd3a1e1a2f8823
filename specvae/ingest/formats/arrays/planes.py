"""The product of arrays over rows and columns in an HDF5 or NetCDF file, each a band, where coordinates place them.

GDAL turns such arrays upside down where their coordinates have no units, as xarray writes them, and then knows no place.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from specvae.bands import Band
from specvae.ingest.decision import Decision
from specvae.ingest.formats.arrays.axes import Axes, role_of
from specvae.ingest.formats.arrays.place import grid_of, is_south_up
from specvae.ingest.formats.arrays.reader import Part, TreeCubes
from specvae.ingest.formats.arrays.stored_values import Stored, stored_of
from specvae.ingest.formats.arrays.tree import ArrayNode, Tree
from specvae.ingest.formats.band_kinds import why_no_spectrum
from specvae.ingest.formats.band_names import outside_family
from specvae.ingest.formats.containers import NOT_SPECTRAL, band_of_variable
from specvae.ingest.formats.limits import check_cube
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product

__all__ = ["product_of_planes"]


@dataclass(frozen=True)
class Plane:
    """An array over rows and columns, seen as a cube of one band."""

    node: ArrayNode
    """Its axes are (band, rows, cols) or (band, cols, rows)."""
    axes: Axes
    grid: Grid
    stored: Stored


def product_of_planes(tree: Tree, options: IngestOptions) -> Product | None:
    """The product of the arrays that are alike in size, place and storage; None where these are not all placed so.

    Raises InputError where they are several families of bands.
    """
    found = [plane for node in tree.arrays.values() if (plane := _plane(tree, node)) is not None]
    if not found:
        return None
    shape = Counter(plane.grid.shape for plane in found).most_common(1)[0][0]
    # B2 before B10: HDF5 lists its arrays by name.
    planes = sorted(
        (plane for plane in found if plane.grid.shape == shape), key=lambda plane: _by_number(plane.node.name)
    )
    first = planes[0]
    alike = all(
        (p.axes, p.grid, p.stored.missing, p.stored.unsigned)
        == (first.axes, first.grid, first.stored.missing, first.stored.unsigned)
        for p in planes
    )
    names = [plane.node.short for plane in planes]
    if not alike or len(set(names)) < len(names):
        return None
    for plane in planes:
        check_cube(tree.path, plane.node.shape, plane.node.dtype.itemsize, plane.node.chunks, options.allow_huge)
    return _of_planes(tree, planes, options)


def _of_planes(tree: Tree, planes: list[Plane], options: IngestOptions) -> Product:
    """The product of planes that are alike."""
    first, path = planes[0], tree.path
    bands = [_band(plane.node) for plane in planes]
    outside = outside_family(bands, path, options.bands)
    reasons = [why_no_spectrum(band.name) or outside.get(at) for at, band in enumerate(bands)]
    stored = [(p.stored.dtype, p.stored.scale, p.stored.offset, p.stored.nodata) for p in planes]
    parts = tuple(Part(p.node.name, p.axes.order, 1, p.node.single, flat=True) for p in planes)
    south_up = is_south_up(tree, first.node, first.axes)
    unused = [n.name for n in tree.arrays.values() if len(n.shape) > 1 and n.name not in {p.node.name for p in planes}]
    place = () if first.grid.crs is not None else ("no CRS: areas and distances are in pixels",)
    rows, cols = first.grid.shape
    chunks = first.node.chunks or (1, *((64, cols) if first.axes.rows == 1 else (cols, 64)))
    block = min(rows, chunks[first.axes.rows]), min(cols, chunks[first.axes.cols])
    evidence = f"their common size, {rows}x{cols}, and coordinates"
    return Product(
        name=Path(path).stem,
        path=path,
        kind="container",
        layers=tuple(
            Layer(path, at, band, *how, left_out=why)
            for at, (band, how, why) in enumerate(zip(bands, stored, reasons, strict=True), start=1)
        ),
        grids={path: first.grid},
        blocks={path: block},
        files=(path,),
        storage=TreeCubes(path, parts, south_up, None, first.stored.missing, first.stored.unsigned),
        notes=(*place, *([f"variables not used: {', '.join(unused[:12])}"] if unused else [])),
        decisions=(Decision("files", f"each of {len(planes)} variables is a band", evidence), *first.stored.decisions),
    )


def _by_number(name: str) -> list[tuple[int, str]]:
    """A key that sorts names by the numbers in them."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _plane(tree: Tree, node: ArrayNode) -> Plane | None:
    """An array over named rows and columns, beside axes of one step; None for any other."""
    axes = [axis for axis, size in enumerate(node.shape) if size != 1]
    if len(axes) != 2 or not node.real or NOT_SPECTRAL.search(node.name) or len(node.dims) != len(node.shape):
        return None
    chunks = None if node.chunks is None else (1, *(node.chunks[axis] for axis in axes))
    single = tuple(axis for axis in range(len(node.shape)) if axis not in axes)
    cube = replace(
        node,
        shape=(1, *(node.shape[axis] for axis in axes)),
        dims=("", *(node.dims[axis] for axis in axes)),
        chunks=chunks,
        single=single,
    )
    roles = [role_of(tree, cube, axis) for axis in (1, 2)]
    if sorted(roles) != ["cols", "rows"]:
        return None
    order = Axes(0, 1, 2) if roles[0] == "rows" else Axes(0, 2, 1)
    grid = grid_of(tree, cube, order)
    return Plane(cube, order, grid, stored_of(cube)) if grid.placed else None


def _band(node: ArrayNode) -> Band:
    """The band of an array: named after it, at the wavelength in its attributes or its name."""
    wave = next((v for k, v in node.attrs.items() if k.casefold() in ("wavelength", "center_wavelength")), None)
    band = Band("", float(wave) if isinstance(wave, int | float) else None, None, str(node.attrs.get("units", "")))
    return band_of_variable(band, node.short)
