"""A scene in one raster file."""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from pathlib import Path

from rasterio.io import DatasetReader

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.acquisition import acquired, time_decision
from specvae.ingest.formats.band_metadata import layers_of
from specvae.ingest.formats.envi_header import EnviHeader, header_tags
from specvae.ingest.formats.gdal import errors_in_one_line, in_utf8
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.formats.limits import check_raster
from specvae.ingest.formats.packed import container_of, is_virtual
from specvae.ingest.formats.wavelengths import float_or, listed, misstated
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product

__all__ = ["BAND_AXES", "block_of", "data_file", "header_decision", "product_of_dataset"]

BAND_AXES = re.compile(r"^(?:n_?)?(?:wave_?\w*|wvls?|wl|lambda|bands?|spectral\w*|channels?|spectrum)$", re.I)
"""Names of an axis that counts bands."""
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
            decisions=_decisions(dataset, path),
            datetime=acquired(_time_tags(dataset), path),
            level=_level(dataset.tags()),
        )


def data_file(path: str) -> str:
    """The data file beside an ENVI header, where a user gave the header; any other path as it is."""
    if not path.lower().endswith(".hdr"):
        return path
    stem = path[: -len(".hdr")]
    # ENVI itself writes data without an ending, `cube` beside `cube.hdr` or `cube.img` beside `cube.img.hdr`, so that
    # is looked for first.
    beside = _data_files(stem)
    if not beside:
        raise InputError(f"{path} is an ENVI header without its data file beside it; expected {stem} or {stem}.img")
    return beside[0]


def header_decision(path: str) -> tuple[Decision, ...]:
    """Which data file a header was taken for, where several have its name."""
    beside = _data_files(path[: -len(".hdr")]) if path.lower().endswith(".hdr") else []
    if len(beside) < 2:
        return ()
    first, *others = (Path(p).name for p in beside)
    chosen = f"{Path(path).name} is read as the header of {first}"
    return (
        Decision("header", chosen, "the order of usual endings", tuple(others), "the data file's name", guessed=True),
    )


def _data_files(stem: str) -> list[str]:
    """The files that a header of this stem may belong to."""
    return [p for p in (stem, *(stem + end for end in ENVI_DATA)) if os.path.isfile(p)]


def block_of(dataset: DatasetReader) -> tuple[int, int]:
    """Rows and columns that a dataset decodes at once."""
    rows, cols = dataset.block_shapes[0]
    # A tile may reach beyond a small raster.
    return min(rows, dataset.height), min(cols, dataset.width)


def _local(files: list[str], path: str) -> tuple[str, ...]:
    """The files behind a dataset that stand on this machine, the given one first."""
    behind = [container_of(path) or path] if is_virtual(path) else [path]
    linked = os.path.dirname(in_utf8(path))  # of a name that is no UTF-8, GDAL sees a link
    named = files if linked == os.path.dirname(path) else []
    return tuple(dict.fromkeys(f for f in [*behind, *named] if os.path.isfile(f)))


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


def _decisions(dataset: DatasetReader, path: str) -> tuple[Decision, ...]:
    """What was decided of the axis of bands, of the unit of wavelengths, of what a header says, and of the time."""
    time, header = time_decision(_time_tags(dataset), path), EnviHeader.of(dataset)
    said = header.decisions if header is not None else ()
    return (*_pages(dataset), *_axis(dataset), *_unit(dataset), *said, *((time,) if time else ()))


def _time_tags(dataset: DatasetReader) -> dict[str, str]:
    """The tags of a dataset, with the time of acquisition that an ENVI header states."""
    header = EnviHeader.of(dataset)
    return {**dataset.tags(), **({"ACQUISITION_TIME": header.taken} if header is not None and header.taken else {})}


def _pages(dataset: DatasetReader) -> tuple[Decision, ...]:
    """The decision which of several images in a file is read."""
    if len(dataset.subdatasets) < 2:
        return ()
    chosen = f"holds {len(dataset.subdatasets)} images, of which the first is read, of {dataset.count} bands"
    others = (
        f"another, such as {dataset.subdatasets[1]}",
        "a band each: put them into one image (gdalbuildvrt -separate)",
    )
    return (Decision("files", chosen, "its being the first", others, guessed=True),)


def _unit(dataset: DatasetReader) -> tuple[Decision, ...]:
    """A decision where the stated unit of wavelengths cannot be theirs by their size."""
    tags = {key.casefold(): value for key, value in dataset.tags(1).items()}
    envi = header_tags(dataset)
    unit = tags.get("wavelength_units") or envi.get("wavelength_units") or ""
    number = float_or(tags.get("wavelength") or (listed(envi.get("wavelength")) or [""])[0])
    if not number > 0 or not misstated(number, unit):
        return ()
    judged = "micrometres" if number < 50 else "nanometres"
    return (Decision("unit", f"wavelengths are in {judged}", f"their size, from {number:g}", (unit,), guessed=True),)


def _axis(dataset: DatasetReader) -> tuple[Decision, ...]:
    """The decision about the axis of a NetCDF variable that counts bands; none for other files."""
    axis = dataset.tags().get("NETCDF_DIM_EXTRA", "").strip("{}")
    if not axis or dataset.count < 2:
        return ()
    # A time of one step is no axis that counts.
    lengths = _lengths(dataset, axis.split(","))
    counting = [name for name in axis.split(",") if lengths.get(name) != 1]
    named = len(counting) == 1 and bool(BAND_AXES.match(counting[0]))
    evidence = "the name of its axis" if named else "the order of its axes"
    others = () if named or len(counting) < 2 else tuple(f"a scene for each step of {name}" for name in counting)
    chosen = f"read with {' and '.join(counting)} as bands" if counting else f"read with {axis} as bands"
    return (Decision("axes", chosen, evidence, others, guessed=not named),)


def _lengths(dataset: DatasetReader, names: list[str]) -> dict[str, int]:
    """The lengths of axes of a NetCDF variable that GDAL counts as bands, as far as it states them."""
    tags = dataset.tags()
    listed_lengths = {name: tags.get(f"NETCDF_DIM_{name}_DEF", "").strip("{}").split(",")[0] for name in names}
    return {name: int(length) for name, length in listed_lengths.items() if length.isdigit()}


def _notes(dataset: DatasetReader) -> list[str]:
    """What a user should know about how this file is read."""
    notes = []
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


def _level(tags: dict[str, str]) -> str | None:
    """Processing level in the tags of a file, or None."""
    upper = {key.upper(): value for key, value in tags.items()}
    level = upper.get("PROCESSING_LEVEL") or upper.get("PROCESSINGLEVEL") or upper.get("LEVEL")
    return level.strip() if level else None
