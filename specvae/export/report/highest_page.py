"""The section of the page on the normal squares that set the cut: small pictures with their place."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

from PIL import Image

from specvae.training.highest_squares import HighestSquares

__all__ = ["ShownSquare", "shown_squares"]


class ShownSquare(NamedTuple):
    """One square as the page shows it."""

    uri: str
    """Its picture, a PNG in the page itself."""
    place: str
    """Where it lies, in words."""
    scores: str
    """What it scores, in words."""


def shown_squares(highest: HighestSquares | None) -> list[ShownSquare]:
    """The squares in the order of their share in the cut; none of a model that holds none."""
    if highest is None:
        return []
    shown = []
    for square, picture in zip(highest.squares, highest.pictures, strict=True):
        png = io.BytesIO()
        Image.fromarray(picture).save(png, "PNG", optimize=True)
        uri = "data:image/png;base64," + base64.b64encode(png.getvalue()).decode("ascii")
        place = f"{square['source']}, row {square['row']:,}, column {square['col']:,}"
        shown.append(ShownSquare(uri, place, f"{square['above']:,} above the cut, up to {square['peak']:,.4g} nats"))
    return shown
