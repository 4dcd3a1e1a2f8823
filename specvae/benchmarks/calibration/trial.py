"""One trial: fit on half of the blocks, calibrate on a quarter, and count what realises in the last quarter."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from specvae.benchmarks.calibration.data import NormalSet
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.spectra import Cube
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles, Tile, block_tiles
from specvae.training.quota import Role
from specvae.training.sampling import Region

__all__ = ["FILLS", "METHODS", "RATES", "Trial", "run_trial"]

RATES = (1e-1, 1e-2, 1e-3)
"""Asked false-alarm rates."""
SPLITS = 20
"""Random halves of the held-out blocks for each fit."""
METHODS = ("specvae", "training-quantile", "chi-square")
"""The product's threshold, the quantile of its training scores, and the textbook's law of the Mahalanobis distance."""
FILLS = (0.05, 0.1, 0.2, 0.35, 0.5)
"""Shares of a planted pixel that the target takes."""
SPACING = 17
"""Rows and columns between planted pixels: so many that none lies in another's ring of neighbours."""
ROW_SPACING = 3
"""Spacing in a table, whose rows have no neighbours."""

Realised = dict[tuple[str, float], list[float]]
"""(method, asked rate) -> the realised rate of each split."""


@dataclass(frozen=True)
class Trial:
    """What realised on one data set, over all splits."""

    name: str
    calibration_pixels: int
    realised: Realised
    covered: dict[float, list[bool]]
    """Asked rate -> for each split, whether the 90 % intervals of the calibrated and the realised rate overlap."""
    supported: dict[float, list[bool]]
    """Asked rate -> for each split, whether the calibration supports the rate."""
    power: dict[tuple[float, float], list[float]]
    """(asked rate, fill) -> share of planted pixels above the cut; empty where the values are no spectra."""
    seconds: float
    """Time of the fit."""

    def median(self, method: str, rate: float) -> float:
        """Median over the splits of the rate that realised."""
        return float(np.median(self.realised[method, rate]))

    @property
    def line(self) -> str:
        """One line for progress."""
        rates = ", ".join(f"{rate:g}: {self.median('specvae', rate):.2g}" for rate in RATES)
        return f"{self.name}: {self.calibration_pixels} calibration pixels, realised {rates}, {self.seconds:.0f} s"

    @classmethod
    def joined(cls, trials: Sequence[Trial]) -> Trial:
        """The trials of one data set under several seeds as one trial."""
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
    """Fit once, then compare asked and realised rates over random halves of the held-out blocks."""
    begun = time.perf_counter()
    regions = normal.split(config.seed)
    detector = Detector.fit(regions, normal.bands, config, _sources(regions), normal.context, device)
    seconds = time.perf_counter() - begun
    scores = [_scores(detector, region) for region in regions]
    held_out = _tiles(regions, scores)
    rx = _tiles(regions, [_rx(detector, region) for region in regions])
    # The quantile of training scores is the usual cut where nothing is held out: too low, as the model knows them.
    training = np.concatenate([s[r.role == Role.TRAIN] for s, r in zip(scores, regions, strict=True)])
    rates = _Rates()
    random = np.random.default_rng(config.seed)
    for _ in range(SPLITS):
        rates.add_split(held_out, rx, training, len(normal.bands), _halves(held_out, random))
    power = _power(detector, regions, held_out) if normal.spectral else {}
    return Trial(normal.name, rates.pixels, rates.realised, rates.covered, rates.supported, power, seconds)


@dataclass
class _Rates:
    """The realised rates of the splits so far; see :class:`Trial`."""

    realised: Realised = field(default_factory=lambda: {(method, rate): [] for method in METHODS for rate in RATES})
    covered: dict[float, list[bool]] = field(default_factory=lambda: {rate: [] for rate in RATES})
    supported: dict[float, list[bool]] = field(default_factory=lambda: {rate: [] for rate in RATES})
    pixels: int = 0
    """Calibration pixels of the last split."""

    def add_split(
        self,
        held_out: CalibrationTiles,
        rx: CalibrationTiles,
        training: NDArray[np.float32],
        bands: int,
        half: NDArray[np.bool_],
    ) -> None:
        """Make every method's cut from one ``half (n,)`` of the held-out scores, and count on the other half."""
        calibrated, fresh = _masked(held_out, half), _masked(held_out, ~half)
        calibration, test = Calibration(calibrated), Calibration(fresh)
        self.pixels = calibration.size
        for rate in RATES:
            cut = calibration.threshold(rate, explicit=True)
            share = _share(fresh.scores, cut.value)
            self.realised["specvae", rate].append(share)
            self.supported[rate].append(cut.supported)
            # The rate that realises is itself an estimate, from half of the
            # blocks: its interval is compared, not its value.
            other = test.given(cut.value).interval or (share, share)
            overlap = cut.interval is not None and cut.interval[0] <= other[1] and other[0] <= cut.interval[1]
            self.covered[rate].append(overlap)
            quantile = float(np.quantile(training, 1 - rate))
            self.realised["training-quantile", rate].append(_share(fresh.scores, quantile))
            # The law of the squared Mahalanobis distance if spectra were Gaussian, one degree of freedom a band.
            chi_square = float(stats.chi2.isf(rate, bands))
            # Both sets of tiles hold the same pixels in the same order, so that one mask divides either.
            self.realised["chi-square", rate].append(_share(rx.scores[~half], chi_square))


def _scores(detector: Detector, region: Region) -> NDArray[np.float32]:
    """Scores of a region ``(rows, cols)``; of a table, only those of its usable rows."""
    if not region.is_table:
        return detector.score(region.cube, region.window).score
    rows = region.cube.crop(region.window).values.reshape(len(detector.bands), -1).T
    usable = (region.role != Role.UNUSED).ravel()
    return np.asarray(detector.score_rows(rows, usable).score.reshape(region.role.shape))


def _share(scores: NDArray[np.floating], cut: float) -> float:
    """Share of the scores above a cut; 0 where there are none."""
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
    """For each score ``(n,)``, whether it lies in a random half of the blocks."""
    labels = tiles.blocks
    count = int(labels.max()) + 1
    chosen = np.zeros(count, bool)
    chosen[random.permutation(count)[: count // 2]] = True
    return chosen[labels]


def _masked(tiles: CalibrationTiles, keep: NDArray[np.bool_]) -> CalibrationTiles:
    """The tiles with only the scores in ``keep (n,)``; the others become invalid, and tiles without a score go."""
    remaining, start = [], 0
    for tile, count in zip(tiles.tiles, tiles.counts, strict=True):
        # ``keep`` is in the order of ``CalibrationTiles.scores``: tile by tile, the valid pixels row by row.
        wanted = keep[start : start + count]
        start += int(count)
        if not wanted.any():
            continue
        score = tile.score.copy()
        valid = np.nonzero(tile.valid)
        score[valid[0][~wanted], valid[1][~wanted]] = np.nan
        if tile.block == INDEPENDENT:  # its scores have no places: what is invalid can go
            score = score[:, np.isfinite(score).any(axis=0)]
        remaining.append(Tile(score, tile.source, tile.block))
    return CalibrationTiles(tuple(remaining), tiles.sources)


def _power(
    detector: Detector, regions: Sequence[Region], held: CalibrationTiles
) -> dict[tuple[float, float], list[float]]:
    """Share of planted held-out pixels above the cut, by (asked rate, fill).

    The target is the mean training spectrum with its bands in reverse order: as bright as the scene, but of another
    shape.
    """
    calibration = Calibration(held)
    cuts = {rate: calibration.threshold(rate, explicit=True).value for rate in RATES}
    target = detector.background.mean[::-1].astype(np.float32)
    power: dict[tuple[float, float], list[float]] = {}
    for fill in FILLS:
        planted = np.concatenate([_planted(detector, region, target, fill) for region in regions])
        for rate in RATES:
            power[rate, fill] = [_share(planted, cuts[rate])]
    return power


def _planted(detector: Detector, region: Region, target: NDArray[np.float32], fill: float) -> NDArray[np.float32]:
    """Scores of held-out pixels on a lattice, after the target took the share ``fill`` of each."""
    held = region.role == Role.CALIBRATION
    lattice = np.zeros_like(held)
    step = (1, ROW_SPACING) if region.role.shape[0] == 1 else (SPACING, SPACING)
    lattice[step[0] // 2 :: step[0], step[1] // 2 :: step[1]] = True
    rows, cols = np.nonzero(held & lattice)
    if not rows.size:
        return np.empty(0, np.float32)
    values = region.cube.values.copy()
    # A region's cube may be larger than its window; pixels are planted in the coordinates of the cube.
    inside = region.window.shift(-region.cube.window.row, -region.cube.window.col)
    at = rows + inside.row, cols + inside.col
    values[:, at[0], at[1]] = (1 - fill) * values[:, at[0], at[1]] + fill * target[:, None]
    if region.is_table:
        planted = values[:, at[0], at[1]].T
        return detector.score_rows(planted, np.ones(len(planted), bool)).score
    cube = Cube(values, region.cube.reason, region.cube.window)
    return detector.score(cube, region.window).score[rows, cols]
