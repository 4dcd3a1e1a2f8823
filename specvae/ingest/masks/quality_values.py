"""Names of the values and bits in the common quality rasters, and what a ``--mask`` excludes by them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import UsageError
from specvae.ingest.validity import Mask

__all__ = ["CLASSES", "SCHEMES", "excluded_values", "scheme_of"]

SCL = {
    **{"nodata": 0, "saturated": 1, "dark": 2, "shadow": 3, "cloud_shadow": 3, "vegetation": 4, "bare": 5, "water": 6},
    **{"unclassified": 7, "cloud_medium": 8, "cloud_high": 9, "cirrus": 10, "snow": 11},
}
"""Sentinel-2 scene classification (ESA, S2 MSI Level-2A algorithm overview)."""
FMASK_CLASSES = {"land": 0, "clear": 0, "water": 1, "shadow": 2, "cloud_shadow": 2, "snow": 3, "cloud": 4, "fill": 255}
"""Classes of Fmask and CFMask (Zhu and Woodcock 2012); HLS makes bits of them."""
CLASSES = {"scl": SCL, "fmask_classes": FMASK_CLASSES}
"""The kinds whose values are classes, with the values by name."""
BITS: dict[str, dict[str, int]] = {
    "qa_pixel": {"fill": 0, "dilated_cloud": 1, "cirrus": 2, "cloud": 3, "shadow": 4, "cloud_shadow": 4, "snow": 5,
                 "clear": 6, "water": 7},
    "pixel_qa": {"fill": 0, "clear": 1, "water": 2, "shadow": 3, "cloud_shadow": 3, "snow": 4, "cloud": 5,
                 "terrain": 10},
    "bqa": {"fill": 0, "terrain": 1, "cloud": 4},
    "fmask_bits": {"cirrus": 0, "cloud": 1, "adjacent": 2, "shadow": 3, "cloud_shadow": 3, "snow": 4, "water": 5},
    "qa60": {"cloud": 10, "cirrus": 11},
    "modis_state": {"shadow": 2, "cloud_shadow": 2, "internal_cloud": 10, "fire": 11, "snow": 12, "adjacent": 13},
    "qai": {"nodata": 0, "fill": 0, "shadow": 3, "cloud_shadow": 3, "snow": 4, "water": 5, "subzero": 8, "saturated": 9},
}  # fmt: skip
"""Bit numbers: Landsat Collection 2 QA_PIXEL, Collection 1 pixel_qa and BQA, HLS v2 Fmask, Sentinel-2 QA60, FORCE QAI, and
the state of MODIS surface reflectance (MOD09 User's Guide, state_1km and state_500m)."""
FIELDS: dict[str, dict[str, tuple[int, int, int]]] = {
    "qa_pixel": {"cirrus": (14, 2, 3)},
    "pixel_qa": {"cirrus": (8, 2, 3)},
    "qai": {"cloud": (1, 2, 1), "cirrus": (1, 2, 3)},
    "modis_state": {"cirrus": (8, 2, 2)},
    "bqa": {
        "saturated": (2, 2, 1),
        "shadow": (7, 2, 3),
        "cloud_shadow": (7, 2, 3),
        "snow": (9, 2, 3),
        "cirrus": (11, 2, 3),
    },
}
"""Confidence fields: (first bit, width, least value that counts)."""
MODIS_CLOUDS = {"cloud": (1, 2), "cloudy": (1,), "mixed": (2,)}
"""Values of MODIS's first two bits, the state of clouds: cloudy and mixed; 3 is not set and taken for clear."""
MODIS_FILL = 65535
SCHEMES = (*CLASSES, *BITS, "fmask")
"""The kinds of quality rasters; ``fmask`` is the one of its two that the mask at hand is of."""
USUAL = {
    "scl": ("nodata", "saturated", "shadow", "cloud_medium", "cloud_high", "cirrus", "snow"),
    "qa_pixel": ("fill", "dilated_cloud", "cirrus", "cloud", "shadow", "snow"),
    "pixel_qa": ("fill", "shadow", "snow", "cloud"),
    "bqa": ("fill", "cloud", "shadow"),
    "fmask_bits": ("cirrus", "cloud", "adjacent", "shadow", "snow"),
    "fmask_classes": ("shadow", "snow", "cloud", "fill"),
    "qa60": ("cloud", "cirrus"),
    "modis_state": ("fill", "cloud", "shadow", "cirrus", "snow", "adjacent"),
    "qai": ("nodata", "cloud", "shadow", "snow", "subzero", "saturated"),
}
"""What a mask of each kind excludes where no values are named."""
HINTS = (
    ("scl", r"(?:^|[^a-z])scl(?:$|[^a-z])|scene_?classification"),
    ("qa_pixel", r"qa_pixel"),
    ("pixel_qa", r"pixel_qa"),
    ("fmask", r"c?fmask"),
    ("bqa", r"bqa"),
    ("qa60", r"qa_?60"),
    ("modis_state", r"state_?qa|state_?\d+k?m|refl_state"),
    ("qai", r"(?:^|[^a-z])qai(?:$|[^a-z])"),
)
"""The kinds of quality rasters, and what in a file name or description speaks of them."""
RANGE = re.compile(r"^(-?\d+)\s*-\s*(-?\d+)$")


def scheme_of(hint: str) -> str | None:
    """The kind of quality raster that a file name or description names, or None."""
    return next((name for name, pattern in HINTS if re.search(pattern, hint.casefold())), None)


def excluded_values(
    stored: NDArray[Any],
    known: Mask,
    values: tuple[str, ...],
    scheme: str | None,
    inverted: bool = False,
    least: float | None = None,
) -> Mask:
    """Where a mask excludes pixels, ``(rows, cols)``.

    ``values``: numbers, ranges, ``bitN``, a kind (``scl``: its usual values), names with or without their kind
    (``scl:cirrus``). Without any, the usual ones of ``scheme``, the kind of the mask; a mask of no known kind is
    read as GDAL reads masks, 0 and nodata excluded, or where it is ``inverted`` what is not 0 excluded, or of
    probabilities what is at ``least`` so large. What a known kind marks as missing is excluded too.
    """
    items = values or USUAL.get(scheme or "", ())
    if not items and least is not None:
        return np.asarray((stored >= least) & known)
    if not items:
        return np.asarray(((stored != 0) & known) if inverted else ((stored == 0) | ~known))
    # NaN cannot become a whole number; what is not known is 0 for now, and `known` decides about it below.
    numbers = np.where(known, stored, 0).astype(np.int64)
    out = np.zeros(stored.shape, bool) if values else ~known
    for item in items:
        kind = _own_kind(item.strip().casefold(), scheme)
        for name in [f"{kind}:{usual}" for usual in USUAL[kind]] if kind in USUAL else [item]:
            out |= _where(numbers, name, scheme) & known
    return out


def _where(values: NDArray[np.int64], item: str, scheme: str | None) -> Mask:
    """Where one item holds: a number, a range, bits, or the name of a class or flag."""
    text = item.strip().casefold().replace(" ", "_")
    if re.fullmatch(r"-?\d+(\.0*)?", text):
        return np.asarray(values == int(float(text)))
    if hit := RANGE.match(text):
        return np.asarray((values >= int(hit.group(1))) & (values <= int(hit.group(2))))
    if hit := re.fullmatch(r"bits?[_:]?(\d+)(?:-(\d+))?", text):
        first, last = int(hit.group(1)), int(hit.group(2) or hit.group(1))
        # A shift of a 64-bit number by more than 62 would reach its sign.
        return np.asarray(sum((values >> bit) & 1 for bit in range(first, min(last, 62) + 1)) != 0)
    if ":" in text:
        kind, text = text.split(":", 1)
        scheme = _own_kind(kind, scheme)
    return _named(values, text, scheme, item)


def _own_kind(kind: str, scheme: str | None) -> str:
    """``fmask`` as the one of its two kinds that the mask is of, the bits of HLS where that is unknown."""
    if kind != "fmask":
        return kind
    return scheme if scheme and scheme.startswith("fmask_") else "fmask_bits"


def _named(values: NDArray[np.int64], name: str, scheme: str | None, item: str) -> Mask:
    """Where a class, a confidence field or a bit of this name holds. Raises UsageError for a name that is none."""
    name = name.removesuffix("s") if name in ("clouds", "shadows") else name
    if scheme == "scl" and name == "cloud":
        return np.asarray((values == 8) | (values == 9))
    classes = CLASSES.get(scheme or "", {})
    if name in classes:
        return np.asarray(values == classes[name])
    if scheme == "modis_state" and name in MODIS_CLOUDS:
        return np.asarray(np.isin(values & 3, MODIS_CLOUDS[name]) & (values != MODIS_FILL))
    if scheme == "modis_state" and name in ("fill", "nodata"):
        return np.asarray(values == MODIS_FILL)
    if scheme == "fmask_bits" and name in ("fill", "nodata"):
        return np.asarray(values == 255)
    if name in FIELDS.get(scheme or "", {}):
        first, width, least = FIELDS[scheme or ""][name]
        return np.asarray(((values >> first) & ((1 << width) - 1)) >= least)
    name = "fill" if name == "nodata" else name
    if name in classes:
        return np.asarray(values == classes[name])
    if name in BITS.get(scheme or "", {}):
        bit = (values >> BITS[scheme or ""][name]) & 1 == 1
        # HLS fills with 255, which has every bit set and is no cloud.
        return np.asarray(bit & (values != 255)) if scheme == "fmask_bits" else np.asarray(bit)
    raise _unknown(item, scheme)


def _unknown(item: str, scheme: str | None) -> UsageError:
    """The error of a name that the mask's kind does not know, with the names it knows."""
    if scheme in SCHEMES:
        names = sorted({*CLASSES.get(scheme, {}), *BITS.get(scheme, {}), *FIELDS.get(scheme, {})})
        return UsageError(f"--mask-values has {item!r}; {scheme} knows {', '.join(names)}, numbers, ranges and bitN")
    return UsageError(
        f"--mask-values has {item!r}, but the mask's kind is not told by its name; "
        f"write KIND:NAME with one of {', '.join(SCHEMES)}, or give numbers, ranges or bitN"
    )
