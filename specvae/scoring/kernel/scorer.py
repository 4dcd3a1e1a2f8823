"""Windows, rows and reasons by the compiled scorer: the same questions as :class:`specvae.scoring.cells.CellScorer` answers.

A pixel's arithmetic does not depend on its place, so windows need no fixed cells: threads share out strips of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.model.net_state import NetState
from specvae.scoring.kernel.library import READ, Variant, best_variant
from specvae.scoring.kernel.packing import PackedModel, not_covered
from specvae.scoring.kernel.physical import to_physical
from specvae.spectra import Cube, Parts, Residuals, Window

__all__ = ["CompiledScorer", "why_not_compiled"]

STRIP = 128
"""Rows that a thread takes at least: the ring around a strip is gathered anew for each."""
WIDTH = 4096
"""Spectra of a table that stand side by side, as the columns of a cube."""


def why_not_compiled(state: NetState) -> str | None:
    """In a few words why a model is scored by torch; None where the compiled scorer takes it."""
    if best_variant() is None:
        return "the install has no compiled scorer (no C compiler was there)"
    return not_covered(state)


class CompiledScorer:
    """Scores windows and rows of a pixel or table model; deterministic, without torch."""

    reads = READ
    cell = 1

    def __init__(self, state: NetState, threads: int = 1, variant: Variant | None = None) -> None:
        chosen = variant or best_variant()
        if chosen is None:
            raise ValueError("there is no compiled scorer in this install")
        self.variant, self.threads = chosen, threads
        self.model = PackedModel(state)
        self._state = state
        self._pool: ThreadPoolExecutor | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return CompiledScorer, (self._state, self.threads)

    def score(self, cube: Cube, window: Window) -> tuple[Parts, NDArray[np.float32] | None]:
        """Parts of ``window`` (rows, cols), and its contexts ``(components, rows, cols)`` for a model with context.

        ``cube`` covers the window and, where the scene goes on, the halo around it; beyond it nothing is valid.
        """
        valid, terms = cube.valid, np.empty((3, window.rows, window.cols), np.float32)
        components = self.model.components
        context = np.empty((components, window.rows, window.cols), np.float32) if components else None
        self._each(
            _strips(window.rows, self.threads),
            lambda rows: self.variant.score(self.model, cube, valid, window, rows, terms, context),
        )
        return Parts(*terms), context

    def context(self, cube: Cube, window: Window) -> NDArray[np.float32] | None:
        """Contexts ``(components, rows, cols)`` of ``window``, or None for a model without."""
        return self.score(cube, window)[1] if self.model.components else None

    def score_rows(self, values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Parts:
        """Parts ``(n,)`` of a table's spectra ``(n, bands)``, for a model without context."""
        n, bands = values.shape
        rows = max(1, -(-n // WIDTH))
        # Rows of a table become columns of a cube, so that tables and maps go through the same lines of C.
        block = np.zeros((bands, rows * WIDTH), np.float32)
        block[:, :n] = np.asarray(values, np.float32).T
        reason = np.ones(rows * WIDTH, np.uint8)
        reason[:n] = ~np.asarray(valid, bool)
        cube = Cube(block.reshape(bands, rows, WIDTH), reason.reshape(rows, WIDTH), Window(0, 0, rows, WIDTH))
        parts, _ = self.score(cube, cube.window)
        return Parts(*(part.reshape(-1)[:n] for part in (parts.score, parts.reconstruction, parts.kl)))

    def explain(
        self, values: NDArray[np.floating], context: NDArray[np.floating] | None, expected: bool = True
    ) -> Residuals:
        """What each band has in the reconstruction: ``(bands, n)`` spectra and their ``(components, n)`` contexts.

        Without ``expected``, whose way back to physical units takes twice as long as all the rest, it is of no pixel.
        """
        _, (contribution, deviation, standard) = self.variant.explain(self.model, values, context)
        if not expected:
            standard = standard[:, :0]
        return Residuals(contribution, deviation, to_physical(self._state.arrays, self.model.structure.reach, standard))

    def score_columns(self, values: NDArray[np.floating], context: NDArray[np.floating] | None) -> NDArray[np.float64]:
        """Score and KL ``(2, n)`` of ``(bands, n)`` spectra with the contexts ``(components, n)`` that are given."""
        terms, _ = self.variant.explain(self.model, values, context)
        # The sum in float32, as the map has it.
        return np.stack([terms[0] + terms[1], terms[1]]).astype(np.float64)

    def _each(self, strips: Sequence[range], work: Callable[[range], None]) -> None:
        if len(strips) == 1:
            work(strips[0])
            return
        # Made when first needed, since a scorer is copied to other processes before it has scored anything.
        self._pool = self._pool or ThreadPoolExecutor(self.threads, "score")
        under_way = [self._pool.submit(work, strip) for strip in strips]
        wait(under_way)
        for done in under_way:
            done.result()


def _strips(rows: int, threads: int) -> list[range]:
    """Rows 0 to ``rows`` in strips of equal size, two for each thread where they are not too narrow."""
    # Two strips a thread even out the work where one thread is held up; more would gather more rings twice.
    count = 1 if threads == 1 else max(1, min(2 * threads, rows // STRIP))
    size = max(1, -(-rows // count))
    return [range(start, min(rows, start + size)) for start in range(0, rows, size)] or [range(0)]
