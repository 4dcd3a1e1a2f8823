"""A product: the bands of one source with their files and grids, and what its metadata say of the whole scene."""

from __future__ import annotations

from dataclasses import dataclass

from specvae.ingest.band_reader import BandStorage
from specvae.ingest.decision import Decision
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.quality_layer import QualityLayer

__all__ = ["Product"]


@dataclass(frozen=True)
class Product:
    """All bands of a source, before any is chosen; what every format makes of the file or folder it reads."""

    name: str
    """Name of the scene: its file or folder without the ending."""
    path: str
    """What the user pointed at."""
    kind: str
    """In words: ``GTiff``, ``Landsat product``, ``Sentinel-2 product``, ``single-band files``, ``array`` ..."""
    layers: tuple[Layer, ...]
    """Every band, in the source's order; those left out carry the reason."""
    grids: dict[str, Grid]
    """Grid of each dataset path in ``layers``."""
    blocks: dict[str, tuple[int, int]]
    """Block (rows, cols) of each dataset path."""
    files: tuple[str, ...]
    """All files read, for the scene's identity."""
    storage: BandStorage
    """How the bands are stored, and so which reader opens them."""
    notes: tuple[str, ...] = ()
    """What a user should know, in sentences without a full stop."""
    decisions: tuple[Decision, ...] = ()
    """What its reader decided, and on what evidence; those that were guessed need no note."""
    datetime: str | None = None
    """Acquisition, ISO 8601, where known."""
    masks: tuple[QualityLayer, ...] = ()
    """Quality layers beside its bands, which leave pixels out unless the options say otherwise."""
    level: str | None = None
    """Processing level, where known (``L1C``, ``L2A``, ``L1TP`` ...)."""
