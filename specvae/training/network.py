"""A fitted network: from the training pixels of regions to weights, for a fit and for each of its folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.model.config import ModelConfig
from specvae.model.net_state import NetState
from specvae.model.spectral_net import SpectralNet
from specvae.scoring.cells import CellScorer
from specvae.training.course import Course, Phase
from specvae.training.descent import History, Sample, train
from specvae.training.quota import Role
from specvae.training.sampling import Region

__all__ = ["Fitted", "fit_network", "training_spectra"]

FEW_PATCHES = 4000
"""Training patches below which these are also seen turned and mirrored."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted network, and what it was fitted on."""

    net: SpectralNet
    state: NetState
    samples: Samples
    history: History


def fit_network(
    regions: Sequence[Region],
    spectra: NDArray[np.float32],
    config: ModelConfig,
    context: bool,
    device: str,
    threads: int,
    course: Course | None = None,
    earlier: int = 0,
) -> Fitted:
    """Fit a network to the training pixels of ``regions``, whose ``spectra`` are ``(values, n)`` in physical units.

    The last ``earlier`` values are those of an earlier date.
    """
    course = course or Course()
    course.tell(Phase("normalising and surroundings"))
    _prepare_torch(config.seed, device)
    resumed = course.resumed.state.net.train() if course.resumed else None
    net = resumed or SpectralNet.untrained(spectra, config, context, earlier)
    if earlier and context and resumed is None:
        # The ring is one with the earlier date's before its contexts are those that are trained on.
        contexts = _samples(net, regions, config, threads).train.c
        assert contexts is not None
        net.relate_surroundings(contexts[: net.components].numpy(), config.training.trim)
    samples = _samples(net, regions, config, threads)
    history = _train(net, samples, config, device, course)
    return Fitted(net, NetState.of(net, config), samples, history)


def _prepare_torch(seed: int, device: str) -> None:
    # For the random weights of the layers; batches, noise and the mixture's start have generators of the same seed.
    torch.manual_seed(seed)
    if device == "cpu":
        # The products are small: a second thread costs more to wake than it computes.
        torch.set_num_threads(1)


@dataclass(frozen=True)
class Samples:
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


def training_spectra(regions: Sequence[Region], bands: int, least: int) -> NDArray[np.float32]:
    """``(values, n)`` of all regions, in physical units."""
    parts = [region.spectra(Role.TRAIN) for region in regions]
    spectra = np.concatenate(parts, axis=1) if parts else np.zeros((bands, 0), np.float32)
    if spectra.shape[1] < least:
        raise InputError(
            f"{spectra.shape[1]} valid normal pixels were found to train on; at least {least} are needed: "
            "check nodata, masks and --normal with `specvae inspect`"
        )
    return spectra


def _samples(net: SpectralNet, regions: Sequence[Region], config: ModelConfig, threads: int) -> Samples:
    scorer = CellScorer(net, "cpu", threads)
    # Region by region for both roles, so that the contexts of a region are computed once and those of all are never held.
    parts = [_parts(scorer, region) for region in regions]
    sample = _joined(net, [part[Role.TRAIN] for part in parts if Role.TRAIN in part])
    trained = sample.size
    if config.patch and trained < FEW_PATCHES:
        sample = sample.turned(config.patch)
    sample = sample if net.shape is None else sample.by_rows()
    return Samples(sample, trained, _joined(net, [part[Role.VALIDATION] for part in parts if Role.VALIDATION in part]))


def _train(net: SpectralNet, samples: Samples, config: ModelConfig, device: str, course: Course) -> History:
    history = train(
        net.to(device).trainable,
        samples.train.to(device),
        samples.checked.to(device),
        config.training,
        config.seed,
        course,
    )
    net.eval()
    return history


def _parts(scorer: CellScorer, region: Region) -> dict[Role, Sample]:
    """Normalised spectra of a region with their contexts, for each of the two roles that it has pixels of."""
    masks = {role: region.role == role for role in (Role.TRAIN, Role.VALIDATION)}
    masks = {role: mask for role, mask in masks.items() if mask.any()}
    if not masks:
        return {}
    context = scorer.context(region.cube, region.window)
    parts = {}
    for role, mask in masks.items():
        normalised = scorer.normalised(region.spectra(role))
        around = None if context is None else torch.from_numpy(np.ascontiguousarray(context[:, mask]))
        parts[role] = Sample(normalised.values, scorer.net.given(normalised, around), normalised.cost)
    return parts


def _joined(net: SpectralNet, parts: Sequence[Sample]) -> Sample:
    """The spectra of several samples as one."""
    if not parts:
        return Sample(torch.empty(net.bands, 0))
    cs = [part.c for part in parts if part.c is not None]
    costs = [part.cost for part in parts if part.cost is not None]
    return Sample(
        torch.cat([part.x for part in parts], dim=1).clone(),
        torch.cat(cs, dim=1) if cs else None,
        torch.cat(costs).clone() if costs else None,
    )
