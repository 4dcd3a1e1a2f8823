"""Fitting a network: batches, schedule, early stopping, refits without the worst share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from specvae.config import TrainingConfig
from specvae.errors import UsageError
from specvae.vae import VAE

FUSED = (torch.optim.Adam, torch.optim.AdamW)
"""Optimisers that take one pass over all parameters at once."""

__all__ = ["Check", "History", "Sample", "pick_device", "train"]


@dataclass(frozen=True)
class Check:
    """One look at training: mean nats per spectrum."""

    fit: int
    """0 for the first fit, 1.. for refits."""
    step: int
    steps: int
    loss: float
    """Of the training batches since the last check: reconstruction + kl_weight * KL + log volume."""
    reconstruction: float
    """Of the validation spectra, at the posterior mean."""
    kl: float
    validation: float
    """Score plus log volume of the validation spectra."""


@dataclass
class History:
    """What training went through, kept in the model for its loss curves."""

    checks: list[Check] = field(default_factory=list)
    interrupted: bool = False

    def to_json(self) -> list[dict[str, float]]:
        """Rows, ready for JSON."""
        return [asdict(check) for check in self.checks]


@dataclass(frozen=True)
class Sample:
    """Normalised spectra and their contexts, on the training device."""

    x: Tensor
    """``(bands, n)``"""
    c: Tensor | None = None
    """``(context, n)``"""

    @property
    def size(self) -> int:
        return int(self.x.shape[1])

    def take(self, index: Tensor) -> Sample:
        """The spectra at these positions."""
        return Sample(self.x.index_select(1, index), None if self.c is None else self.c.index_select(1, index))

    def to(self, device: str) -> Sample:
        """The sample on another device."""
        return Sample(self.x.to(device), None if self.c is None else self.c.to(device))


def pick_device(device: str) -> str:
    """``auto`` -> ``cuda`` where there is one, else ``cpu``. Raises UsageError for a device that is not there."""
    there = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if there else "cpu"
    if device.startswith("cuda") and not there:
        raise UsageError("--device cuda was asked for, but torch sees no CUDA device; use --device auto or cpu")
    return device


def train(
    vae: VAE,
    sample: Sample,
    validation: Sample,
    config: TrainingConfig,
    seed: int = 0,
    progress: Callable[[Check], None] | None = None,
) -> History:
    """Fit ``vae`` in place; each refit drops the worst ``trim`` share of the sample by score, and goes on.

    Ctrl-C keeps the best weights so far, and sets ``history.interrupted``.
    """
    history = History()
    kept = sample
    for fit in range(config.refits + 1):
        _fit_once(vae, kept, validation, config, seed + fit, fit, history, progress)
        if history.interrupted or config.trim == 0 or fit == config.refits:
            break
        scores = _scores(vae, sample)
        keep = scores <= torch.quantile(_thin(scores), 1.0 - config.trim)
        kept = sample.take(keep.nonzero().squeeze(1))
    return history


def _fit_once(
    vae: VAE,
    sample: Sample,
    validation: Sample,
    config: TrainingConfig,
    seed: int,
    fit: int,
    history: History,
    progress: Callable[[Check], None] | None,
) -> None:
    """One descent from the present weights, ending with the best weights by the validation spectra."""
    generator = torch.Generator(device=sample.x.device).manual_seed(seed)
    batch = min(config.batch, sample.size)
    per_epoch = max(1, sample.size // batch)
    steps = config.epochs * per_epoch if config.epochs else max(1, config.steps // (2 if fit else 1))
    every = max(1, steps // 25)
    optimiser = _optimiser(vae, config)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=steps + 1, pct_start=0.1
    )
    best, best_state, stale = float("inf"), copy.deepcopy(vae.state_dict()), 0
    running = torch.zeros((), device=sample.x.device)
    order = torch.empty(0, dtype=torch.long)
    try:
        for step in range(1, steps + 1):
            if len(order) < batch:
                order = torch.randperm(sample.size, generator=generator, device=sample.x.device)
            picked, order = order[:batch], order[batch:]
            running += _step(vae, sample.take(picked), optimiser, generator)
            schedule.step()
            if step % every and step != steps:
                continue
            check = _look(vae, validation, fit, step, steps, float(running) / every)
            running.zero_()
            history.checks.append(check)
            if progress:
                progress(check)
            stale = 0 if check.validation < best else stale + 1
            if check.validation < best:
                best, best_state = check.validation, copy.deepcopy(vae.state_dict())
            if stale >= config.patience:
                break
    except KeyboardInterrupt:
        history.interrupted = True
    vae.load_state_dict(best_state)


def _optimiser(vae: VAE, config: TrainingConfig) -> torch.optim.Optimizer:
    kind = getattr(torch.optim, config.optimiser, None)
    if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)):
        raise UsageError(f"training.optimiser = {config.optimiser!r} is not an optimiser of torch.optim; try 'Adam'")
    make: Any = kind
    optimiser: torch.optim.Optimizer = make(
        vae.parameters(), lr=config.learning_rate, **({"fused": True} if kind in FUSED else {})
    )
    return optimiser


def _step(vae: VAE, batch: Sample, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> Tensor:
    """One descent step; returns its loss without waiting for the device."""
    noise = torch.randn(vae.latent, batch.size, generator=generator, device=batch.x.device)
    terms = vae.terms(batch.x, batch.c, noise)
    loss = (terms.reconstruction + vae.kl_weight * terms.kl).mean() + terms.log_volume
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(vae.parameters(), 20.0)
    optimiser.step()
    return loss.detach()


@torch.no_grad()
def _look(vae: VAE, validation: Sample, fit: int, step: int, steps: int, loss: float) -> Check:
    # The validation loss uses fixed noise, so that checks compare weights and not luck.
    generator = torch.Generator(device=validation.x.device).manual_seed(0)
    noise = torch.randn(vae.latent, validation.size, generator=generator, device=validation.x.device)
    noisy = vae.terms(validation.x, validation.c, noise)
    plain = vae.terms(validation.x, validation.c)
    value = (noisy.reconstruction + vae.kl_weight * noisy.kl).median() + noisy.log_volume
    return Check(fit, step, steps, loss, float(plain.reconstruction.mean()), float(plain.kl.mean()), float(value))


@torch.no_grad()
def _scores(vae: VAE, sample: Sample) -> Tensor:
    pieces = []
    for start in range(0, sample.size, 65536):
        index = torch.arange(start, min(start + 65536, sample.size), device=sample.x.device)
        part = sample.take(index)
        terms = vae.terms(part.x, part.c)
        pieces.append(terms.reconstruction + terms.kl)
    return torch.cat(pieces)


def _thin(scores: Tensor) -> Tensor:
    """At most a million of them, evenly: torch.quantile takes no more than 16 million."""
    return scores[:: max(1, len(scores) // 1_000_000)]
