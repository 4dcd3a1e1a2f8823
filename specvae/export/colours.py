"""The one palette: colours of scores, flags and text, alike in quicklook, page, figures and the styles for QGIS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["CSS", "FLAG", "INK", "NORMAL", "PAPER", "SOFT", "VIRIDIS", "css_variables", "rgb", "viridis"]

FLAG = "#e6007e"
"""Colour of an anomalous pixel: distinct from viridis and from natural colours, for the colour-blind too."""
NORMAL = "#3e63dd"
"""Colour of normal rows in a histogram, and of what a model draws or reconstructs."""
INK, SOFT, PAPER = "#1c2024", "#5b6069", "#ffffff"
"""Colours of text, of text of less weight, and of the background."""
VIRIDIS = (
    "#440154",
    "#482878",
    "#3e4a89",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
)
"""Ten colours at equal distances of matplotlib's viridis, the perceptually even map of scores; interpolated between."""
CSS = {
    "ground": ("#fff", "#15171a"),
    "panel": ("#f6f6f7", "#1e2125"),
    "ink": (INK, "#edeef0"),
    "soft": (SOFT, "#a9afb8"),
    "line": ("#d9dbe0", "#3a3f46"),
    "accent": ("#0b68cb", "#70b8ff"),
    "good": ("#18794e", "#4cc38a"),
    "care": ("#9a4a00", "#ffb454"),
    "bad": ("#c4262d", "#ff8589"),
    "flag": (FLAG, "#ff5cad"),
    "band": ("#0b68cb22", "#70b8ff2e"),
    "normal": ("#18794e", "#4cc38a"),
}
"""Variables of the page's style, each for a light and for a dark screen."""


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour written ``#rrggbb``.

    Examples
    --------
    >>> rgb("#e6007e")
    (230, 0, 126)
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def viridis(place: NDArray[np.floating]) -> NDArray[np.uint8]:
    """``(...)`` in 0..1 -> ``(..., 3)`` red, green, blue, interpolated between the colours of :data:`VIRIDIS`.

    Examples
    --------
    >>> viridis(np.array([0.0, 1.0])).tolist()
    [[68, 1, 84], [253, 231, 37]]
    """
    knots = np.array([rgb(colour) for colour in VIRIDIS], np.float64)
    at = np.linspace(0, 1, len(knots))
    clipped = np.clip(np.nan_to_num(place), 0, 1)
    return np.stack([np.interp(clipped, at, knots[:, i]).round() for i in range(3)], axis=-1).astype(np.uint8)


def css_variables() -> str:
    """The palette as variables of a style sheet, for light and for dark screens."""
    light, dark = (" ".join(f"--{name}: {pair[i]};" for name, pair in CSS.items()) for i in range(2))
    return (
        f":root {{ color-scheme: light dark; {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )
