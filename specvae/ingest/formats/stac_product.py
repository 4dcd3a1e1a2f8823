"""Scenes of STAC items: assets as bands, with names, wavelengths, scale and offset as the item states them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.band_kinds import categorical
from specvae.ingest.formats.band_metadata import layers_of
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.formats.limits import check_raster
from specvae.ingest.formats.one_file import block_of
from specvae.ingest.formats.references import check_references, is_remote
from specvae.ingest.formats.sentinel2_offset import checked_offsets
from specvae.ingest.formats.stac_items import Item, assets_of, item_of, local_path
from specvae.ingest.formats.wavelengths import centre_nanometres, nanometres
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMAT"]

RASTER_TYPES = (
    "image/tiff",
    "image/vnd.stac.geotiff",
    "image/jp2",
    "image/x.geotiff",
    "application/x-hdf",
    "application/x-netcdf",
)
RASTER_ENDINGS = (".tif", ".tiff", ".jp2", ".img", ".vrt")
NO_DATA_ROLES = {"thumbnail", "overview", "metadata", "visual", "graphic", "date", "tilejson", "render"}
NO_DATA_KEYS = re.compile(r"visual|preview|thumbnail|overview|browse|tci|true.?color|rendered|quicklook|pvi", re.I)
"""Keys of assets that are pictures of the scene."""
RESOLUTION = re.compile(r"_(\d{1,4})m$", re.I)


@dataclass(frozen=True)
class StatedBand:
    """What an item says of one band of an asset."""

    band: Band
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None


def product_of_item(source: Source, options: IngestOptions) -> Product | None:
    """The scene of a STAC item; None where the source is none. Raises InputError where it has no raster to read."""
    item = item_of(source)
    if item is None:
        return None
    chosen = _finest(_rasters(item))
    if not chosen:
        shown = ", ".join(list(assets_of(item))[:8]) or "none"
        raise InputError(f"{source.path}: the item {item.get('id')} has no asset that is a raster (it has {shown})")
    layers, grids, blocks = _opened(source, chosen, options)
    layers = _spectral_alone(layers)
    layers, decisions = checked_offsets(layers, _properties(item), options.allow_remote)
    return Product(
        name=str(item.get("id") or Path(source.path).stem),
        path=source.path,
        kind="STAC item",
        layers=tuple(layers),
        grids=grids,
        blocks=blocks,
        files=tuple(p for p in (source.path, *grids) if os.path.isfile(p)),
        storage=GdalBands(),
        notes=(),
        decisions=(_chosen(item, chosen), *decisions),
        datetime=_time(_properties(item)),
        level=_text(_properties(item).get("processing:level")),
    )


def _opened(
    source: Source, chosen: Mapping[str, dict[str, Any]], options: IngestOptions
) -> tuple[list[Layer], dict[str, Grid], dict[str, tuple[int, int]]]:
    """The bands of the chosen assets with what the item says of them, and the grid and block of each file."""
    layers: list[Layer] = []
    grids: dict[str, Grid] = {}
    blocks: dict[str, tuple[int, int]] = {}
    for key, asset in chosen.items():
        path = _place(source, key, asset, options)
        with open_dataset(path, allow_remote=options.allow_remote) as dataset:
            check_raster(dataset, path, options.allow_huge)
            with errors_in_one_line(f"{path} cannot be read as a raster"):
                stored = layers_of(dataset, path)
                grids[path], blocks[path] = Grid.of(dataset), block_of(dataset)
        layers += _stated(stored, key, _bands_of(asset, len(stored)))
    return layers, grids, blocks


def _properties(item: Item) -> dict[str, Any]:
    """The properties of an item."""
    properties = item.get("properties")
    return properties if isinstance(properties, dict) else {}


def _time(properties: Mapping[str, Any]) -> str | None:
    """When the item's scene was taken: its datetime, or the start of its range."""
    return _text(properties.get("datetime")) or _text(properties.get("start_datetime"))


def _text(value: object) -> str | None:
    """A text, or None where it is none."""
    return value if isinstance(value, str) and value else None


def _rasters(item: Item) -> dict[str, dict[str, Any]]:
    """The assets that are rasters of the scene itself rather than pictures of it or metadata."""
    out = {}
    for key, asset in assets_of(item).items():
        kind = str(asset.get("type") or "").casefold()
        roles = {str(role) for role in asset.get("roles") or ()} if isinstance(asset.get("roles"), list) else set()
        is_raster = kind.startswith(RASTER_TYPES) or asset["href"].split("?")[0].casefold().endswith(RASTER_ENDINGS)
        if is_raster and not roles & NO_DATA_ROLES and not NO_DATA_KEYS.search(key):
            out[key] = asset
    # Where some assets say which bands they are, others (angles, aerosol, water vapour) are none of them.
    said = {key: asset for key, asset in out.items() if _entries(asset) or categorical(key)}
    return said if any(_entries(asset) for asset in said.values()) else out


def _finest(assets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The finest of the assets that are one band at several resolutions or in several formats; the first among equals."""
    best: dict[tuple[str, ...], str] = {}
    for key, asset in assets.items():
        entries = _entries(asset)
        stem = RESOLUTION.sub("", key.removesuffix("-jp2").removesuffix("_jp2")).casefold()
        band = tuple(str(e.get("name") or e.get("common_name") or stem).casefold() for e in entries) or (stem,)
        other = best.get(band)
        if other is None or _metres(key, asset) < _metres(other, assets[other]):
            best[band] = key
    return {key: assets[key] for key in assets if key in best.values()}


def _metres(key: str, asset: Mapping[str, Any]) -> float:
    """The resolution that an asset states, or that its key ends in; infinite where neither."""
    entries = asset.get("raster:bands")
    first = entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}
    stated = asset.get("gsd") or asset.get("raster:spatial_resolution") or first.get("spatial_resolution")
    hit = RESOLUTION.search(key)
    return _number(stated) or (float(hit.group(1)) if hit else math.inf)


def _entries(asset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an asset says of its bands, whichever of STAC's versions it is in."""
    for name in ("bands", "eo:bands"):
        listed = asset.get(name)
        if isinstance(listed, list) and listed and all(isinstance(entry, dict) for entry in listed):
            return listed
    return []


def _bands_of(asset: Mapping[str, Any], count: int) -> list[StatedBand]:
    """What an asset says of each of its ``count`` bands; an empty list where it does not say it of all."""
    entries = _entries(asset)
    raster = asset.get("raster:bands")
    values = raster if isinstance(raster, list) and len(raster) == count else [{}] * count
    if len(entries) != count:
        entries = [{}] * count
    out = []
    for entry, value in zip(entries, values, strict=True):
        # In STAC 1.1 fields of all bands may stand with the asset, and those of a band in its entry.
        said = {**asset, **(value if isinstance(value, dict) else {}), **entry}
        centre = said.get("eo:center_wavelength") or entry.get("center_wavelength")
        width = said.get("eo:full_width_half_max") or entry.get("full_width_half_max")
        name = _text(entry.get("name")) or _text(entry.get("eo:common_name")) or _text(entry.get("common_name")) or ""
        band = Band(
            name, centre_nanometres(centre or "", "um"), nanometres(width or "", "um"), _text(said.get("unit")) or ""
        )
        scale, offset = (_number(said.get(key) or said.get(f"raster:{key}")) for key in ("scale", "offset"))
        out.append(StatedBand(band, scale, offset, _number(said.get("nodata"))))
    return out


def _number(value: object) -> float | None:
    """A finite number, or None; the texts that STAC has for NaN and infinities are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _stated(stored: list[Layer], key: str, said: list[StatedBand]) -> list[Layer]:
    """The bands of an asset with what the item says of them; what the file says itself comes before its scale."""
    layers = []
    for layer, stated in zip(stored, said, strict=True):
        own, band = layer.band, stated.band
        name = band.name or (key if len(stored) == 1 else own.name)
        merged = Band(name, band.wavelength or own.wavelength, band.width or own.width, own.unit or band.unit)
        flags = "classes or flags, not spectra" if categorical(name) or categorical(key) else None
        layer = replace(layer, band=merged, left_out=layer.left_out or flags)
        if layer.nodata is None and stated.nodata is not None:
            layer = replace(layer, nodata=stated.nodata)
        if layer.scale == 1.0 and layer.offset == 0.0 and not flags and layer.dtype.startswith(("int", "uint")):
            layer = replace(layer, scale=stated.scale or 1.0, offset=stated.offset or 0.0)
        layers.append(layer)
    return layers


def _spectral_alone(layers: list[Layer]) -> list[Layer]:
    """The bands, those without a wavelength left out where all the others have one."""
    known = [layer for layer in layers if layer.band.wavelength is not None and not layer.left_out]
    if len(known) < 2:
        return layers
    why = "no wavelength in the item, where others have one"
    return [
        layer if layer.band.wavelength is not None or layer.left_out else replace(layer, left_out=why)
        for layer in layers
    ]


def _place(source: Source, key: str, asset: Mapping[str, Any], options: IngestOptions) -> str:
    """The path of an asset. Raises InputError for one elsewhere, unless --allow-remote is given."""
    path = local_path(asset["href"], source.path)
    if is_remote(path):
        if not options.allow_remote:
            raise InputError(f"{source.path}: its asset {key} is remote, {path}; allow it with --allow-remote")
        return path
    inside = Path(path).resolve().is_relative_to(Path(source.path).resolve().parent)
    if not (inside or options.allow_remote):
        raise InputError(f"{source.path} refers to {path}, outside its own folder; allow it with --allow-remote")
    if not os.path.exists(path):
        raise InputError(f"{source.path}: its asset {key}, {path}, does not exist")
    check_references(path, options.allow_remote)
    return path


def _chosen(item: Item, chosen: Mapping[str, Any]) -> Decision:
    """Which assets are read, and which others the item has."""
    others = [key for key in assets_of(item) if key not in chosen]
    evidence = "their types, roles and bands, the finest of each band"
    return Decision("files", f"assets {', '.join(list(chosen)[:16])}", evidence, tuple(others[:8]))


FORMAT = Format("STAC item", product_of_item)
