"""Which scorer a model has: the compiled one on the CPU where it covers the model, else torch's."""

from __future__ import annotations

from typing import Any, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.model.net_state import NetState
from specvae.scoring.kernel.scorer import CompiledScorer, why_not_compiled
from specvae.spectra import Cube, Parts, Residuals, Window

__all__ = ["Scorer", "ScorerDescription", "describe_scorer", "scorer_of"]


class Scorer(Protocol):
    """Scores windows and rows in physical units; the same pixel gets the same bits in any window."""

    reads: tuple[np.dtype[Any], ...]
    """The types of values that it takes as they are."""
    cell: int
    """Side of the squares of the scene's grid that it computes together, on whose multiples windows begin; 1 = any."""

    def score(self, cube: Cube, window: Window) -> tuple[Parts, NDArray[np.float32] | None]:
        """Parts of ``window`` (rows, cols), and its contexts ``(components, rows, cols)`` for a model with context."""
        ...

    def context(self, cube: Cube, window: Window) -> NDArray[np.float32] | None:
        """Contexts ``(components, rows, cols)`` of ``window``, or None for a model without."""
        ...

    def score_rows(self, values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Parts:
        """Parts ``(n,)`` of a table's spectra ``(n, bands)``, for a model without context."""
        ...

    def explain(
        self, values: NDArray[np.floating], context: NDArray[np.floating] | None, expected: bool = True
    ) -> Residuals:
        """What each band has in the reconstruction: ``(bands, n)`` spectra and their ``(components, n)`` contexts.

        Without ``expected`` the reconstructions may be of no pixel.
        """
        ...

    def score_columns(self, values: NDArray[np.floating], context: NDArray[np.floating] | None) -> NDArray[np.float64]:
        """Score and KL ``(2, n)`` of ``(bands, n)`` spectra with the contexts ``(components, n)`` that are given."""
        ...


class ScorerDescription(TypedDict):
    """What scores a model here."""

    kind: str
    """``compiled`` or ``torch``."""
    variant: str | None
    """For which processors it was compiled: ``avx512``, ``avx2`` or ``baseline``."""
    why_torch: str | None
    """Why torch scores, where it does."""


def scorer_of(state: NetState, device: str = "cpu", threads: int = 1) -> Scorer:
    """The scorer of a net. Raises KeyError, ValueError or RuntimeError where its arrays do not hold together."""
    if _why_torch(state, device) is None:
        return CompiledScorer(state, threads)
    from specvae.scoring.cells import CellScorer  # torch, which the compiled scorer does without

    return CellScorer(state.net, device, threads)


def describe_scorer(state: NetState, device: str = "cpu") -> ScorerDescription:
    """What :func:`scorer_of` chooses, and why where it is torch."""
    why = _why_torch(state, device)
    if why is not None:
        return {"kind": "torch", "variant": None, "why_torch": why}
    return {"kind": "compiled", "variant": CompiledScorer(state).variant.name, "why_torch": None}


def _why_torch(state: NetState, device: str) -> str | None:
    return "on a GPU" if device != "cpu" else why_not_compiled(state)
