"""Where the scenes of texture lie, and how parts of one are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from affine import Affine

from tests.raster_files import write

SIDE = 8
"""Pixels along a patch."""

PLACE = Affine(20.0, 0.0, 500_000.0, 0.0, -20.0, 5_800_000.0)
"""The transform of the scene's upper left pixel, a whole number of patches from the origin of the CRS."""


def write_part(path: Path, values: np.ndarray, row: int = 0, col: int = 0, nodata: float | None = None) -> Path:
    """Write ``values`` as the part of a scene that begins ``row`` rows below and ``col`` columns right of its corner."""
    transform = PLACE * Affine.translation(col, row)
    return write(path, values, crs="EPSG:32632", transform=transform, nodata=nodata)
