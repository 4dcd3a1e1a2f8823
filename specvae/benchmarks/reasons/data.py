"""The scenes and tables of the benchmark, each fitted on itself or its normal date, and what of them is flagged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.ingest.table.reading import open_table
from specvae.model.config import ModelConfig
from specvae.scoring.gathered.joining import Components
from specvae.scoring.gathered.object_table import ObjectTable
from specvae.spectra import Cube, ScoredWindow, Window
from specvae.stages.gathering import gather
from specvae.stages.score.window import explained

__all__ = ["INPUTS", "Flagged", "Input", "flagged"]

Values = NDArray[np.float32]
SIDE = 1000
"""Rows and columns of a scene that are scored, at most."""
RATES = (1e-3, 1e-2, 5e-2)
"""The first of these false-alarm rates at which enough is flagged is used."""


@dataclass(frozen=True)
class Input:
    """A scene or a table."""

    name: str
    normal: str
    """What is fitted, below the folder of the data."""
    scored: str
    """What is scored."""
    mask: str | None = None
    scored_mask: str | None = None
    nodata: str | None = None


RUFIJI = "scenes/rufiji_timeseries/S2_20160710.tif"
ABERYSTWYTH, SITAKUNDA = "scenes/aberystwyth/sen2_20210527_aber_10band.tif", "scenes/sitakunda/s2_sitakunda_4band.tif"
LONG_ISLAND, COLD = "scenes/l8_toa_longisland_clouds", "scenes/coldsprings"
ENMAP = "scenes/enmap_hyperspectral/images/enmap_potsdam_tile"
TABLES = {"deafrica": "spectra/deafrica_s2_spectra.csv", "strawberry": "spectra/ftir_strawberry.csv"}
LANDSAT = "spectra/statlog_landsat_mss_3x3.csv"
INPUTS = (
    Input(
        "coldsprings",
        f"{COLD}/20160707_pre_sr7.tif",
        f"{COLD}/20160723_post_sr7.tif",
        f"{COLD}/20160707_pre_clear.tif",
        f"{COLD}/20160723_post_clear.tif",
    ),
    Input("rufiji", RUFIJI, RUFIJI),
    Input("aberystwyth", ABERYSTWYTH, ABERYSTWYTH),
    Input("sitakunda", SITAKUNDA, SITAKUNDA, nodata="auto"),
    Input("longisland", LONG_ISLAND, LONG_ISLAND),
    Input("enmap", f"{ENMAP}_128_128.tif", f"{ENMAP}_128_128.tif"),
    Input("landsat-mss", LANDSAT, LANDSAT),
    *(Input(name, path, path) for name, path in TABLES.items()),
)


@dataclass(frozen=True, eq=False)
class Flagged:
    """What of an input is flagged: spectra ``(bands, n)`` with contexts and scores, and the objects of a scene."""

    detector: Detector
    values: Values
    context: Values | None
    score: Values
    owner: NDArray[np.int64]
    """``(n,)``: which object each pixel is of; of a table -1."""
    objects: ObjectTable | None


def flagged(entry: Input, folder: Path, config: ModelConfig, least: int) -> Flagged:
    """Fit the input's normal data and find what is flagged: at least ``least`` pixels or rows, where a rate gives so many."""
    path = str(folder / entry.scored)
    options = IngestOptions(mask=_below(folder, entry.mask), nodata=entry.nodata)
    gathered = gather(find_sources([str(folder / entry.normal)]), options, config, None)
    detector = Detector.fit(gathered.regions, gathered.bands, config, gathered.names, gathered.context)
    if path.endswith(".csv"):
        values, score = _rows(path, detector)
        which = score > _cut(detector, score, least)
        return Flagged(detector, values[:, which], None, score[which], np.full(which.sum(), -1), None)
    options = IngestOptions(mask=_below(folder, entry.scored_mask), nodata=entry.nodata)
    with open_scene(find_sources([path])[0], options, match=detector.bands) as scene:
        cube = scene.read(Window(0, 0, min(scene.rows, SIDE), min(scene.cols, SIDE)))
    return _of_scene(detector, cube, least)


def _below(folder: Path, path: str | None) -> str | None:
    return None if path is None else str(folder / path)


def _rows(path: str, detector: Detector) -> tuple[Values, Values]:
    tables = list(open_table(path, IngestOptions(), detector.bands).chunks())
    pieces: Iterator[tuple[Values, Values]] = (
        (table.values[table.valid], detector.score_rows(table.values, table.valid).score[table.valid])
        for table in tables
    )
    values, scores = zip(*pieces, strict=True)
    return np.ascontiguousarray(np.concatenate(values).T), np.concatenate(scores)


def _cut(detector: Detector, score: Values, least: int) -> float:
    """The cut of the first rate at which enough is flagged."""
    cuts = [detector.calibration.threshold(rate, explicit=True).value for rate in RATES]
    return next((cut for cut in cuts if np.count_nonzero(score > cut) >= least), cuts[-1])


def _of_scene(detector: Detector, cube: Cube, least: int) -> Flagged:
    parts, context = detector.scorer.score(cube, cube.window)
    anomalous = parts.score > _cut(detector, parts.score, least)

    explain = partial(explained, detector, cube, context)
    components = Components()
    components.update(ScoredWindow(cube, parts, anomalous, explain))
    objects = components.finish().table
    rows, cols = np.nonzero(anomalous)
    around = None if context is None else context[:, rows, cols]
    owner = np.full(len(rows), -1)
    for i in range(len(objects)):
        # Only objects that fill their bounding box have known pixels here; the others are passed over.
        box = (
            (rows >= objects.row[i]) & (rows < objects.bottom[i]) & (cols >= objects.col[i]) & (cols < objects.right[i])
        )
        if np.count_nonzero(box) == objects.pixels[i]:
            owner[box] = i
    return Flagged(detector, cube.spectra(rows, cols), around, parts.score[rows, cols], owner, objects)
