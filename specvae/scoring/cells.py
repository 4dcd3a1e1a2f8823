"""Scoring: a window of a scene, or rows of a table, through the network in cells of fixed width.

A cell is 64 x 64 pixels aligned to the scene's own grid (4,096 columns, zero-padded), so a pixel is always
the same column of the same product of matrices: its score has the same bits whatever window, tile size, memory limit or
thread it was read with. Cells also stay in the processor's cache, and threads share them out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specvae.model.spectral_net import Normalised, SpectralNet
from specvae.scoring.flat_cells import Uniform, uniform_key
from specvae.scoring.threads import Workers
from specvae.scoring.traced import BothTerms, Programs, Quantise
from specvae.spectra import CELL, Cube, Parts, Residuals, Window

__all__ = ["CellScorer", "cells_of"]

WIDTH = CELL * CELL
Held = dict[Window, Normalised]
"""Cells that were normalised for the ring of their neighbours, until they are scored themselves."""


def cells_of(window: Window, side: int = CELL) -> list[Window]:
    """The cells of the scene's grid that meet a window, in row-major order; they may reach beyond it."""
    rows = range(window.row // side * side, window.row + window.rows, side)
    cols = range(window.col // side * side, window.col + window.cols, side)
    return [Window(row, col, side, side) for row in rows for col in cols]


class CellScorer:
    """Scores windows and rows with a net; deterministic, without noise."""

    reads: tuple[np.dtype[Any], ...] = (np.dtype(np.float32),)

    def __init__(self, net: SpectralNet, device: str = "cpu", threads: int = 1) -> None:
        self.cell = net.cell
        self.width = net.cell**2
        self.threads = threads
        self._settle(net, device)

    def _settle(self, net: SpectralNet, device: str) -> None:
        self.net, self.device = net.to(device).eval(), device
        self._workers = Workers(device, self.threads, _cell_bytes(net))
        self._programs = Programs(self.net, device)
        self._codes, self._terms = Uniform(), Uniform()

    def score(self, cube: Cube, window: Window) -> tuple[Parts, NDArray[np.float32] | None]:
        """Parts of ``window`` (rows, cols), and its contexts ``(components, rows, cols)`` for a model with context.

        ``cube`` covers the window and, where the scene goes on, the halo around it; beyond it nothing is valid. Where
        a GPU's memory is too short for a single cell, the rest is scored on the CPU, with a warning.
        """
        try:
            return self._score(cube, window)
        except torch.OutOfMemoryError:
            if self.device == "cpu":
                raise
        # After the except clause: within it, the error holds on to the frames below, and these to their tensors on the GPU.
        warnings.warn(f"{self.device} has too little free memory: scoring goes on on the CPU", stacklevel=2)
        self._settle(self.net, "cpu")
        return self._score(cube, window)

    def _score(self, cube: Cube, window: Window) -> tuple[Parts, NDArray[np.float32] | None]:
        good, inner = _unless_all(cube.valid), _part(cube.valid, cube.window, window)
        # On a GPU, whose memory the groups of cells fill, each is normalised anew.
        held: Held | None = {} if self.net.has_context and self.device == "cpu" else None
        context = self.context(cube, window, held)
        out = np.full((2, window.rows, window.cols), np.nan, np.float32)
        cells = _with_any(cells_of(window, self.cell), inner, window)
        self._workers.each(cells, lambda cells: self._evaluate(cells, cube, good, context, window, out, held))
        if good is not None:
            np.copyto(out, np.float32(np.nan), where=~inner)
        return Parts(out[0] + out[1], out[0], out[1]), context

    def context(self, cube: Cube, window: Window, held: Held | None = None) -> NDArray[np.float32] | None:
        """Contexts ``(components, rows, cols)`` of ``window``, or None for a model without; ``held`` takes normalised cells."""
        net = self.net
        if not net.has_context:
            return None
        if not _part(cube.valid, cube.window, window).any():
            return np.zeros((net.components, window.rows, window.cols), np.float32)
        good, around = _unless_all(cube.valid), window.grow(net.halo)
        maps = np.zeros((net.planes, around.rows, around.cols), np.int32)
        inside = cube.window.clip(around)
        valid = np.zeros((around.rows, around.cols), bool)
        valid[inside.shift(-around.row, -around.col).slices] = _part(cube.valid, cube.window, inside)
        cells = _with_any(cells_of(inside, self.cell), valid, around)
        self._workers.each(cells, lambda cells: self._project(cells, cube, good, maps, around, held))
        return net.ring_means(maps, valid, self._workers.spread)

    def score_rows(self, values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Parts:
        """Parts ``(n,)`` of a table's spectra ``(n, bands)``, for a model without context."""
        cube = _as_cube(values, valid)
        parts, _ = self.score(cube, cube.window)
        n = len(values)
        return Parts(*(part.reshape(-1)[:n] for part in (parts.score, parts.reconstruction, parts.kl)))

    def explain(
        self, values: NDArray[np.floating], context: NDArray[np.floating] | None, expected: bool = True
    ) -> Residuals:
        """What each band has in the reconstruction: ``(bands, n)`` spectra and their ``(components, n)`` contexts.

        The reconstructions come with the rest at no cost, so that ``expected`` changes nothing here.
        """
        return self._workers.alone(lambda: self._explain(values, context))

    def _explain(self, values: NDArray[np.floating], context: NDArray[np.floating] | None) -> Residuals:
        explained = np.empty((3, self.net.bands, values.shape[1]), np.float32)
        for here, x, c in self._columns(values, context):
            for i, part in enumerate(self.net.explain(x, c)):
                explained[i, :, here] = part[:, : here.stop - here.start].cpu().numpy()
        return Residuals(*explained)

    def score_columns(self, values: NDArray[np.floating], context: NDArray[np.floating] | None) -> NDArray[np.float64]:
        """Score and KL ``(2, n)`` of ``(bands, n)`` spectra with the contexts ``(components, n)`` that are given."""
        return self._workers.alone(lambda: self._scored(values, context))

    def _scored(self, values: NDArray[np.floating], context: NDArray[np.floating] | None) -> NDArray[np.float64]:
        scores = np.empty((2, values.shape[1]))
        for here, x, c in self._columns(values, context):
            terms = self.net.terms(x, c)
            for row, part in zip(scores, (terms.reconstruction + terms.kl, terms.kl), strict=True):
                row[here] = part[: here.stop - here.start].cpu().numpy()
        return scores

    def _columns(
        self, values: NDArray[np.floating], context: NDArray[np.floating] | None
    ) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
        """Spectra and contexts a cell's width at a time, so that they pass the same products of matrices as the map's did."""
        n = values.shape[1]
        for start in range(0, n, self.width):
            here = slice(start, min(start + self.width, n))
            yield here, self._padded(values[:, here]), None if context is None else self._padded(context[:, here])

    def normalised(self, values: NDArray[np.floating]) -> Normalised:
        """``(bands, n)`` spectra in physical units -> normalised, on the scorer's device."""
        return self._workers.alone(
            lambda: self.net.normalised(torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device))
        )

    def _padded(self, block: NDArray[np.floating]) -> Tensor:
        """``(values, n)`` in the first columns of a cell, zero elsewhere."""
        cell = np.zeros((len(block), self.width), np.float32)
        cell[:, : block.shape[1]] = block
        return torch.from_numpy(cell).to(self.device)

    def _project(
        self,
        cells: Sequence[Window],
        cube: Cube,
        good: NDArray[np.bool_] | None,
        maps: NDArray[np.int32],
        around: Window,
        held: Held | None,
    ) -> None:
        """Quantised components of the cells, and weights, written where they fall in ``maps``, 0 where not valid."""
        key = uniform_key(cells, good, (cube.values, cube.window))
        codes = self._codes.of(key, lambda: self._quantised(self._normalised(cells, cube, good, held)))
        for i, cell in enumerate(cells):
            part = cell.clip(cube.window).clip(around)
            code = codes[:, i * self.width : (i + 1) * self.width].reshape(-1, self.cell, self.cell)
            code = code[(slice(None), *part.shift(-cell.row, -cell.col).slices)]
            place = maps[(slice(None), *part.shift(-around.row, -around.col).slices)]
            if good is None:
                place[:] = code
            else:
                # An invalid pixel adds exactly 0 to the sums of its neighbours' rings.
                np.multiply(code, good[part.shift(-cube.window.row, -cube.window.col).slices], out=place)

    def _evaluate(
        self,
        cells: Sequence[Window],
        cube: Cube,
        good: NDArray[np.bool_] | None,
        context: NDArray[np.float32] | None,
        window: Window,
        out: NDArray[np.float32],
        held: Held | None,
    ) -> None:
        """Both terms of the cells, written where they fall in ``out`` (2, rows, cols)."""
        around = () if context is None else ((context, window),)
        key = uniform_key(cells, good, (cube.values, cube.window), *around)
        both = self._terms.of(
            key,
            lambda: self._both(self._normalised(cells, cube, good, held), *(self._gather(cells, *c) for c in around)),
        )
        for i, cell in enumerate(cells):
            part = cell.clip(window)
            block = both[:, i * self.width : (i + 1) * self.width].reshape(2, self.cell, self.cell)
            out[(slice(None), *part.shift(-window.row, -window.col).slices)] = block[
                (slice(None), *part.shift(-cell.row, -cell.col).slices)
            ]

    def _normalised(
        self, cells: Sequence[Window], cube: Cube, good: NDArray[np.bool_] | None, held: Held | None
    ) -> Normalised:
        """The cells' spectra in standard units: those held from the ring, which are then let go, else made now."""
        alone = cells[0] if held is not None and len(cells) == 1 else None
        if alone is None or held is None:
            return self.net.normalised(self._gather(cells, cube.values, cube.window, good))
        spectra = held.pop(alone, None)
        if spectra is None:
            spectra = held[alone] = self.net.normalised(self._gather(cells, cube.values, cube.window, good))
        return spectra

    def _quantised(self, spectra: Normalised) -> NDArray[np.int32]:
        """Components of the context, and weights, ``(planes, n)`` of standard units ``(bands, n)``."""
        seen = () if spectra.seen is None else (spectra.seen,)
        return self._programs.run(Quantise, spectra.values, *seen).cpu().numpy()

    def _both(self, spectra: Normalised, *context: Tensor) -> NDArray[np.float32]:
        """Both terms ``(2, n)`` of spectra in standard units, and contexts ``(components, n)`` where they are used."""
        more = (part for part in (spectra.cost, spectra.seen) if part is not None)
        return self._programs.run(BothTerms, spectra.values, *context, *more).cpu().numpy()

    def _gather(
        self,
        cells: Sequence[Window],
        values: NDArray[np.float32],
        window: Window,
        valid: NDArray[np.bool_] | None = None,
    ) -> Tensor:
        """The cells' values side by side, ``(bands, cells * 4096)``; 0 beyond ``window`` and where not ``valid``."""
        # Most cells lie within the window and are valid throughout: one copy, without zeros written first.
        if len(cells) == 1 and cells[0].clip(window) == cells[0]:
            inside = cells[0].shift(-window.row, -window.col).slices
            if valid is None or valid[inside].all():
                block = np.array(values[(slice(None), *inside)], np.float32, order="C")
                return self._there(block.reshape(len(values), -1))
        block = np.zeros((len(values), len(cells), self.cell, self.cell), np.float32)
        for i, cell in enumerate(cells):
            part = cell.clip(window)
            rows, cols = part.shift(-cell.row, -cell.col).slices
            inside = part.shift(-window.row, -window.col).slices
            if valid is None or valid[inside].all():
                block[:, i, rows, cols] = values[(slice(None), *inside)]
            else:
                np.copyto(block[:, i, rows, cols], values[(slice(None), *inside)], where=valid[inside])
        return self._there(block.reshape(len(block), -1))

    def _there(self, block: NDArray[np.float32]) -> Tensor:
        """On the device: to a GPU from pinned memory, without waiting."""
        here = torch.from_numpy(block)
        return here if self.device == "cpu" else here.pin_memory().to(self.device, non_blocking=True)


def _with_any(cells: Sequence[Window], valid: NDArray[np.bool_], window: Window) -> Sequence[Window]:
    """The cells in which something is ``valid`` ``(rows, cols)`` of ``window``: the others have nothing to compute."""
    if valid.all():
        return cells
    rows = [max(0, row - window.row) for row in sorted({cell.row for cell in cells})]
    cols = [max(0, col - window.col) for col in sorted({cell.col for cell in cells})]
    # A cell's maximum is above 0 where any of its pixels is valid; reduceat takes the maxima of all cells in two passes.
    maxima = np.maximum.reduceat(np.maximum.reduceat(valid.view(np.uint8), rows, axis=0), cols, axis=1).ravel()
    return [cell for cell, any_valid in zip(cells, maxima, strict=True) if any_valid]


def _part(array: NDArray[np.bool_], of: Window, window: Window) -> NDArray[np.bool_]:
    """The part of an array over the window ``of`` that lies in ``window``."""
    return array[window.shift(-of.row, -of.col).slices]


def _unless_all(valid: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The mask, or None where everything is valid, so that no cell is checked for it."""
    return None if valid.all() else valid


def _as_cube(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Cube:
    """``(n, bands)`` rows as a cube one cell wide, so that tables and maps share one path."""
    n, bands = values.shape
    rows = max(1, -(-n // CELL))
    cube = np.zeros((bands, rows * CELL), np.float32)
    cube[:, :n] = np.asarray(values, np.float32).T
    reason = np.ones(rows * CELL, np.uint8)
    reason[:n] = ~np.asarray(valid, bool)
    return Cube(cube.reshape(bands, rows, CELL), reason.reshape(rows, CELL), Window(0, 0, rows, CELL))


def _cell_bytes(net: SpectralNet) -> int:
    """Bytes that a cell takes while it is computed: its spectra four times over, and twice the output of the widest layer."""
    widest = max(2 * sum(p.shape) for p in net.parameters())
    return int(4 * net.cell**2 * (4 * net.inputs + 2 * widest))
