"""Products of imaging spectrometers in HDF5 and NetCDF, known by their own structure: NEON AOP, PRISMA, EMIT, Tanager.

Each function takes the tree of a file and gives the cubes of its product, or None where the file is none of it. Layouts
after the providers' documents: NEON.DP3.30006 (algorithm basis NEON.DOC.001288), the PRISMA Products Specification
Document (ASI), the EMIT L2A user guide (LP DAAC), and Planet's Tanager product specification.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from specvae.ingest.decision import Decision
from specvae.ingest.formats.arrays.axes import WIDTHS, Axes, wavelength_list
from specvae.ingest.formats.arrays.tree import ArrayNode, Attributes, Tree
from specvae.ingest.grid import Grid

__all__ = ["KNOWN", "Known", "KnownCube"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class KnownCube:
    """A cube of a product."""

    node: ArrayNode
    axes: Axes
    waves: Numbers
    """``(bands,)``, nm."""
    widths: Numbers | None
    good: NDArray[np.bool_]
    """``(bands,)``: False for bands that the product marks as not usable."""
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    prefix: str = ""
    """What names of its bands begin with, where several cubes have a band at one wavelength."""


@dataclass(frozen=True)
class Known:
    """A product that is known by its structure."""

    kind: str
    cubes: tuple[KnownCube, ...]
    grid: Grid
    decisions: tuple[Decision, ...]
    lookup: tuple[str, str] | None = None
    """Names of the arrays that say where in the cube each pixel of the ground lies, row and column."""
    datetime: str | None = None
    nodata_plane: str = ""
    """The array that is not 0 where a pixel holds nothing; empty where there is none."""
    masks: tuple[str, ...] = ()
    """Arrays that are not 0 where the provider would not use a pixel: clouds."""


def neon(tree: Tree) -> Known | None:
    """NEON AOP's reflectance or radiance: ``SITE/Reflectance/Reflectance_Data`` with ``Metadata`` beside it."""
    node = next(
        (n for n in tree.arrays.values() if re.search(r"(?:^|/)(?:Reflectance|Radiance)/\w+_Data$", n.name)), None
    )
    if node is None or len(node.shape) != 3:
        return None
    waves = wavelength_list(tree, node, node.shape[2])
    if waves is None:
        return None
    place = f"{node.group}/Metadata/Coordinate_System"
    grid, how = _neon_grid(tree, place, node.shape)
    scale = _float(_attr(node.attrs, "scale_factor"), 1.0)
    axes = Axes(2, 0, 1)
    cube = KnownCube(node, axes, waves, _widths(tree, node, node.shape[2], waves), np.ones(len(waves), bool),
                     1 / scale if scale else 1.0, 0.0, _number(_attr(node.attrs, "data_ignore_value")))  # fmt: skip
    decisions = (
        _axes(node, axes, "NEON AOP's layout"),
        how,
        _scale(f"values are divided by {scale:g}", "its Scale_Factor"),
    )
    return Known("NEON AOP product", (cube,), grid, decisions)


def _neon_grid(tree: Tree, place: str, shape: tuple[int, ...]) -> tuple[Grid, Decision]:
    """The grid by NEON's map info, as ENVI writes it: projection, reference pixel, its place, pixel size."""
    info = _text(tree, f"{place}/Map_Info").split(",")
    numbers = [_number(part) for part in info[1:7]]
    code = re.sub(r"\D", "", _text(tree, f"{place}/EPSG Code"))
    if len(numbers) < 6 or any(n is None for n in numbers):
        return Grid(shape[0], shape[1]), Decision("place", "no place", "no map info beside it")
    col, row, x, y, width, height = (float(n or 0.0) for n in numbers)
    transform = Affine(width, 0, x - (col - 1) * width, 0, -height, y + (row - 1) * height)
    return Grid(shape[0], shape[1], _epsg(code), transform), Decision(
        "place", f"EPSG:{code or 'unknown'}", "its Map_Info"
    )


def prisma(tree: Tree) -> Known | None:
    """PRISMA's L1 and L2: the cubes ``VNIR_Cube`` and ``SWIR_Cube``, whose middle axis counts bands."""
    cubes = []
    for name in ("Vnir", "Swir"):
        node = next(
            (
                n
                for n in tree.arrays.values()
                if re.search(rf"PRS_L\w+_H[CR]\w?/Data Fields/{name}_Cube$", n.name, re.I)
            ),
            None,
        )
        waves = tree.attribute(f"List_Cw_{name}")
        if node is not None and len(node.shape) == 3 and isinstance(waves, np.ndarray) and len(waves) == node.shape[1]:
            cubes.append(_prisma_cube(tree, node, name, np.asarray(waves, np.float64)))
    if not cubes:
        return None
    first = cubes[0]
    shape = first.node.shape[0], first.node.shape[2]
    grid, how = _prisma_grid(tree, shape)
    cubes = [cube for cube in cubes if (cube.node.shape[0], cube.node.shape[2]) == shape]
    found = [
        _scale(f"{c.prefix.strip('_')}: stored * {c.scale:.6g} {c.offset:+.6g}", "its scale attributes") for c in cubes
    ]
    return Known("PRISMA product", tuple(cubes), grid, (_axes(first.node, first.axes, "PRISMA's layout"), how, *found))


def _prisma_cube(tree: Tree, node: ArrayNode, name: str, waves: Numbers) -> KnownCube:
    """One detector's cube: bands in use by their flags, and values by the scale that the level has."""
    flags, widths = tree.attribute(f"List_Cw_{name}_Flags"), tree.attribute(f"List_Fwhm_{name}")
    good = waves > 0
    if isinstance(flags, np.ndarray) and len(flags) == len(waves):
        good &= np.asarray(flags) != 0
    low, high = (_number(tree.attribute(f"L2Scale{name}{end}")) for end in ("Min", "Max"))
    if low is not None and high is not None:
        # Reflectance from 16 bits between the two ends of its range.
        scale, offset = (high - low) / 65535, low
    else:
        factor, shift = (
            _float(tree.attribute(f"ScaleFactor_{name}"), 1.0),
            _float(tree.attribute(f"Offset_{name}"), 0.0),
        )
        scale, offset = 1 / factor if factor else 1.0, -shift
    full = np.asarray(widths, np.float64) if isinstance(widths, np.ndarray) and len(widths) == len(waves) else None
    return KnownCube(node, Axes(1, 0, 2), waves, full, good, scale, offset, 0.0, f"{name.upper()}_")


def _prisma_grid(tree: Tree, shape: tuple[int, int]) -> tuple[Grid, Decision]:
    """The grid by the corners of a geocoded product (L2D), which are those of the centres of pixels."""
    names = ("ULcorner_easting", "ULcorner_northing", "LRcorner_easting", "LRcorner_northing")
    corners = [_number(tree.attribute(f"Product_{name}")) for name in names]
    code = re.sub(r"\D", "", str(tree.attribute("Epsg_Code") or ""))
    if any(corner is None for corner in corners) or min(shape) < 2 or not code:
        return Grid(*shape), Decision("place", "the sensor's own geometry, without a CRS", "no corners of a map in it")
    left, top, right, bottom = (float(corner or 0.0) for corner in corners)
    width, height = (right - left) / (shape[1] - 1), (top - bottom) / (shape[0] - 1)
    transform = Affine(width, 0, left - width / 2, 0, -height, top + height / 2)
    return Grid(*shape, _epsg(code), transform), Decision("place", f"EPSG:{code}", "the corners in its attributes")


def emit(tree: Tree) -> Known | None:
    """EMIT's L1B and L2A: (downtrack, crosstrack, bands), laid on the ground by the tables ``glt_x`` and ``glt_y``."""
    cubes = (n for n in tree.arrays.values() if len(n.shape) == 3 and n.dims[:2] == ("downtrack", "crosstrack"))
    node = next(cubes, None)
    if node is None or not any(name.startswith("sensor_band_parameters/") for name in tree.arrays):
        return None
    waves = wavelength_list(tree, node, node.shape[2])
    if waves is None:
        return None
    axes = Axes(2, 0, 1)
    flags = tree.small.get("sensor_band_parameters/good_wavelengths")
    good = (
        np.ones(len(waves), bool) if flags is None or flags.shape != waves.shape else np.nan_to_num(flags, nan=1) != 0
    )
    fill = _number(_attr(node.attrs, "_fillvalue"))
    widths = _widths(tree, node, node.shape[2], waves)
    cube = KnownCube(node, axes, waves, widths, good, nodata=-9999.0 if fill is None else fill)
    grid, how, tables = _emit_place(tree, node)
    start = str(tree.attribute("time_coverage_start") or "") or None
    return Known("EMIT product", (cube,), grid, (_axes(node, axes, "EMIT's layout"), how), tables, start)


def _emit_place(tree: Tree, node: ArrayNode) -> tuple[Grid, Decision, tuple[str, str] | None]:
    """The grid of the ground with the tables that lead to the swath; the swath itself where they are missing."""
    tables, corner = ("location/glt_y", "location/glt_x"), tree.attribute("geotransform")
    shapes = {tree.arrays[t].shape for t in tables if t in tree.arrays}
    there = all(t in tree.arrays for t in tables) and len(shapes) == 1 and all(len(s) == 2 for s in shapes)
    if not there or not isinstance(corner, np.ndarray) or len(corner) != 6:
        chosen = "the swath in the sensor's own geometry, without a CRS"
        return Grid(node.shape[0], node.shape[1]), Decision("place", chosen, "no orthorectification table in it"), None
    rows, cols = tree.arrays[tables[0]].shape
    crs, transform = _wkt(str(tree.attribute("spatial_ref") or "")), Affine.from_gdal(*(float(n) for n in corner))
    how = Decision("place", "each pixel of the ground is taken from the swath, unchanged", "its tables glt_x and glt_y")
    return Grid(rows, cols, crs, transform), how, tables


def tanager(tree: Tree) -> Known | None:
    """Tanager's radiance or reflectance: ``HDFEOS/.../HYP/Data Fields/...`` with its wavelengths as attributes."""
    names = r"HYP/Data Fields/(?:surface_reflectance|toa_radiance|toa_reflectance)$"
    nodes = [n for n in tree.arrays.values() if len(n.shape) == 3 and re.search(names, n.name)]
    node = min(nodes, key=lambda n: "reflectance" not in n.name) if nodes else None
    waves = None if node is None else wavelength_list(tree, node, node.shape[0])
    if node is None or waves is None:
        return None
    axes = Axes(0, 1, 2)
    flags = _attr(node.attrs, "good_wavelengths")
    known = isinstance(flags, np.ndarray) and len(flags) == len(waves)
    good = np.asarray(flags) != 0 if known else np.ones(len(waves), bool)
    fill = _number(_attr(node.attrs, "_fillvalue"))
    widths = _widths(tree, node, node.shape[0], waves)
    cube = KnownCube(node, axes, waves, widths, good, nodata=-9999.0 if fill is None else fill)
    grid, how = _eos_grid(tree, (node.shape[1], node.shape[2]))
    planes = {n.short: n.name for n in tree.arrays.values() if n.group == node.group and n.shape == node.shape[1:]}
    masks = tuple(planes[name] for name in TANAGER_MASKS if name in planes)
    decisions = [_axes(node, axes, "Tanager's layout"), how]
    if plane := planes.get("nodata_pixels", ""):
        decisions.append(Decision("fill", "pixels that nodata_pixels marks hold nothing", "Tanager's layout"))
    return Known("Tanager product", (cube,), grid, tuple(decisions), nodata_plane=plane, masks=masks)


def _eos_grid(tree: Tree, shape: tuple[int, int]) -> tuple[Grid, Decision]:
    """The grid by HDF-EOS's structural metadata of a GRID, in UTM or degrees; without a place for a SWATH."""
    text = "".join(str(tree.small[name]) for name in tree.small if name.endswith("StructMetadata.0"))
    corners = [
        re.search(rf"{name}=\(([-\d.e+]+),([-\d.e+]+)\)", text) for name in ("UpperLeftPointMtrs", "LowerRightMtrs")
    ]
    zone = re.search(r"ZoneCode=(-?\d+)", text)
    if not all(corners) or zone is None:
        return Grid(*shape), Decision("place", "the sensor's own geometry, without a CRS", "no grid in its structure")
    (left, top), (right, bottom) = ((float(hit.group(1)), float(hit.group(2))) for hit in corners if hit)
    number = int(zone.group(1))
    code = f"{32600 + number if number > 0 else 32700 - number}"
    transform = Affine((right - left) / shape[1], 0, left, 0, (bottom - top) / shape[0], top)
    return Grid(*shape, _epsg(code), transform), Decision("place", f"EPSG:{code}", "its structural metadata")


TANAGER_MASKS = ("beta_cloud_mask", "beta_cirrus_mask")
"""Masks of Tanager that are 1 where a pixel is covered."""
KNOWN = (neon, prisma, emit, tanager)
"""The products, in the order in which they are tried; a file has the structure of one at most."""


def _axes(node: ArrayNode, axes: Axes, evidence: str) -> Decision:
    return Decision("axes", f"{node.name} of {'x'.join(map(str, node.shape))} is read as {axes.words}", evidence)


def _scale(chosen: str, evidence: str) -> Decision:
    return Decision("scale", chosen, evidence)


def _widths(tree: Tree, node: ArrayNode, count: int, waves: Numbers) -> Numbers | None:
    """Widths in nm: those below 1 beside wavelengths of hundreds are in micrometres."""
    for name in tree.small:
        if WIDTHS.search(name.rsplit("/", 1)[-1]) and tree.small[name].shape == (count,):
            found = np.asarray(tree.small[name], np.float64)
            return found * 1000 if found.size and found.max() < 1 else found
    for key, value in node.attrs.items():
        if WIDTHS.search(key) and isinstance(value, np.ndarray) and value.shape == (count,):
            return np.asarray(value, np.float64)
    return None


def _attr(attrs: Attributes, name: str) -> object:
    """An attribute in any spelling of its letters, None where there is none."""
    return next((value for key, value in attrs.items() if key.casefold() == name), None)


def _number(value: object) -> float | None:
    """A finite number, None for what is none."""
    try:
        number = float(str(value).strip())
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _float(value: object, default: float) -> float:
    number = _number(value)
    return default if number is None else number


def _text(tree: Tree, name: str) -> str:
    """The text in an array, empty where there is none."""
    value = tree.small.get(name)
    item = "" if value is None else value.reshape(-1)[0] if value.size else ""
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _epsg(code: str) -> CRS | None:
    try:
        return CRS.from_epsg(int(code))
    except Exception:  # PROJ's and rasterio's errors share no class
        return None


def _wkt(text: str) -> CRS | None:
    try:
        return CRS.from_wkt(text) if text else None
    except Exception:  # as above
        return None
