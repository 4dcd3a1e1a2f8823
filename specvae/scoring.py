"""Scoring: a window of a scene, or rows of a table, through the network in cells of fixed width.

A cell is 64 x 64 pixels aligned to the scene's own grid (4,096 columns, zero-padded), so a pixel always stands in
the same column of the same matrix product: its score has the same bits whatever window, tile size, memory limit
or thread read it. Cells also stay in the processor's cache, and threads share them out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specvae.config import ModelConfig
from specvae.context import RingContext
from specvae.normaliser import Normaliser
from specvae.spectra import Cube, Explanation, Parts, Window
from specvae.vae import VAE

__all__ = ["CELL", "CellScorer", "SpectralNet", "cells_of"]

CELL = 64
WIDTH = CELL * CELL
IMAGE_CELL = 16


class SpectralNet(nn.Module):
    """Normaliser, context and VAE: everything between physical units and nats, as one state."""

    def __init__(self, normaliser: Normaliser, ring: RingContext | None, vae: VAE) -> None:
        super().__init__()
        self.normaliser, self.ring, self.vae = normaliser, ring, vae

    @property
    def halo(self) -> int:
        """Pixels needed around a window."""
        return self.ring.halo if self.ring is not None else 0

    @property
    def cell(self) -> int:
        """Side of the cells that it scores in, pixels: smaller for images and patches, each of which is hundreds of values."""
        return CELL if self.vae.shape is None else IMAGE_CELL

    def state_shape(self) -> dict[str, Any]:
        """What :meth:`restore` needs beside the arrays, JSON-ready."""
        mixture = self.vae.mixture
        return {
            "ring": self.ring is not None,
            "marginals": self.normaliser.marginals is not None,
            "smooth": bool(len(self.normaliser.blur)),
            "components": 0 if mixture is None else len(mixture.centre),
        }

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The whole state as numpy arrays."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.state_dict().items()}

    @classmethod
    def restore(
        cls, bands: int, config: ModelConfig, shape: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> SpectralNet:
        """The net of a stored state; RuntimeError or KeyError where it does not hold together."""
        ring = RingContext(bands, config.context) if shape["ring"] else None
        vae = VAE(bands, ring.components if ring else 0, config.network, int(shape.get("components", 0)))
        normaliser = Normaliser(bands, bool(shape.get("marginals", False)), bool(shape.get("smooth", False)))
        net = cls(normaliser, ring, vae)
        net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
        return net.eval()


def cells_of(window: Window, side: int = CELL) -> list[Window]:
    """The cells of the scene's grid that meet a window, in row-major order, each whole."""
    rows = range(window.row // side * side, window.row + window.rows, side)
    cols = range(window.col // side * side, window.col + window.cols, side)
    return [Window(row, col, side, side) for row in rows for col in cols]


class CellScorer:
    """Scores windows and rows with a net; deterministic, without noise."""

    def __init__(self, net: SpectralNet, device: str = "cpu", threads: int = 1) -> None:
        self.net = net.to(device).eval()
        self.cell = net.cell
        self.width = net.cell**2
        self.device = device
        self.group = 1 if device == "cpu" else 64
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._programs: dict[str, Callable[..., Tensor]] = {}
        self._tracing = Lock()

    def score(self, cube: Cube, window: Window) -> tuple[Parts, NDArray[np.float32] | None]:
        """Parts of ``window`` (rows, cols), and its contexts ``(components, rows, cols)`` for a model with context.

        ``cube`` covers the window and, where the scene goes on, the halo around it; beyond it nothing is valid.
        """
        good = cube.valid
        context = self.context(cube, window)
        out = np.full((2, window.rows, window.cols), np.nan, np.float32)
        self._each(cells_of(window, self.cell), lambda cells: self._evaluate(cells, cube, good, context, window, out))
        inner = cube.crop(window).valid
        if not inner.all():
            out[:, ~inner] = np.nan
        return Parts(out[0] + out[1], out[0], out[1]), context

    def context(self, cube: Cube, window: Window) -> NDArray[np.float32] | None:
        """Contexts ``(components, rows, cols)`` of ``window``, or None for a model without."""
        ring = self.net.ring
        if ring is None:
            return None
        good, around = cube.valid, window.grow(ring.halo)
        maps = np.zeros((ring.components, around.rows, around.cols), np.int32)
        inside = cube.window.clip(around)
        self._each(cells_of(inside, self.cell), lambda cells: self._project(cells, cube, good, maps, around))
        valid = np.zeros((around.rows, around.cols), bool)
        valid[inside.shift(-around.row, -around.col).slices] = cube.crop(inside).valid
        return ring.ring_means(maps, valid, self._spread)

    def score_rows(self, values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Parts:
        """Parts ``(n,)`` of a table's spectra ``(n, bands)``, for a model without context."""
        cube = _as_cube(values, valid)
        parts, _ = self.score(cube, cube.window)
        n = len(values)
        return Parts(*(part.reshape(-1)[:n] for part in (parts.score, parts.reconstruction, parts.kl)))

    @torch.inference_mode()
    def explain(self, values: NDArray[np.floating], context: NDArray[np.floating] | None) -> Explanation:
        """Why these valid pixels score as they do: ``(bands, n)`` spectra and their ``(components, n)`` contexts."""
        bands, n = values.shape
        found = np.empty((3, bands, n), np.float32)
        for start in range(0, n, self.width):
            stop = min(start + self.width, n)
            raw = self._padded(values[:, start:stop])
            x, cost = self.net.normaliser.with_cost(raw)
            c = None if context is None else self._padded(context[:, start:stop])
            contribution, deviation, expected = self.net.vae.explain(x, c, cost)
            for i, part in enumerate((contribution, deviation, self.net.normaliser.inverse(expected))):
                found[i, :, start:stop] = part[:, : stop - start].cpu().numpy()
        return Explanation(*found)

    def cost(self, values: NDArray[np.floating]) -> Tensor | None:
        """``(n,)`` nats of the normaliser's change of variable for ``(bands, n)`` physical units, or None."""
        with torch.inference_mode():
            return self._cost(torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device))

    def _cost(self, values: Tensor) -> Tensor | None:
        cost = self.net.normaliser.cost(values)
        return None if cost is None else cost.sum(dim=0)

    def normalised(self, values: NDArray[np.floating]) -> Tensor:
        """``(bands, n)`` physical units -> normalised, on the scorer's device."""
        with torch.inference_mode():
            return torch.as_tensor(
                self.net.normaliser(torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device))
            )

    def _padded(self, block: NDArray[np.floating]) -> Tensor:
        whole = np.zeros((len(block), self.width), np.float32)
        whole[:, : block.shape[1]] = block
        return torch.from_numpy(whole).to(self.device)

    def _each(self, cells: Sequence[Window], work: Callable[[Sequence[Window]], None]) -> None:
        """Do ``work`` on groups of cells, shared among the threads."""
        groups = [cells[i : i + self.group] for i in range(0, len(cells), self.group)]
        share = -(-len(groups) // (4 * self.threads))

        def bundle(start: int) -> None:
            for group in groups[start : start + share]:
                work(group)

        self._spread(range(0, len(groups), max(1, share)), bundle)

    def _spread(self, numbers: Sequence[int], job: Callable[[int], None]) -> None:
        """Do ``job`` for each number, shared among the threads."""
        if self.threads == 1 or len(numbers) == 1:
            for number in numbers:
                job(number)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, "score", initializer=torch.set_num_threads, initargs=(1,))
        for done in [self._pool.submit(job, number) for number in numbers]:
            done.result()

    def _run(self, name: str, program: type[nn.Module], *tensors: Tensor) -> Tensor:
        """``program`` of the net on these tensors, traced on the first call where that pays.

        A traced program leaves the interpreter once for all its operations, so that threads need not wait for each
        other; the operations are the same, and so are the bits.
        """
        if self.device != "cpu":
            return torch.as_tensor(program(self.net)(*tensors))
        if name not in self._programs:
            with self._tracing:
                if name not in self._programs:
                    self._programs[name] = _traced(program(self.net).eval(), tensors)
        return torch.as_tensor(self._programs[name](*tensors))

    @torch.inference_mode()
    def _project(
        self,
        cells: Sequence[Window],
        cube: Cube,
        good: NDArray[np.bool_],
        maps: NDArray[np.int32],
        around: Window,
    ) -> None:
        """Quantised components of the cells, written where they fall in ``maps``, 0 where not valid."""
        assert self.net.ring is not None
        x = self.net.normaliser(self._gather(cells, cube.values, cube.window, good))
        codes = self._run("quantise", _Quantise, x).cpu().numpy()
        for i, cell in enumerate(cells):
            part = cell.clip(cube.window).clip(around)
            code = codes[:, i * self.width : (i + 1) * self.width].reshape(-1, self.cell, self.cell)
            code = code[(slice(None), *part.shift(-cell.row, -cell.col).slices)]
            place = maps[(slice(None), *part.shift(-around.row, -around.col).slices)]
            np.multiply(code, good[part.shift(-cube.window.row, -cube.window.col).slices], out=place)

    @torch.inference_mode()
    def _evaluate(
        self,
        cells: Sequence[Window],
        cube: Cube,
        good: NDArray[np.bool_],
        context: NDArray[np.float32] | None,
        window: Window,
        out: NDArray[np.float32],
    ) -> None:
        """Both terms of the cells, written where they fall in ``out`` (2, rows, cols)."""
        raw = self._gather(cells, cube.values, cube.window, good)
        x, costs = self.net.normaliser.with_cost(raw)
        cost = None if costs is None else costs.sum(dim=0)
        c = None
        if context is not None:
            c = self._gather(cells, context, window)
        given = [tensor for tensor in (x, c, cost) if tensor is not None]
        both = self._run("terms", _BothTerms, *given).cpu().numpy()
        for i, cell in enumerate(cells):
            part = cell.clip(window)
            block = both[:, i * self.width : (i + 1) * self.width].reshape(2, self.cell, self.cell)
            out[(slice(None), *part.shift(-window.row, -window.col).slices)] = block[
                (slice(None), *part.shift(-cell.row, -cell.col).slices)
            ]

    def _gather(
        self,
        cells: Sequence[Window],
        values: NDArray[np.float32],
        window: Window,
        valid: NDArray[np.bool_] | None = None,
    ) -> Tensor:
        """The cells' values side by side, ``(bands, cells * 4096)``; 0 beyond ``window`` and where not ``valid``."""
        if len(cells) == 1 and cells[0].clip(window) == cells[0]:  # most are whole, and valid throughout
            inside = cells[0].shift(-window.row, -window.col).slices
            if valid is None or valid[inside].all():
                whole = np.array(values[(slice(None), *inside)], np.float32, order="C")
                return torch.from_numpy(whole.reshape(len(values), -1)).to(self.device)
        block = np.zeros((len(values), len(cells), self.cell, self.cell), np.float32)
        for i, cell in enumerate(cells):
            part = cell.clip(window)
            rows, cols = part.shift(-cell.row, -cell.col).slices
            inside = part.shift(-window.row, -window.col).slices
            if valid is None or valid[inside].all():
                block[:, i, rows, cols] = values[(slice(None), *inside)]
            else:
                np.copyto(block[:, i, rows, cols], values[(slice(None), *inside)], where=valid[inside])
        return torch.from_numpy(block.reshape(len(block), -1)).to(self.device)


class _BothTerms(nn.Module):
    """Reconstruction and KL as the rows of one tensor ``(2, n)``, from spectra, then contexts and costs where used."""

    def __init__(self, net: SpectralNet) -> None:
        super().__init__()
        self.vae = net.vae
        self.has_context, self.has_cost = net.ring is not None, net.normaliser.marginals is not None

    def forward(self, x: Tensor, second: Tensor | None = None, third: Tensor | None = None) -> Tensor:
        c = second if self.has_context else None
        cost = (third if self.has_context else second) if self.has_cost else None
        terms = self.vae.terms(x, c, cost=cost)
        return torch.stack([terms.reconstruction, terms.kl])


class _Quantise(nn.Module):
    """The components of the context."""

    def __init__(self, net: SpectralNet) -> None:
        super().__init__()
        assert net.ring is not None
        self.ring = net.ring

    def forward(self, x: Tensor) -> Tensor:
        return self.ring.quantise(x)


def _traced(program: nn.Module, tensors: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """The program as a frozen graph of the operations that these tensors pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is said to be superseded, by what needs a compiler at hand
        graph: Callable[..., Tensor] = torch.jit.freeze(torch.jit.trace(program, tensors, check_trace=False))  # type: ignore[no-untyped-call]
    for _ in range(2):  # the executor settles in its first two runs
        graph(*tensors)
    return graph


def _as_cube(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Cube:
    """``(n, bands)`` rows as a cube one cell wide, so that tables and maps share one path."""
    n, bands = values.shape
    rows = max(1, -(-n // CELL))
    cube = np.zeros((bands, rows * CELL), np.float32)
    cube[:, :n] = np.asarray(values, np.float32).T
    reason = np.ones(rows * CELL, np.uint8)
    reason[:n] = ~np.asarray(valid, bool)
    return Cube(cube.reshape(bands, rows, CELL), reason.reshape(rows, CELL), Window(0, 0, rows, CELL))
