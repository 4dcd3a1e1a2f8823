"""Sentinel-2's offset of 1000 counts, checked against the pixels, since catalogues are known to state it wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rasterio.enums import Resampling

from specvae.ingest.decision import Decision
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.layer import Layer

__all__ = ["OFFSET", "checked_offsets"]

OFFSET = 1000.0
"""Counts that products from baseline 04.00 (January 2022) on have above those of before."""
BASELINE = 4.0
SAMPLED = 256
"""Rows and columns of the sample of a band, at most."""
BELOW = 0.01
"""Share of pixels darker than the offset from which a band cannot carry it: only noise reaches below it."""
SHORTEST, LONGEST = 480.0, 700.0
"""Wavelengths in nm of the bands that are looked at: water, shadow and leaves are dark there in any scene."""


def checked_offsets(
    layers: Sequence[Layer], properties: Mapping[str, Any], allow_remote: bool
) -> tuple[list[Layer], tuple[Decision, ...]]:
    """The bands of an item with the offset that their pixels have, and the decision; as they are, of another sensor.

    The item may state it (``raster:bands``), or that it was taken off already (``earthsearch:boa_offset_applied``), or
    only its baseline. Where pixels darker than 1000 counts are common, the counts do not carry it, whatever is stated.
    """
    sensor = " ".join(str(properties.get(key) or "") for key in ("platform", "constellation", "mission"))
    counts = [layer for layer in layers if not layer.left_out and layer.dtype in ("uint16", "int16")]
    if "sentinel-2" not in sensor.casefold() or not counts:
        return [*layers], ()
    share = _below_offset(counts, allow_remote)
    if share is None:
        return [*layers], ()
    stated = any(layer.offset < 0 for layer in counts)
    carries = _carries(share, stated, properties)
    said = "its item states the offset" if stated else "its item states no offset"
    seen = f"its pixels, of which {share:.1%} are below {OFFSET:g} counts"
    if carries == stated:
        words = "an offset of -1000 counts is applied" if carries else "no offset of 1000 counts is applied"
        return [*layers], (Decision("scale", words, f"{seen}, as {said}"),)
    words = "an offset of -1000 counts is applied" if carries else "the offset that its item states is not applied"
    decision = Decision("scale", words, f"{seen}, though {said}", ("as its item states",), guessed=True)
    return [_with(layer, carries) if layer in counts else layer for layer in layers], (decision,)


def _carries(share: float, stated: bool, properties: Mapping[str, Any]) -> bool:
    """Whether the counts carry the offset, by the share of pixels below it and by what is stated."""
    if share >= BELOW:
        return False
    if properties.get("earthsearch:boa_offset_applied") is True and not stated:
        return False
    try:
        baseline = float(str(properties.get("s2:processing_baseline") or properties.get("processing:version") or "nan"))
    except ValueError:
        baseline = float("nan")
    # Without a dark pixel the scene may be bright: then the baseline decides, and without one what is stated.
    return baseline >= BASELINE if np.isfinite(baseline) else stated


def _with(layer: Layer, carries: bool) -> Layer:
    """A band with the offset, or without it."""
    return replace(layer, offset=-OFFSET * layer.scale if carries else 0.0)


def _below_offset(layers: Sequence[Layer], allow_remote: bool) -> float | None:
    """The largest share of valid pixels below the offset in the bands of visible light; None where none is valid."""
    visible = [layer for layer in layers if SHORTEST <= (layer.band.wavelength or 0.0) <= LONGEST] or layers[:1]
    shares = []
    for layer in visible[:3]:
        with (
            open_dataset(layer.path, allow_remote=allow_remote) as dataset,
            errors_in_one_line(f"{layer.path} cannot be read"),
        ):
            shape = (min(dataset.height, SAMPLED), min(dataset.width, SAMPLED))
            values = dataset.read(layer.index, out_shape=shape, resampling=Resampling.nearest)
        fill = 0 if layer.nodata is None else layer.nodata
        valid = values[values != fill]
        if valid.size:
            shares.append(float((valid < OFFSET).mean()))
    return max(shares) if shares else None
