"""A scene against training pixels like it: their surprise, their scores, known faults and stripes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.drift.faults import (
    Fault,
    best_faults,
    displaced_bands,
    gain_fault,
    offset_fault,
)
from specvae.thresholds.drift.ground_kinds import GroundKinds
from specvae.thresholds.drift.registration import STEPS, gains_of_steps
from specvae.thresholds.drift.squares import Squares
from specvae.thresholds.drift.striping import Striping, striping

__all__ = ["FEWEST_COMPARED", "SHARES", "Comparison", "GroundReference"]

SHARES = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
"""Shares of the training pixels of a kind below each of its score quantiles."""
FEWEST_COMPARED = 50
"""Pixels under which nothing is compared."""
FEWEST_OF_A_KIND = 60
"""Scores under which a kind has the quantiles of all kinds."""
TOGETHER, TOGETHER_STRIPED = 6, 3
"""Pieces that are as many squares as a scene is compared by, and as a small crop is, which shows one kind of ground alone."""
TRIED_FOR_FAULTS = 12
"""Normal pieces on which faults are tried, to see how far undoing one may happen to help; the rest is looked at on all."""
LEAST_GAIN = 0.25
"""Nats that undoing a fault gains at least beyond all normal pieces; of 96 normal crops the most was .06."""
LEAST_GAIN_OF_SHIFT = 2.0
"""The same of a shift, in standard errors: moving a band of normal ground makes it worse by tens of them."""
STATISTICS = ("surprise", "distance", "lower", "extreme", "gain", "offset", "haze", "swap", "shift", "stripes")
"""What normal pieces have a largest value of, in the order in which a model file holds them; the last two of earlier versions."""
UNKNOWN_STRIPING = 1.0
"""Striping of a normal scene of which a model of an earlier version holds none."""

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
    striping: Striping
    """How much more columns stand out than rows, or rows than columns."""
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
        }
        best.pop("shift", None)
        return values | best


@dataclass(frozen=True, eq=False)
class GroundReference:
    """What scenes are compared with: the kinds of ground, their scores, and how far normal pieces differ from them."""

    kinds: GroundKinds
    scores: Floats
    """``(kinds, len(SHARES))``: quantiles of the scores of training pixels, nats."""
    limits: Mapping[str, float]
    """The largest value of each of :data:`STATISTICS` among pieces of the normal data."""
    striping: Floats
    """``(bands + 1,)``: the largest striping of each band, and of all together, among pieces of the normal data."""
    registration: Floats
    """``(compared bands, 4)``: the most that each of ``STEPS`` gains of each band there, standard errors; empty: not known."""

    @classmethod
    def fit(cls, spectra: NDArray[np.floating], pieces: Sequence[Squares]) -> GroundReference | None:
        """From ``(bands, n)`` training spectra and scored pieces of the normal data; None where these are too few."""
        kinds = GroundKinds.fit(spectra)
        pieces = [piece for piece in pieces if piece.pixels.spectra.shape[1] >= FEWEST_COMPARED]
        if kinds is None or not pieces:
            return None
        scores = _scores_by_kind(kinds, pieces)
        bare = cls(kinds, scores, {}, np.zeros(0), np.zeros(0))
        rows = [bare.compare(piece, i < TRIED_FOR_FAULTS).statistics() for i, piece in enumerate(pieces)]
        limits = {name: max(row[name] for row in rows if name in row) for row in rows for name in row}
        # Few squares say little of lines and edges: these are looked at in several pieces together, as in a scene.
        stripes = np.max([np.abs(striping(group).excess) for group in _grouped(pieces, TOGETHER_STRIPED)], axis=0)
        groups = [group for group in _grouped(pieces, TOGETHER) if group.in_space]
        shifts = [gains for group in groups if len(gains := gains_of_steps(group, kinds.bands))]
        return cls(kinds, scores, limits, stripes, np.max(shifts, axis=0, initial=0.0) if shifts else np.zeros(0))

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
        order = np.linspace(0, 1, bands) if order is None else order
        return Comparison(
            pixels=n,
            surprise=float(np.median(member.surprise)),
            distance=float(SHARES[far] - below[far]) if finite else 0.0,
            median_shift=float(0.5 - below[SHARES.searchsorted(0.5)]) if finite else 0.0,
            extreme=float(1 - below[-1]) if finite else 0.0,
            faults=self._faults(squares, member.log_density, order) if faults else (),
            striping=striping(squares),
            common=tuple(common),
            residual=tuple(float(r) for r in self.kinds.residual(pixels.spectra, member.share)),
        )

    def _faults(self, squares: Squares, before: Floats, order: Floats) -> tuple[Fault, ...]:
        """The best fault of each sort."""
        best = best_faults(self.kinds, squares.pixels, before, order)
        # By band and step: that of cirrus lies beside the others over clouds, since it sees these alone and in another
        # direction, which is the same in all of a scene.
        shifts = displaced_bands(self.kinds, squares, self.registration if self.registration.size else None)
        worst = max(shifts, key=lambda fault: fault.gain_of_fit, default=None)
        return (*best, *([worst] if worst else []))

    def allowed(self, name: str) -> float:
        """How much undoing a fault of this sort must gain before it counts, nats."""
        least = LEAST_GAIN_OF_SHIFT if name == "shift" else LEAST_GAIN
        return max(0.0, self.limits.get(name, 0.0)) + least

    def to_arrays(self) -> dict[str, NDArray[np.float32] | NDArray[np.int32]]:
        """Kinds, scores and limits, for the model file; a limit that was not looked at is NaN."""
        limits = np.array([self.limits.get(name, np.nan) for name in STATISTICS], np.float32)
        own = {"scores": self.scores, "limits": limits, "stripes": self.striping, "registration": self.registration}
        return self.kinds.to_arrays() | {name: np.asarray(array, np.float32) for name, array in own.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.floating] | NDArray[np.integer]]) -> GroundReference:
        """The inverse of :meth:`to_arrays`. Raises KeyError or ValueError for other arrays."""
        limits = dict(zip(STATISTICS, (float(v) for v in arrays["limits"]), strict=True))
        limits = {name: value for name, value in limits.items() if np.isfinite(value)}
        striped = np.asarray(arrays.get("stripes", [UNKNOWN_STRIPING]), np.float64)
        limits.pop("shift", None)
        moved = np.asarray(arrays.get("registration", []), np.float64)
        # Models of before have one limit a band, of whichever step gains most.
        moved = np.tile(moved[:, None], (1, len(STEPS))) if moved.ndim == 1 else moved
        return cls(GroundKinds.from_arrays(arrays), np.asarray(arrays["scores"], np.float64), limits, striped, moved)


def _grouped(pieces: Sequence[Squares], count: int) -> list[Squares]:
    """The squares of each ``count`` pieces together; one group at least, and none of less than half as many pieces."""
    return [_joined(pieces[i : i + count]) for i in range(0, max(1, len(pieces) - count // 2), count)]


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
