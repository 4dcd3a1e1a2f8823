"""Learning what is normal: from regions of sources to a fitted net, its held-out scores and what the fit says of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.model.config import ModelConfig
from specvae.model.net_state import NetState
from specvae.model.patches import band_means
from specvae.model.principal import Principal
from specvae.model.spectral_net import Normalised, SpectralNet
from specvae.scoring.baselines import Background
from specvae.scoring.cells import CellScorer
from specvae.scoring.scorer import scorer_of
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.drift.reference import DriftReference
from specvae.training.descent import Check, History, Sample, train
from specvae.training.diagnostics import diagnose
from specvae.training.held_out import contamination_of, tiles_of
from specvae.training.sampling import LEAST, Region, Role

__all__ = ["Learned", "learn"]

FEW_PATCHES = 4000
"""Training patches below which these are also seen turned and mirrored."""
MOST_TRAINING_SCORES = 200_000
"""Training pixels whose scores are looked at for contamination, at most: quantiles need no more."""


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


def learn(
    regions: Sequence[Region],
    bands: int,
    config: ModelConfig,
    sources: tuple[str, ...] = ("",),
    context: bool = True,
    device: str = "cpu",
    threads: int = 1,
    progress: Callable[[Check], None] | None = None,
    least: int = LEAST,
) -> Learned:
    """Learn what is normal from regions of the sources.

    Raises InputError where fewer than ``least`` pixels are there to train on.
    """
    spectra = _training_spectra(regions, bands, least)
    config = config.resolved(table=all(region.is_table for region in regions), bands=bands)
    _prepare_torch(config.seed, device)
    net = SpectralNet.untrained(spectra, config, context)
    samples = _samples(net, regions, config, threads)
    history = _train(net, samples, config, device, progress)
    state = NetState.of(net, config)
    tiles, pooled = tiles_of(scorer_of(state, device, threads), regions, sources)
    trim = config.training.trim
    contamination = contamination_of(_training_scores(net, samples.train.to(device)), tiles, trim)
    diagnostics = diagnose(net, samples.checked, device, config.patch or 1)
    seen = band_means(spectra, config.patch)
    principal = Principal.fit(spectra, net.latent, config.patch or 1)
    return Learned(
        config,
        state,
        Calibration(tiles, contaminated=contamination.found, trim=trim),
        Calibration(pooled, contaminated=contamination.found, trim=trim) if pooled.tiles else None,
        replace(Background.fit(seen), principal=principal),
        DriftReference.fit(seen, tiles.scores),
        {
            "contamination": contamination.summary(),
            "history": history.to_json(),
            "interrupted": history.interrupted,
            "pixels": samples.counts | {"calibration": int(tiles.scores.size)},
            "diagnostics": diagnostics,
        },
    )


def _prepare_torch(seed: int, device: str) -> None:
    # For the random weights of the layers; batches, noise and the mixture's start have generators of the same seed.
    torch.manual_seed(seed)
    if device == "cpu":
        # The products are small: a second thread costs more to wake than it computes.
        torch.set_num_threads(1)


@dataclass(frozen=True)
class _Samples:
    """What is trained on, and what is checked on meanwhile, normalised."""

    train: Sample
    trained: int
    """Training pixels or patches, before any was turned and mirrored."""
    validation: Sample

    @property
    def checked(self) -> Sample:
        """The validation sample; of a fit too small to have one, the training sample."""
        return self.validation if self.validation.size else self.train

    @property
    def counts(self) -> dict[str, int]:
        """Pixels or patches by what they are for."""
        return {"train": self.trained, "validation": self.validation.size}


def _training_spectra(regions: Sequence[Region], bands: int, least: int) -> NDArray[np.float32]:
    """``(values, n)`` of all regions, in physical units."""
    parts = [region.spectra(Role.TRAIN) for region in regions]
    spectra = np.concatenate(parts, axis=1) if parts else np.zeros((bands, 0), np.float32)
    if spectra.shape[1] < least:
        raise InputError(
            f"{spectra.shape[1]} valid normal pixels were found to train on; at least {least} are needed: "
            "check nodata, masks and --normal with `specvae inspect`"
        )
    return spectra


def _samples(net: SpectralNet, regions: Sequence[Region], config: ModelConfig, threads: int) -> _Samples:
    scorer = CellScorer(net, "cpu", threads)
    sample = _sample(scorer, regions, Role.TRAIN)
    trained = sample.size
    if config.patch and trained < FEW_PATCHES:
        sample = sample.turned(config.patch)
    sample = sample if net.shape is None else sample.by_rows()
    return _Samples(sample, trained, _sample(scorer, regions, Role.VALIDATION))


def _train(
    net: SpectralNet, samples: _Samples, config: ModelConfig, device: str, progress: Callable[[Check], None] | None
) -> History:
    history = train(
        net.to(device).trainable,
        samples.train.to(device),
        samples.checked.to(device),
        config.training,
        config.seed,
        progress,
    )
    net.eval()
    return history


@torch.inference_mode()
def _training_scores(net: SpectralNet, sample: Sample) -> NDArray[np.float32]:
    """``(n,)`` scores of training pixels, untrimmed, thinned evenly."""
    sample = sample.take(
        torch.arange(0, sample.size, max(1, sample.size // MOST_TRAINING_SCORES), device=sample.x.device)
    )
    terms = net.terms_of(Normalised(sample.x, sample.cost), sample.c)
    return np.asarray((terms.reconstruction + terms.kl).cpu().numpy(), np.float32)


def _sample(scorer: CellScorer, regions: Sequence[Region], role: Role) -> Sample:
    """Normalised spectra of one role over all regions, with their contexts."""
    xs, cs, costs = [], [], []
    for region in regions:
        mask = region.role == role
        if not mask.any():
            continue
        spectra = region.spectra(role)
        normalised = scorer.normalised(spectra)
        xs.append(normalised.values)
        if normalised.cost is not None:
            costs.append(normalised.cost)
        context = scorer.context(region.cube, region.window)
        if context is not None:
            cs.append(torch.from_numpy(np.ascontiguousarray(context[:, mask])))
    if not xs:
        return Sample(torch.empty(scorer.net.bands, 0))
    return Sample(
        torch.cat(xs, dim=1).clone(),
        torch.cat(cs, dim=1) if cs else None,
        torch.cat(costs).clone() if costs else None,
    )
