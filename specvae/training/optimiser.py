"""The optimiser of a training, and the schedule of its learning rate."""

from __future__ import annotations

from typing import Any

import torch

from specvae.errors import UsageError
from specvae.model.config import TrainingConfig
from specvae.model.vae import VAE

__all__ = ["optimiser_of", "schedule_of"]

FUSED = (torch.optim.Adam, torch.optim.AdamW)
"""Optimisers that take one pass over all parameters at once."""
RATE = 4e-3
"""Default learning rate, at the peak of the one-cycle schedule."""


def optimiser_of(vae: VAE, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser that the configuration names. Raises UsageError where torch has none of that name for dense gradients."""
    kind = getattr(torch.optim, config.optimiser, None)
    if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)) or kind is torch.optim.Optimizer:
        raise UsageError(f"training.optimiser = {config.optimiser!r} is not an optimiser of torch.optim; try 'Adam'")
    if kind is torch.optim.SparseAdam:
        raise UsageError("training.optimiser = 'SparseAdam' takes sparse gradients, and these are dense; try 'Adam'")
    make: Any = kind
    # Elsewhere in torch the decay is a part of the gradient, which adaptive steps rescale (Loshchilov and Hutter, 2019).
    options: dict[str, Any] = {"weight_decay": config.weight_decay} if config.optimiser == "AdamW" else {}
    if kind is torch.optim.LBFGS:
        options["line_search_fn"] = "strong_wolfe"  # the curvature of one batch misleads a fixed step on the next
    if kind in FUSED:
        options["fused"] = True
    optimiser: torch.optim.Optimizer = make(vae.parameters(), lr=config.learning_rate or RATE, **options)
    return optimiser


def schedule_of(
    optimiser: torch.optim.Optimizer, steps: int, config: TrainingConfig
) -> torch.optim.lr_scheduler.LRScheduler:
    """The course of the learning rate over so many steps, advanced once after each."""
    schedules = torch.optim.lr_scheduler
    if config.schedule == "constant":
        return schedules.ConstantLR(optimiser, factor=1.0)
    if config.schedule == "cosine":
        return schedules.CosineAnnealingLR(optimiser, steps + 1)
    # Only optimisers with a momentum or betas can have them cycled against the rate.
    cycled = {"momentum", "betas"} & set(optimiser.defaults) and optimiser.defaults.get("momentum", 1) != 0
    # One more than the steps, since the schedule is advanced after the last step as well.
    return schedules.OneCycleLR(
        optimiser, config.learning_rate or RATE, total_steps=steps + 1, pct_start=0.1, cycle_momentum=bool(cycled)
    )
