"""What a user says about how inputs are to be read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from specvae.errors import UsageError

__all__ = ["IngestOptions"]

LAYOUTS = ("auto", "bands-first", "bands-last")


@dataclass(frozen=True)
class IngestOptions:
    """How sources are read; the defaults read a file as it describes itself. Picklable, comparable."""

    bands: str | None = None
    """Names, 1-based indices and ranges, or wavelength ranges in nm: ``B2,B3,5-8`` or ``450nm-900nm``."""
    nodata: str | float | None = None
    """A value that marks missing pixels, ``auto`` (an undeclared fill where unmistakable), or None: as declared."""
    normal: str | None = None
    """Raster (non-zero = normal) or polygons (inside = normal); ``{stem}`` stands for the scene's name."""
    mask: str | None = None
    """Raster or polygons of what to leave out; ``{stem}`` as above."""
    mask_values: tuple[str, ...] = ()
    """Values, ranges, bits (``bit3``) or names (``cloud``, ``scl:cirrus``) that are left out; () = the usual ones."""
    aoi: str | None = None
    """Polygons outside which nothing is used; ``{stem}`` as above."""
    label_column: str | None = None
    """Column of a table that tells which rows are normal."""
    normal_value: str | None = None
    """Its value in normal rows; None = 0, false or "normal"."""
    truth: str | None = None
    """Raster or polygons of what is anomalous (non-zero; 255 and nodata = unknown), or a table's column."""
    allow_remote: bool = False
    """Whether remote addresses, and references leading out of a file's own folder, are followed."""
    allow_huge: bool = False
    """Whether the limits on sizes (pixels, blocks, expansion of compressed data) are lifted."""
    grid: str | None = None
    """Band whose grid the others are resampled to, where files of one scene differ; None = the finest."""
    layout: str = "auto"
    """Axes of a .mat, .npz or .npy array: ``bands-last``, ``bands-first`` or ``auto``."""
    array: str | None = None
    """Key of the array in a .mat or .npz file; None = the one three-dimensional array."""

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise UsageError(f"the array layout is {self.layout!r}; use one of {', '.join(LAYOUTS)}")
        split = tuple(v.strip() for value in self.mask_values for v in str(value).split(",") if v.strip())
        object.__setattr__(self, "mask_values", split)
        if self.mask_values and not self.mask:
            raise UsageError("--mask-values needs --mask, the raster whose values they are")
        if isinstance(self.nodata, str) and self.nodata != "auto":
            object.__setattr__(self, "nodata", _number(self.nodata))

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        nodata = None if self.nodata is None else str(self.nodata)
        return asdict(self) | {"mask_values": list(self.mask_values), "nodata": nodata}

    def companion(self, path: str | None, stem: str) -> str | None:
        """A mask's or truth's path for a source, ``{stem}`` filled in."""
        return path.replace("{stem}", stem) if path else None

    def companions(self, stem: str) -> list[Path]:
        """Every file beside the source that bears on how it is read."""
        named = (self.companion(p, stem) for p in (self.normal, self.mask, self.aoi, self.truth))
        return [Path(p) for p in named if p]

    def for_scene(self, stem: str) -> IngestOptions:
        """The options with ``{stem}`` in the paths replaced by a scene's name."""

        def fill(path: str | None) -> str | None:
            return self.companion(path, stem)

        return replace(self, normal=fill(self.normal), mask=fill(self.mask), aoi=fill(self.aoi), truth=fill(self.truth))


def _number(text: str) -> float | None:
    if text.strip().casefold() == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--nodata is {text!r}; give a number, nan or auto") from None
