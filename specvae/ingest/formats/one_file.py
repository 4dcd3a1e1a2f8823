"""A scene in one raster file."""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from rasterio.io import DatasetReader

from specvae.errors import InputError
from specvae.ingest.formats.band_metadata import float_or, layers_of
from specvae.ingest.formats.gdal import errors_in_one_line
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.formats.limits import check_raster
from specvae.ingest.formats.packed import container_of, is_virtual
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product

__all__ = ["acquired", "block_of", "data_file", "product_of_dataset"]

ENVI_DATA = (".img", ".dat", ".bil", ".bip", ".bsq", ".raw")
"""Endings of the data files of ENVI headers."""


def product_of_dataset(path: str, dataset: DatasetReader, options: IngestOptions) -> Product:
    """The product in one open dataset with bands."""
    check_raster(dataset, path, options.allow_huge)
    with errors_in_one_line(f"{path} cannot be read as a raster"):
        layers, shifted = _with_offset(tuple(layers_of(dataset, path)), dataset.tags())
        return Product(
            name=Path(path).name.removesuffix(Path(path).suffix),
            path=path,
            kind=dataset.driver,
            layers=layers,
            grids={path: Grid.of(dataset)},
            blocks={path: block_of(dataset)},
            files=_local(dataset.files, path),
            storage=GdalBands(),
            notes=(*_notes(dataset), *shifted),
            datetime=acquired(dataset.tags(), path),
            level=_level(dataset.tags()),
        )


def data_file(path: str) -> str:
    """The data file beside an ENVI header, where a user gave the header; any other path as it is."""
    if not path.lower().endswith(".hdr"):
        return path
    stem = path[: -len(".hdr")]
    # ENVI itself writes data without an ending, `cube` beside `cube.hdr` or `cube.img` beside `cube.img.hdr`, so that
    # is looked for first.
    beside = [p for p in (stem, *(stem + end for end in ENVI_DATA)) if os.path.isfile(p)]
    if not beside:
        raise InputError(f"{path} is an ENVI header without its data file beside it; expected {stem} or {stem}.img")
    return beside[0]


def block_of(dataset: DatasetReader) -> tuple[int, int]:
    """Rows and columns that a dataset decodes at once."""
    rows, cols = dataset.block_shapes[0]
    # A tile may reach beyond a small raster.
    return min(rows, dataset.height), min(cols, dataset.width)


def _local(files: list[str], path: str) -> tuple[str, ...]:
    """The files behind a dataset that stand on this machine, the given one first."""
    behind = [container_of(path) or path] if is_virtual(path) else [path]
    return tuple(dict.fromkeys(f for f in [*behind, *files] if os.path.isfile(f)))


def _with_offset(layers: tuple[Layer, ...], tags: dict[str, str]) -> tuple[tuple[Layer, ...], list[str]]:
    """Sentinel-2 counts with the offset in their metadata, and a note that says so."""
    stated = {k.upper(): v for k, v in tags.items()}.get("BOA_ADD_OFFSET", "")
    offset = float_or(stated, 0.0)
    # Only of counts as ESA delivers them: values that were scaled or made floats since then have it applied, as a rule.
    plain = all(layer.scale == 1.0 and layer.offset == 0.0 and layer.dtype in ("uint16", "int16") for layer in layers)
    if not (plain and math.isfinite(offset) and offset):
        return layers, []
    moved = tuple(layer if layer.left_out else replace(layer, offset=offset) for layer in layers)
    return moved, [f"the offset {offset:g} of its metadata (BOA_ADD_OFFSET) is applied"]


def _notes(dataset: DatasetReader) -> list[str]:
    """What a user should know about how this file is read."""
    notes = []
    if (axis := dataset.tags().get("NETCDF_DIM_EXTRA", "").strip("{}")) and dataset.count > 1:
        notes.append(f"read with {axis} as bands")
    if len(dataset.subdatasets) > 1:
        pages = f"holds {len(dataset.subdatasets)} images, of which the first is read"
        notes.append(f"{pages}; another is {dataset.subdatasets[1]}")
    if dataset.crs is None and not dataset.gcps[0] and not dataset.rpcs:
        notes.append("no CRS: areas and distances are in pixels")
    tags = {k.upper(): v for k, v in dataset.tags().items()}
    baseline = tags.get("PROCESSING_BASELINE") or tags.get("S2:PROCESSING_BASELINE")
    # From baseline 04.00 (January 2022) on counts are 1000 higher, and a file made of them seldom says whether they are
    # still.
    if baseline and re.match(r"\d+(\.\d+)?$", baseline) and float(baseline) >= 4 and "BOA_ADD_OFFSET" not in tags:
        notes.append(
            f"Sentinel-2 baseline {baseline}: values may carry the +1000 offset; fit and score on the same kind"
        )
    return notes


DATE_KEYS = [
    "TIFFTAG_DATETIME",
    "ACQUISITION_DATETIME",
    "ACQUISITIONDATETIME",
    "DATETIME",
    "SENSING_TIME",
    "DATE_ACQUIRED",
    "ACQUISITION_DATE",
    "ACQUISITION_TIME",
    "START_TIME",
    "PRODUCT_START_TIME",
    "TIME_COVERAGE_START",
    "NC_GLOBAL#TIME_COVERAGE_START",
    "DATE",
]
"""Tags that may hold the time of acquisition, the most trusted first."""
STAMP = re.compile(
    r"(?<!\d)((?:19[7-9]|20\d)\d)[-:_/]?(0[1-9]|1[0-2])[-:_/]?(0[1-9]|[12]\d|3[01])"
    r"(?:[T\s_]?([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d))?)?(?!\d)"
)
"""A date from 1970 on, with or without separators and a time, that is no part of a longer number."""

LANDSAT_SCENE = re.compile(r"L[COTEM]\d\d{6}((?:19[7-9]|20\d)\d)(00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])[A-Z]{3}")
"""A pre-collection Landsat scene: sensor, path, row, year, day of the year, station."""


def acquired(tags: dict[str, str], path: str) -> str | None:
    """When a scene was taken, ISO 8601: from its tags, else from a date in its name, else None."""
    upper = {key.upper(): value for key, value in tags.items()}
    for text in [*(upper.get(key, "") for key in DATE_KEYS), Path(path).name]:
        if hit := STAMP.search(text):
            year, month, day, hour, minute, second = hit.groups()
            return f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}Z"
    if hit := LANDSAT_SCENE.search(Path(path).name):
        first = date(int(hit.group(1)), 1, 1) + timedelta(days=int(hit.group(2)) - 1)
        return f"{first.isoformat()}T00:00:00Z"
    return None


def _level(tags: dict[str, str]) -> str | None:
    """Processing level in the tags of a file, or None."""
    upper = {key.upper(): value for key, value in tags.items()}
    level = upper.get("PROCESSING_LEVEL") or upper.get("PROCESSINGLEVEL") or upper.get("LEVEL")
    return level.strip() if level else None
