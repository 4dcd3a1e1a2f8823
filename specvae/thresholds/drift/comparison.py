"""A scene against training pixels like it: their surprise, their scores, known faults and stripes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.drift.faults import (
    Fault,
    gain_fault,
    offset_fault,
    radiometric_faults,
    spatial_faults,
    swapped_bands,
)
from specvae.thresholds.drift.ground_kinds import GroundKinds
from specvae.thresholds.drift.squares import Squares

__all__ = ["FEWEST_COMPARED", "SHARES", "Comparison", "GroundReference"]

SHARES = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
"""Shares of the training pixels of a kind below each of its score quantiles."""
FEWEST_COMPARED = 50
"""Pixels under which nothing is compared."""
FEWEST_OF_A_KIND = 60
"""Scores under which a kind has the quantiles of all kinds."""
TOGETHER = 6
"""Pieces that are as many squares as a scene is compared by."""
TRIED_FOR_FAULTS = 4
"""Normal pieces on which faults are tried, to see how far undoing one may happen to help; the rest is looked at on all."""
LEAST_GAIN = 0.5
"""Nats that undoing a fault gains at least; on normal ground it loses."""
LEAST_GAIN_OF_SHIFT = 0.15
"""The same of a shift, which no pixel of normal ground gains by and a smooth one hardly loses by."""
STATISTICS = ("surprise", "distance", "lower", "extreme", "gain", "offset", "haze", "swap", "shift", "stripes")
"""What normal pieces have a largest value of, in the order in which a model file holds them."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """What became of comparing a scene with the fit."""

    pixels: int
    """Number of pixels that were compared."""
    surprise: float
    """Median of how much more improbable a pixel is than training pixels of its kind, nats."""
    distance: float
    """Largest distance of the distribution of scores from that of training pixels of the same kinds; below 0: lower."""
    median_shift: float
    """Share of training pixels of its kind that the median pixel scores above, less one half."""
    extreme: float
    """Share of pixels above the score that 1 % of the training pixels of their kind exceed."""
    faults: tuple[Fault, ...]
    """The best of each sort of fault."""
    stripes: float
    """By how much more of the columns than of the rows stand out from those beside them; below 0: rows do."""
    striped_band: int
    """Index of the band with most of them."""
    common: tuple[Fault, ...]
    """The factor and the addend that all quantiles of all bands share, undone; those that they share."""
    residual: tuple[float, ...]
    """Median distance of each compared band from its kind, in the kinds' spreads."""

    def statistics(self) -> dict[str, float]:
        """The figures that normal pieces have limits of, by name."""
        best = {fault.kind: fault.gain_of_fit for fault in self.faults}
        values = {
            "surprise": self.surprise,
            "distance": max(self.distance, 0.0),
            "lower": max(-self.distance, 0.0),
            "extreme": self.extreme,
            "stripes": abs(self.stripes),
        }
        return values | best


@dataclass(frozen=True, eq=False)
class GroundReference:
    """What scenes are compared with: the kinds of ground, their scores, and how far normal pieces differ from them."""

    kinds: GroundKinds
    scores: Floats
    """``(kinds, len(SHARES))``: quantiles of the scores of training pixels, nats."""
    limits: Mapping[str, float]
    """The largest value of each of :data:`STATISTICS` among pieces of the normal data."""

    @classmethod
    def fit(cls, spectra: NDArray[np.floating], pieces: Sequence[Squares]) -> GroundReference | None:
        """From ``(bands, n)`` training spectra and scored pieces of the normal data; None where these are too few."""
        kinds = GroundKinds.fit(spectra)
        pieces = [piece for piece in pieces if piece.pixels.spectra.shape[1] >= FEWEST_COMPARED]
        if kinds is None or not pieces:
            return None
        scores = _scores_by_kind(kinds, pieces)
        bare = cls(kinds, scores, {})
        rows = [bare.compare(piece, i < TRIED_FOR_FAULTS).statistics() for i, piece in enumerate(pieces)]
        # Few columns make large shares by chance: stripes are looked for in several pieces together, as in a scene.
        groups = [_joined(pieces[i : i + TOGETHER]) for i in range(0, max(1, len(pieces) - TOGETHER // 2), TOGETHER)]
        limits = {name: max(row[name] for row in rows if name in row) for row in rows for name in row}
        stripes = max(abs(_stripes(group)[0]) if group.in_space else 0.0 for group in groups)
        return cls(kinds, scores, limits | {"stripes": stripes})

    def compare(
        self,
        squares: Squares,
        faults: bool = True,
        order: Floats | None = None,
        gain: float | None = None,
        offset: float | None = None,
    ) -> Comparison:
        """Compare a scene's squares; ``order``: how far each band lies from the shortest wavelength, 0 to 1.

        ``gain`` and ``offset``: what the quantiles of all bands of the complete scene share.
        """
        pixels = squares.pixels
        bands, n = pixels.spectra.shape
        member = self.kinds.membership(pixels.spectra)
        below = (pixels.score[:, None] <= self.scores[member.kind]).mean(axis=0)
        finite = np.isfinite(pixels.score).any()
        far = int(np.argmax(np.abs(below - SHARES)))
        common = [gain_fault(self.kinds, pixels, member.log_density, gain)] if gain else []
        common += [offset_fault(self.kinds, pixels, member.log_density, offset)] if offset else []
        stripes, striped = _stripes(squares) if squares.in_space else (0.0, 0)
        order = np.linspace(0, 1, bands) if order is None else order
        return Comparison(
            pixels=n,
            surprise=float(np.median(member.surprise)),
            distance=float(SHARES[far] - below[far]) if finite else 0.0,
            median_shift=float(0.5 - below[SHARES.searchsorted(0.5)]) if finite else 0.0,
            extreme=float(1 - below[-1]) if finite else 0.0,
            faults=self._faults(squares, member.log_density, order) if faults else (),
            stripes=stripes,
            striped_band=striped,
            common=tuple(common),
            residual=tuple(float(r) for r in self.kinds.residual(pixels.spectra, member.share)),
        )

    def _faults(self, squares: Squares, before: Floats, order: Floats) -> tuple[Fault, ...]:
        """The best fault of each sort."""
        pixels = squares.pixels
        tried = [*radiometric_faults(self.kinds, pixels, before, order), *swapped_bands(self.kinds, pixels, before)]
        tried += spatial_faults(self.kinds, pixels)
        kinds = dict.fromkeys(fault.kind for fault in tried)
        return tuple(max((f for f in tried if f.kind == kind), key=lambda f: f.gain_of_fit) for kind in kinds)

    def allowed(self, name: str) -> float:
        """How much undoing a fault of this sort must gain before it counts, nats."""
        least = LEAST_GAIN_OF_SHIFT if name == "shift" else LEAST_GAIN
        return max(0.0, self.limits.get(name, 0.0)) + least

    def to_arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.int32]]:
        """Kinds, scores and limits, for the model file; a limit that was not looked at is NaN."""
        limits = np.array([self.limits.get(name, np.nan) for name in STATISTICS], np.float32)
        return self.kinds.to_arrays() | {"scores": self.scores.astype(np.float32), "limits": limits}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.floating] | NDArray[np.integer]]) -> GroundReference:
        """The inverse of :meth:`to_arrays`. Raises KeyError or ValueError for other arrays."""
        limits = dict(zip(STATISTICS, (float(v) for v in arrays["limits"]), strict=True))
        limits = {name: value for name, value in limits.items() if np.isfinite(value)}
        return cls(GroundKinds.from_arrays(arrays), np.asarray(arrays["scores"], np.float64), limits)


def _joined(pieces: Sequence[Squares]) -> Squares:
    """The squares of several pieces, of the size that most of these have."""
    shape = pieces[0].usable.shape[1:]
    alike = [piece for piece in pieces if piece.usable.shape[1:] == shape]
    return Squares(
        np.concatenate([piece.values for piece in alike]),
        np.concatenate([piece.usable for piece in alike]),
        np.concatenate([piece.score for piece in alike]),
        np.concatenate([piece.counted for piece in alike]),
    )


def _scores_by_kind(kinds: GroundKinds, pieces: Sequence[Squares]) -> Floats:
    """``(kinds, len(SHARES))``: score quantiles of the pieces' pixels; of a rare kind, those of all pixels."""
    kind = np.concatenate([kinds.membership(piece.pixels.spectra).kind for piece in pieces])
    score = np.concatenate([piece.pixels.score for piece in pieces])
    kind, score = kind[np.isfinite(score)], score[np.isfinite(score)]
    quantiles = np.tile(np.quantile(score, SHARES) if score.size else np.zeros(len(SHARES)), (len(kinds.mean), 1))
    for number, count in enumerate(np.bincount(kind, minlength=len(kinds.mean))):
        if count >= FEWEST_OF_A_KIND:
            quantiles[number] = np.quantile(score[kind == number], SHARES)
    return quantiles


def _stripes(squares: Squares) -> tuple[float, int]:
    """How many more columns than rows stand out from those beside them, as a signed share, and the worst band.

    Of all bands twice their median counts, so that stripes of all bands are seen where a single one is not sure.
    """
    # Of squares with fill, a median along a column would be one of other pixels than that of the next column.
    full = squares.usable.all(axis=(1, 2))
    if not full.any():
        return 0.0, 0
    values = squares.values[full].astype(np.float64).swapaxes(0, 1)
    least = 1e-9 + 1e-3 * np.abs(values).mean()
    across = values[..., 1:-1] - (values[..., :-2] + values[..., 2:]) / 2
    down = values[:, :, 1:-1] - (values[:, :, :-2] + values[:, :, 2:]) / 2
    excess = _standing_out(across, 2, least) - _standing_out(down, 3, least)
    worst, common = int(np.argmax(np.abs(excess))), 2 * float(np.median(excess))
    return (common if abs(common) > abs(excess[worst]) else float(excess[worst])), worst


def _standing_out(difference: Floats, along: int, least: float) -> Floats:
    """``(bands,)``: share of the lines along an axis whose median difference from those beside is beyond three errors."""
    # The median: an edge on the ground crosses a line of pixels, and a stripe goes along all of it.
    middle = np.median(difference, axis=along)
    deviation = 1.4826 * np.median(np.abs(difference - np.expand_dims(middle, along)), axis=along)
    error = 1.2533 * deviation / np.sqrt(difference.shape[along]) + least
    return np.asarray((np.abs(middle) > 3 * error).mean(axis=(1, 2)))
