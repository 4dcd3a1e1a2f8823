"""Colours of scores and flags, alike in the quicklook, the page and the styles for QGIS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLAG", "viridis"]

FLAG = (230, 0, 126)
"""Of an anomalous pixel: told apart from viridis and from natural colours, also by the colour-blind."""
KNOTS = ("440154", "482878", "3e4a89", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725")


def viridis(place: NDArray[np.floating]) -> NDArray[np.uint8]:
    """``(...)`` in 0..1 -> ``(..., 3)`` red, green, blue; the perceptually even map of matplotlib, from ten of its colours.

    Examples
    --------
    >>> viridis(np.array([0.0, 1.0])).tolist()
    [[68, 1, 84], [253, 231, 37]]
    """
    knots = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in KNOTS], np.float64)
    at = np.linspace(0, 1, len(knots))
    whole = np.clip(np.nan_to_num(place), 0, 1)
    return np.stack([np.interp(whole, at, knots[:, i]).round() for i in range(3)], axis=-1).astype(np.uint8)
