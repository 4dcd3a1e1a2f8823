"""What context does to scenes of few bands: planted blobs of four sizes, and a real fire, with the ring and without.

A ring can hide the inside of something large. So blobs of 1, 5, 50 and 500 pixels are planted at several contrasts in
scenes that a model was fitted on before, and found by models with the ring and without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.benchmarks.report import table
from specvae.detector import Detector
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.model.config_file import load_config
from specvae.scoring.baselines import Background
from specvae.scoring.gathered.metrics import auroc, average_precision
from specvae.spectra import Cube, Window
from specvae.stages.demo.synthetic import BAND_NAMES, make_scene
from specvae.training.sampling import Region, Role, split_blocks

__all__ = ["Contexts", "Ground", "compare_contexts", "context_section", "plant"]

SIZES = {1: 30, 5: 20, 50: 8, 500: 2}
"""Pixels of a blob -> how many are planted in a scene at once."""
FILLS = (0.05, 0.1, 0.2, 0.5)
"""Shares of a blob's pixel that are the strange material."""
KINDS = ("ring", "none")
FIRE = "coldsprings"
BEFORE, AFTER, PERIMETER = "20160707_pre_sr7.tif", "20160723_post_sr7.tif", "burn_mask.tif"
CLEAR = {BEFORE: "20160707_pre_clear.tif", AFTER: "20160723_post_clear.tif"}
CROP = Window(64, 64, 320, 320)


@dataclass(frozen=True)
class Ground:
    """A place on two dates, or one date twice: fitted on the first, planted and scored in the second."""

    name: str
    first: Cube
    second: Cube
    bands: BandSet


@dataclass(frozen=True)
class Contexts:
    """What was found."""

    blobs: list[tuple[str, float, int, float, float]]
    """Ground, fill, pixels of a blob, AUROC with the ring and without; means over the seeds."""
    fire: dict[str, tuple[float, float]]
    """Method -> AUROC and average precision of the score of the fire, means over the seeds; empty where not at hand."""
    seeds: int


def compare_contexts(folder: Path, seeds: int, settings: Iterable[str], progress: Callable[[str], None]) -> Contexts:
    """Blobs on made ground and, where ``folder`` has them, on real ground; and the fire of Cold Springs."""
    extra = tuple(settings)
    blobs: list[tuple[str, float, int, float, float]] = []
    for ground in _grounds(folder):
        found = [_blobs(ground, extra, seed) for seed in range(seeds)]
        for fill, pixels in found[0]:
            ring, none = (fmean(f[fill, pixels][kind] for f in found) for kind in KINDS)
            blobs.append((ground.name, fill, pixels, ring, none))
        least = min(ring - none for name, _, _, ring, none in blobs if name == ground.name)
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
            yield Ground("Aberystwyth, 10 bands", _moved(cube), _moved(cube), scene.bands)


def _cube(values: NDArray[np.uint16]) -> Cube:
    collar = np.asarray((values == 0).any(axis=0), np.uint8)
    return Cube(values.astype(np.float32), collar, Window(0, 0, *collar.shape))


def _moved(cube: Cube) -> Cube:
    return Cube(cube.values, cube.reason, Window(0, 0, cube.window.rows, cube.window.cols))


def _read(folder: Path, name: str) -> tuple[Cube, BandSet]:
    """A date of the fire, what is not clear masked."""
    with open_scene(str(folder / name), IngestOptions(mask=str(folder / CLEAR[name]), mask_values=("0",))) as scene:
        return scene.read(Window(0, 0, *scene.shape)), scene.bands


def _fitted(cube: Cube, bands: BandSet, kind: str, settings: Sequence[str], seed: int) -> Detector:
    config = load_config(settings=[*settings, f"context.kind={kind}", f"seed={seed}"])
    shape = (cube.window.rows, cube.window.cols)
    split = split_blocks(shape, config.context.outer // 2 if kind == "ring" else 0, config.sampling, seed)
    role = np.where(cube.valid, split.role(cube.window), np.uint8(Role.UNUSED)).astype(np.uint8)
    region = Region(cube, cube.window, role, split.block(cube.window), 0)
    return Detector.fit([region], bands, config, ("ground",), kind == "ring", threads=2)


def plant(cube: Cube, pixels: int, fill: float, seed: int) -> tuple[Cube, NDArray[np.bool_]]:
    """The cube with discs of ``pixels`` pixels mixed with a strange material, and where they are.

    The material's bands lie three standard deviations from the scene's mean, up or down by lot: ``fill`` 0.1 moves a
    pixel by 0.3 of them.
    """
    rng = np.random.default_rng([pixels, seed])
    rows, cols = cube.valid.shape
    good = cube.values[:, cube.valid]
    strange = good.mean(axis=1) + 3 * good.std(axis=1) * rng.choice([-1.0, 1.0], len(good))
    r, c = np.mgrid[:rows, :cols]
    truth = np.zeros((rows, cols), bool)
    centres = np.argwhere(cube.valid[16:-16, 16:-16]) + 16
    for row, col in centres[rng.choice(len(centres), SIZES[pixels], replace=False)]:
        far = (r - row) ** 2 + (c - col) ** 2
        truth |= far <= np.sort(far.ravel())[pixels - 1]
    truth &= cube.valid
    values = cube.values.copy()
    values[:, truth] += fill * (strange[:, None] - values[:, truth])
    return Cube(values, cube.reason, cube.window), truth


def _blobs(ground: Ground, settings: Sequence[str], seed: int) -> dict[tuple[float, int], dict[str, float]]:
    """(fill, pixels) -> kind of context -> AUROC."""
    found: dict[tuple[float, int], dict[str, float]] = {(f, p): {} for f in FILLS for p in SIZES}
    for kind in KINDS:
        detector = _fitted(ground.first, ground.bands, kind, settings, seed)
        for fill, pixels in found:
            cube, truth = plant(ground.second, pixels, fill, seed)
            score = detector.score(cube, cube.window).score
            found[fill, pixels][kind] = auroc(score[cube.valid], truth[cube.valid]) or 0.0
    return found


def _fire(folder: Path, settings: Sequence[str], seeds: int) -> dict[str, tuple[float, float]]:
    """Fitted on the clear ground before the fire, scored after it, against the perimeter."""
    if not (folder / PERIMETER).is_file():
        return {}
    (before, bands), (after, _) = _read(folder, BEFORE), _read(folder, AFTER)
    with open_scene(str(folder / PERIMETER), IngestOptions(nodata="none")) as scene:
        burnt = scene.read(Window(0, 0, *scene.shape)).values[0][after.valid] > 0
    scores: dict[str, list[NDArray[np.floating]]] = {
        f"specvae, context {kind}": [
            _fitted(before, bands, kind, settings, seed).score(after, after.window).score[after.valid]
            for seed in range(seeds)
        ]
        for kind in KINDS
    }
    scores["rx"] = [Background.fit(before.values[:, before.valid]).rx(after.values[:, after.valid].T)]
    return {
        method: (fmean(auroc(s, burnt) or 0.0 for s in found), fmean(average_precision(s, burnt) or 0.0 for s in found))
        for method, found in scores.items()
    }


def context_section(found: Contexts | None) -> str:
    """Markdown of the comparison."""
    if found is None:
        return "Not run."
    lines = [
        [name, f"{fill:.2f}", pixels, ring, none, f"{ring - none:+.4f}"]
        for name, fill, pixels, ring, none in found.blobs
    ]  # fmt: skip
    worst = min(found.blobs, key=lambda b: b[3] - b[4])
    said = [
        f"Blobs planted on ground of few bands, mean of {found.seeds} seeds: AUROC of the score with the ring, and with "
        "`--context none`. A blob's material lies three standard deviations from the mean in every band; the fill says how "
        f"much of it is in a pixel. The ring is furthest behind by {max(0.0, worst[4] - worst[3]):.4f} ({worst[0]}, fill "
        f"{worst[1]:.2f}, {worst[2]} pixels); in the mean of all it is {fmean(b[3] - b[4] for b in found.blobs):+.4f} ahead.",
        table(["ground", "fill", "pixels", "ring", "none", "ring - none"], lines),
    ]
    if found.fire:
        said += [
            "Cold Springs: fitted on the clear ground before the wildfire, scored after it, against the fire's perimeter. "
            "The specialists' index, dNBR, which compares the two dates, has 0.951 (average precision 0.848).",
            table(["", "AUROC", "average precision"], [[method, *value] for method, value in found.fire.items()]),
        ]
    said.append("So `auto` is the ring for rasters, and none for tables, which have no surroundings.")
    return "\n\n".join(said)
