"""Scenes and tables gone through piece by piece, in bounded memory, each spectrum with what surrounds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import InputError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.scene import Scene
from specvae.ingest.source import Source
from specvae.ingest.table.reading import Table, open_table
from specvae.spectra import CELL, Cube, Window
from specvae.stages.score.overlap import overlapped
from specvae.stages.score.reading import read_in_order

__all__ = ["Piece", "each_window", "table_chunks"]

CHUNK = 64 * CELL**2
"""Rows of a table at a time: a multiple of a cell, so that chunks change no bit of a row's result."""
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Piece:
    """A window of a scene with what surrounds it."""

    cube: Cube
    """The window and, as far as the scene goes, the halo around it."""
    window: Window
    """The window itself, in the scene's coordinates."""
    context: NDArray[np.float32] | None
    """Contexts ``(components, rows, cols)`` of the window's pixels; None for a model without context."""


def each_window(
    scene: Scene,
    detector: Detector,
    max_memory: str | None,
    outputs: int,
    work: Callable[[Piece], Made],
    write: Callable[[Window, Made], None],
) -> None:
    """``write(window, work(piece))`` for every window of the scene in order; reading and writing overlap with work.

    ``outputs`` is how many values a pixel makes.
    """

    def made(window: Window, cube: Cube) -> Made:
        return work(Piece(cube, window, detector.context(cube, window)))

    with read_in_order(scene, detector, max_memory, outputs, CELL) as reader:
        overlapped(reader.windows, reader.read, made, write)


def table_chunks(source: Source, detector: Detector, ingest: IngestOptions) -> Iterator[Table]:
    """The rows of a table. Raises InputError for a model of patches, or one that looks at what surrounds a pixel."""
    if detector.config.patch:
        raise InputError(
            f"{source.path} is a table and has no patches, and the model takes patches of {detector.config.patch} x "
            f"{detector.config.patch} pixels: fit one without --patch, or give a raster"
        )
    if detector.has_context:
        raise InputError(
            f"{source.path} is a table and has no surroundings, and the model looks at what surrounds a pixel "
            "(context ring): fit one with --context none, or give a raster"
        )
    yield from open_table(source.path, ingest, detector.bands).chunks(CHUNK)
