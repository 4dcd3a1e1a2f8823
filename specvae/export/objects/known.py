"""Objects known from before: which of a scene's objects overlap them."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.export.objects.rows import ObjectRows

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["KnownObjects", "mark_known", "read_known"]

KnownObjects: TypeAlias = "GeoDataFrame"
"""Objects known from before, as geopandas reads them from any vector file."""


def read_known(path: str) -> KnownObjects:
    """Read the objects of any vector file. Raises InputError where it is none."""
    import geopandas

    if not os.path.exists(path):
        raise InputError(
            f"--known {path} does not exist; give an objects file of an earlier run, or another vector file"
        )
    try:
        parquet = path.casefold().endswith("parquet")
        with warnings.catch_warnings():
            # Of a file of several layers the first is read, which of ours is that of the outlines.
            warnings.filterwarnings("ignore", message="More than one layer")
            frame = geopandas.read_parquet(path) if parquet else geopandas.read_file(path)
    except Exception as error:
        raise InputError(f"--known {path} cannot be read as a vector file: {error}") from None
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise InputError(f"--known {path} holds no geometry; give an objects file of an earlier run")
    return frame[frame.geometry.notna() & ~frame.geometry.is_empty]


def mark_known(rows: ObjectRows, known: KnownObjects) -> NDArray[np.bool_]:
    """``(n,)``: which objects share ground with a known one; a shared edge or corner is not enough.

    Known points and lines count where they touch. Coordinates are compared as they stand where a CRS is missing.
    """
    overlapping = np.zeros(len(rows), bool)
    if not len(rows) or not len(known):
        return overlapping
    if rows.crs is not None and known.crs is not None:
        try:
            known = known.to_crs(rows.crs.to_wkt())
        except Exception as error:  # pyproj's own
            raise InputError(f"--known cannot be brought to the scene's CRS: {error}") from None
    new, old = rows.geometry, known.geometry.to_numpy()
    at, other = shapely.STRtree(old).query(new, predicate="intersects")
    is_polygon = shapely.get_dimensions(old[other]) == 2
    shared = shapely.area(shapely.intersection(shapely.make_valid(new[at]), shapely.make_valid(old[other])))
    # Polygons that only touch share an area of rounding errors, which a millionth of the smaller one exceeds by far.
    least = 1e-6 * np.minimum(shapely.area(new[at]), shapely.area(old[other]))
    overlapping[at[~is_polygon | (shared > least)]] = True
    return overlapping
