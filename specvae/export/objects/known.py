"""Objects known from before: which of tonight's overlap them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.export.objects.rows import ObjectRows

__all__ = ["mark_known", "read_known"]


def read_known(path: str) -> Any:
    """A GeoDataFrame of the objects in any vector file. Raises InputError where it is none."""
    import geopandas

    if not os.path.exists(path):
        raise InputError(
            f"--known {path} does not exist; give an objects file of an earlier run, or another vector file"
        )
    try:
        parquet = path.casefold().endswith("parquet")
        frame = geopandas.read_parquet(path) if parquet else geopandas.read_file(path)
    except Exception as error:
        raise InputError(f"--known {path} cannot be read as a vector file: {error}") from None
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise InputError(f"--known {path} holds no geometry; give an objects file of an earlier run")
    return frame[frame.geometry.notna() & ~frame.geometry.is_empty]


def mark_known(rows: ObjectRows, known: Any) -> NDArray[np.bool_]:
    """``(n,)``: which objects share ground with a known one; a shared edge or corner is not enough.

    Known points and lines count where they touch. Coordinates are compared as they stand where a CRS is missing.
    """
    found = np.zeros(len(rows), bool)
    if not len(rows) or not len(known):
        return found
    if rows.crs is not None and known.crs is not None:
        try:
            known = known.to_crs(rows.crs.to_wkt())
        except Exception as error:  # pyproj's own
            raise InputError(f"--known cannot be brought to the scene's CRS: {error}") from None
    mine, theirs = rows.geometry, known.geometry.to_numpy()
    at, other = shapely.STRtree(theirs).query(mine, predicate="intersects")
    flat = shapely.get_dimensions(theirs[other]) == 2
    shared = shapely.area(shapely.intersection(shapely.make_valid(mine[at]), shapely.make_valid(theirs[other])))
    least = 1e-6 * np.minimum(shapely.area(mine[at]), shapely.area(theirs[other]))
    found[at[~flat | (shared > least)]] = True
    return found
