"""The axes of a cube: which counts bands and which run down and across, by names, coordinates and wavelengths, else its shape."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.decision import Decision, undecided
from specvae.ingest.formats.arrays.tree import ArrayNode, Tree
from specvae.ingest.formats.wavelengths import centre_nanometres, float_or, is_known, listed, without_unit

__all__ = [
    "LAYOUTS",
    "WIDTHS",
    "Axes",
    "axes_by_shape",
    "axes_of",
    "band_names",
    "role_of",
    "texts_of",
    "wavelength_list",
]

BANDS = re.compile(
    r"^(?:n_?|num_?|number_?of_?)?(?:wave_?(?:lengths?|numbers?)?(?:_3d)?|wvls?|wl|lambda|bands?|band_?(?:number|index|id)|spectral(?:_?\w+)?|"
    r"channels?|spectrum|nm)$",
    re.I,
)
"""Names of a dimension that counts bands."""
DOWN = re.compile(
    r"^(?:n_?|num_?|number_?of_?)?(?:y|lat(?:itude)?s?|rows?|lines?|northing|down_?track|along_?track|scan_?lines?|scans?|yc|y_?dim|"
    r"ortho_y|j)$",
    re.I,
)
"""Names of a dimension that runs down."""
ACROSS = re.compile(
    r"^(?:n_?|num_?|number_?of_?)?(?:x|lon(?:gitude)?s?|cols?|columns?|samples?|easting|cross_?track|across_?track|pixels?(?:_per_line)?|xc|x_?dim|"
    r"ortho_x|i)$",
    re.I,
)
"""Names of a dimension that runs across."""
WAVES = re.compile(
    r"(?:^|_)(?:(?:sensor|center|centre|central|band)_?)?(?:wave_?(?:lengths?|numbers?)?|wvls?|wl|lambda|cw|centers?|centres?)(?:_?nm|_?[uµ]m|_?microns?|_3d)?$",
    re.I,
)
"""Names of a list of wavelengths."""
WIDTHS = re.compile(r"(?:^|_)(?:fwhms?|(?:band_?)?widths?)(?:_?nm|_?[uµ]m)?$", re.I)
"""Names of a list of widths."""
NAMES = re.compile(
    r"(?:^|_)bands?(?:_?(?:names?|ids?|labels?))?$|^(?:channel|variable)s?(?:_?names?)?$|^long_names?$", re.I
)
"""Names of a list of the names of bands."""
ROLE_NAMES = ("bands", "rows", "cols")


@dataclass(frozen=True)
class Axes:
    """Which axis of a cube counts bands, runs down, and runs across."""

    bands: int
    rows: int
    cols: int

    @property
    def words(self) -> str:
        """The axes in the file's order: ``(rows, cols, bands)``."""
        names = {self.bands: "bands", self.rows: "rows", self.cols: "cols"}
        return f"({', '.join(names[axis] for axis in range(3))})"

    @property
    def order(self) -> tuple[int, int, int]:
        """The file's axes in the order (bands, rows, cols)."""
        return self.bands, self.rows, self.cols


LAYOUTS = {"bands-first": Axes(0, 1, 2), "bands-middle": Axes(1, 0, 2), "bands-last": Axes(2, 0, 1)}
"""The axes by the value of --layout."""


def axes_of(tree: Tree, cube: ArrayNode, layout: str) -> tuple[Axes, Decision]:
    """The axes of a cube, and the decision. Raises InputError where the evidence is even."""
    size = "x".join(map(str, cube.shape))
    if layout != "auto":
        axes = LAYOUTS[layout]
        return axes, Decision("axes", f"{cube.name} of {size} is read as {axes.words}", f"the option --layout {layout}")
    roles = [role_of(tree, cube, axis) for axis in range(3)]
    named = _by_roles(roles)
    if named is not None:
        known = [name for name in cube.dims if name]
        evidence = f"its dimensions, {', '.join(known)}"
        return named, Decision("axes", f"{cube.name} of {size} is read as {named.words}", evidence)
    listed = [axis for axis in range(3) if wavelength_list(tree, cube, cube.shape[axis]) is not None]
    if len(listed) == 1:
        rest = [axis for axis in range(3) if axis != listed[0]]
        axes = Axes(listed[0], *rest)
        evidence = f"a list of {cube.shape[listed[0]]} wavelengths beside it"
        return axes, Decision("axes", f"{cube.name} of {size} is read as {axes.words}", evidence)
    return axes_by_shape(tree.path, cube.name, cube.shape)


def axes_by_shape(path: str, name: str, shape: tuple[int, ...]) -> tuple[Axes, Decision]:
    """The axes of a cube of which nothing but its shape is known, and the decision.

    The first axis counts bands where it is less than half as long as both others, or where these are equal; else the
    last one does, as in arrays that Python and MATLAB write. Raises InputError where the middle axis is so short, or
    where all are equal, for then nothing says which axis it is.
    """
    a, b, c = shape
    what = f"{name or 'the array'} of {'x'.join(map(str, shape))}"
    if a == b == c or (2 * b < min(a, c) or (a == c != b)):
        options = [f"{axes.words}: --layout {layout}" for layout, axes in LAYOUTS.items()]
        raise undecided(path, f"which axis of {what} counts bands", options, "--layout")
    first = (b == c != a) or (a != b and 2 * a < min(b, c))
    axes, other = (LAYOUTS["bands-first"], "bands-last") if first else (LAYOUTS["bands-last"], "bands-first")
    chosen, others = f"{what} is read as {axes.words}", (LAYOUTS[other].words,)
    return axes, Decision("axes", chosen, "its shape alone", others, f"--layout {other}", guessed=True)


def _by_roles(roles: list[str]) -> Axes | None:
    """The axes where two of them are known at least; None otherwise."""
    if len({role for role in roles if role}) != sum(bool(role) for role in roles) or sum(map(bool, roles)) < 2:
        # One known axis decides where it is that of the bands.
        if roles.count("bands") != 1 or any(role not in ("", "bands") for role in roles):
            return None
        at = roles.index("bands")
        return Axes(at, *(axis for axis in range(3) if axis != at))
    missing = next((name for name in ROLE_NAMES if name not in roles), "")
    full = [role or missing for role in roles]
    return Axes(*(full.index(name) for name in ROLE_NAMES))


def role_of(tree: Tree, cube: ArrayNode, axis: int) -> str:
    """What one axis counts, by its dimension's name and coordinate; empty where neither says it."""
    name = cube.dims[axis] if axis < len(cube.dims) else ""
    for node in _coordinates(tree, cube, name, axis):
        said = " ".join(str(node.attrs.get(key, "")) for key in ("axis", "standard_name", "units")).casefold()
        if re.search(r"radiation_wave|\bnm\b|nanomet|\bum\b|\bµm\b|micromet|cm-1|cm\^-1|sensor_band", said):
            return "bands"
        if re.search(r"^y\b|latitude|projection_y|degrees?_?n", said):
            return "rows"
        if re.search(r"^x\b|longitude|projection_x|degrees?_?e", said):
            return "cols"
    for pattern, role in ((BANDS, "bands"), (DOWN, "rows"), (ACROSS, "cols")):
        if pattern.match(name):
            return role
    return ""


def _coordinates(tree: Tree, cube: ArrayNode, name: str, axis: int) -> Iterator[ArrayNode]:
    """The one-dimensional arrays that are coordinates of an axis."""
    if not name:
        return
    for path in (f"{cube.group}/{name}".strip("/"), name):
        node = tree.arrays.get(path)
        if node is not None and node.shape == (cube.shape[axis],):
            yield node


def band_names(tree: Tree, cube: ArrayNode, axis: int) -> list[str]:
    """The names of bands along an axis: its coordinate of texts, a list of texts beside the cube, or among its attributes.

    Empty texts where there are none, and where texts are wavelengths, which :func:`wavelength_list` reads.
    """
    count, name = cube.shape[axis], cube.dims[axis] if axis < len(cube.dims) else ""
    nodes = [node for node in tree.arrays.values() if node.name in tree.small and node.shape == (count,)]
    nodes.sort(key=lambda node: (node.short != name or not name, -_shared(node.name, cube.name)))
    listed = [(node.short, tree.small[node.name]) for node in nodes]
    listed += [
        (key, value) for key, value in cube.attrs.items() if isinstance(value, np.ndarray) and value.shape == (count,)
    ]
    for key, values in listed:
        texts = texts_of(values)
        if len(texts) == count and (key == name or NAMES.search(key)) and len(set(texts)) == count:
            return texts
    return [""] * count


def wavelength_list(
    tree: Tree, cube: ArrayNode, count: int, pattern: re.Pattern[str] = WAVES
) -> NDArray[np.float64] | None:
    """Wavelengths (or, by another pattern, widths) in nm of ``count`` bands beside a cube; None where there are none.

    Looked for among the cube's own attributes, the arrays of one axis, the nearest first, and the attributes of groups.
    """
    places: list[tuple[str, object, str]] = [(key, value, _unit(cube.attrs)) for key, value in cube.attrs.items()]
    nodes = [node for node in tree.arrays.values() if node.name in tree.small and math.prod(node.shape) == count]
    nodes.sort(key=lambda node: -_shared(node.name, cube.name))
    places += [
        (node.short, tree.small[node.name].reshape(-1), str(node.attrs.get("units", node.attrs.get("Units", ""))))
        for node in nodes
    ]
    places += [(key, value, "") for attrs in tree.attrs.values() for key, value in attrs.items()]
    for key, value, unit in places:
        if not pattern.search(key) or "good" in key.casefold():
            continue
        values = np.array(listed(value)) if isinstance(value, str) else value
        if not isinstance(values, np.ndarray) or values.shape != (count,):
            continue
        numbers, beside = _numbers(values)
        stated = beside or unit
        waves = [centre_nanometres(number, stated if is_known(stated) else "") for number in numbers]
        if numbers and all(wave is not None for wave in waves):
            return np.array(waves, np.float64)
    return None


def _numbers(values: NDArray[Any]) -> tuple[list[float], str]:
    """The numbers in a list, and the unit behind each where it is one of texts (``450.0 nm``); none where it holds none."""
    if values.dtype.kind in "iuf":
        return [float(value) for value in values], ""
    items, unit = without_unit(texts_of(values))
    numbers = [float_or(item) for item in items]
    return ([], "") if any(np.isnan(numbers)) else (numbers, unit)


def texts_of(values: NDArray[Any]) -> list[str]:
    """The texts in an array of one axis, as HDF5 and NetCDF hold them; empty where it holds none."""
    if values.dtype.kind not in "SUOT":
        return []
    items = [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in values.tolist()]
    return [item.strip() for item in items if isinstance(item, str)]


def _unit(attrs: object) -> str:
    """The unit of wavelengths in the attributes of a cube, whose own unit is another."""
    if not isinstance(attrs, dict):
        return ""
    return next((str(v) for k, v in attrs.items() if re.search(r"wave_?length_?units?", k, re.I)), "")


def _shared(a: str, b: str) -> int:
    """How many groups two arrays have in common."""
    count = 0
    for left, right in zip(a.split("/"), b.split("/"), strict=False):
        if left != right:
            break
        count += 1
    return count
