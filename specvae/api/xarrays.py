"""Scores of xarray's DataArrays and Datasets: with their coordinates and CRS, lazy where they are lazy."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from xarray import DataArray, Dataset, concat

from specvae.api.block import ArrayScorer
from specvae.api.stored import Stored, StoredValues, stored_as
from specvae.bands import Band, BandSet, canonical_name
from specvae.detector import Detector
from specvae.errors import InputError
from specvae.ingest.formats.wavelengths import nanometres
from specvae.spectra import Window

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

    # Masks and scores in memory or lazy; ``Valid`` may have named dimensions, by which it is brought into order.
    Usable: TypeAlias = DaskArray | NDArray[np.bool_] | None
    Valid: TypeAlias = DataArray | Usable
    Scores: TypeAlias = DaskArray | NDArray[np.float32]

__all__ = ["score_labelled"]

BAND_DIMS = ("band", "bands", "wavelength", "wavelengths", "wl", "channel", "spectral", "variable")
PLANE = (
    ("y", "x"),
    ("lat", "lon"),
    ("latitude", "longitude"),
    ("northing", "easting"),
    ("row", "col"),
    ("line", "sample"),
)
PARTS = ("score", "reconstruction", "kl")
ATTRIBUTES = {"long_name": "anomaly score: reconstruction + kl; higher is more anomalous", "units": "nat"}
STORED = (("scale_factor", 1.0), ("add_offset", 0.0))


def score_labelled(
    cube: DataArray | Dataset,
    detector: Detector,
    bands: Sequence[str] | None,
    valid: Valid,
    nodata: float | None,
    parts: bool,
    band_dim: str | None,
) -> DataArray:
    """Scores of a DataArray or Dataset, as :func:`specvae.score_array` gives them."""
    array, bands = _one_array(cube, bands, nodata, detector.bands)
    band = _band_dim(array, band_dim)
    source = _bands(array, band, bands)
    nodata = _declared(array) if nodata is None else nodata
    scale, offset = (_by_band(array.attrs.get(key), len(source), default) for key, default in STORED)
    how = stored_as(detector, source, array.dtype, nodata, scale, offset)
    plane = _plane(array, band)
    if len(plane) == 1:
        return _finished(array, _rows(array.transpose(band, *plane), detector, how, valid), plane, band, parts)
    # What is neither band nor plane, such as time, is taken slice by slice, and each slice is scored as a scene.
    others = [dim for dim in array.dims if dim not in (band, *plane)]
    if others:
        return _each(
            array, others[0], valid, lambda one, ok: score_labelled(one, detector, bands, ok, nodata, parts, str(band))
        )
    array = array.transpose(band, *plane)
    usable = None if valid is None else _usable(valid, plane)
    work = _now if array.chunks is None else _lazily
    return _finished(array, work(array.data, ArrayScorer(detector), how, usable), plane, band, parts)


def _one_array(
    cube: DataArray | Dataset, bands: Sequence[str] | None, nodata: float | None, model: BandSet
) -> tuple[DataArray, Sequence[str] | None]:
    """A Dataset's variables, stacked along a new dimension ``band``; a DataArray as it is.

    Of a Dataset that has all of the model's bands by name, those; classes (SCL) and a variable that holds the reference
    system are none.
    """
    if isinstance(cube, DataArray):
        return cube, bands
    if bands is None:
        cube = cube[_variables(cube, model)]
    names = [str(name) for name in cube.data_vars]
    declared = {_declared(cube[name]) for name in cube.data_vars}
    array = cube.to_dataarray("band")
    # to_dataarray drops the encoding, in which the variable with the CRS is named.
    array.encoding.update({key: value for key, value in cube[names[0]].encoding.items() if key == "grid_mapping"})
    if len(declared) > 1 and nodata is None:
        raise InputError(f"the variables {names} declare different no-data values {declared}; give nodata=")
    # Nor does it keep attributes that differ from variable to variable; the scale of each becomes a list by band.
    array.attrs["_FillValue"] = declared.pop()
    for key, default in STORED:
        array.attrs[key] = [float(cube[name].attrs.get(key, default)) for name in names]
    return array, bands or names


def _variables(cube: Dataset, model: BandSet) -> list[Hashable]:
    """The variables of a Dataset that are bands: the model's by name, else all that run over rows and columns."""
    wanted = {canonical_name(name) for name in model.names if name}
    named = [name for name in cube.data_vars if canonical_name(str(name)) in wanted]
    if wanted and len(named) == len(model):
        return named
    return [name for name in cube.data_vars if cube[name].ndim > 1]


def _band_dim(array: DataArray, given: str | None) -> Hashable:
    """The dimension of the bands: the one that is given, else the first of the usual names."""
    dims = {str(dim).casefold(): dim for dim in array.dims}
    known = [given] if given else [name for name in BAND_DIMS if name in dims]
    dim: Hashable | None = next((dims[name.casefold()] for name in known if name.casefold() in dims), None)
    if dim is None:
        raise InputError(f"none of the dimensions {tuple(array.dims)} is known to be the bands; give band_dim=")
    return dim


def _plane(array: DataArray, band: Hashable) -> tuple[Hashable, ...]:
    """The dimensions of rows and of columns; of a table, which has one dimension beside its bands, that one."""
    rest = [dim for dim in array.dims if dim != band]
    low = {str(dim).casefold(): dim for dim in rest}
    for row, col in PLANE:
        if row in low and col in low:
            return low[row], low[col]
    if len(rest) not in (1, 2):
        raise InputError(
            f"of the dimensions {tuple(array.dims)} none are known to be rows and columns; rename them to y and x"
        )
    return tuple(rest)


def _bands(array: DataArray, band: Hashable, given: Sequence[str] | None) -> BandSet:
    """The bands: names as given, else from the coordinate along the bands or ``long_name``; wavelengths from coordinates."""
    count = array.sizes[band]
    names = list(given) if given is not None else _names(array, band, count)
    if len(names) != count:
        raise InputError(f"{len(names)} band names came for an array of {count} bands; name each")
    # Any coordinate along the bands may be the wavelengths: it need not be the dimension's own.
    wavelengths: list[float | None] = [None] * count
    for coordinate in array.coords.values():
        if coordinate.dims == (band,) and str(coordinate.name).casefold().rstrip("s") in ("wavelength", "wl"):
            unit = str(coordinate.attrs.get("units", ""))
            wavelengths = [nanometres(value, unit) for value in coordinate.values]
    return BandSet(tuple(Band(name, wave) for name, wave in zip(names, wavelengths, strict=True)))


def _names(array: DataArray, band: Hashable, count: int) -> list[str]:
    if band in array.coords and array.coords[band].dtype.kind in "USO":
        return [str(name) for name in array.coords[band].values]
    # rioxarray puts a file's band descriptions there: a text for one band, a tuple for several.
    names = array.attrs.get("long_name")
    names = [names] if isinstance(names, str) and count == 1 else names
    return [str(name) for name in names] if isinstance(names, (list, tuple)) and len(names) == count else [""] * count


def _declared(array: DataArray) -> float | None:
    """The value that means no data in the array as it is."""
    # Attributes alone count: where xarray has masked an array already, it moved the value to the encoding, and the array
    # holds NaN.
    for key in ("_FillValue", "missing_value", "nodata"):
        if array.attrs.get(key) is not None:
            return float(np.asarray(array.attrs[key]).flat[0])
    return None


def _by_band(attribute: object, count: int, default: float) -> list[float]:
    """A value for each band: an attribute of one value or of as many as there are bands, else the default."""
    values = np.atleast_1d(np.asarray(default if attribute is None else attribute, np.float64))
    return [float(value) for value in (values if len(values) == count else np.repeat(values[:1], count))]


def _usable(valid: DataArray | DaskArray | NDArray[np.bool_], plane: tuple[Hashable, ...]) -> Usable:
    """The mask ``valid`` as an array ``(rows, cols)``; a lazy DataArray stays lazy."""
    return valid.transpose(*plane).data if isinstance(valid, DataArray) else np.asarray(valid)


def _rows(array: DataArray, detector: Detector, how: Stored, valid: Valid) -> NDArray[np.float32]:
    usable = None if valid is None else np.asarray(valid, bool)
    return ArrayScorer(detector).rows(np.asarray(array.data), how, usable)


def _now(stored: StoredValues, scorer: ArrayScorer, how: Stored, valid: Usable) -> NDArray[np.float32]:
    everything = Window(0, 0, *stored.shape[1:])
    usable = None if valid is None else np.asarray(valid, bool)
    return scorer.block(np.asarray(stored), how, usable, around=everything, inner=everything)


def _lazily(stored: DaskArray, scorer: ArrayScorer, how: Stored, valid: Usable) -> DaskArray:
    """Scores as a lazy array: dask computes them block by block, each with the model's halo of its neighbours."""
    import dask.array

    da: Any = dask.array  # its functions have no types
    halo = scorer.detector.halo
    # A block that is narrower than the halo would need the neighbours of its neighbours, which map_overlap cannot give.
    plan = _Plan(tuple(da.overlap.ensure_minimum_chunksize(max(1, halo), sizes) for sizes in stored.chunks[1:]), halo)
    # All bands of a pixel in one block: a score needs them together.
    given = [da.rechunk(stored, (stored.shape[0], *plan.chunks))]
    if valid is not None:
        given.append(da.asarray(valid)[None].rechunk((1, *plan.chunks)))
    lazy: DaskArray = da.map_overlap(
        _work,
        *given,
        scorer=scorer,
        how=how,
        plan=plan,
        depth={0: 0, 1: halo, 2: halo},
        boundary="none",  # beyond the array there is nothing, as beyond a scene: no value is made up there
        trim=False,  # the scores are without the halo already
        align_arrays=False,
        chunks=((len(PARTS),), *plan.chunks),
        dtype=np.float32,
        # The type of the result: without it dask would call _work with an empty array to learn it.
        meta=np.empty((0, 0, 0), np.float32),
    )
    return lazy


@dataclass(frozen=True)
class _Plan:
    """Where the blocks of a lazy array lie."""

    chunks: tuple[tuple[int, ...], tuple[int, ...]]
    """Heights of the rows of blocks, and widths of the columns of blocks."""
    halo: int

    def windows(self, row: int, col: int) -> tuple[Window, Window]:
        """The window of a block with its halo, and without."""
        # dask says a block's number alone; where it lies in the array is the sum of the blocks before it.
        rows, cols = self.chunks
        inner = Window(sum(rows[:row]), sum(cols[:col]), rows[row], cols[col])
        return inner.grow(self.halo).clip(Window(0, 0, sum(rows), sum(cols))), inner


def _work(
    block: StoredValues,
    usable: NDArray[np.generic] | None = None,
    *,
    scorer: ArrayScorer,
    how: Stored,
    plan: _Plan,
    block_id: tuple[int, ...] = (),
) -> NDArray[np.float32]:
    around, inner = plan.windows(*block_id[-2:])
    return scorer.block(block, how, None if usable is None else usable[0].astype(bool), around, inner)


def _each(array: DataArray, dim: Hashable, valid: Valid, score: Callable[[DataArray, Valid], DataArray]) -> DataArray:
    """Slices along a further dimension, such as time, scored one by one and put together again."""
    # A mask of this dimension is cut with the array; one without it is that of every slice.
    own = valid if isinstance(valid, DataArray) and dim in valid.dims else None
    done = [score(array.isel({dim: i}), valid if own is None else own.isel({dim: i})) for i in range(array.sizes[dim])]
    return concat(done, dim=array.coords.get(dim, dim))


def _finished(
    array: DataArray,
    scores: Scores,
    plane: tuple[Hashable, ...],
    band: Hashable,
    parts: bool,
) -> DataArray:
    """A DataArray of the scores with the coordinates of the pixels."""
    coords = {name: coord for name, coord in array.coords.items() if band not in coord.dims}
    if parts:
        made = type(array)(scores, {**coords, "part": list(PARTS)}, ("part", *plane), "score", ATTRIBUTES)
    else:
        made = type(array)(scores[0], coords, plane, "score", ATTRIBUTES)
    if "grid_mapping" in array.encoding:
        made.encoding["grid_mapping"] = array.encoding["grid_mapping"]
    return made
