"""Objects as rows: named columns and polygons, without a data frame, which takes a second to import."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS

__all__ = ["ObjectRows"]


@dataclass(frozen=True, eq=False)
class ObjectRows:
    """One row an object."""

    columns: dict[str, NDArray[Any]]
    """``(n,)`` each: integers, floats (NaN where missing), truth values or text."""
    geometry: NDArray[Any]
    """``(n,)`` shapely MultiPolygons; None for objects that were not outlined."""
    crs: CRS | None
    """The reference system of the polygons; None where nothing places them on Earth."""

    def __len__(self) -> int:
        return len(self.geometry)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def insert(self, before: str, **columns: NDArray[Any]) -> ObjectRows:
        """The rows with more columns, which are inserted before the column ``before``."""
        names = list(self.columns)
        at = names.index(before)
        order = [*names[:at], *columns, *names[at:]]
        both = self.columns | columns
        return replace(self, columns={name: both[name] for name in order})

    def records(self, names: Sequence[str], count: int, where: NDArray[np.bool_] | None = None) -> list[dict[str, Any]]:
        """The first ``count`` rows (of those ``where``) as JSON-ready dictionaries, null where a number is missing."""
        chosen = np.arange(len(self)) if where is None else np.flatnonzero(where)
        return [{name: _plain(self.columns[name][i]) for name in names} for i in chosen[:count]]

    def to_frame(self) -> Any:
        """A GeoDataFrame."""
        import geopandas
        import pandas as pd

        text = {name: "str" for name, values in self.columns.items() if values.dtype == object}
        frame = pd.DataFrame(self.columns).astype(text)
        return geopandas.GeoDataFrame(
            frame, geometry=self.geometry, crs=None if self.crs is None else self.crs.to_wkt()
        )


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: Python's own type, None for NaN and infinities."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
