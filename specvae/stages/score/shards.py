"""One giant scene scored in pieces: rows of windows as shards, wherever, merged into the very pixels of one run.

A shard leaves its rows of the maps as plain arrays in a shared folder, and hands back what its accumulators gathered.
A pixel's score does not depend on the window it is read in, so nothing is lost at the seams.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.bands import rgb_bands
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import in_patches
from specvae.ingest.scene.scene import Scene
from specvae.ingest.source import Source
from specvae.model_file import StoredModel
from specvae.spectra import CELL, Window
from specvae.stages.score.gatherers import Gatherers
from specvae.stages.score.memory import LARGEST, parse_size
from specvae.stages.score.reading import read_in_order
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.scene_maps import SceneMaps
from specvae.stages.score.scored_windows import WindowScoring
from specvae.stages.score.window import score_bands

__all__ = ["Shard", "Shards", "count_shards", "score_shard", "write_shards"]

COPIED_ROWS = 512
UNDER_WAY = 4
"""Windows that are read, scored and written at once."""


@dataclass(frozen=True, eq=False)
class Shard:
    """Some rows of a scene, scored."""

    number: int
    first: int
    rows: int
    gathered: Gatherers


@dataclass(frozen=True, eq=False)
class Shards:
    """All shards of a scene, in the order of their rows."""

    place: str
    parts: tuple[Shard, ...]


@contextmanager
def _opened(source: Source, model: StoredModel, request: ScoreRequest) -> Iterator[Scene]:
    """The scene as the model reads it, in pixels or in patches."""
    detector = model.detector
    with in_patches(
        open_scene(source, request.ingest, match=detector.bands, before=detector.before), detector.config.patch
    ) as scene:
        yield scene


def _groups(scene: Scene, model: StoredModel, request: ScoreRequest, rows: int) -> list[list[Window]]:
    """The scene's windows in groups of ``rows`` rows or a little more, each ending where a row of windows ends."""
    detector = model.detector
    outputs = len(score_bands(request.score_parts)) + 3
    components = detector.state.components
    pixel = len(detector.bands) * (np.dtype(scene.dtype).itemsize + 4) + components * 24 + outputs * 8 + 24
    allowed = parse_size(request.max_memory) // 2 // (UNDER_WAY * pixel)
    pixels = max(CELL**2, min(allowed, LARGEST, rows * scene.cols)) // detector.stride**2
    groups: list[list[Window]] = []
    for window in sorted(scene.windows(pixels), key=lambda w: (w.row, w.col)):
        if not groups or (window.row != groups[-1][-1].row and window.row - groups[-1][0].row >= rows):
            groups.append([])
        groups[-1].append(window)
    return groups


def count_shards(source: Source, model: StoredModel, request: ScoreRequest, rows: int) -> int:
    """How many shards of about ``rows`` rows a scene has."""
    with _opened(source, model, request) as scene:
        return len(_groups(scene, model, request, rows))


def score_shard(
    source: Source, model: StoredModel, request: ScoreRequest, rows: int, number: int, place: Path
) -> Shard:
    """Score the ``number``-th shard; its rows of the maps go to arrays in ``place``."""
    detector, threshold = model.detector, request.cut(model)
    with _opened(source, model, request) as scene:
        windows = _groups(scene, model, request, rows)[number]
        first = windows[0].row
        tall = max(w.row + w.rows for w in windows) - first
        rgb = rgb_bands(detector.bands)
        gathered = Gatherers.of(
            detector, scene.rows, scene.cols, rgb, scene.has_truth, threshold.value, request.written, request.min_pixels
        )
        bands = score_bands(request.score_parts)
        scores, flags = _arrays(place, number, (len(bands), tall, scene.cols))

        def store(window: Window, score_rows: NDArray[np.float32], flag_rows: NDArray[np.uint8]) -> None:
            at = (slice(None), *window.shift(-first, 0).slices)
            scores[at], flags[at] = score_rows, flag_rows

        scoring = WindowScoring(scene, detector, threshold, gathered, request.score_parts)
        with read_in_order(scene, detector, request.max_memory, len(bands), gathered.square, windows) as reader:
            scoring.run(reader, store)
        with gathered.timed("write"):
            scores.flush()
            flags.flush()
    return Shard(number, first, tall, gathered)


def _names(place: Path, number: int) -> tuple[Path, Path]:
    """The files of a shard's rows of score.tif and of anomaly.tif."""
    return place / f"{number:05d}.score.npy", place / f"{number:05d}.anomaly.npy"


def _arrays(
    place: Path, number: int, shape: tuple[int, int, int]
) -> tuple[np.memmap[Any, np.dtype[np.float32]], np.memmap[Any, np.dtype[np.uint8]]]:
    """The shard's rows of both maps, as arrays on disk to be filled."""
    place.mkdir(parents=True, exist_ok=True)
    score, anomaly = _names(place, number)
    return (
        np.lib.format.open_memmap(score, "w+", np.float32, shape),
        np.lib.format.open_memmap(anomaly, "w+", np.uint8, (1, *shape[1:])),
    )


def write_shards(shards: Shards, gathered: Gatherers, maps: SceneMaps) -> None:
    """Copy the shards' rows into the maps, and take in what they gathered, in the order of their rows."""
    for shard in shards.parts:
        gathered.merge(shard.gathered)
        with gathered.timed("write"):
            _copy(shard, Path(shards.place), maps)


def _copy(shard: Shard, place: Path, maps: SceneMaps) -> None:
    """Copy a shard's rows into the maps, some hundreds at a time, since a shard may be larger than the memory."""
    score, anomaly = (np.load(path, mmap_mode="r") for path in _names(place, shard.number))
    for row in range(0, shard.rows, COPIED_ROWS):
        rows = min(COPIED_ROWS, shard.rows - row)
        window = Window(shard.first + row, 0, rows, score.shape[2])
        parts = (np.ascontiguousarray(part[:, row : row + rows]) for part in (score, anomaly))
        maps.write(window, *parts)
