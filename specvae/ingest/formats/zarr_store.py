"""Zarr stores as scenes: EOPF products of Sentinel-2, and GeoZarr or other stores that name their dimensions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from specvae.errors import InputError, MissingExtraError
from specvae.ingest.formats.arrays.axes import texts_of
from specvae.ingest.formats.limits import LIFT, PIXELS
from specvae.ingest.formats.packed import zip_names
from specvae.ingest.formats.references import is_remote
from specvae.ingest.formats.zarr_axes import COLS, ROWS, dims_of, order_of
from specvae.ingest.formats.zarr_codecs import strange_codecs
from specvae.ingest.grid import Grid

if TYPE_CHECKING:
    import zarr

__all__ = [
    *("FOLDER_MARK", "Plane", "Store", "check_size", "grid_of", "is_zarr", "open_store", "safe_array", "scene_name"),
    *("text_attribute", "texts_in", "values_of"),
]

FOLDER_MARK = re.compile(r"(?:\.zgroup|\.zarray|\.zmetadata|zarr\.json)$")
"""Name of a file that makes a folder a Zarr store, of version 2 or 3."""
MOST = 4_000
"""Arrays and groups of a store that are looked at."""


@dataclass(frozen=True)
class Plane:
    """An array of a store with its attributes and the names of its dimensions, rows and columns last; no value is read."""

    path: str
    """Its path in the store."""
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]
    fill: float | None
    """The value of chunks that are not there, where it marks what is missing."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def group(self) -> str:
        """The path of the group that it is in."""
        return self.path.rsplit("/", 1)[0] if "/" in self.path else ""

    @property
    def is_spatial(self) -> bool:
        """Whether its last two dimensions run over rows and columns."""
        return len(self.dims) >= 2 and self.dims[-2].casefold() in ROWS and self.dims[-1].casefold() in COLS


@dataclass(frozen=True)
class Store:
    """What a store holds."""

    path: str
    attributes: Mapping[str, Any]
    """Of its root."""
    planes: Mapping[str, Plane]
    """Its arrays by their paths."""
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The attributes of its groups by their paths."""

    def under(self, group: str) -> list[Plane]:
        """The arrays directly in a group, by name."""
        return sorted((p for p in self.planes.values() if p.group == group), key=lambda p: p.name)


def is_zarr(path: str) -> bool:
    """Whether a path is a Zarr store: a folder or a zip file with its marks, or a remote address that ends in ``.zarr``."""
    if is_remote(path):
        return path.rstrip("/").casefold().endswith(".zarr")
    if os.path.isdir(path):
        return any(FOLDER_MARK.match(name) for name in os.listdir(path))
    if not path.casefold().endswith(".zip") or not os.path.isfile(path):
        return False
    return any(FOLDER_MARK.match(PurePosixPath(name).name) for name in zip_names(path))


def open_root(path: str) -> zarr.Group | zarr.Array[Any]:
    """The root of a store, open for reading. Raises InputError, and MissingExtraError without the package."""
    try:
        import zarr  # an extra, and half a second that other formats need not pay
        import zarr.storage
    except ImportError:
        raise MissingExtraError.of("a Zarr store", "zarr", extra="zarr") from None
    if os.path.isfile(path) and not any(FOLDER_MARK.match(name) for name in zip_names(path)):
        raise InputError(f"{path} holds a Zarr store in a folder of its own; unpack it and give that folder")
    # Each thread that decodes keeps the memory of a chunk, so that more of them than processors only cost.
    if zarr.config.get("threading.max_workers", None) is None:
        zarr.config.set({"threading.max_workers": os.cpu_count() or 1})
    try:
        store = zarr.storage.ZipStore(path, mode="r") if os.path.isfile(path) else path
        return zarr.open(store, mode="r")
    except Exception as error:  # zarr, its codecs and JSON raise classes of their own
        raise InputError(f"{path} cannot be read as a Zarr store: {error}") from error


def open_store(path: str) -> Store:
    """The arrays of a store and what their attributes say. Raises InputError for a damaged one."""
    root = open_root(path)
    try:
        if not hasattr(root, "members"):
            return Store(path, {}, {"": _plane("", root)})
        planes: dict[str, Plane] = {}
        groups: dict[str, Mapping[str, Any]] = {"": dict(root.attrs)}
        for at, (name, member) in enumerate(root.members(max_depth=None)):
            if at >= MOST:
                break
            if hasattr(member, "shape"):
                planes[name] = _plane(name, member)
            else:
                groups[name] = dict(member.attrs)
        return Store(path, dict(root.attrs), planes, groups)
    except InputError:
        raise
    except Exception as error:  # as above
        raise InputError(f"{path} cannot be read as a Zarr store: {error}") from error


def safe_array(path: str, name: str) -> zarr.Array[Any]:
    """One array of a store, open for reading. Raises InputError where its codecs may run code or values are no numbers."""
    import zarr

    root = open_root(path)
    try:
        array = root[name] if isinstance(root, zarr.Group) else root
        if not isinstance(array, zarr.Array):
            raise InputError(f"{path} has no array {name}")
        strange = strange_codecs(array)
    except InputError:
        raise
    except Exception as error:  # as above
        raise InputError(f"{path} cannot be read as a Zarr store: {error}") from error
    if strange:
        raise InputError(f"{path}: its array {name} is packed by {', '.join(strange)}, which is not unpacked here")
    if np.dtype(array.dtype).kind not in "biuf":
        raise InputError(f"{path}: its array {name} holds {array.dtype}; expected real numbers")
    return array


def values_of(path: str, name: str) -> NDArray[np.float64]:
    """All values of a small array, such as a coordinate. Raises InputError where it is damaged."""
    array = safe_array(path, name)
    try:
        return np.asarray(array[:], float)
    except Exception as error:  # as above
        raise InputError(f"{path}: its array {name} cannot be read: {error}") from error


def texts_in(path: str, name: str) -> list[str]:
    """The texts of a small array, such as the names of bands; none where it holds none, or cannot be read safely."""
    import zarr

    root = open_root(path)
    try:
        array = root[name] if isinstance(root, zarr.Group) else root
        if not isinstance(array, zarr.Array) or array.size > MOST or strange_codecs(array):
            return []
        return texts_of(np.asarray(array[:]))
    except Exception:  # as above: names are no reason to refuse a store
        return []


def _plane(name: str, array: Any) -> Plane:
    """An array's description."""
    attributes, dims = dict(array.attrs), dims_of(array)
    order = order_of(dims) or tuple(range(len(array.shape)))
    return Plane(
        path=name,
        shape=tuple(int(array.shape[axis]) for axis in order),
        chunks=tuple(int(array.chunks[axis]) for axis in order),
        dtype=np.dtype(array.dtype).name if np.dtype(array.dtype).kind in "biuf" else "object",
        dims=tuple(dims[axis] for axis in order) if dims else (),
        attributes=attributes,
        fill=_finite(attributes.get("_FillValue", attributes.get("fill_value", attributes.get("nodata")))),
    )


def _finite(value: object) -> float | None:
    """A number other than NaN, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if value == value else None


def check_size(path: str, plane: Plane, allow_huge: bool) -> None:
    """Refuse an array that claims an absurd number of pixels, which a small store may do: chunks need not be there."""
    pixels = int(np.prod(plane.shape[-2:], dtype=object))
    if pixels > PIXELS and not allow_huge:
        raise InputError(f"{path} claims {pixels:.3g} pixels, more than {PIXELS:.3g}; {LIFT}")


def grid_of(store: Store, plane: Plane) -> Grid:
    """The grid of an array: by its own attributes or its group's, else by the coordinates of its dimensions."""
    rows, cols = plane.shape[-2:]
    group = store.groups.get(plane.group, {})
    said: dict[str, Any] = {**group, **_eopf(plane.attributes), **plane.attributes}
    crs = _crs(store, plane, said)
    transform = said.get("spatial:transform") or said.get("proj:transform")
    if (
        isinstance(transform, Sequence)
        and len(transform) >= 6
        and all(isinstance(v, int | float) for v in transform[:6])
    ):
        return Grid(rows, cols, crs, Affine(*(float(v) for v in transform[:6])))
    return Grid(rows, cols, crs, _by_coordinates(store, plane) or Affine.identity())


def _eopf(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes that EOPF nests in one of its own, in stores of some versions."""
    inner = attributes.get("_eopf_attrs")
    return inner if isinstance(inner, Mapping) else {}


def _crs(store: Store, plane: Plane, said: Mapping[str, Any]) -> CRS | None:
    """The reference system of an array: its projection attributes, its grid mapping, or what the product states."""
    discovery = store.attributes.get("stac_discovery")
    properties = discovery.get("properties", {}) if isinstance(discovery, Mapping) else {}
    other = store.attributes.get("other_metadata")
    mapping_name = said.get("grid_mapping")
    mapping = store.planes.get(f"{plane.group}/{mapping_name}".lstrip("/")) if isinstance(mapping_name, str) else None
    candidates: list[object] = [said.get("proj:code"), said.get("proj:epsg"), said.get("proj:wkt2")]
    if mapping is not None:
        candidates += [mapping.attributes.get(key) for key in ("crs_wkt", "spatial_ref", "proj:code", "epsg_code")]
    candidates += [properties.get("proj:code"), properties.get("proj:epsg")]
    candidates += [other.get("horizontal_CRS_code")] if isinstance(other, Mapping) else []
    for candidate in candidates:
        if candidate in (None, ""):
            continue
        try:
            return CRS.from_user_input(candidate)
        except (CRSError, ValueError, TypeError):
            continue
    return CRS.from_epsg(4326) if plane.dims[-1:] and plane.dims[-1].casefold() in ("lon", "longitude") else None


def _by_coordinates(store: Store, plane: Plane) -> Affine | None:
    """The transform by the centres of columns and rows, where these are evenly spaced; else None."""
    axes = [_axis(store, plane, at) for at in (-1, -2)]
    if axes[0] is None or axes[1] is None:
        return None
    (x, dx), (y, dy) = axes[0], axes[1]
    return Affine(dx, 0.0, x - dx / 2, 0.0, dy, y - dy / 2)


def _axis(store: Store, plane: Plane, at: int) -> tuple[float, float] | None:
    """The first centre along a dimension and the step, None where there are no coordinates or uneven ones."""
    # EOPF's bands are known by their groups, so that one may come without the names of its dimensions.
    name = plane.dims[at] if len(plane.dims) >= -at else ""
    found = store.planes.get(f"{plane.group}/{name}".lstrip("/")) if name else None
    if found is None or found.shape != (plane.shape[at],) or found.shape[0] < 2 or found.dtype == "object":
        return None
    values = values_of(store.path, found.path)
    steps = np.diff(values)
    if not np.isfinite(values).all() or np.ptp(steps) > 1e-3 * abs(float(steps.mean())) or not steps.mean():
        return None
    return float(values[0]), float((values[-1] - values[0]) / (len(values) - 1))


def text_attribute(attributes: Mapping[str, Any], *keys: str) -> str:
    """The first of these attributes that is a text; empty where none is."""
    return next((str(attributes[k]) for k in keys if isinstance(attributes.get(k), str) and attributes[k]), "")


def scene_name(path: str) -> str:
    """A store's name without its endings."""
    return Path(path).name.removesuffix(".zip").removesuffix(".zarr")
