"""How a scene is read, in words and numbers ready for JSON (``specvae inspect``)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as warp

from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.scene.scene import Scene

__all__ = ["about", "description", "footprint"]


def description(scene: Scene) -> dict[str, Any]:
    """Everything ``specvae inspect SCENE`` says, JSON-ready: no NaN, no infinity."""
    plan = scene.plan
    return {
        "name": scene.name,
        "path": scene.path,
        "kind": plan.product.kind,
        "rows": scene.rows,
        "cols": scene.cols,
        "dtype": scene.dtype,
        "block": list(scene.block),
        "georeferencing": _georeferencing(scene),
        "pixel_area_m2": scene.pixel_area_m2,
        "datetime": scene.datetime,
        "level": scene.level,
        "bands": [_band(at, layer) for at, layer in enumerate(plan.layers, start=1)],
        "left_out": [
            {"band": layer.label, "why": layer.left_out} for layer in plan.product.layers
            if layer.left_out and (layer.path, layer.index) not in {(used.path, used.index) for used in plan.layers}
        ],
        "band_match": plan.match.by if plan.match else None,
        "masks": {"mask": plan.options.mask, "aoi": plan.options.aoi, "normal": plan.options.normal},
        "files": [stamp.path for stamp in plan.stamps],
        "notes": scene.notes,
    }  # fmt: skip


def _georeferencing(scene: Scene) -> dict[str, Any]:
    grid = scene.plan.grid
    return {
        "crs": (grid.crs.to_string() if grid.crs else None),
        "transform": list(grid.transform)[:6] if grid.placed else None,
        "pixel_size": scene.pixel_size,
        "gcps": len(grid.gcps),
        "rpcs": grid.rpcs is not None,
    }


def _band(at: int, layer: Layer) -> dict[str, Any]:
    return {
        "number": at,
        "name": layer.band.name or None,
        "wavelength_nm": layer.band.wavelength,
        "width_nm": layer.band.width,
        "unit": layer.band.unit or None,
        "file": layer.path,
        "index": layer.index,
        "dtype": layer.dtype,
        "scale": layer.scale,
        "offset": layer.offset,
        "nodata": _plain(layer.nodata),
        "saturated": _plain(layer.saturated),
    }


def _plain(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)


def about(scene: Scene) -> dict[str, Any]:
    """The ``scene`` section of a report."""
    return {
        "path": scene.path,
        "key": scene.key,
        "kind": "raster",
        "rows": scene.rows,
        "cols": scene.cols,
        "bands": list(scene.bands.labels),
        "wavelengths": scene.bands.wavelengths,
        "band_match": scene.band_match.by if scene.band_match else None,
        "crs": scene.crs.to_string() if scene.crs else None,
        "pixel_area_m2": scene.pixel_area_m2,
        "datetime": scene.datetime,
        "notes": scene.notes,
    }


def footprint(grid: Grid) -> tuple[dict[str, Any] | None, list[float] | None]:
    """GeoJSON polygon and bounding box in longitude and latitude, or None where nothing places it on Earth."""
    crs = grid.place_crs
    if crs is None or not (grid.placed or grid.gcps or grid.rpcs):
        return None, None
    rows = np.array([0.0, 0.0, grid.rows, grid.rows, 0.0])
    cols = np.array([0.0, grid.cols, grid.cols, 0.0, 0.0])
    try:
        x, y = grid.place(rows, cols)
        lon, lat = warp(crs, CRS.from_epsg(4326), list(x), list(y))
    except (RasterioError, CPLE_BaseError, ValueError):
        return None, None
    if not np.isfinite([*lon, *lat]).all():
        return None, None
    ring = [[float(a), float(b)] for a, b in zip(lon, lat, strict=True)]
    return {"type": "Polygon", "coordinates": [ring]}, [min(lon), min(lat), max(lon), max(lat)]
