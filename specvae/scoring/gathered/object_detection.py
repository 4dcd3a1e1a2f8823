"""How many true objects are found, and how many flagged ones are false: what someone with a truth of places asks."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.scoring.gathered.joining import Components
from specvae.spectra import Parts, ScoredWindow

__all__ = ["DetectedObjects", "ObjectDetection", "detected_objects"]


class DetectedObjects(TypedDict):
    """Counts of 8-connected objects; an object is touched where one of its pixels is in the other mask."""

    true: int
    """Objects of the truth."""
    found: int
    """Those of them that a flagged pixel lies in."""
    flagged: int
    """Objects of the flagged pixels whose truth is known."""
    false: int
    """Those of them that touch nothing true."""


class ObjectDetection:
    """Accumulator of the objects of the truth and of the flagged pixels, the same for any order and size of windows.

    Where more objects than :data:`~specvae.scoring.gathered.joining.CAP` are there, those that touch are counted first.
    """

    def __init__(self) -> None:
        self.true, self.flagged = Components(), Components()

    def update(self, piece: ScoredWindow, truth: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
        """Take in one window, its truth ``(rows, cols)``, and where that is known and the pixel valid."""
        true, flagged = truth & known, piece.anomalous & known
        # The peak of an object, in place of its score, is 1 where a pixel of it lies in the other mask.
        self.true.update(_as_score(piece, true, flagged))
        self.flagged.update(_as_score(piece, flagged, true))

    def merge(self, other: ObjectDetection) -> None:
        """Take in what another gathered of other windows of the same scene."""
        self.true.merge(other.true)
        self.flagged.merge(other.flagged)

    def finish(self) -> DetectedObjects:
        """The counts of all windows so far."""
        true, found = _counted(self.true)
        flagged, right = _counted(self.flagged)
        return {"true": true, "found": found, "flagged": flagged, "false": flagged - right}


def detected_objects(piece: ScoredWindow, truth: NDArray[np.bool_], known: NDArray[np.bool_]) -> DetectedObjects:
    """The counts of a scene that is one window."""
    detection = ObjectDetection()
    detection.update(piece, truth, known)
    return detection.finish()


def _as_score(piece: ScoredWindow, objects: NDArray[np.bool_], touched: NDArray[np.bool_]) -> ScoredWindow:
    """The window with these objects, and 1 as the score of the pixels that are touched."""
    score, nothing = touched.astype(np.float32), np.zeros(touched.shape, np.float32)
    return ScoredWindow(piece.cube, Parts(score, score, nothing), objects)


def _counted(components: Components) -> tuple[int, int]:
    """How many objects there are, and how many of them are touched."""
    joined = components.finish()
    total = len(joined.table) + joined.beyond_cap.objects + joined.too_small.objects
    # Beyond the cap lie the lowest peaks; where one of them is 1, all that are held are touched as well.
    beyond = joined.beyond_cap.objects if joined.beyond_cap.peak else 0
    return total, int(np.count_nonzero(joined.table.peak > 0)) + beyond
