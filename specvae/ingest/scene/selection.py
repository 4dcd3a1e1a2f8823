"""The selection of bands of a product: those asked for, those a model wants, or all that are spectral."""

from __future__ import annotations

import re

from specvae.bands import BandMatch, BandSet, canonical_name
from specvae.errors import InputError, ModelError, UsageError
from specvae.ingest.layer import Layer

__all__ = ["asked_for", "choose", "for_model"]

RANGE = re.compile(r"^(\d+)\s*-\s*(\d+)$")
"""A range of numbers of bands, ``5-8``."""
WAVELENGTHS = re.compile(r"^(\d+(?:\.\d+)?)\s*(?:nm)?\s*-\s*(\d+(?:\.\d+)?)\s*nm$", re.I)
"""A range of wavelengths, ``450nm-900nm``."""


def choose(layers: tuple[Layer, ...], bands: str | None, where: str) -> tuple[Layer, ...]:
    """The layers asked for with --bands, in its order; without it all that are spectral and usable.

    Raises InputError, which names the source as ``where``, where there is none.
    """
    if bands:
        return tuple(layers[i] for i in asked_for(layers, bands))
    used = tuple(layer for layer in layers if layer.left_out is None)
    if not used:
        why = sorted({layer.left_out or "" for layer in layers})
        raise InputError(f"{where} has no spectral band ({'; '.join(why)}); choose its bands with --bands")
    return used


def asked_for(layers: tuple[Layer, ...], text: str) -> list[int]:
    """0-based positions of the bands that ``text`` names: names, 1-based indices and ranges, ranges in nm."""
    order: list[int] = []
    for item in (part.strip() for part in text.split(",")):
        if item:
            order += [at for at in _one(layers, item) if at not in order]
    if not order:
        raise UsageError(f"--bands is {text!r}; give names, 1-based numbers or ranges, such as B2,B3,5-8")
    return order


def _one(layers: tuple[Layer, ...], item: str) -> list[int]:
    """0-based positions of the bands that one item of --bands names. Raises UsageError where it names none."""
    # Names come before numbers, for a band may be called 3 without being the third; the very name before its kin.
    named = [at for at, layer in enumerate(layers) if layer.band.name.casefold() == item.casefold()]
    named += [at for at, layer in enumerate(layers) if canonical_name(layer.band.name) == canonical_name(item)]
    if named:
        return named[:1]
    if hit := WAVELENGTHS.match(item):
        low, high = float(hit.group(1)), float(hit.group(2))
        # A band without a wavelength lies in no range.
        inside = [at for at, layer in enumerate(layers) if low <= (layer.band.wavelength or -1.0) <= high]
        if inside:
            return inside
    if hit := RANGE.match(item):
        first, last = int(hit.group(1)), int(hit.group(2))
        if 1 <= first <= last <= len(layers):
            return list(range(first - 1, last))
    if item.isdigit() and 1 <= int(item) <= len(layers):
        return [int(item) - 1]
    raise UsageError(f"--bands asks for {item!r}; there are {len(layers)} bands: {_shown(layers)}")


def _shown(layers: tuple[Layer, ...]) -> str:
    """The labels of the first twenty bands, for a message."""
    return ", ".join(layer.label for layer in layers[:20]) + (", ..." if len(layers) > 20 else "")


def for_model(
    layers: tuple[Layer, ...], bands: str | None, model: BandSet, where: str
) -> tuple[tuple[Layer, ...], BandMatch]:
    """The layers that serve a model's bands, in its order, and how they were matched.

    Bands left out by default serve a model that wants them by name. Raises ModelError on a mismatch.
    """
    used = choose(layers, bands, where)
    try:
        match = model.match(_set(used))
    except ModelError as error:
        everything = _by_name(layers, model) if not bands else None
        if everything is None:
            raise ModelError(f"{where}: {error}") from None
        used, match = layers, everything
    return tuple(used[i] for i in match.order), match


def _by_name(layers: tuple[Layer, ...], model: BandSet) -> BandMatch | None:
    """A match by name among all bands, also those left out by default, or None."""
    try:
        match = model.match(_set(layers))
    except ModelError:
        return None
    return match if match.by == "name" else None


def _set(layers: tuple[Layer, ...]) -> BandSet:
    """The bands of layers, in their order."""
    return BandSet(tuple(layer.band for layer in layers))
