"""The scene in a Zarr store: EOPF's Sentinel-2 by its groups, any other by the names of its dimensions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.arrays.times import time_since
from specvae.ingest.formats.band_kinds import categorical
from specvae.ingest.formats.band_metadata import band_from_tags
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.references import check_references
from specvae.ingest.formats.sensors import SENTINEL2, band_name, band_of
from specvae.ingest.formats.wavelengths import centre_nanometres
from specvae.ingest.formats.zarr_reader import SEPARATOR, ZarrBands
from specvae.ingest.formats.zarr_store import (
    FOLDER_MARK,
    Plane,
    Store,
    check_size,
    grid_of,
    is_zarr,
    open_store,
    scene_name,
    text_attribute,
    texts_in,
    values_of,
)
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMAT"]

REFLECTANCE = re.compile(r"^measurements/reflectance/r(\d+)m/(b\d[0-9a])$")
"""A band of an EOPF product of Sentinel-2, with its resolution."""
CLASSES = re.compile(r"^conditions/mask/l2a_classification/r(\d+)m/scl$")
QUALITY = "quality/mask/r{size}m/{band}"
"""Where an EOPF product has the quality mask of a band."""
NOT_SPECTRAL = re.compile(
    r"(?:^|_)(?:lat|lon|latitude|longitude|mask|flags?|quality|qa|scl|crs|spatial_ref|angle|sza|vza|aot|wvp)s?(?:$|_)",
    re.I,
)
"""Names of arrays that are no bands."""


def product_of_zarr(source: Source, options: IngestOptions) -> Product | None:
    """The scene in a Zarr store; None where the source is none. Raises InputError where no array of it is spectral."""
    if source.members or not is_zarr(source.path):
        return None
    check_references(source.path, options.allow_remote)
    store = open_store(source.path)
    chosen = _eopf(store) or _by_dimensions(store)
    planes = list(dict.fromkeys(plane.path for plane, _, _ in chosen))
    for plane in planes:
        check_size(source.path, store.planes[plane], options.allow_huge)
    grids = {plane: grid_of(store, store.planes[plane]) for plane in planes}
    wanted = chosen if options.product_masks == "auto" else []
    masks = tuple((p.path, mask) for p, _, _ in wanted if (mask := _quality(store, p)))
    is_eopf = bool(REFLECTANCE.match(planes[0]))
    folder = (os.path.join(at, name) for at, _, names in os.walk(source.path) for name in sorted(names))
    return Product(
        name=scene_name(source.path),
        path=source.path,
        kind="EOPF Zarr" if is_eopf else "Zarr",
        layers=tuple(_layer(store, plane, index, band) for plane, index, band in chosen),
        grids={_path(store, plane): grid for plane, grid in grids.items()},
        blocks={_path(store, plane): _block(store.planes[plane]) for plane in planes},
        files=(source.path,) if os.path.isfile(source.path) else tuple(islice(folder, 10_000)),
        storage=ZarrBands(source.path, tuple(grids.items()), tuple(dict.fromkeys(masks))),
        notes=() if grids[planes[0]].crs is not None else ("no CRS: areas and distances are in pixels",),
        decisions=(_decision(store, planes, is_eopf),),
        datetime=_property(store, "datetime") or _property(store, "start_datetime") or _time(store),
        level=_property(store, "processing:level"),
    )


def _time(store: Store) -> str | None:
    """The time of the only step of a store's time axis; None where there is none or where it has several."""
    for plane in store.planes.values():
        if plane.shape in ((), (1,)) and " since " in text_attribute(plane.attributes, "units"):
            return time_since(float(values_of(store.path, plane.path).reshape(-1)[0]), plane.attributes)
    return None


def _path(store: Store, plane: str) -> str:
    """The path of an array in the layers of a product."""
    return f"{store.path}{SEPARATOR}{plane}"


def _block(plane: Plane) -> tuple[int, int]:
    """Rows and columns of a chunk, no more than there are."""
    return min(plane.chunks[-2], plane.shape[-2]), min(plane.chunks[-1], plane.shape[-1])


def _eopf(store: Store) -> list[tuple[Plane, int, Band]]:
    """The bands of an EOPF product of Sentinel-2, each at its finest resolution, and the scene classification."""
    best: dict[str, tuple[int, Plane]] = {}
    for path, plane in store.planes.items():
        hit = REFLECTANCE.match(path) or CLASSES.match(path)
        if hit and len(plane.shape) == 2 and plane.dtype != "object":
            name = band_name(plane.name.upper())
            size = int(hit.group(1))
            if name not in best or size < best[name][0]:
                best[name] = (size, plane)
    if not any(name in SENTINEL2 for name in best):
        return []
    order = [name for name in (*SENTINEL2, "SCL") if name in best]
    return [(best[name][1], 1, band_of(SENTINEL2, name)) for name in order]


def _by_dimensions(store: Store) -> list[tuple[Plane, int, Band]]:
    """The bands of any other store: the arrays over rows and columns of the group whose grid is the finest."""
    spatial = [
        p for p in store.planes.values() if p.is_spatial and p.dtype != "object" and not NOT_SPECTRAL.search(p.name)
    ]
    spatial = [p for p in spatial if not p.path.startswith(("conditions/", "quality/"))]
    if not spatial:
        found = (
            ", ".join(f"{p.path or 'an array'} {p.shape} {p.dims}" for p in list(store.planes.values())[:6])
            or "no array"
        )
        raise InputError(
            f"{store.path} holds no array over named rows and columns (it has {found}); expected dimensions y and x"
        )
    finest = max(spatial, key=lambda p: p.shape[-2] * p.shape[-1])
    planes = [p for p in store.under(finest.group) if p in spatial and p.shape[-2:] == finest.shape[-2:]]
    cubes = [p for p in planes if int(np.prod(p.shape[:-2])) > 1]
    if len(cubes) > 1 or (cubes and len(planes) > len(cubes)):
        raise InputError(
            f"{store.path} holds several cubes ({', '.join(p.path for p in planes[:6])}); give a store of one"
        )
    if not cubes:
        return [(p, 1, _named(p)) for p in planes]
    cube = cubes[0]
    if any(size > 1 for size in cube.shape[:-3]):
        raise InputError(f"{store.path}: {cube.path} has {len(cube.shape)} axes {cube.dims}; give one of its times")
    return [(cube, at + 1, band) for at, band in enumerate(_along(store, cube))]


def _named(plane: Plane) -> Band:
    """The band of a two-dimensional array: its name, and the wavelength that its attributes state."""
    said = plane.attributes
    unit = text_attribute(said, "wavelength_unit", "wavelength_units")
    centre = next((said[key] for key in ("wavelength", "center_wavelength", "central_wavelength") if key in said), "")
    return Band(plane.name, centre_nanometres(centre, unit), None, text_attribute(said, "units"))


def _along(store: Store, cube: Plane) -> list[Band]:
    """The bands along the first axis of a cube: the names or wavelengths in the coordinate of that axis."""
    count, unit = int(np.prod(cube.shape[:-2])), text_attribute(cube.attributes, "units")
    listed = cube.attributes.get("band_names") or cube.attributes.get("bands")
    names = [str(n) for n in listed] if isinstance(listed, list) and len(listed) == count else []
    axis = store.planes.get(f"{cube.group}/{cube.dims[-3]}".lstrip("/")) if len(cube.dims) >= 3 else None
    if axis is None or axis.shape != (count,):
        return [Band(name, unit=unit) for name in names or [""] * count]
    if axis.dtype == "object":
        texts = names or texts_in(store.path, axis.path)
        return [
            replace(band_from_tags({}, {}, text), unit=unit)
            for text in (texts if len(texts) == count else [""] * count)
        ]
    values = values_of(store.path, axis.path)
    is_wave = re.search(r"wave|wl|lambda", axis.name, re.I) or text_attribute(axis.attributes, "units") in ("nm", "um")
    waves = [centre_nanometres(v, text_attribute(axis.attributes, "units")) if is_wave else None for v in values]
    return [Band(name, wave, None, unit) for name, wave in zip(names or [""] * count, waves, strict=True)]


def _layer(store: Store, plane: Plane, index: int, band: Band) -> Layer:
    """A band with the scale, offset and fill that its array's attributes state."""
    inner = plane.attributes.get("_eopf_attrs")
    said: dict[str, Any] = {**(inner if isinstance(inner, Mapping) else {}), **plane.attributes}
    scale, offset = _number(said.get("scale_factor"), 1.0), _number(said.get("add_offset"), 0.0)
    if not scale:
        raise InputError(f"{store.path}: {plane.path} has a scale of 0; it must be finite, not 0")
    fill = plane.fill if plane.fill is not None else _number(said.get("fill_value"), None)
    eopf = bool(REFLECTANCE.match(plane.path))
    # EOPF marks missing pixels by 0 in stores that state no fill, as ESA's SAFE does.
    fill = 0.0 if fill is None and eopf and not plane.dtype.startswith("float") else fill
    flags = "classes or flags, not spectra" if categorical(band.name) else None
    if eopf and scale != 1.0:
        band = replace(band, unit="reflectance")
    return Layer(_path(store, plane.path), index, band, plane.dtype, scale, offset, fill, None, flags)


def _number(value: object, default: Any) -> Any:
    """A finite number, or ``default``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        return default
    return float(value)


def _quality(store: Store, plane: Plane) -> str | None:
    """The path of the quality mask of a band of an EOPF product, where it has one on the band's own grid."""
    hit = REFLECTANCE.match(plane.path)
    path = QUALITY.format(size=hit.group(1), band=hit.group(2)) if hit else ""
    mask = store.planes.get(path)
    return path if mask is not None and mask.shape == plane.shape and mask.dtype.startswith("uint") else None


def _property(store: Store, key: str) -> str | None:
    """A property of the STAC item that an EOPF product holds, or None."""
    discovery = store.attributes.get("stac_discovery")
    properties = discovery.get("properties") if isinstance(discovery, Mapping) else None
    value = properties.get(key) if isinstance(properties, Mapping) else None
    return value if isinstance(value, str) and value else None


def _decision(store: Store, planes: list[str], is_eopf: bool) -> Decision:
    """Which arrays are read, and which others the store has."""
    others = [path for path, plane in store.planes.items() if path not in planes and len(plane.shape) >= 2]
    evidence = "the groups of EOPF's Sentinel-2" if is_eopf else "the names of its dimensions, the finest grid"
    return Decision("files", f"arrays {', '.join(planes[:16])}", evidence, tuple(others[:6]))


FORMAT = Format("Zarr store", product_of_zarr, folder_mark=FOLDER_MARK, archive_mark=FOLDER_MARK)
