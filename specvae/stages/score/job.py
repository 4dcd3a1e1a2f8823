"""One scene or table to be scored into its folder: what the two ways of scoring, of a raster and of a table, are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from specvae.files.fingerprint import Fingerprint
from specvae.ingest.source import Source
from specvae.model_file import StoredModel
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score.request import ScoreRequest

__all__ = ["Job", "Progress"]

Progress = Callable[[str, float], None]
"""Is called with a scene's key and the share of it that is done, in 0..1."""


@dataclass(frozen=True, eq=False)
class Job:
    """One scene or table, the model to score it with, and where its results go."""

    source: Source
    model: StoredModel
    request: ScoreRequest
    threshold: Threshold
    folder: Path
    """The folder of the results; it appears when all of them are written."""
    fingerprint: Callable[[], Fingerprint]
    """Gives what the result depends on; it is asked last, since a large file takes seconds to hash."""
    progress: Progress | None = None
