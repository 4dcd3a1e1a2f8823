"""What a user says about reading: bands, nodata, masks, polygons, labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["IngestOptions"]


@dataclass(frozen=True)
class IngestOptions:
    """Alike in fit, score and calibrate; every field has the name of its option."""

    bands: str | None = None
    """Names, 1-based numbers and ranges: ``B2,B3,5-8``."""
    nodata: str | None = None
    """A number in place of the file's own, or ``auto``."""
    normal: str | None = None
    """Raster on the source's grid (non-zero = normal) or polygons (inside = normal)."""
    mask: str | None = None
    mask_values: tuple[str, ...] = ()
    aoi: str | None = None
    label_column: str | None = None
    normal_value: str | None = None
    truth: str | None = None
    allow_remote: bool = False

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"mask_values": list(self.mask_values)}

    def companion(self, path: str | None, stem: str) -> str | None:
        """A mask's or truth's path for a source, ``{stem}`` filled in."""
        return path.replace("{stem}", stem) if path else None

    def companions(self, stem: str) -> list[Path]:
        """Every file beside the source that bears on how it is read."""
        named = (self.companion(p, stem) for p in (self.normal, self.mask, self.aoi, self.truth))
        return [Path(p) for p in named if p]
