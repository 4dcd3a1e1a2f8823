"""How a model's scene is read within the memory allowed: in what windows, each with its halo."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from specvae.detector import Detector
from specvae.ingest.scene.carried_windows import CarryingReader
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.scene.scene import Scene
from specvae.spectra import Cube, Window
from specvae.stages.score.memory import LARGEST, Load, parse_size, plan_reading

__all__ = ["WindowReader", "read_in_order"]


class WindowReader(Protocol):
    """What reads the windows of a scene in their order."""

    windows: Sequence[Window]

    def read(self, window: Window) -> Cube:
        """The cube of the next window and, as far as the scene goes, the halo around it."""


@contextmanager
def read_in_order(
    scene: Scene,
    detector: Detector,
    max_memory: str | None,
    outputs: int,
    square: int,
    part: Sequence[Window] = (),
) -> Iterator[WindowReader]:
    """A reader that decodes each block of the scene once; ``outputs`` is how many values are made of a pixel.

    No window cuts the scene's squares of ``square`` pixels. With ``part`` it reads, in windows of its own, the full rows
    that these windows cover.
    """
    memory, multiple = parse_size(max_memory), math.lcm(square, detector.scorer.cell)
    item, components, float32 = np.dtype(scene.dtype).itemsize, detector.state.components, np.dtype(np.float32)
    # What the scorer takes as the file stores it is never copied into floats, twice as large.
    held = scene.held if isinstance(scene, PixelScene) and scene.held in detector.reads else float32
    bands = scene.depth * detector.stride**2
    component = 4 if len(detector.reads) > 1 else 24
    if len(detector.reads) == 1 and components:
        # By torch, the cells that were normalised for the ring are held until they are scored.
        component += -(-bands * float32.itemsize // components)
    load = Load(bands, item, detector.halo, components, outputs, held.itemsize, component, multiple)
    reading = plan_reading(memory, scene.shape, scene.block, load)
    if not isinstance(scene, PixelScene):
        with scene.cached(memory // 2):
            yield _Patches(
                scene, detector.halo, part or scene.windows(min(reading.largest, LARGEST // detector.stride**2))
            )
        return
    areas = [area.clip(_rows_of(part, scene.cols)) for area in reading.areas] if part else reading.areas
    reader = CarryingReader(
        scene, load.bands, scene.shape, reading.step, load.halo, reading.largest, areas, held, multiple
    )
    with scene.cached(reading.cache, reading.rows):
        yield reader


def _rows_of(windows: Sequence[Window], cols: int) -> Window:
    """All columns of the rows that the windows cover."""
    first = min(w.row for w in windows)
    return Window(first, 0, max(w.row + w.rows for w in windows) - first, cols)


class _Patches:
    """Windows of patches, which lie on a lattice of their own and have next to no halo."""

    def __init__(self, scene: Scene, halo: int, windows: Sequence[Window]) -> None:
        self._scene, self._halo, self.windows = scene, halo, windows

    def read(self, window: Window) -> Cube:
        """The cube of a window and, as far as the scene goes, of the halo around it."""
        return self._scene.read(window.grow(self._halo).clip(self._scene.grid.window))
