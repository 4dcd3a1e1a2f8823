"""Whether some rows of a table stand apart from all others: only then are the worst dropped while a model is fitted.

A table's rows are taken for normal, and a rare kind of normal rows must stay expected; where a group of rows is not normal, the
fit must not learn it. A first fit in closed form, which drops the worst, decides by the gap below the scores of such a group.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from specvae.model.config import ModelConfig
from specvae.model.config_defaults import REFITS
from specvae.model.spectral_net import Normalised, SpectralNet
from specvae.thresholds.contamination import find_gap
from specvae.training.descent import Sample
from specvae.training.network import fit_network
from specvae.training.sampling import Region

__all__ = ["settled", "training_scores"]

MOST_TRAINING_SCORES = 200_000
"""Training pixels whose scores are looked at for contamination, at most: quantiles need no more."""


def settled(
    regions: Sequence[Region], spectra: NDArray[np.float32], config: ModelConfig, device: str, threads: int
) -> ModelConfig:
    """The configuration with the number of refits that the rows ask for, where none is configured."""
    if config.training.refits is not None:
        return config
    dropping = _with_refits(config, REFITS, steps=1)
    first = fit_network(regions, spectra, dropping, False, device, threads)
    scores = training_scores(first.net, first.samples.train.to(device))
    return _with_refits(config, REFITS if find_gap(scores, config.training.trim).found else 0)


def _with_refits(config: ModelConfig, refits: int, **more: int) -> ModelConfig:
    return config.model_copy(update={"training": config.training.model_copy(update={"refits": refits, **more})})


@torch.inference_mode()
def training_scores(net: SpectralNet, sample: Sample) -> NDArray[np.float32]:
    """``(n,)`` scores of training pixels, untrimmed, thinned evenly."""
    sample = sample.take(
        torch.arange(0, sample.size, max(1, sample.size // MOST_TRAINING_SCORES), device=sample.x.device)
    )
    terms = net.terms_of(Normalised(sample.x, sample.cost), sample.c)
    return np.asarray((terms.reconstruction + terms.kl).cpu().numpy(), np.float32)
