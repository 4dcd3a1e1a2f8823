"""The course of a fit as its caller sees and steers it: how far it is, whether it is to stop, and where it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from specvae.model.net_state import NetState

__all__ = ["Check", "Course", "Phase", "Stopped"]


@dataclass(frozen=True)
class Check:
    """One evaluation of the validation spectra during training: mean nats per spectrum."""

    fit: int
    """How many times the sample had been trimmed."""
    step: int
    steps: int
    loss: float
    """Of the training batches since the last check: reconstruction + kl_weight * KL + log volume."""
    reconstruction: float
    """Of the validation spectra, at the posterior mean."""
    kl: float
    validation: float
    """Score plus log volume of the validation spectra."""
    seconds: float = 0.0
    """Since training began, its closed-form start included."""


@dataclass(frozen=True)
class Phase:
    """What a fit is doing at this moment."""

    name: str
    """In words: ``reading lake.tif``, ``closed form``, ``descent``, ``fold 2 of 6``, ``thresholds``."""
    share: float = 0.0
    """How much of this phase is done, 0..1."""
    check: Check | None = None
    """The newest evaluation of the validation spectra, during the descent."""


@dataclass(frozen=True, eq=False)
class Stopped:
    """Where an earlier fit of the same inputs and settings was interrupted."""

    state: NetState
    """The best weights that it came to, with the normaliser and the context that they were trained with."""
    step: int
    """Optimiser steps that it took."""
    checks: tuple[Check, ...] = ()
    """The evaluations up to there."""


def _unheard(phase: Phase) -> None:
    return


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Course:
    """Who is told how far a fit is, who says that it is to stop, and where it begins.

    Examples
    --------
    >>> Course().stopped()
    False
    """

    tell: Callable[[Phase], None] = _unheard
    """Called at the begin of each phase, and now and then within it."""
    stopped: Callable[[], bool] = _never
    """Whether the fit is to come to its end with the weights that it has; asked between two optimiser steps."""
    least_steps: int = 0
    """Steps that are taken in any case."""
    resumed: Stopped | None = None
    """Where an interrupted fit goes on; None: from the closed form."""

    def part(self, name: str, share: float, of: float, least_steps: int = 0) -> Course:
        """The course of a fit inside this one, from ``share`` of the phase ``name`` on over a part ``of`` it.

        It takes at least ``least_steps`` steps, and starts from its own closed form.
        """

        def tell(phase: Phase) -> None:
            self.tell(Phase(name, share + of * phase.share))

        return Course(tell, self.stopped, least_steps)
