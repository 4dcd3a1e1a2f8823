"""The stage ``inspect``: what a model is, or how a scene or table will be read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.decision import DecisionRow
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.describe import SceneDescription, description
from specvae.ingest.scene.looks import is_costly, is_large, middle_window, places, within_block
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.sources import find_sources
from specvae.spectra import Invalid, Window

if TYPE_CHECKING:
    from specvae.stages.model_description import ModelDescription

__all__ = ["RasterDescription", "TableDescription", "inspect"]

LOOKED_AT = 64
"""Windows that are read, at least, to count the invalid pixels of a large scene."""
PART = 256
"""Rows and columns, at most, of what is read of a window where blocks are large or bands many."""
LEAST = 64
"""Rows and columns of such a part, at least."""
MUCH = 2
"""Times as many pixels as would do that a window is read whole, which is cheaper than more of smaller ones."""
VALUES = 16 << 20
"""Values that are read, about, of a scene of many bands."""
AT_ONCE = 6 << 20
"""Values of one window of such a scene, about."""
WINDOW_PIXELS = 1 << 18
"""Pixels of each of these windows, about."""


class Validity(TypedDict):
    """How many pixels are usable."""

    pixels_looked_at: int
    valid_share: float
    invalid_by_reason: dict[str, int]


class RasterDescription(SceneDescription):
    """How a raster will be read; ``kind`` is ``raster``."""

    format: str
    """The product's kind: GDAL's driver, or a product such as ``Landsat product``."""
    pixels_looked_at: int
    valid_share: float
    invalid_by_reason: dict[str, int]


class TableDescription(TypedDict):
    """How a table will be read; ``kind`` is ``table``."""

    kind: str
    path: str
    rows: int
    valid: int
    invalid_by_reason: dict[str, int]
    bands: list[str]
    wavelengths_nm: tuple[float, ...] | None
    other_columns: list[str]
    notes: list[str]
    decisions: list[DecisionRow]


def inspect(path: str, options: IngestOptions | None = None) -> ModelDescription | TableDescription | RasterDescription:
    """A JSON-ready description. Raises InputError or ModelError for what can be neither read nor understood."""
    target = Path(path)
    # By its name or its first bytes: a damaged model is to be reported as a model, and one may have any name.
    if target.suffix == ".specvae" or _is_model(target):
        from specvae.stages.model_description import model_description  # here, for scenes need no model and no table

        return model_description(path)
    sources = find_sources([path])
    if len(sources) != 1:
        raise InputError(f"{path} holds {len(sources)} sources; inspect one of them, for instance {sources[0].path}")
    source = sources[0]
    if source.is_table:
        return _table(source.path, options)
    with open_scene(source, options) as scene:
        scene_description = description(scene)
        return {
            **scene_description,
            "format": scene_description["kind"],
            "kind": "raster",
            **_validity(scene),
        }


def _is_model(path: Path) -> bool:
    """Whether a file begins as a model file does: the length of its header, in 8 bytes, and the header's brace."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError:
        return False
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def _table(path: str, options: IngestOptions | None) -> TableDescription:
    """How a table will be read, and how many of its rows are usable."""
    from specvae.ingest.table.reading import open_table  # as above

    file = open_table(path, options)
    counts = file.count()
    return {
        "kind": "table",
        "path": path,
        "rows": counts.rows,
        "valid": int(counts.by_reason[0]),
        "invalid_by_reason": _by_reason(counts.by_reason),
        "bands": list(file.bands.labels),
        "wavelengths_nm": file.bands.wavelengths,
        "other_columns": file.other_columns,
        "notes": [*file.notes, *counts.notes()],
        "decisions": [decision.to_json() for decision in file.decisions],
    }


def _validity(scene: PixelScene) -> Validity:
    """Counts by reason over the scene, or over windows spread across a large one."""
    windows, costly = scene.windows(WINDOW_PIXELS), is_costly(scene.block, scene.depth)
    large = costly or is_large(scene.block)
    # Spread evenly over all windows: invalid pixels lie together, in collars and clouds.
    step = max(1, -(-len(windows) // places(scene.block, scene.depth, LOOKED_AT)))
    counts = np.zeros(len(Invalid), np.int64)
    looked_at = windows[step // 2 :: step]
    if costly:  # first where the scene was looked at for fill, whose chunks are decoded
        looked_at = [middle_window(scene.rows, scene.cols, LEAST), *looked_at[1:]]
    for window in looked_at:
        side = LEAST if costly else math.isqrt(min(VALUES // len(looked_at), AT_ONCE) // scene.depth)
        if (
            large or side * side * MUCH < window.size
        ):  # a part in one block, for the whole of a window would decode several
            window = within_block(_part(window, min(PART, max(LEAST, side))), scene.block, scene.depth)
        with scene.looking():
            counts += np.bincount(scene.read(window).reason.ravel(), minlength=len(Invalid))
    total = int(counts.sum())
    return {
        "pixels_looked_at": total,
        "valid_share": float(counts[0] / total) if total else 0.0,
        "invalid_by_reason": _by_reason(counts),
    }


def _part(window: Window, side: int) -> Window:
    """A window of at most ``side`` rows and columns in the middle of another."""
    rows, cols = min(side, window.rows), min(side, window.cols)
    return Window(window.row + (window.rows - rows) // 2, window.col + (window.cols - cols) // 2, rows, cols)


def _by_reason(counts: NDArray[np.int64]) -> dict[str, int]:
    """How many are invalid, by the reason's label."""
    return {kind.label: int(counts[kind]) for kind in Invalid if kind != Invalid.VALID}
