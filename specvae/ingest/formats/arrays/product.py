"""The product of the cube in an HDF5 or NetCDF file, where its own structure says more than GDAL's view of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.acquisition import acquired
from specvae.ingest.formats.arrays.axes import WIDTHS, Axes, axes_of, band_names, role_of, wavelength_list
from specvae.ingest.formats.arrays.place import grid_of, is_south_up
from specvae.ingest.formats.arrays.planes import product_of_planes
from specvae.ingest.formats.arrays.reader import Missing, Part, TreeCubes
from specvae.ingest.formats.arrays.sensors import KNOWN, Known
from specvae.ingest.formats.arrays.stored_values import Stored, stored_of
from specvae.ingest.formats.arrays.times import time_of
from specvae.ingest.formats.arrays.tree import SINGLES, ArrayNode, Tree, cube_in, read_tree
from specvae.ingest.formats.band_metadata import band_from_tags
from specvae.ingest.formats.containers import NOT_SPECTRAL
from specvae.ingest.formats.limits import check_cube
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product

__all__ = ["product_of_tree"]

LOOK = 64
"""Rows and columns of a look at a scene, about."""
NATURAL = Axes(0, 1, 2)
"""The axes as GDAL takes them."""


def product_of_tree(path: str, driver: str, options: IngestOptions) -> Product | None:
    """The product of a file's cube; None where GDAL's own view of it serves as well: planes, and NetCDF in GDAL's order.

    Raises InputError where several arrays may be the scene, or where nothing says which axis counts bands.
    """
    tree = read_tree(path)
    for recognise in KNOWN if options.array is None and options.layout == "auto" else ():
        known = recognise(tree)
        if known is not None:
            return _of_known(tree, known, options)
    cube = _cube(tree, options)
    if cube is None:
        planes = product_of_planes(tree, options) if options.array is None and options.layout == "auto" else None
        return None if planes is None else replace(planes, datetime=_taken(tree, path))
    axes, how = axes_of(tree, cube, options.layout)
    if axes == NATURAL and not driver.startswith("HDF5") and options.array is None and not _better_here(tree, cube):
        return None
    return _of_cube(tree, cube, axes, how, options)


def _better_here(tree: Tree, cube: ArrayNode) -> bool:
    """Whether a NetCDF cube that lies in GDAL's order is read better without it.

    GDAL turns a cube without coordinates upside down, knows no CRS where there is no grid mapping, and no wavelengths
    that are no coordinates of their own, nor the time of one step; but it knows grid mappings that are not read here.
    """
    if role_of(tree, cube, 0) != "bands":
        return False
    if "_Unsigned" in cube.attrs or cube.single:
        return True
    grid = grid_of(tree, cube, NATURAL)
    return "grid_mapping" not in cube.attrs or (grid.placed and grid.crs is not None)


def _cube(tree: Tree, options: IngestOptions) -> ArrayNode | None:
    """The array that is the scene: the one asked for, else the only cube; None where there is none.

    Raises InputError where there are several, or where the one asked for is no cube.
    """
    shaped = (cube_in(n) for n in tree.arrays.values())
    cubes = {n.name: n for n in shaped if len(n.shape) == 3 and n.real and min(n.shape) > 0}
    if options.array is not None:
        named = [n for n in cubes.values() if options.array.strip("/") in (n.name, n.short)]
        if len(named) != 1:
            listed = (
                ", ".join(f"{n.name} ({'x'.join(map(str, n.shape))})" for n in list(cubes.values())[:8]) or "no cube"
            )
            raise InputError(f"{tree.path} holds {listed}, and --array {options.array} names none of them or several")
        return named[0]
    spectral = [n for n in cubes.values() if not NOT_SPECTRAL.search(n.name) and min(n.shape) > 1]
    waved = [n for n in spectral if any(wavelength_list(tree, n, count) is not None for count in n.shape)]
    chosen = waved if len(waved) == 1 else spectral
    if len(chosen) > 1 and len({(n.dims[:1], n.shape) for n in chosen}) == 1 and SINGLES.match(chosen[0].dims[0]):
        steps, names = chosen[0].shape[0], ", ".join(n.short for n in chosen[:6])
        raise InputError(
            f"{tree.path} holds {names} at {steps} times; give a file of one time, such as isel(time=0) makes"
        )
    if len(chosen) > 1:
        listed = ", ".join(f"--array {n.name}" for n in chosen[:6])
        raise InputError(f"{tree.path} holds {len(chosen)} cubes; give one of them: {listed}")
    return chosen[0] if chosen else None


def _of_cube(tree: Tree, cube: ArrayNode, axes: Axes, how: Decision, options: IngestOptions) -> Product:
    """The product of one cube by what stands beside it."""
    path, count = tree.path, cube.shape[axes.bands]
    check_cube(path, cube.shape, cube.dtype.itemsize, cube.chunks, options.allow_huge)
    grid, stored = grid_of(tree, cube, axes), stored_of(cube)
    part = Part(cube.name, axes.order, count, cube.single)
    return Product(
        name=Path(path).stem,
        path=path,
        kind="NetCDF cube" if path.casefold().endswith((".nc", ".nc4", ".cdf")) else "HDF5 cube",
        layers=_layers(tree, cube, axes.bands, stored),
        grids={path: grid},
        blocks={path: _block(cube, axes)},
        files=(path,),
        storage=TreeCubes(path, (part,), is_south_up(tree, cube, axes), None, stored.missing, stored.unsigned),
        notes=_notes(tree, cube, grid),
        datetime=_taken(tree, path),
        decisions=(how, _which(tree, cube, options.array), *stored.decisions),
    )


def _notes(tree: Tree, cube: ArrayNode, grid: Grid) -> tuple[str, ...]:
    """What a user should know: that there is no place, and which other arrays are not used."""
    place = () if grid.placed and grid.crs is not None else ("no CRS: areas and distances are in pixels",)
    others = [n.name for n in tree.arrays.values() if len(n.shape) > 1 and n.name != cube.name]
    shown = ", ".join(others[:12]) + (f" and {len(others) - 12} more" if len(others) > 12 else "")
    return (*place, f"variables not used: {shown}") if others else place


def _layers(tree: Tree, cube: ArrayNode, axis: int, stored: Stored) -> tuple[Layer, ...]:
    """The bands of a cube, with the names, wavelengths and widths that stand beside it; ``axis`` counts them."""
    count = cube.shape[axis]
    waves, widths = wavelength_list(tree, cube, count), wavelength_list(tree, cube, count, WIDTHS)
    names = band_names(tree, cube, axis)
    how = stored.dtype, stored.scale, stored.offset, stored.nodata
    layers = []
    for at in range(count):
        named = band_from_tags({}, {}, names[at])
        wave = named.wavelength if waves is None else float(waves[at])
        band = replace(named, wavelength=wave, width=_width(widths, waves, at), unit=str(cube.attrs.get("units", "")))
        layers.append(Layer(tree.path, at + 1, band, *how))
    return tuple(layers)


def _which(tree: Tree, cube: ArrayNode, asked: str | None) -> Decision:
    """The decision which array is the scene."""
    others = tuple(n.name for n in tree.arrays.values() if len(n.shape) > 1 and n.name != cube.name)
    if asked is not None:
        return Decision("files", f"the array {cube.name}", f"the option --array {asked}")
    if not others:
        return Decision("files", f"the array {cube.name}", "its axes, alone in the file")
    return Decision("files", f"the array {cube.name}", "its axes and wavelengths", others[:8], "--array")


def _width(widths: np.ndarray | None, waves: np.ndarray | None, at: int) -> float | None:
    """A band's width, where it is one beside its wavelength."""
    if widths is None or waves is None or widths[at] >= waves[at]:
        return None
    return float(widths[at])


def _block(cube: ArrayNode, axes: Axes) -> tuple[int, int]:
    """Rows and columns of a chunk; of as many chunks below each other or side by side as any look at a scene decodes."""
    rows, cols = cube.shape[axes.rows], cube.shape[axes.cols]
    if cube.chunks is None:
        return min(LOOK, rows), cols
    high, wide = cube.chunks[axes.rows], cube.chunks[axes.cols]
    return min(rows, high * -(-LOOK // high)), min(cols, wide * -(-LOOK // wide))


def _taken(tree: Tree, path: str) -> str | None:
    """When a scene was taken, by the attributes of the file's root, its only step of time, or its name."""
    stated = {key.casefold(): value for key, value in tree.attrs.get("", {}).items() if isinstance(value, str)}
    return acquired({"time_coverage_start": time_of(tree) or "", **stated}, path)


def _of_known(tree: Tree, known: Known, options: IngestOptions) -> Product:
    """The product of the cubes of a known one."""
    path = tree.path
    for cube in known.cubes:
        check_cube(path, cube.node.shape, cube.node.dtype.itemsize, cube.node.chunks, options.allow_huge)
    layers = _known_layers(path, known)
    dropped = sum(layer.left_out is not None for layer in layers)
    bad = [f"{dropped} bands are not used: the product marks them as not good"] if dropped else []
    masks, how, said = _masks(known, options)
    notes = () if known.grid.placed and known.grid.crs is not None else ("no CRS: areas and distances are in pixels",)
    return Product(
        name=Path(path).stem,
        path=path,
        kind=known.kind,
        layers=layers,
        grids={path: known.grid},
        blocks={path: _known_block(known)},
        files=(path,),
        storage=TreeCubes(
            path,
            tuple(Part(c.node.name, c.axes.order, len(c.waves)) for c in known.cubes),
            lookup=known.lookup,
            missing=Missing(plane=known.nodata_plane, masks=masks),
        ),
        notes=(*notes, *bad, *said),
        datetime=known.datetime or _taken(tree, path),
        decisions=(Decision("format", known.kind, "its own structure"), *known.decisions, *how),
    )


def _known_block(known: Known) -> tuple[int, int]:
    """Rows and columns of a chunk; twice as many of a swath, in four chunks of which a place on the ground may lie."""
    rows, cols = _block(known.cubes[0].node, known.cubes[0].axes)
    times = 1 if known.lookup is None else 2
    return min(times * rows, known.grid.rows), min(times * cols, known.grid.cols)


def _masks(known: Known, options: IngestOptions) -> tuple[tuple[str, ...], tuple[Decision, ...], list[str]]:
    """The product's masks that are applied, the decision about them, and a note where they are."""
    names = ", ".join(mask.rsplit("/", 1)[-1] for mask in known.masks)
    if not known.masks:
        return (), (), []
    if options.product_masks == "none":
        how = Decision("mask", f"its masks are not applied: {names}", "the option --product-masks none")
        return (), (how,), []
    chosen, others = f"what {names} mark is left out", ("use these pixels",)
    how = Decision("mask", chosen, "the documents of the product", others, "--product-masks none")
    return known.masks, (how,), [f"what its masks mark is left out ({names}); --product-masks none uses these pixels"]


def _known_layers(path: str, known: Known) -> tuple[Layer, ...]:
    """The bands of all cubes, one cube behind the other, named where two share a wavelength."""
    layers: list[Layer] = []
    waves = [round(float(wave), 3) for cube in known.cubes for wave in cube.waves]
    shared = {wave for wave, count in Counter(waves).items() if count > 1}
    for cube in known.cubes:
        for at, wave in enumerate(cube.waves):
            name = f"{cube.prefix}{at + 1}" if cube.prefix and (shared or len(known.cubes) > 1) else ""
            width = None if cube.widths is None else float(cube.widths[at])
            band = Band(name, round(float(wave), 6) or None, width or None)
            out = None if cube.good[at] else "marked as not good in the product"
            stored = cube.node.dtype.name, cube.scale, cube.offset, cube.nodata
            layers.append(Layer(path, len(layers) + 1, band, *stored, left_out=out))
    return tuple(layers)
