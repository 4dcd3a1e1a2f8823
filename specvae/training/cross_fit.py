"""Cross-fitting: a model for each fold of the blocks, which scores just the blocks that it was fitted without.

The guarantee that is left. Where rows of a table are exchangeable, the p-value of a new one by the fold models themselves is
at most alpha with probability at most 2 alpha, plus a term that vanishes with the number of rows (Vovk 2015; Barber, Candes,
Ramdas and Tibshirani 2021, theorem 4); in practice it is close to alpha. The shipped model is that of all rows, and its scores
agree with those of the fold models only as far as ``RankShift`` brings them together, which is measured and stored for each
fold, and not proved.

Blocks of a scene are not exchangeable with those of another: ground next to them is like them. A fold's model lacks its blocks,
as in a table, but also the ring around each, a tenth to a third of all else, where most of what is like them lies. So it takes
much for strange that the shipped model knows. Its scores alone would put a cut far above what realises, those of the shipped
model, which saw the pixels, below. ``between`` goes between the two, by the share that the rings take. No theorem covers
this; the benchmark ``calibration`` measures it on the squares between those fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import ModelConfig
from specvae.scoring.pooling import HALO, pool
from specvae.scoring.scorer import Scorer, scorer_of
from specvae.spectra import Window
from specvae.thresholds.between import between
from specvae.thresholds.rank_shift import RankShift
from specvae.thresholds.tiles import CalibrationTiles, Tile, block_boxes, block_tiles
from specvae.training.course import Course
from specvae.training.descent import step_count
from specvae.training.folds import WIDE, FoldMap, merged_count
from specvae.training.held_out import ScoreMap, reach_in, score_map
from specvae.training.network import Fitted, fit_network
from specvae.training.quota import Role
from specvae.training.sampling import Region

__all__ = ["CrossFit", "FoldSummary", "cross_fit", "is_crossed"]

FOLD_SPECTRA, FOLD_CHECKS = 60_000, 5_000
"""Training and validation pixels of a fold's model, at most, evenly taken: its few steps see no more."""
STEPS_SHARE, LEAST_STEPS = 0.5, 50
"""Steps of all fold models together, over those of the model of all blocks; and those of one of them, where that took more."""
FOLD_KERNELS = 64
"""Kernels of each band's learned distribution in a fold's model, at most: most of the time of a wide table's fit."""
COMMON = 100_000
"""Pixels that a fold's model and the model of all blocks are compared on, about."""


class FoldSummary(TypedDict):
    """What a model says of its folds; JSON-ready."""

    count: int
    """Folds whose models scored something; 1 where a share was held out instead."""
    pixels: list[int]
    """Calibration pixels of each fold."""
    steps: int
    """Optimiser steps of a fold's model, at most."""
    shift: list[float]
    """Score of the model of all blocks over that of each fold's model, where a tenth of the pixels that both trained on lies
    above: by so much the fold's scores were corrected."""
    lacking: list[float]
    """Of the training pixels outside each fold's blocks, the share in the rings around them, which its model lacks too; so far
    its scores were moved towards those of the model of all blocks. It is 0 without surroundings, as in tables."""


@dataclass(frozen=True, eq=False)
class CrossFit:
    """The calibration tiles of all folds."""

    tiles: CalibrationTiles
    pooled: CalibrationTiles
    """Tiles of the pooled evidence; a table has none."""
    summary: FoldSummary
    reach: int
    """Pixels that the ring of the pooled evidence reaches to each side."""


def is_crossed(regions: Sequence[Region]) -> bool:
    """Whether the regions were split into folds."""
    return any(region.folds is not None for region in regions)


@dataclass(frozen=True, eq=False)
class _CrossFitting:
    """What the folds have in common."""

    regions: Sequence[Region]
    maps: tuple[FoldMap | None, ...]
    """Folds of each region."""
    whole: tuple[ScoreMap, ...]
    """Scores of each region by the model of all blocks."""
    config: ModelConfig
    context: bool
    device: str
    threads: int
    least: int
    earlier: int
    """Values of a pixel that are those of an earlier date."""
    course: Course
    """Of the fit that the folds are a part of."""
    count: int
    """Folds in all."""

    def model(self, fold: int) -> Fitted | None:
        """The model fitted without the blocks of ``fold``; None where too few pixels are left to train on."""
        regions = [
            replace(r, role=np.where(m.apart(fold), r.role, np.uint8(Role.UNUSED))) if m is not None else r
            for r, m in zip(self.regions, self.maps, strict=True)
        ]
        regions = _thinned(_thinned(regions, Role.TRAIN, FOLD_SPECTRA), Role.VALIDATION, FOLD_CHECKS)
        parts = [region.spectra(Role.TRAIN) for region in regions]
        spectra = np.concatenate(parts, axis=1)
        if spectra.shape[1] < self.least:
            return None
        # A fit that is to stop still gets its thresholds, from models of the fewest steps.
        course = self.course.part(f"fold {fold + 1} of {self.count}", fold / self.count, 1 / self.count, LEAST_STEPS)
        return fit_network(regions, spectra, self.config, self.context, self.device, self.threads, course, self.earlier)

    def scored(self, fold: int, scorer: Scorer) -> tuple[dict[int, ScoreMap], RankShift]:
        """Score maps of the regions that hold pixels of ``fold``, by their index, and the shift to the model of all blocks."""
        held, common, count = {}, [], 0
        order = sorted(range(len(self.regions)), key=lambda i: not self._holds(i, fold))
        for index in order:
            region, folds = self.regions[index], self.maps[index]
            holds = self._holds(index, fold)
            if not holds and count >= COMMON:
                break
            scores = score_map(scorer, region, region.role != Role.UNUSED)
            if holds:
                held[index] = scores
            apart = np.ones(region.role.shape, bool) if folds is None else folds.apart(fold)
            both = apart & (region.role == Role.TRAIN)
            if both.any():
                pair = np.stack([scores.score[both], self.whole[index].score[both]])
                common.append(pair[:, :: max(1, pair.shape[1] // COMMON)])
                count += common[-1].shape[1]
        pairs = np.concatenate(common, axis=1) if common else np.empty((2, 0))
        return held, RankShift.fit(pairs[0], pairs[1])

    def lacking(self, fold: int) -> float:
        """Of the training pixels outside the blocks of ``fold``, the share that lies in the rings around them."""
        outside, apart = 0, 0
        for region, folds in zip(self.regions, self.maps, strict=True):
            train = region.role == Role.TRAIN
            outside += int((train if folds is None else train & ~folds.held(fold)).sum())
            apart += int((train if folds is None else train & folds.apart(fold)).sum())
        return 1 - apart / max(1, outside)

    def _holds(self, index: int, fold: int) -> bool:
        folds = self.maps[index]
        return folds is not None and bool(folds.held(fold).any())


def cross_fit(
    regions: Sequence[Region],
    fitted: Fitted,
    config: ModelConfig,
    sources: tuple[str, ...],
    context: bool,
    device: str,
    threads: int,
    least: int,
    course: Course | None = None,
) -> CrossFit:
    """Fit a model for each fold, and score its blocks with it; ``fitted`` is the model of all blocks.

    Each starts from the closed form of its own pixels and is trained for a twelfth of the steps, which its scores are
    corrected for by rank. ``config`` is resolved.
    """
    whole = scorer_of(fitted.state, device, threads)
    count = merged_count(config.sampling.fold_count, fitted.samples.trained, fitted.samples.train.x.shape[0])
    steps = _steps(fitted, config, count)
    work = _CrossFitting(
        regions,
        tuple(None if region.folds is None else region.folds.merged(count) for region in regions),
        tuple(score_map(whole, region, region.role != Role.UNUSED) for region in regions),
        _shortened(config, steps, fitted.samples.train.x.shape[0]),
        context,
        device,
        threads,
        least,
        fitted.net.inputs - fitted.net.bands,
        course or Course(),
        count,
    )
    return _gathered(work, count, steps, sources)


def _gathered(work: _CrossFitting, count: int, steps: int, sources: tuple[str, ...]) -> CrossFit:
    """The tiles of all folds, and what they came to."""
    tiles: list[Tile] = []
    pooled: list[Tile] = []
    reach = reach_in(work.regions, work.whole)
    summary: FoldSummary = {"count": 0, "pixels": [], "steps": steps, "shift": [], "lacking": []}
    for fold in range(count):
        of_scores, of_evidence, shift = _fold_tiles(work, fold, reach)
        if not of_scores:
            continue
        tiles += of_scores
        pooled += of_evidence
        summary["count"] += 1
        summary["pixels"].append(sum(int(tile.valid.sum()) for tile in of_scores))
        summary["shift"].append(round(shift.ratio, 4))
        summary["lacking"].append(round(work.lacking(fold), 4))
    return CrossFit(CalibrationTiles(tuple(tiles), sources), CalibrationTiles(tuple(pooled), sources), summary, reach)


def _fold_tiles(work: _CrossFitting, fold: int, reach: int) -> tuple[list[Tile], list[Tile], RankShift]:
    """Tiles of the blocks of one fold, and of their evidence, by the model without them; none where it cannot be fitted."""
    tiles: list[Tile] = []
    pooled: list[Tile] = []
    empty = np.empty(0)
    holding = any(folds is not None and folds.held(fold).any() for folds in work.maps)
    model = work.model(fold) if holding else None
    if model is None:
        return tiles, pooled, RankShift(empty, empty)
    held, shift = work.scored(fold, scorer_of(model.state, work.device, work.threads))
    lacking = work.lacking(fold)
    for index, scores in held.items():
        folds = work.maps[index]
        assert folds is not None
        region, here = work.regions[index], folds.held(fold)
        nats = shift.of(scores.around)
        shifted = replace(scores, around=between(nats, work.whole[index].around, lacking))
        tiles += block_tiles(shifted.score, here, region.block, region.source)
        pooled += [] if region.is_table else _evidence_tiles(region, here, shifted, reach)
    return tiles, pooled, shift


def _evidence_tiles(region: Region, held: NDArray[np.bool_], scores: ScoreMap, reach: int) -> list[Tile]:
    """Tiles of the evidence of the pixels ``held``, block by block: a sixth of a scene is pooled, and not all of it."""
    tiles = []
    rows, cols = scores.inside
    for number, box in block_boxes(held, region.block):
        here = Window(box[0].start, box[1].start, box[0].stop - box[0].start, box[1].stop - box[1].start)
        place = here.shift(rows.start, cols.start)
        around = place.grow(HALO).clip(Window(0, 0, *scores.around.shape))
        evidence = pool(scores.around[around.slices], reach)[place.shift(-around.row, -around.col).slices]
        tiles += block_tiles(evidence, held[box] & (region.block[box] == number), region.block[box], region.source)
    return tiles


def _shortened(config: ModelConfig, steps: int, values: int) -> ModelConfig:
    """The configuration of a fold's model, which sees so many ``values`` a pixel."""
    training = config.training.model_copy(update={"steps": steps, "epochs": None, "warm": 0.0})
    if values > WIDE:
        # Each trim solves the closed form of wide spectra once more, which costs more than all steps together.
        training = training.model_copy(update={"refits": 0})
    normaliser = config.normaliser.model_copy(update={"kernels": min(FOLD_KERNELS, config.normaliser.kernels)})
    return config.model_copy(update={"training": training, "normaliser": normaliser})


def _steps(fitted: Fitted, config: ModelConfig, count: int) -> int:
    """Optimiser steps of a fold's model: together half of those of the model of all blocks, and not under fifty each."""
    size = fitted.samples.train.size
    whole = step_count(size, min(config.training.batch, size), config.training)
    return max(int(STEPS_SHARE * whole / count), min(whole, LEAST_STEPS))


def _thinned(regions: Sequence[Region], role: Role, most: int) -> list[Region]:
    """The regions with about ``most`` pixels of a role, evenly taken; the others are for nothing."""
    step = -(-sum(int((region.role == role).sum()) for region in regions) // most)
    if step <= 1:
        return list(regions)
    thinned = []
    for region in regions:
        thin: NDArray[np.uint8] = region.role.copy()
        places = np.flatnonzero(thin == role)
        dropped = np.ones(places.size, bool)
        dropped[::step] = False
        thin.flat[places[dropped]] = Role.UNUSED
        thinned.append(replace(region, role=thin))
    return thinned
