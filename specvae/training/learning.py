"""Learning what is normal: from regions of sources to a fitted net, its held-out scores and what the fit says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import ModelConfig
from specvae.model.net_state import NetState
from specvae.model.patches import band_means
from specvae.model.principal import Principal
from specvae.model.spectral_net import SpectralNet
from specvae.scoring.baselines import Background
from specvae.scoring.chronochrome import Chronochrome
from specvae.scoring.scorer import scorer_of
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.contamination import few_places_warning
from specvae.thresholds.drift.comparison import GroundReference
from specvae.thresholds.drift.reference import DriftReference
from specvae.thresholds.tiles import CalibrationTiles
from specvae.training.blas_threads import on_one_blas_thread
from specvae.training.course import Course, Phase
from specvae.training.cross_fit import CrossFit, FoldSummary, cross_fit, is_crossed
from specvae.training.descent import History
from specvae.training.diagnostics import diagnose
from specvae.training.held_out import reach_in, score_map, tiles_of
from specvae.training.mask_buffer import calibrated
from specvae.training.network import Fitted, fit_network, training_spectra
from specvae.training.normal_pieces import normal_pieces
from specvae.training.quota import Role
from specvae.training.sampling import LEAST, Region
from specvae.training.stray_rows import settled, training_scores

__all__ = ["Learned", "learn"]


@dataclass(frozen=True, eq=False)
class Learned:
    """What a fit came to: everything that a model holds but its bands."""

    config: ModelConfig
    """With what ``auto`` stood for."""
    state: NetState
    calibration: Calibration
    evidence: Calibration | None
    background: Background
    drift_reference: DriftReference
    provenance: dict[str, Any]
    """Training history, pixel counts, diagnostics and contamination: JSON-ready."""


@on_one_blas_thread
def learn(
    regions: Sequence[Region],
    bands: int,
    config: ModelConfig,
    sources: tuple[str, ...] = ("",),
    context: bool = True,
    device: str = "cpu",
    threads: int = 1,
    course: Course | None = None,
    least: int = LEAST,
    earlier: int = 0,
) -> Learned:
    """Learn what is normal from regions of the sources, whose cubes hold ``bands`` and behind them those of an earlier date.

    Raises InputError where fewer than ``least`` pixels are there to train on.
    """
    spectra = training_spectra(regions, bands + earlier, least)
    config = config.resolved(table=all(region.is_table for region in regions), bands=bands)
    config = settled(regions, spectra, config, device, threads)
    course = course or Course()
    fitted = fit_network(regions, spectra, config, context, device, threads, course, earlier)
    net, samples = fitted.net, fitted.samples
    held = _held_out(regions, fitted, config, sources, context, device, threads, least, course)
    stopped = _stopped(course, fitted.history)
    course.tell(Phase("thresholds"))
    training = None if is_crossed(regions) else training_scores(net, samples.train.to(device))
    made = calibrated(regions, held.tiles, held.pooled, config.training.trim, training)
    calibration, tiles = made.calibration, made.calibration.tiles
    diagnostics = diagnose(net, samples.checked, device, config.patch or 1)
    diagnostics["warnings"] += [*_interrupted(stopped), *_few_places(calibration)]
    counts = samples.counts | {"calibration": int(tiles.scores.size)}
    return Learned(
        config,
        fitted.state,
        calibration,
        made.evidence,
        _background(spectra, net, config),
        _drift(band_means(spectra[: net.bands], config.patch), tiles.scores, fitted, regions, config, device, threads),
        made.summary()
        | {"folds": _counted_anew(held, tiles), "pixels": counts, "diagnostics": diagnostics}
        | {"history": fitted.history.to_json(), "pooling": {"reach": held.reach}, **stopped},
    )


def _counted_anew(held: CrossFit, tiles: CalibrationTiles) -> FoldSummary:
    """The summary of the folds, each with its pixels among those that calibrate, ``tiles`` in the order of the folds'."""
    ends = np.searchsorted(np.cumsum(held.tiles.counts), np.cumsum(held.summary["pixels"]), side="left")
    pixels = [int(part.sum()) for part in np.split(tiles.counts, ends[:-1] + 1)] if len(ends) else []
    return {**held.summary, "pixels": pixels}


class _Interruption(TypedDict):
    """What a model says of an interruption of its fit."""

    interrupted: bool
    stopped_at: NotRequired[int]
    """Optimiser steps after which it was interrupted, where the same fit goes on; only where it was."""


def _stopped(course: Course, history: History) -> _Interruption:
    """Whether the fit was to stop: in its descent or in the folds, which were then shortened."""
    return {"interrupted": True, "stopped_at": history.step} if course.stopped() else {"interrupted": False}


def _interrupted(stopped: _Interruption) -> list[str]:
    """A warning where the fit was interrupted."""
    if "stopped_at" not in stopped:
        return []
    return [f"the fit was interrupted after {stopped['stopped_at']:,} steps: the same command goes on with it"]


def _drift(
    seen: NDArray[np.float32],
    scores: NDArray[np.float32],
    fitted: Fitted,
    regions: Sequence[Region],
    config: ModelConfig,
    device: str,
    threads: int,
) -> DriftReference:
    """What scenes are compared with: the training spectra ``seen`` ``(bands, n)``, and scored pieces of the normal data."""
    pieces = normal_pieces(scorer_of(fitted.state, device, threads), regions, fitted.net.bands, config)
    return DriftReference.fit(seen, scores).with_ground(GroundReference.fit(seen, pieces))


def _few_places(calibration: Calibration) -> list[str]:
    """A warning where the default cut rests on few places; none where anomalies were found, which is said then."""
    if not calibration.size or calibration.contaminated:
        return []
    warning = few_places_warning(calibration.tiles, calibration.threshold().value)
    return [warning] if warning else []


def _background(spectra: NDArray[np.float32], net: SpectralNet, config: ModelConfig) -> Background:
    """What the baselines need; of two dates the later's bands, and the regression of these on the earlier's."""
    later, before = spectra[: net.bands], spectra[net.bands :]
    principal = Principal.fit(later, net.latent, config.patch or 1)
    change = Chronochrome.fit(later, before, config.training.trim) if len(before) else None
    return replace(Background.fit(band_means(later, config.patch)), principal=principal, change=change)


def _held_out(
    regions: Sequence[Region],
    fitted: Fitted,
    config: ModelConfig,
    sources: tuple[str, ...],
    context: bool,
    device: str,
    threads: int,
    least: int,
    course: Course,
) -> CrossFit:
    """The calibration tiles: of the models of the folds, or of the one model where a share was held out."""
    if is_crossed(regions):
        return cross_fit(regions, fitted, config, sources, context, device, threads, least, course)
    scorer = scorer_of(fitted.state, device, threads)
    reach = reach_in(regions, [score_map(scorer, region, region.role != Role.UNUSED) for region in regions])
    tiles, pooled = tiles_of(scorer, regions, sources, reach)
    of_one: FoldSummary = {"count": 1, "pixels": [int(tiles.scores.size)], "steps": 0, "shift": [], "lacking": []}
    return CrossFit(tiles, pooled, of_one, reach)
