"""Pieces of the normal data, scored: what a scene's drift is judged against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import ModelConfig
from specvae.model.patches import band_means
from specvae.scoring.scorer import Scorer
from specvae.spectra import CELL, Window
from specvae.thresholds.drift.squares import Squares, squares_in
from specvae.training.quota import Role
from specvae.training.sampling import Region

__all__ = ["normal_pieces"]

PIECES = 36
"""Pieces at most, drawn by the seed from all regions."""
ROWS = 512
"""Rows of a table that make a piece."""
LEAST_USABLE = 0.2
"""Share of the pixels of a piece that are normal and usable, at least."""


def normal_pieces(scorer: Scorer, regions: Sequence[Region], bands: int, config: ModelConfig) -> list[Squares]:
    """Squares of normal data with their scores, piece by piece: 64 pixels aside, or 512 rows of a table.

    ``bands``: the values of a pixel that are scored; those of an earlier date, which follow, are only looked at.
    """
    places = [(region, window) for region in regions for window in _windows(region)]
    chosen: list[Squares] = []
    for number in np.random.default_rng([config.seed, 2]).permutation(len(places)):
        region, window = places[number]
        counted = region.role[window.shift(-region.window.row, -region.window.col).slices] != Role.UNUSED
        if counted.mean() >= LEAST_USABLE or region.is_table:
            chosen.append(_piece(scorer, region, window, counted, bands, config.patch))
        if len(chosen) == PIECES:
            break
    return [piece for piece in chosen if len(piece)]


def _windows(region: Region) -> Iterator[Window]:
    """The windows of a region that may become pieces."""
    high, wide = (1, ROWS) if region.is_table else (CELL, CELL)
    area = region.window
    high, wide = min(high, area.rows), min(wide, area.cols)
    for row in range(0, area.rows - high + 1, high):
        for col in range(0, area.cols - wide + 1, wide):
            yield Window(area.row + row, area.col + col, high, wide)


def _piece(
    scorer: Scorer, region: Region, window: Window, counted: NDArray[np.bool_], bands: int, patch: int | None
) -> Squares:
    """The squares of one window, scored by the fitted net."""
    cube = region.cube.crop(window)
    if region.is_table:
        score = scorer.score_rows(cube.values[:, 0].T, cube.valid[0]).score[None]
    else:
        score = scorer.score(region.cube, window)[0].score
    values, valid = band_means(np.asarray(cube.values[:bands], np.float32), patch), cube.valid
    places = list(squares_in((window.rows, window.cols), valid.shape, 0, 0))
    return Squares(
        np.stack([values[(slice(None), *place)] for place in places]),
        np.stack([valid[place] for place in places]),
        np.stack([score[place] for place in places]),
        np.stack([(counted & valid)[place] for place in places]),
    )
