"""Options that say how inputs are to be read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from specvae.errors import UsageError
from specvae.ingest.formats.references import dependencies
from specvae.ingest.given_numbers import buffer_pixels, nodata_value, offset_value
from specvae.option import PIXELS, READING, Option, option

__all__ = ["IngestOptions"]

LAYOUTS = ("auto", "bands-first", "bands-middle", "bands-last")
"""How the axes of an array may lie; ``auto`` looks at their names, at wavelengths beside it, and at their lengths."""
DECIMALS = ("auto", "point", "comma")
"""The decimal marks of tables of text."""
PRODUCT_MASKS = ("auto", "none")
"""Whether the masks that come with a product are applied."""
LEARNING = ("fit", "calibrate")
"""The commands that read normal data."""
TWO_DATES = (*LEARNING, "score", "inspect")
"""The commands that read an earlier date beside each scene."""


@dataclass(frozen=True)
class IngestOptions:
    """How sources are read; the defaults read a file as it describes itself. Picklable, comparable.

    The options of the commands and the keys of a pipeline's stages are made from these fields.
    """

    truth: str | None = option(
        None,
        Option(
            "Compare with true anomalies in this raster, these polygons, or this column of a table.",
            metavar="MASK",
            is_path=True,
            only=("score",),
            heading=PIXELS,
        ),
    )
    """Raster or polygons of what is anomalous (non-zero; 255 and nodata = unknown), or a table's column."""
    bands: str | None = option(
        None,
        Option(
            "Take these bands, by name, 1-based number, range or wavelengths: B2,B3,5-8,450nm-900nm.",
            metavar="LIST",
            number_as_text=True,
            only=(*LEARNING, "score", "inspect"),
            heading=PIXELS,
        ),
    )
    """Names, 1-based indices and ranges, or wavelength ranges in nm: ``B2,B3,5-8`` or ``450nm-900nm``."""
    normal: str | None = option(
        None,
        Option(
            "Fit on what is normal by this raster (non-zero) or these polygons (inside).",
            metavar="MASK",
            is_path=True,
            only=LEARNING,
            heading=PIXELS,
        ),
    )
    """Raster (non-zero = normal) or polygons (inside = normal); ``{stem}`` stands for the scene's name."""
    mask: str | None = option(
        None,
        Option(
            "Leave out 0 in this raster, or what its kind or --mask-values say, or these polygons. {stem} is filled in.",
            metavar="PATH",
            is_path=True,
            heading=PIXELS,
        ),
    )
    """Raster or polygons of what to leave out; ``{stem}`` as above."""
    mask_values: tuple[str, ...] = option(
        (),
        Option(
            "Leave out these values of --mask: numbers, or names such as scl, qa_pixel, fmask.",
            metavar="VALUES",
            heading=PIXELS,
        ),
    )
    """Values, ranges, bits (``bit3``) or names (``cloud``, ``scl:cirrus``) that are left out; () = the usual ones."""
    product_masks: str = option(
        "auto",
        Option(
            "Leave out what the masks that come with a product mark (clouds, haze, ...), or nothing.",
            choices=PRODUCT_MASKS,
        ),
    )
    """``auto``: what a product's own quality layers mark is left out; ``none``: they are not applied."""
    mask_buffer: str | int = option(
        "auto",
        Option(
            "Judge no pixel so near to a mask, and make no cut of it; `auto`: the cut alone, where 2 would set it.",
            metavar="PIXELS",
            number_as_text=True,
            heading=PIXELS,
        ),
    )
    """Pixels by which ``mask`` and ``before_mask`` are widened, along rows, columns and diagonals alike, 0 to 64.

    A fit trains on the pixels that this leaves out, so that it knows them, and calibrates without them. With ``auto`` no
    mask is widened, and a fit or a calibration leaves out the two pixels along masks where they would set the cut."""
    aoi: str | None = option(
        None, Option("Look only at what lies inside these polygons.", metavar="PATH", is_path=True, heading=PIXELS)
    )
    """Polygons outside which nothing is used; ``{stem}`` as above."""
    before: str | None = option(
        None,
        Option(
            "Compare with the same ground on an earlier date: anomalous is the change. {stem} is filled in.",
            metavar="PATH",
            is_path=True,
            only=TWO_DATES,
            heading=PIXELS,
        ),
    )
    """A scene of an earlier date on the same ground, of any sensor; ``{stem}`` as above."""
    before_mask: str | None = option(
        None,
        Option(
            "Leave out what this mask says of the earlier date, as --mask does.",
            metavar="PATH",
            is_path=True,
            only=TWO_DATES,
            heading=PIXELS,
        ),
    )
    """Raster or polygons of what to leave out since the earlier date is not usable there; ``{stem}`` as above."""
    nodata: str | float | None = option(
        None,
        Option(
            "Take this value for no data, in place of the file's; `auto` looks for one.",
            metavar="V",
            number_as_text=True,
            heading=READING,
        ),
    )
    """A value that marks missing pixels, ``auto`` (an undeclared fill where unmistakable), or None: as declared."""
    offset: str | float | None = option(
        None,
        Option(
            "Add this to every band of a raster; `auto` adds -1000 where Sentinel-2's baseline 04.00 shows.",
            metavar="V",
            number_as_text=True,
            only=(*LEARNING, "score", "inspect"),
            heading=READING,
        ),
    )
    """A number added to every band, physical units; ``auto``: -1000 where the pixels carry Sentinel-2's offset; None: 0."""
    allow_remote: bool = option(False, Option("Follow references to remote files.", heading=READING))
    """Whether remote addresses, and references leading out of a file's own folder, are followed."""
    allow_huge: bool = option(
        False, Option("Lift the limits on sizes that keep small files from claiming it all.", heading=READING)
    )
    """Whether the limits on sizes (pixels, blocks, expansion of compressed data) are lifted."""
    grid: str | None = option(
        None,
        Option(
            "Resample the others to the grid of this band. [default: the finest]",
            metavar="BAND",
            number_as_text=True,
            heading=READING,
        ),
    )
    """Band whose grid the others are resampled to, where files of one scene differ; None = the finest."""
    layout: str = option(
        "auto",
        Option(
            "Read the axes of an array, HDF5 or NetCDF in this order; of a table, bands-first means a spectrum a column.",
            choices=LAYOUTS,
            heading=READING,
        ),
    )
    """Axes of an array (.mat, .npz, .npy, HDF5, NetCDF), (rows, cols) of pixels and bands; of a table, rows and bands."""
    array: str | None = option(
        None,
        Option(
            "Read this array of a .mat, .npz, HDF5 or NetCDF file, or this sheet of a workbook. [default: the one that fits]",
            metavar="KEY",
            heading=READING,
        ),
    )
    """Key of the array in a file of several, or the sheet of a workbook; None = the one that fits."""
    decimal: str = option(
        "auto", Option("Read numbers of a table of text with this decimal mark.", choices=DECIMALS, heading=READING)
    )
    """Decimal mark of a table of text: ``point``, ``comma`` or ``auto``, as most of its cells have it."""
    label_column: str | None = option(
        None,
        Option(
            "Fit on the rows of a table that this column calls normal.", metavar="NAME", only=LEARNING, heading=PIXELS
        ),
    )
    """Column of a table that tells which rows are normal."""
    normal_value: str | None = option(
        None,
        Option(
            "Call rows with this value of it normal. [default: 0, false or normal]",
            metavar="V",
            number_as_text=True,
            only=LEARNING,
            heading=PIXELS,
        ),
    )
    """Its value in normal rows; None = 0, false or "normal"."""

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise UsageError(f"the array layout is {self.layout!r}; use one of {', '.join(LAYOUTS)}")
        if self.product_masks not in PRODUCT_MASKS:
            raise UsageError(f"--product-masks is {self.product_masks!r}; use one of {', '.join(PRODUCT_MASKS)}")
        if self.decimal not in DECIMALS:
            raise UsageError(f"the decimal mark is {self.decimal!r}; use one of {', '.join(DECIMALS)}")
        # An option may be repeated or hold a list: `a,b` and `a` `b` become the same tuple, so that requests compare
        # equal.
        split = tuple(v.strip() for value in self.mask_values for v in str(value).split(",") if v.strip())
        object.__setattr__(self, "mask_values", split)
        if self.mask_values and not self.mask:
            raise UsageError("--mask-values needs --mask, the raster whose values they are")
        if self.mask_buffer != "auto":
            object.__setattr__(self, "mask_buffer", buffer_pixels(self.mask_buffer))
        if self.widening and not (self.mask or self.before_mask):
            raise UsageError("--mask-buffer needs --mask, what it is laid around")
        if self.before_mask and not self.before:
            raise UsageError("--before-mask needs --before, the earlier date whose mask it is")
        if isinstance(self.nodata, str) and self.nodata != "auto":
            object.__setattr__(self, "nodata", nodata_value(self.nodata))
        if self.offset is not None and self.offset != "auto":
            object.__setattr__(self, "offset", offset_value(self.offset))

    @property
    def widening(self) -> int:
        """Pixels by which masks are widened where they are read: as many as were given, and none with ``auto``."""
        return 0 if isinstance(self.mask_buffer, str) else self.mask_buffer

    def to_json(self) -> dict[str, Any]:
        """The options ready for JSON, as they are stored beside a result and compared with those of the next run."""
        # As text, for NaN is not in JSON, and is unequal to itself: no result would ever count as up to date.
        nodata = None if self.nodata is None else str(self.nodata)
        options = asdict(self) | {"mask_values": list(self.mask_values), "nodata": nodata}
        # Of what was no choice once nothing is said where it is not used: older results stay done.
        unused = {key for key in ("before", "before_mask", "offset") if options[key] is None}
        unused |= {key for key in ("product_masks", "mask_buffer") if options[key] == "auto"}
        return {key: value for key, value in options.items() if key not in unused}

    def companion(self, path: str | None, stem: str) -> str | None:
        """The path of a mask or truth for a source: ``{stem}`` is replaced by the source's stem."""
        return path.replace("{stem}", stem) if path else None

    def companions(self, stem: str) -> list[Path]:
        """The masks, truths and earlier dates of a source with the files they depend on, whose bytes bear on its result."""
        paths = (self.normal, self.mask, self.aoi, self.truth, self.before, self.before_mask)
        named = [p for p in (self.companion(p, stem) for p in paths) if p]
        files = [Path(file) for p in named for file in (p, *dependencies(p))]
        # An earlier date may be a product's folder, whose files are what is read of it.
        return [file for path in files for file in (sorted(_files(path)) if path.is_dir() else [path])]

    def for_scene(self, stem: str) -> IngestOptions:
        """The options with ``{stem}`` in the paths replaced by a scene's name."""
        normal, mask, aoi, truth = (self.companion(p, stem) for p in (self.normal, self.mask, self.aoi, self.truth))
        before, before_mask = self.companion(self.before, stem), self.companion(self.before_mask, stem)
        return replace(self, normal=normal, mask=mask, aoi=aoi, truth=truth, before=before, before_mask=before_mask)

    def of_earlier(self) -> IngestOptions:
        """The options that the earlier date is read by: its bands are its own, and what lies over the scene is not its."""
        return replace(
            self,
            bands=None,
            normal=None,
            mask=None,
            mask_values=(),
            mask_buffer="auto",
            aoi=None,
            truth=None,
            grid=None,
            before=None,
            before_mask=None,
        )


def _files(folder: Path) -> list[Path]:
    """The files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
