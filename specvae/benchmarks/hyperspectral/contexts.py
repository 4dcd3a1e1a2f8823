"""Scores with and without context on scenes of few bands: planted blobs of four sizes, and a real fire.

A ring of neighbours can hide the inside of something large, which is like its neighbours. So blobs of 1, 5, 50 and 500
pixels are planted at several contrasts in scenes that a model was fitted on before, and scored by models with the ring and
without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.benchmarks.hyperspectral.trial import THREADS, region_of
from specvae.benchmarks.report import table
from specvae.detector import Detector
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.model.config_file import load_config
from specvae.scoring.baselines import Background
from specvae.scoring.gathered.metrics import auroc, average_precision
from specvae.spectra import Cube, Window
from specvae.stages.demo.synthetic import BAND_NAMES, make_scene

__all__ = ["FIRE_METHOD", "Contexts", "Ground", "compare_contexts", "context_section", "plant"]

SIZES = {1: 30, 5: 20, 50: 8, 500: 2}
"""Pixels of a blob -> how many are planted in a scene at once."""
FILLS = (0.05, 0.1, 0.2, 0.5)
"""Share of a planted pixel that the strange material takes."""
KINDS = ("ring", "none")
FIRE = "coldsprings"
BEFORE, AFTER, PERIMETER = "20160707_pre_sr7.tif", "20160723_post_sr7.tif", "burn_mask.tif"
CLEAR = {BEFORE: "20160707_pre_clear.tif", AFTER: "20160723_post_clear.tif"}
CROP = Window(64, 64, 320, 320)
"""A part of the real scene that is large enough for the largest blobs, away from its edge."""
MARGIN = 16
"""Pixels between a blob's centre and the edge: the largest blob has a radius of 13."""
CONTRAST = 3.0
"""Standard deviations between the scene's mean and the strange material, in every band."""


@dataclass(frozen=True)
class Ground:
    """A place on two dates, or one date twice: models are fitted on the first; blobs are planted in the second."""

    name: str
    first: Cube
    second: Cube
    bands: BandSet


class Blobs(NamedTuple):
    """Blobs of one size and fill on one ground."""

    ground: str
    fill: float
    pixels: int
    """Size of a blob."""
    ring: float
    """AUROC with the ring, mean over the seeds."""
    none: float
    """AUROC without context, mean over the seeds."""


@dataclass(frozen=True)
class Contexts:
    """The comparison: blobs on each ground, and the fire."""

    blobs: list[Blobs]
    fire: dict[str, tuple[float, float]]
    """Method -> AUROC and average precision for the burnt area, means over the seeds; empty where the scenes are missing."""
    seeds: int


def compare_contexts(folder: Path, seeds: int, settings: Iterable[str], progress: Callable[[str], None]) -> Contexts:
    """Compare on made ground and, where ``folder`` has the scenes, on real ground and on the fire of Cold Springs."""
    extra = tuple(settings)
    blobs: list[Blobs] = []
    for ground in _grounds(folder):
        areas = [_blobs(ground, extra, seed) for seed in range(seeds)]
        for fill, pixels in areas[0]:
            ring, none = (fmean(a[fill, pixels][kind] for a in areas) for kind in KINDS)
            blobs.append(Blobs(ground.name, fill, pixels, ring, none))
        least = min(b.ring - b.none for b in blobs if b.ground == ground.name)
        progress(f"blobs on {ground.name}: ring less none at least {least:+.4f}")
    fire = _fire(folder / FIRE, extra, seeds)
    if fire:
        progress(f"{FIRE}: " + ", ".join(f"{method} {value[0]:.4f}" for method, value in fire.items()))
    return Contexts(blobs, fire, seeds)


def _grounds(folder: Path) -> Iterable[Ground]:
    first, second = (_cube(make_scene(160, 192, seed=seed).values) for seed in (1, 2))
    yield Ground("made, 10 bands", first, second, BandSet(tuple(Band(name) for name in BAND_NAMES)))
    if (folder / FIRE / BEFORE).is_file():
        cube, bands = _read(folder / FIRE, BEFORE)
        yield Ground("Cold Springs, 7 bands", cube, cube, bands)
    for path in sorted((folder / "aberystwyth").glob("*.tif"))[:1]:
        with open_scene(str(path), IngestOptions()) as scene:
            cube = scene.read(CROP)
            yield Ground("Aberystwyth, 10 bands", _at_origin(cube), _at_origin(cube), scene.bands)


def _cube(values: NDArray[np.uint16]) -> Cube:
    reason = np.asarray((values == 0).any(axis=0), np.uint8)
    return Cube(values.astype(np.float32), reason, Window(0, 0, *reason.shape))


def _at_origin(cube: Cube) -> Cube:
    """The same cube as a scene of its own, its window at (0, 0)."""
    return Cube(cube.values, cube.reason, Window(0, 0, cube.window.rows, cube.window.cols))


def _read(folder: Path, name: str) -> tuple[Cube, BandSet]:
    """The cube and bands of one date of the fire; pixels that are not clear are masked."""
    with open_scene(str(folder / name), IngestOptions(mask=str(folder / CLEAR[name]), mask_values=("0",))) as scene:
        return scene.read(Window(0, 0, *scene.shape)), scene.bands


def _fitted(cube: Cube, bands: BandSet, kind: str, settings: Sequence[str], seed: int) -> Detector:
    config = load_config(settings=[*settings, f"context.kind={kind}", f"seed={seed}"])
    return Detector.fit([region_of(cube, config)], bands, config, ("ground",), kind == "ring", threads=THREADS)


def plant(cube: Cube, pixels: int, fill: float, seed: int) -> tuple[Cube, NDArray[np.bool_]]:
    """The cube with discs of ``pixels`` pixels that a strange material partly fills, and the truth ``(rows, cols)``.

    Each band of the material lies three standard deviations from the scene's mean, above or below it at random, so that
    ``fill`` 0.1 moves a pixel by 0.3 standard deviations.
    """
    rng = np.random.default_rng([pixels, seed])
    rows, cols = cube.valid.shape
    good = cube.values[:, cube.valid]
    strange = good.mean(axis=1) + CONTRAST * good.std(axis=1) * rng.choice([-1.0, 1.0], len(good))
    row_of, col_of = np.mgrid[:rows, :cols]
    truth = np.zeros((rows, cols), bool)
    # Centres that are valid and away from the edge, so that no disc is cut off there.
    centres = np.argwhere(cube.valid[MARGIN:-MARGIN, MARGIN:-MARGIN]) + MARGIN
    for row, col in centres[rng.choice(len(centres), SIZES[pixels], replace=False)]:
        distance = (row_of - row) ** 2 + (col_of - col) ** 2
        truth |= distance <= np.sort(distance.ravel())[pixels - 1]  # the nearest so many pixels: a disc
    # A disc may reach over invalid pixels, which have no score to be judged.
    truth &= cube.valid
    values = cube.values.copy()
    values[:, truth] += fill * (strange[:, None] - values[:, truth])
    return Cube(values, cube.reason, cube.window), truth


def _blobs(ground: Ground, settings: Sequence[str], seed: int) -> dict[tuple[float, int], dict[str, float]]:
    """AUROC by (fill, pixels) and then by kind of context, for one seed."""
    areas: dict[tuple[float, int], dict[str, float]] = {(f, p): {} for f in FILLS for p in SIZES}
    for kind in KINDS:
        detector = _fitted(ground.first, ground.bands, kind, settings, seed)
        for fill, pixels in areas:
            # The blobs depend on size and seed alone: both kinds of
            # context, and all fills, are judged on the same places.
            cube, truth = plant(ground.second, pixels, fill, seed)
            score = detector.score(cube, cube.window).score
            areas[fill, pixels][kind] = auroc(score[cube.valid], truth[cube.valid]) or 0.0
    return areas


def _method(kind: str) -> str:
    return f"specvae, context {kind}"


FIRE_METHOD = _method(KINDS[0])
"""The product's default among the methods that are compared on the fire."""


def _fire(folder: Path, settings: Sequence[str], seeds: int) -> dict[str, tuple[float, float]]:
    """Fit on the clear ground before the fire, score the date after it, and compare with the burnt perimeter."""
    if not (folder / PERIMETER).is_file():
        return {}
    (before, bands), (after, _) = _read(folder, BEFORE), _read(folder, AFTER)
    with open_scene(str(folder / PERIMETER), IngestOptions(nodata="none")) as scene:
        burnt = scene.read(Window(0, 0, *scene.shape)).values[0][after.valid] > 0
    scores: dict[str, list[NDArray[np.floating]]] = {
        _method(kind): [
            _fitted(before, bands, kind, settings, seed).score(after, after.window).score[after.valid]
            for seed in range(seeds)
        ]
        for kind in KINDS
    }
    scores["rx"] = [Background.fit(before.values[:, before.valid]).rx(after.values[:, after.valid].T)]
    return {
        method: (fmean(auroc(s, burnt) or 0.0 for s in seen), fmean(average_precision(s, burnt) or 0.0 for s in seen))
        for method, seen in scores.items()
    }


def context_section(contexts: Contexts | None) -> str:
    """Markdown of the comparison."""
    if contexts is None:
        return "Not run."
    lines = [
        [blob.ground, f"{blob.fill:.2f}", blob.pixels, blob.ring, blob.none, f"{blob.ring - blob.none:+.4f}"]
        for blob in contexts.blobs
    ]
    worst = min(contexts.blobs, key=lambda b: b.ring - b.none)
    ahead = fmean(b.ring - b.none for b in contexts.blobs)
    paragraphs = [
        f"Blobs planted on ground of few bands, mean of {contexts.seeds} seeds: AUROC of the score with the ring, and with "
        "`--context none`. A blob's material lies three standard deviations from the mean in every band; the fill says how "
        f"much of it is in a pixel. The ring is furthest behind by {max(0.0, worst.none - worst.ring):.4f} ({worst.ground}, fill "
        f"{worst.fill:.2f}, {worst.pixels} pixels); in the mean of all it is {ahead:+.4f} ahead.",
        table(["ground", "fill", "pixels", "ring", "none", "ring - none"], lines),
    ]
    if contexts.fire:
        paragraphs += [
            "Cold Springs: fitted on the clear ground before the wildfire, scored after it, against the fire's perimeter. "
            "The specialists' index, dNBR, which compares the two dates, has 0.951 (average precision 0.848).",
            table(["", "AUROC", "average precision"], [[method, *value] for method, value in contexts.fire.items()]),
        ]
    paragraphs.append("So `auto` is the ring for rasters, and none for tables, which have no surroundings.")
    return "\n\n".join(paragraphs)
