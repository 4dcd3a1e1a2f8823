"""A one-band raster over a scene: on its grid as it is, or by nearest neighbour where it is coarser or finer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as transform_points
from rasterio.windows import Window as RasterioWindow

from specvae.errors import InputError, ReadError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.array_files import is_array_file, read_plane
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.formats.references import check_references
from specvae.ingest.grid import Grid
from specvae.ingest.masks.mask_kind import MaskKind, band_of_mask, kind_of_mask
from specvae.ingest.masks.quality_values import excluded_values, scheme_of
from specvae.ingest.options import IngestOptions
from specvae.ingest.validity import Mask, equals
from specvae.spectra import Window

__all__ = ["RasterOverlay", "fitted", "open_raster"]

SAMPLED = 512
"""Rows and columns, at most, of the sample by which the meaning of a mask's numbers is told."""
Plane = NDArray[Any]
"""Values ``(rows, cols)`` in the type as stored."""


@dataclass(frozen=True)
class Numbers:
    """What the numbers of a plane mean."""

    band: int = 1
    """The band that is read."""
    nodata: float | None = None
    """The value that marks what is not known."""
    unknown: float | None = 255
    """The value that is unknown in a truth; None where it is the only one that is not 0."""
    kind: MaskKind = field(default_factory=lambda: MaskKind(None))
    """What a mask leaves out by them."""
    values: tuple[str, ...] = ()
    """The --mask-values."""


class RasterOverlay:
    """A plane of values over the scene: a mask, a normal area or a truth."""

    def __init__(
        self, path: str, source: Plane | DatasetReader, numbers: Numbers, decisions: tuple[Decision, ...] = ()
    ) -> None:
        self.path, self._source, self._numbers, self.decisions = path, source, numbers, decisions

    def marked(self, window: Window) -> Mask:
        """Where it is non-zero and not nodata."""
        values, known = self._read(window, self._numbers.nodata)
        return np.asarray((values != 0) & known)

    def excluded(self, window: Window) -> Mask:
        """Where its values are among the --mask-values, or without these among the usual ones of its kind."""
        numbers = self._numbers
        values, known = self._read(window, numbers.nodata)
        return excluded_values(
            values, known, numbers.values, numbers.kind.scheme, numbers.kind.inverted, numbers.kind.least
        )

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """Non-zero is 1, anomalous; 255 and nodata are 255, unknown; 0 is 0, also where it is declared as nodata.

        Many masks declare a nodata of 0 so that a viewer does not draw it; taken literally, nothing would be normal.
        """
        nodata = self._numbers.nodata
        values, known = self._read(window, None if nodata == 0 else nodata)
        if self._numbers.unknown is not None:
            known &= values != self._numbers.unknown
        return np.where(known, (values != 0).astype(np.uint8), np.uint8(255))

    def _read(self, window: Window, nodata: float | None) -> tuple[Plane, Mask]:
        """Values ``(rows, cols)``, and where they are known: neither NaN nor ``nodata``."""
        if isinstance(self._source, np.ndarray):
            values = self._source[window.slices]
        else:
            box = RasterioWindow(window.col, window.row, window.cols, window.rows)
            with errors_in_one_line(f"{self.path} cannot be read at rows from {window.row}", ReadError):
                values = self._source.read(self._numbers.band, window=box)
        known = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
        missing = equals(values, nodata) if nodata is not None else None
        return values, known if missing is None else known & ~missing

    def close(self) -> None:
        """Close the file."""
        if not isinstance(self._source, np.ndarray):
            self._source.close()


def open_raster(path: str, grid: Grid, purpose: str, options: IngestOptions) -> RasterOverlay:
    """The plane at ``path`` on ``grid``. Raises InputError where it does not cover the same ground."""
    name, values = Path(path).name, options.mask_values
    if is_array_file(path):
        plane = read_plane(path, options.allow_huge)
        if plane.shape != grid.shape:
            raise _other_size(path, purpose, plane.shape, grid)
        kind, decisions = kind_of_mask(path, name, plane, values) if purpose == "mask" else (MaskKind(None), ())
        return RasterOverlay(path, plane, Numbers(kind=kind, values=values), decisions)
    check_references(path, options.allow_remote)
    dataset = open_dataset(path, allow_remote=options.allow_remote)
    source = fitted(dataset, path, grid, purpose)
    numbers, decisions = _numbers_of(dataset, path, purpose, values)
    return RasterOverlay(path, source, numbers, decisions)


def _numbers_of(
    dataset: DatasetReader, path: str, purpose: str, values: tuple[str, ...]
) -> tuple[Numbers, tuple[Decision, ...]]:
    """Which band of a raster is read and what its numbers mean, with what was decided about both."""
    names = [(name or "").strip() for name in dataset.descriptions]
    if purpose != "mask":
        first = f"--{purpose} {path} is read from its first band of {len(names)}"
        guess = (
            (Decision("mask", first, "its being the first", tuple(names[1:8]), guessed=True),) if len(names) > 1 else ()
        )
        unknown, how = _unknown(_sampled(dataset, path, 1, None), path) if purpose == "truth" else (255, ())
        return Numbers(nodata=dataset.nodata, unknown=unknown), (*guess, *how)
    band, chosen = band_of_mask(path, names, values)
    hint, every = f"{Path(path).name} {names[band - 1]}", _sampled(dataset, path, band, None)
    nodata = _nodata_of_mask(every, dataset.nodatavals[band - 1], hint, values)
    known = every if nodata is None else _sampled(dataset, path, band, nodata)
    kind, decisions = kind_of_mask(path, hint, known, values)
    return Numbers(band, nodata, kind=kind, values=values), (*((chosen,) if chosen else ()), *decisions)


def _nodata_of_mask(every: Plane, nodata: float | None, hint: str, values: tuple[str, ...]) -> float | None:
    """The value of a mask that is not known: none where it is one of the only two, or of no known kind and 0.

    Many masks declare a nodata of 0 so that a viewer does not draw it; taken literally, what is clear would be unknown.
    """
    if nodata is None or scheme_of(hint) is not None or values:
        return nodata
    present = np.unique(every)
    return None if nodata == 0 or (len(present) <= 2 and (present == nodata).any()) else nodata


def _sampled(dataset: DatasetReader, path: str, band: int, nodata: float | None) -> Plane:
    """Values of a band that are known, of a coarse grid, by nearest neighbour, which makes up no value."""
    with errors_in_one_line(f"{path} cannot be read", ReadError):
        shape = (min(dataset.height, SAMPLED), min(dataset.width, SAMPLED))
        sample = dataset.read(band, out_shape=shape, resampling=Resampling.nearest)
    missing = equals(sample, nodata) if nodata is not None else None
    return np.asarray(sample[np.isfinite(sample) if missing is None else np.isfinite(sample) & ~missing])


def _unknown(sample: Plane, path: str) -> tuple[float | None, tuple[Decision, ...]]:
    """The value that is unknown in a truth: 255, but where 0 and 255 alone are in it, as 8-bit pictures have masks."""
    if not np.array_equal(np.unique(sample), [0, 255]):
        return 255, ()
    chosen = f"--truth {path}: 255 is anomalous"
    return None, (Decision("labels", chosen, "its values, 0 and 255 alone", ("255 is unknown",), guessed=True),)


def fitted(dataset: DatasetReader, path: str, grid: Grid, purpose: str) -> DatasetReader | WarpedVRT:
    """The dataset itself where it lies on the grid, else resampled, else refused."""
    if dataset.dtypes[0].startswith("complex"):
        raise InputError(f"--{purpose} {path} holds complex values; a mask has whole numbers")
    other = Grid.of(dataset)
    # A mask of the same size needs no CRS: it lies on the scene pixel by pixel, unless both say that they are
    # elsewhere.
    if other.shape == grid.shape:
        _check_place(path, purpose, other, grid)
        return dataset
    if not (other.placed and grid.placed and other.crs == grid.crs and grid.same_footprint(other)):
        raise _other_size(path, purpose, other.shape, grid)
    with errors_in_one_line(f"{path} cannot be resampled"), rasterio.Env():
        crs = other.crs or "EPSG:3857"  # neither has a CRS, so that any serves for both
        return WarpedVRT(
            dataset,
            src_crs=crs,
            crs=crs,
            transform=grid.transform,
            width=grid.cols,
            height=grid.rows,
            # Values are classes or bits: the mean of cloud (9) and vegetation (4) is no class.
            resampling=Resampling.nearest,
        )


def _check_place(path: str, purpose: str, other: Grid, grid: Grid) -> None:
    """Refuse a mask of the right size that lies elsewhere; one without georeferencing goes by its pixels."""
    if other.placed and grid.placed and not (grid.same_footprint(other) and _same_crs(other, grid)):
        raise InputError(f"--{purpose} {path} has the scene's size but lies elsewhere; give it on the scene's own grid")


def _same_crs(other: Grid, grid: Grid) -> bool:
    """Whether numbers of two grids mean the same ground, to half a pixel: two CRS may be one in other words."""
    if other.crs is None or grid.crs is None or other.crs == grid.crs:
        return True
    x, y = grid.transform * (grid.cols / 2, grid.rows / 2)
    with errors_in_one_line(f"{other.crs} cannot be brought to {grid.crs}"):
        (there_x,), (there_y,) = transform_points(other.crs, grid.crs, [x], [y])
    size = max(abs(n) for n in (grid.transform.a, grid.transform.b, grid.transform.d, grid.transform.e))
    return bool(max(abs(there_x - x), abs(there_y - y)) <= size / 2)


def _other_size(path: str, purpose: str, shape: tuple[int, ...], grid: Grid) -> InputError:
    """The error of a mask whose size is not the scene's."""
    size, wanted = "x".join(map(str, shape)), "x".join(map(str, grid.shape))
    return InputError(f"--{purpose} {path} is {size} pixels, the scene is {wanted}; give it on the scene's own grid")
