"""How much of a scene is anomalous, where it is so much that the scene as a whole is the news and not the objects in it."""

from __future__ import annotations

from specvae.scoring.gathered.pixels import PixelSection

__all__ = ["extent_of", "extent_warning"]

LARGE, MOST = 0.25, 0.5
"""Shares of the valid pixels above which a large part of a scene, and most of it, is anomalous."""


def extent_of(pixels: PixelSection) -> str | None:
    """``most`` or ``a large part``; None where at most a quarter of the valid pixels are anomalous.

    Examples
    --------
    >>> extent_of({"total": 100, "valid": 90, "anomalous": 49, "invalid_by_reason": {"nodata": 10}})
    'most'
    """
    anomalous, valid = pixels["anomalous"], pixels["valid"]
    if anomalous <= LARGE * valid:
        return None
    return "most" if anomalous > MOST * valid else "a large part"


def extent_warning(pixels: PixelSection, noun: str) -> str | None:
    """What a reader must know of such a scene, or of such a table where ``noun`` is rows; None for any other."""
    extent = extent_of(pixels)
    if extent is None:
        return None
    share, of = pixels["anomalous"] / pixels["valid"], "table" if noun == "rows" else "scene"
    return (
        f"{extent} of the {of} is anomalous ({100 * share:.3g} % of its valid {noun}): it is not what the model was fitted "
        "on, as another place, season or processing is, or a failed sensor; single objects in it mean little"
    )
