"""One trial: fit on half of the blocks, calibrate on a quarter, see what realises in the last quarter."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from specvae.benchmarks.calibration.data import NormalSet
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.spectra import Cube
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles, Tile, block_tiles
from specvae.training.sampling import Region, Role

__all__ = ["FILLS", "METHODS", "RATES", "Trial", "run_trial"]

RATES = (1e-1, 1e-2, 1e-3)
SPLITS = 20
"""Random halves of the held-out blocks for each fit."""
METHODS = ("specvae", "training-quantile", "chi-square")
FILLS = (0.05, 0.1, 0.2, 0.35, 0.5)
SPACING = 17
"""Planted pixels are so many rows and columns apart: none lies in another's ring."""

Realised = dict[tuple[str, float], list[float]]


@dataclass(frozen=True)
class Trial:
    """What realised on one set, over all splits."""

    name: str
    calibration_pixels: int
    realised: Realised
    """(method, asked rate) -> realised rate of each split."""
    covered: dict[float, list[bool]]
    """Asked rate -> whether the 90 % interval met the realised rate of the other half, within its own 90 % interval."""
    supported: dict[float, list[bool]]
    power: dict[tuple[float, float], list[float]]
    """(asked rate, fill) -> share of planted pixels found; empty where the values are no spectra."""
    seconds: float

    def median(self, method: str, rate: float) -> float:
        """Over splits."""
        return float(np.median(self.realised[method, rate]))

    @property
    def line(self) -> str:
        """For progress."""
        told = ", ".join(f"{rate:g}: {self.median('specvae', rate):.2g}" for rate in RATES)
        return f"{self.name}: {self.calibration_pixels} calibration pixels, realised {told}, {self.seconds:.0f} s"

    @classmethod
    def joined(cls, trials: Sequence[Trial]) -> Trial:
        """The same set under several seeds as one."""
        first = trials[0]
        return replace(
            first,
            realised={k: [v for t in trials for v in t.realised[k]] for k in first.realised},
            covered={k: [v for t in trials for v in t.covered[k]] for k in first.covered},
            supported={k: [v for t in trials for v in t.supported[k]] for k in first.supported},
            power={k: [v for t in trials for v in t.power[k]] for k in first.power},
            seconds=sum(t.seconds for t in trials) / len(trials),
        )


def run_trial(normal: NormalSet, config: ModelConfig, device: str) -> Trial:
    """Fit once, then ask and realise over random halves of what was held out."""
    begun = time.perf_counter()
    regions = normal.split(config.seed)
    detector = Detector.fit(regions, normal.bands, config, _sources(regions), normal.context, device)
    seconds = time.perf_counter() - begun
    scores = [_scores(detector, region) for region in regions]
    held = _tiles(regions, scores)
    rx = _tiles(regions, [_rx(detector, region) for region in regions])
    training = np.concatenate([s[r.role == Role.TRAIN] for s, r in zip(scores, regions, strict=True)])
    random = np.random.default_rng(config.seed)
    realised: Realised = {(method, rate): [] for method in METHODS for rate in RATES}
    covered: dict[float, list[bool]] = {rate: [] for rate in RATES}
    supported: dict[float, list[bool]] = {rate: [] for rate in RATES}
    pixels = 0
    for _ in range(SPLITS):
        mine = _halves(held, random)
        known, fresh = _masked(held, mine), _masked(held, ~mine)
        calibration, test = Calibration(known), Calibration(fresh)
        pixels = calibration.size
        for rate in RATES:
            cut = calibration.threshold(rate, explicit=True)
            share = _share(fresh.scores, cut.value)
            realised["specvae", rate].append(share)
            supported[rate].append(cut.supported)
            other = test.given(cut.value).interval or (share, share)
            covered[rate].append(
                cut.interval is not None and cut.interval[0] <= other[1] and other[0] <= cut.interval[1]
            )
            quantile = float(np.quantile(training, 1 - rate))
            realised["training-quantile", rate].append(_share(fresh.scores, quantile))
            chi = float(stats.chi2.isf(rate, len(normal.bands)))
            realised["chi-square", rate].append(_share(rx.scores[~mine], chi))
    power = _power(detector, regions, held) if normal.spectral else {}
    return Trial(normal.name, pixels, realised, covered, supported, power, seconds)


def _scores(detector: Detector, region: Region) -> NDArray[np.float32]:
    """``(rows, cols)``: scores of a region, of a table's usable rows only."""
    if not region.is_table:
        return detector.score(region.cube, region.window).score
    rows = region.cube.crop(region.window).values.reshape(len(detector.bands), -1).T
    usable = (region.role != Role.UNUSED).ravel()
    return np.asarray(detector.score_rows(rows, usable).score.reshape(region.role.shape))


def _share(scores: NDArray[np.floating], cut: float) -> float:
    return float(np.mean(scores > cut)) if scores.size else 0.0


def _rx(detector: Detector, region: Region) -> NDArray[np.float32]:
    """Squared Mahalanobis distance of every usable pixel from the training spectra, NaN elsewhere."""
    usable = region.role != Role.UNUSED
    out = np.full(usable.shape, np.nan, np.float32)
    out[usable] = detector.background.rx(region.cube.crop(region.window).values[:, usable].T)
    return out


def _tiles(regions: Sequence[Region], scores: Sequence[NDArray[np.float32]]) -> CalibrationTiles:
    """Held-out scores by block."""
    tiles: list[Tile] = []
    for region, score in zip(regions, scores, strict=True):
        tiles += block_tiles(score, region.role == Role.CALIBRATION, region.block, region.source)
    return CalibrationTiles(tuple(tiles), _sources(regions))


def _sources(regions: Sequence[Region]) -> tuple[str, ...]:
    return tuple(str(i) for i in range(1 + max(region.source for region in regions)))


def _halves(tiles: CalibrationTiles, random: np.random.Generator) -> NDArray[np.bool_]:
    """``(n,)``: True for the scores in a random half of the blocks."""
    labels = tiles.blocks
    count = int(labels.max()) + 1
    chosen = np.zeros(count, bool)
    chosen[random.permutation(count)[: count // 2]] = True
    return chosen[labels]


def _masked(tiles: CalibrationTiles, keep: NDArray[np.bool_]) -> CalibrationTiles:
    """The same tiles with the other scores invalid; tiles without any are left out."""
    kept, start = [], 0
    for tile, count in zip(tiles.tiles, tiles.counts, strict=True):
        mine = keep[start : start + count]
        start += int(count)
        if not mine.any():
            continue
        score = tile.score.copy()
        valid = np.nonzero(tile.valid)
        score[valid[0][~mine], valid[1][~mine]] = np.nan
        kept.append(
            Tile(
                score[:, np.isfinite(score).any(axis=0)] if tile.block == INDEPENDENT else score,
                tile.source,
                tile.block,
            )
        )
    return CalibrationTiles(tuple(kept), tiles.sources)


def _power(
    detector: Detector, regions: Sequence[Region], held: CalibrationTiles
) -> dict[tuple[float, float], list[float]]:
    """Share of planted held-out pixels above each cut, for each fill.

    The target is the mean training spectrum with its bands in reverse order: as bright as the scene, of another
    shape.
    """
    calibration = Calibration(held)
    cuts = {rate: calibration.threshold(rate, explicit=True).value for rate in RATES}
    target = detector.background.mean[::-1].astype(np.float32)
    found: dict[tuple[float, float], list[float]] = {}
    for fill in FILLS:
        planted = np.concatenate([_planted(detector, region, target, fill) for region in regions])
        for rate in RATES:
            found[rate, fill] = [_share(planted, cuts[rate])]
    return found


def _planted(detector: Detector, region: Region, target: NDArray[np.float32], fill: float) -> NDArray[np.float32]:
    """Scores of the held-out pixels of a lattice after ``fill`` of each was given to the target."""
    held = region.role == Role.CALIBRATION
    lattice = np.zeros_like(held)
    step = (1, 3) if region.role.shape[0] == 1 else (SPACING, SPACING)
    lattice[step[0] // 2 :: step[0], step[1] // 2 :: step[1]] = True
    rows, cols = np.nonzero(held & lattice)
    if not rows.size:
        return np.empty(0, np.float32)
    values = region.cube.values.copy()
    inside = region.window.shift(-region.cube.window.row, -region.cube.window.col)
    at = rows + inside.row, cols + inside.col
    values[:, at[0], at[1]] = (1 - fill) * values[:, at[0], at[1]] + fill * target[:, None]
    if region.is_table:
        planted = values[:, at[0], at[1]].T
        return detector.score_rows(planted, np.ones(len(planted), bool)).score
    cube = Cube(values, region.cube.reason, region.cube.window)
    return detector.score(cube, region.window).score[rows, cols]
