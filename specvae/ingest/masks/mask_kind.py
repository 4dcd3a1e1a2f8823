"""What the numbers of a mask mean: its band, its kind and which of two values leaves a pixel out, each a decision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.decision import Decision, undecided
from specvae.ingest.masks.quality_values import CLASSES, SCHEMES, scheme_of

__all__ = ["MaskKind", "band_of_mask", "kind_of_mask"]

LEAVES_OUT = re.compile(
    r"(?:^|[^a-z])(?:clouds?|cloud_?mask|shadows?|haze|cld|clm|invalid|bad|exclude|udm|snow|no_?data|wolken\w*|nuages?|"
    r"nubes?|nuvole)(?:$|[^a-z])",
    re.I,
)
"""What in a name says that a mask marks what to leave out."""
KEEPS = re.compile(r"(?:^|[^a-z])(?:valid|clear|usable|good|data_?mask|land|normal|aoi|inside)(?:$|[^a-z])", re.I)
"""What in a name says that a mask marks what to use."""
USUAL_BANDS = ("clear", "mask", "valid", "validity", "data_mask", "datamask")
"""Names of a band that is the mask among others: UDM2's ``clear``, and the general ones."""
PROBABILITY = re.compile(
    r"(?:^|[^a-z])(?:(?:cloud|cld|snow|snw|shadow)s?[_\- ]?prob(?:ability|abilities|s)?|cldprb|snwprb|clp|probability)"
    r"(?:$|[^a-z])",
    re.I,
)
"""What in a name says that the numbers are probabilities of what is to be left out."""
LIKELY = 40
"""Per cent from which a probable cloud is left out, the usual cut of s2cloudless."""
EVEN = (0.4, 0.6)
"""Shares between which a mask of two values leaves out about as much in either reading."""


@dataclass(frozen=True)
class MaskKind:
    """How the numbers of a mask are read."""

    scheme: str | None
    """The kind of quality raster; None = zero is left out, as GDAL reads masks."""
    inverted: bool = False
    """Whether what is not zero is left out, rather than zero."""
    least: float | None = None
    """The least value that is left out, of a mask of probabilities; None for any other mask."""


def band_of_mask(path: str, names: Sequence[str], values: Sequence[str]) -> tuple[int, Decision | None]:
    """Which band of a raster is the mask, 1-based, and the decision where it has several.

    ``names``: the bands' names, empty where unknown; ``values``: the --mask-values. Raises InputError where none stands out
    from the others.
    """
    if len(names) == 1:
        return 1, None
    asked = {value.split(":")[0].casefold() for value in values} & {*SCHEMES, *CLASSES}
    wanted = {"fmask" if kind.startswith("fmask") else kind for kind in asked}
    kinds = {at: scheme_of(name) or "" for at, name in enumerate(names, start=1)}
    hits = [at for at, kind in kinds.items() if kind and (kind in wanted or not wanted)]
    if not hits and not wanted:
        hits = [at for at, name in enumerate(names, start=1) if name.strip().casefold() in USUAL_BANDS]
    if len(hits) != 1:
        shown = ", ".join(name or f"band {at}" for at, name in enumerate(names[:10], start=1))
        what = f"called {' or '.join(sorted(wanted))}" if wanted else "whose name says that it is a mask"
        raise InputError(
            f"--mask {path} has {len(names)} bands ({shown}), and not one {what}; "
            f"give its band as a file of its own (gdal_translate -b N {path} mask.tif)"
        )
    at = hits[0]
    others = tuple(name or f"band {i}" for i, name in enumerate(names, start=1) if i != at)[:8]
    return at, Decision("mask", f"--mask {path} is read from its band {at}, {names[at - 1]}", "its name", others)


def kind_of_mask(
    path: str, hint: str, sample: NDArray[Any], values: Sequence[str]
) -> tuple[MaskKind, tuple[Decision, ...]]:
    """How a mask is read by its name, the description of its band and a ``sample`` of its values that are known.

    Raises InputError where a mask of two values leaves out about as much in either reading and its name says neither.
    """
    scheme = scheme_of(hint)
    present = np.unique(sample)
    if scheme == "fmask":
        return _kind_of_fmask(path, hint, present)
    if scheme is not None or values:
        decided = (Decision("mask", f"--mask {path} is read as {scheme}", "its name"),) if scheme else ()
        return MaskKind(scheme), decided
    if PROBABILITY.search(hint):
        return _probability(path, present)
    # Of a mask of clouds without a cloud, all is 0.
    marks = bool(LEAVES_OUT.search(hint)) and not KEEPS.search(hint)
    if (present == 0).any() and (len(present) == 2 or marks):
        return _polarity(path, hint, float((sample == 0).mean()), len(present))
    if len(present) > 1 and not (present == 0).any():
        shown = ", ".join(f"{value:g}" for value in present[:5]) + (", ..." if len(present) > 5 else "")
        options = ["--mask-values NUMBERS or bitN that leave a pixel out", "a mask in which 0 is left out"]
        raise undecided(path, f"what the numbers of --mask mean ({shown}, and never 0)", options, "--mask-values")
    # Where most of a scene would be left out, the numbers may mean the contrary.
    most = len(present) > 1 and bool((sample == 0).mean() > 0.5)
    how = Decision(
        "mask",
        f"--mask {path}: 0 is left out",
        "its name, which is of no known kind",
        option="--mask-values",
        guessed=most or len(present) > 2,
    )
    return MaskKind(None), (how,)


def _probability(path: str, present: NDArray[Any]) -> tuple[MaskKind, tuple[Decision, ...]]:
    """Probable clouds from ``LIKELY`` per cent on are left out; probabilities end at 1, 100, or as bytes at 255."""
    largest = float(present.max()) if len(present) else 100.0
    full = 1.0 if largest <= 1 and present.dtype.kind == "f" else 100.0 if largest <= 100 else 255.0
    least = full * LIKELY / 100
    chosen = f"--mask {path}: its numbers are probabilities, of which those from {least:g} on are left out"
    others = ("another cut, as a mask of 0 and 1" if full == 1 else "another cut", "0 is left out")
    # Values of a mask are named as whole numbers.
    option = "" if full == 1 else f"--mask-values {least:g}-{full:g}"
    how = Decision("mask", chosen, f"its name and its largest value, {largest:g}", others, option, guessed=True)
    return MaskKind(None, least=least), (how,)


def _kind_of_fmask(path: str, hint: str, present: NDArray[Any]) -> tuple[MaskKind, tuple[Decision, ...]]:
    """The classes of Fmask (0 to 4), or the bits that HLS makes of them, whose values reach beyond 4."""
    bits, classes = (
        f"--mask {path} is read as the bits of HLS's Fmask",
        f"--mask {path} is read as the classes of Fmask",
    )
    beyond = bool(((present > 4) & (present != 255)).any())
    if beyond:
        return MaskKind("fmask_bits"), (Decision("mask", bits, "its values, which are more than classes"),)
    if re.search(r"(?:^|[^a-z])hls", hint, re.I):
        return MaskKind("fmask_bits"), (Decision("mask", bits, "its name"),)
    evidence = f"its values ({', '.join(f'{v:g}' for v in present[:6])}), all of them classes"
    return MaskKind("fmask_classes"), (
        Decision("mask", classes, evidence, ("the bits of HLS's Fmask",), "--mask-values fmask_bits", guessed=True),
    )


def _polarity(path: str, hint: str, zeros: float, values: int) -> tuple[MaskKind, tuple[Decision, ...]]:
    """Whether zero or what is not zero leaves pixels out, of ``values`` values; ``zeros`` is the share that is zero."""
    zero, other = f"--mask {path}: 0 is left out", f"--mask {path}: what is not 0 is left out"
    out = f"leaves out {zeros:.0%}"
    if LEAVES_OUT.search(hint) and not KEEPS.search(hint):
        if EVEN[0] <= zeros <= EVEN[1]:
            readings = (f"0 ({zeros:.0%})", f"what is not 0 ({1 - zeros:.0%})")
            raise undecided(
                path, f"which of its {values} values this mask leaves out", readings, "--mask-values 0 or 1"
            )
        # A mask of clouds marks the smaller part, whichever number it has for it.
        inverted = zeros > EVEN[1]
        evidence = f"its name and its shares, of which the smaller one, {min(zeros, 1 - zeros):.0%}, is left out"
        option = f"--mask-values {'0' if inverted else '1'}"
        return MaskKind(None, inverted), (
            Decision(
                "mask", other if inverted else zero, evidence, (zero if inverted else other,), option, guessed=True
            ),
        )
    most = zeros > 0.5 and not KEEPS.search(hint)
    evidence = f"GDAL's rule for masks, which {out}"
    return MaskKind(None), (Decision("mask", zero, evidence, (other,), "--mask-values 1", guessed=most),)
