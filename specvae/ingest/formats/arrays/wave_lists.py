"""Lists of wavelengths that lie beside a cube in a file of plain arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band
from specvae.ingest.decision import Decision
from specvae.ingest.formats.arrays.axes import WAVES
from specvae.ingest.formats.wavelengths import nanometres

__all__ = ["bands_of_lists", "is_wavelength_list"]

LONGEST = 100_000
"""Numbers of a list that are read."""


def is_wavelength_list(name: str, shape: tuple[int, ...]) -> bool:
    """Whether an array of this name and shape may be a list of wavelengths; MATLAB stores lists as (1, n) or (n, 1)."""
    field = name.rpartition(".")[2]  # of a structure
    return bool(WAVES.search(field)) and 1 < max(shape, default=0) == math.prod(shape) <= LONGEST


def bands_of_lists(lists: Mapping[str, NDArray[Any]], count: int) -> tuple[list[Band], tuple[Decision, ...]]:
    """``count`` bands at the wavelengths of the only list that has so many, and the decision; nameless ones without it."""
    fitting = {name: values.reshape(-1) for name, values in lists.items() if values.size == count}
    for name, values in fitting.items() if len(fitting) == 1 else ():
        waves = [nanometres(float(value)) for value in values] if values.dtype.kind in "iuf" else [None]
        if None not in waves and not np.array_equal(values, np.arange(1, count + 1)):
            return [Band("", wave) for wave in waves], (
                Decision("wavelengths", f"the array {name}", "its name and length"),
            )
    return [Band() for _ in range(count)], ()
