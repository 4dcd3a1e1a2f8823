"""Fitting a network: closed-form start, batches, schedule, early stopping, trimming of the worst share."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import torch
from torch import Tensor

from specvae.model.config import TrainingConfig
from specvae.model.config_defaults import MOST_STEPS
from specvae.model.vae import VAE
from specvae.training.closed_form import start_linear
from specvae.training.course import Check, Course, Phase, Stopped
from specvae.training.optimiser import optimiser_of, schedule_of

__all__ = ["Descent", "History", "Sample", "train"]


@dataclass
class History:
    """The course of training, stored in the model for its loss curves."""

    checks: list[Check] = field(default_factory=list)
    step: int = 0
    """Optimiser steps that were taken."""

    def to_json(self) -> list[dict[str, float]]:
        """The checks as rows, JSON-ready."""
        return [asdict(check) for check in self.checks]


@dataclass(frozen=True)
class Sample:
    """Normalised spectra and their contexts, on the training device."""

    x: Tensor
    """``(bands, n)``"""
    c: Tensor | None = None
    """``(context, n)``"""
    cost: Tensor | None = None
    """``(n,)`` nats of the normaliser's change of variable, where it has one."""

    @property
    def size(self) -> int:
        return int(self.x.shape[1])

    def take(self, index: Tensor) -> Sample:
        """The spectra at these positions."""
        return self._map(lambda tensor: _taken(tensor, index))

    def by_rows(self) -> Sample:
        """The sample with each spectrum contiguous in memory: batches of wide ones are then gathered several times faster."""
        return Sample(self.x.T.contiguous().T, self.c, self.cost)

    def binarised(self, generator: torch.Generator) -> Sample:
        """The sample with each value in 0..1 replaced by 0 or 1, at random, the value being the probability of 1."""
        binary = torch.rand(self.x.T.shape, generator=generator, device=self.x.device) < self.x.T
        return Sample(binary.to(self.x.dtype).T, self.c, self.cost)

    def turned(self, side: int) -> Sample:
        """Patches of ``side`` x ``side`` pixels, turned and mirrored in all eight ways: seen from above, none is upside down."""
        square = self.x.reshape(-1, side, side, self.size)
        both = (square, square.flip(1))
        turns = [patch.rot90(k, (1, 2)).reshape(self.x.shape) for patch in both for k in range(4)]
        return Sample(torch.cat(turns, dim=1))

    def to(self, device: str) -> Sample:
        """The sample on another device."""
        return self._map(lambda tensor: tensor.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> Sample:
        return Sample(*(None if t is None else change(t) for t in (self.x, self.c, self.cost)))  # type: ignore[arg-type]


def _taken(tensor: Tensor, index: Tensor) -> Tensor:
    """The columns at these positions, gathered along the axis that is contiguous."""
    if tensor.ndim == 2 and not tensor.is_contiguous():
        return tensor.T.index_select(0, index).T
    return tensor.index_select(-1, index)


CHECKS = 25
"""Times that the validation spectra are evaluated, where no number of epochs is configured; else once each epoch."""
PASSES = 20
"""Passes over the sample, where neither epochs nor fewer steps are configured."""
LEAST_STEPS = 300
"""Fewest steps by default, so that small samples are passed over more often."""
GRADIENT_LIMIT = 20.0
"""Largest norm of the gradient of the loss per band, so that one absurd batch cannot throw the weights away."""


def train(
    vae: VAE,
    sample: Sample,
    validation: Sample,
    config: TrainingConfig,
    seed: int = 0,
    course: Course | None = None,
) -> History:
    """Fit ``vae`` in place, from its closed-form start to the best weights by the validation spectra.

    ``config.refits`` times, evenly through the descent, the worst ``trim`` share of the entire sample by score is
    dropped anew. Where ``course`` says stop, the best weights so far remain; where it is resumed, ``vae`` has its weights.
    """
    begun, course = time.perf_counter(), course or Course()
    if course.resumed is None:
        course.tell(Phase("closed form"))
        start_linear(vae, sample.x, sample.c, config.trim if config.refits else 0.0, seed)
    descent = Descent(vae, sample, validation, config, seed, begun)
    if course.resumed is not None:
        descent.resume(course.resumed)
    for step in range(descent.history.step + 1, descent.steps + 1):
        if step > course.least_steps and course.stopped():
            break
        check = descent.advance(step)
        if check is not None:
            course.tell(Phase("descent", step / descent.steps, check))
        # Presets that repeat published training keep the last weights, and go all the way.
        if descent.stale >= config.patience and config.keep == "best":
            break
    if config.keep == "best":
        vae.load_state_dict(descent.best_state)
    return descent.history


def step_count(size: int, batch: int, config: TrainingConfig) -> int:
    """Optimiser steps for a sample of ``size`` spectra."""
    per_epoch = max(1, size // batch)
    if config.epochs:
        return config.epochs * per_epoch
    return min(config.steps or MOST_STEPS, max(LEAST_STEPS, PASSES * per_epoch))


class Descent:
    """One descent: optimiser, schedule, the spectra that are not trimmed, and the best weights so far."""

    def __init__(
        self, vae: VAE, sample: Sample, validation: Sample, config: TrainingConfig, seed: int, begun: float
    ) -> None:
        self.vae, self.sample, self.validation, self.config, self.seed = vae, sample, validation, config, seed
        self.generator = torch.Generator(device=sample.x.device).manual_seed(seed)
        self.batch = min(config.batch, sample.size)
        self.steps = step_count(sample.size, self.batch, config)
        self.every = max(1, self.steps // (config.epochs or CHECKS))
        self.optimiser = optimiser_of(vae, config)
        self.schedule = schedule_of(self.optimiser, self.steps, config)
        self.retained = torch.arange(sample.size, device=sample.x.device)
        self.order = self.retained[:0]
        self.running = torch.zeros((), device=sample.x.device)
        self.history = History()
        self.fit = 0
        self.begun = begun
        # The closed-form start is a candidate too: where training only makes it worse, it remains the model.
        first = _look(vae, validation, 0, 0, self.steps, float("nan"))
        self.best, self.best_state, self.stale = first.validation, copy.deepcopy(vae.state_dict()), 0

    def resume(self, stopped: Stopped) -> None:
        """Go on where an interrupted descent of the same sample and settings stopped; the network has its weights already."""
        self.history = History(list(stopped.checks), stopped.step)
        self.generator.manual_seed(self.seed + stopped.step)  # not the batches again that it has seen
        with warnings.catch_warnings():
            # torch warns where a schedule advances before its optimiser, as it does here on purpose.
            warnings.simplefilter("ignore", UserWarning)
            for _ in range(stopped.step):
                self.schedule.step()
        if stopped.checks:
            self.fit, self.begun = stopped.checks[-1].fit, self.begun - stopped.checks[-1].seconds
        if self.config.trim and self.config.refits and stopped.step:
            # The trim under way is done again, as its choice of spectra was not stored.
            self.fit = max(self.fit, 1) - 1
            self._trim()

    def advance(self, step: int) -> Check | None:
        """Take one step, and evaluate the validation spectra where that is due."""
        # The first trim comes before the first step, by the scores of the closed-form start.
        if self.config.trim and self.config.refits and (step - 1) % max(1, self.steps // self.config.refits) == 0:
            self._trim()
        # What remains of a pass and is too small for a batch is dropped; the next shuffle favours others.
        if len(self.order) < self.batch:
            shuffled = torch.randperm(len(self.retained), generator=self.generator, device=self.retained.device)
            self.order = self.retained[shuffled]
        picked, self.order = self.order[: self.batch], self.order[self.batch :]
        batch = self.sample.take(picked)
        if self.config.binarise:
            batch = batch.binarised(self.generator)
        # At full weight from the start, the KL term pulls the posterior of a random network onto the prior before the decoder has
        # learned to use it (Bowman et al., 2016).
        weight = min(1.0, step / (self.config.warm * self.steps)) if self.config.warm else 1.0
        # Summed where it was computed: reading the loss at each step would wait for the device each time.
        self.running += _step(self.vae, batch, self.optimiser, self.generator, weight)
        self.schedule.step()
        self.history.step = step
        return self._check(step) if step % self.every == 0 or step == self.steps else None

    def _trim(self) -> None:
        # Of the entire sample, so that a spectrum that was dropped too early may come back.
        scores = _scores(self.vae, self.sample)
        self.retained = (scores <= torch.quantile(_thin(scores), 1.0 - self.config.trim)).nonzero().squeeze(1)
        # The shuffle under way still holds spectra that were dropped just now.
        self.order = self.retained[:0]
        self.batch = min(self.batch, len(self.retained))
        self.fit += 1

    def _check(self, step: int) -> Check:
        check = _look(self.vae, self.validation, self.fit, step, self.steps, float(self.running) / self.every)
        check = replace(check, seconds=time.perf_counter() - self.begun)
        self.running.zero_()
        self.history.checks.append(check)
        self.stale = 0 if check.validation < self.best else self.stale + 1
        if check.validation < self.best:
            self.best, self.best_state = check.validation, copy.deepcopy(self.vae.state_dict())
        return check


def _step(
    vae: VAE, batch: Sample, optimiser: torch.optim.Optimizer, generator: torch.Generator, weight: float = 1.0
) -> Tensor:
    """One step of the optimiser, the KL term multiplied by ``weight``; returns the loss without waiting for the device."""
    noise = torch.randn(vae.latent, batch.size, generator=generator, device=batch.x.device)

    def descend() -> Tensor:
        terms = vae.terms(batch.x, batch.c, noise, batch.cost)
        loss = (terms.reconstruction + weight * vae.kl_weight * terms.kl).mean() + terms.log_volume
        optimiser.zero_grad(set_to_none=True)
        # Divided by the bands, so that the clip means the same for 4 bands and for 400.
        (loss / vae.bands).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(vae.parameters(), GRADIENT_LIMIT)
        return loss.detach()

    if isinstance(optimiser, torch.optim.LBFGS):  # evaluates one batch several times
        return torch.as_tensor(optimiser.step(descend))  # type: ignore[no-untyped-call]
    loss = descend()
    optimiser.step()
    return loss


@torch.no_grad()
def _look(vae: VAE, validation: Sample, fit: int, step: int, steps: int, loss: float) -> Check:
    """Evaluate the validation spectra."""
    # The noise is the same at every check, so that checks compare weights and not luck. The median is taken, since an
    # anomaly among the validation spectra would rule their mean.
    generator = torch.Generator(device=validation.x.device).manual_seed(0)
    noise = torch.randn(vae.latent, validation.size, generator=generator, device=validation.x.device)
    noisy = vae.terms(validation.x, validation.c, noise, validation.cost)
    plain = vae.terms(validation.x, validation.c, cost=validation.cost)
    value = (noisy.reconstruction + vae.kl_weight * noisy.kl).median() + noisy.log_volume
    return Check(fit, step, steps, loss, float(plain.reconstruction.mean()), float(plain.kl.mean()), float(value))


@torch.no_grad()
def _scores(vae: VAE, sample: Sample) -> Tensor:
    pieces = []
    for start in range(0, sample.size, 65536):
        index = torch.arange(start, min(start + 65536, sample.size), device=sample.x.device)
        part = sample.take(index)
        terms = vae.terms(part.x, part.c, cost=part.cost)
        pieces.append(terms.reconstruction + terms.kl)
    return torch.cat(pieces)


def _thin(scores: Tensor) -> Tensor:
    """At most a million of them, evenly: torch.quantile takes no more than 16 million."""
    return scores[:: max(1, len(scores) // 1_000_000)]
