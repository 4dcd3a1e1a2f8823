"""Every window of a scene read, scored, gathered and stored: the three steps overlap, and each is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.ingest.scene.scene import Scene
from specvae.spectra import Cube, Window
from specvae.stages.score.gatherers import Gatherers
from specvae.stages.score.overlap import overlapped
from specvae.stages.score.reading import WindowReader
from specvae.stages.score.window import Piece, map_bands, score_window
from specvae.thresholds.threshold import Threshold

__all__ = ["Store", "WindowScoring"]

Store = Callable[[Window, NDArray[np.float32], NDArray[np.uint8]], None]
"""Takes a window, its bands ``(bands, rows, cols)`` of score.tif and its band ``(1, rows, cols)`` of anomaly.tif."""
Truth = NDArray[np.uint8] | None


@dataclass(frozen=True, eq=False)
class WindowScoring:
    """What scores the windows of one scene, whether into its maps or into the arrays of a shard."""

    scene: Scene
    detector: Detector
    threshold: Threshold
    gathered: Gatherers
    parts: bool
    """Whether score.tif has the score's parts as bands of their own."""

    def run(self, reader: WindowReader, store: Store) -> None:
        """Score the reader's windows, and give what goes to the maps to ``store``, in the order of the windows."""

        def write(window: Window, piece: Piece) -> None:
            with self.gathered.timed("write"):
                self.gathered.update(piece.scored, piece.sampled)
                self.gathered.compare(piece, self.detector)
                store(window, *map_bands(self.detector, piece, self.parts))

        def read(window: Window) -> tuple[Cube, Truth]:
            with self.gathered.timed("read"):
                return reader.read(window), self.scene.truth(window)

        overlapped(reader.windows, read, self._score, write, at_once=self.detector.windows_at_once)

    def _score(self, window: Window, pair: tuple[Cube, Truth]) -> Piece:
        """Score one window, with its seconds counted."""
        cube, truth = pair
        with self.gathered.timed("compute"):
            return score_window(self.detector, cube, window, truth, self.threshold, self.gathered.sample)
