"""Every window of a scene read, scored, gathered and stored: the three steps overlap, and each is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.ingest.scene.scene import Scene
from specvae.spectra import Cube, ScoredWindow, Window
from specvae.stages.score.gatherers import Gatherers
from specvae.stages.score.overlap import overlapped
from specvae.stages.score.reading import WindowReader
from specvae.stages.score.window import Piece, explained, map_bands, surprise_of
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

    def run(self, reader: WindowReader, store: Store, done: Callable[[Window], None] | None = None) -> None:
        """Score the reader's windows, and give what goes to the maps to ``store``, in the order of the windows.

        ``done`` is called with each window that is stored.
        """

        def write(window: Window, piece: Piece) -> None:
            with self.gathered.timed("write"):
                self.gathered.update(piece.scored, piece.sampled)
                self.gathered.compare(piece, self.detector)
                store(window, *map_bands(self.detector, piece, self.parts))
            if done is not None:
                done(window)

        def read(window: Window) -> tuple[Cube, Truth]:
            with self.gathered.timed("read"):
                return reader.read(window), self.scene.truth(window)

        overlapped(reader.windows, read, self._score, write, at_once=self.detector.windows_at_once)

    def _score(self, window: Window, pair: tuple[Cube, Truth]) -> Piece:
        """Score one window, and explain its sampled pixels; the anomalous ones are explained by who gathers objects."""
        (cube, truth), detector, sample = pair, self.detector, self.gathered.sample
        with self.gathered.timed("compute"):
            parts, context = detector.scorer.score(cube, window)
            inner = cube.crop(window)
            # Only anomalous and sampled pixels are explained: an explanation needs the network once more, and nobody
            # would look at those of a million normal pixels.
            anomalous = parts.score > self.threshold.value
            explain = partial(explained, detector, inner, context)
            sampled = None if sample is None else explain(*sample.at(inner))
            before = None if detector.before is None else inner.values[len(detector.bands) :]
            surprise = surprise_of(detector, parts.score, anomalous)
            scored = ScoredWindow(detector.seen(inner), parts, anomalous, explain, before, surprise)
            return Piece(scored, context, sampled, truth, inner)
