"""The shape that everything gathered over windows has: update with a piece, merge with another's, finish to a value."""

from __future__ import annotations

from typing import Protocol, Self, TypeVar

__all__ = ["Accumulator"]

Piece = TypeVar("Piece", contravariant=True)
Value = TypeVar("Value", covariant=True)


class Accumulator(Protocol[Piece, Value]):
    """What gathers pieces into one value, over the windows of a scene, the processes of a machine or a cluster's shards.

    The value depends on which pieces were gathered, never on their order nor on how they were divided before a merge.
    Most accumulators take a :class:`~specvae.spectra.ScoredWindow` a piece; the metrics take scores with their truth.
    """

    def update(self, piece: Piece, /) -> None:
        """Take in one piece."""

    def merge(self, other: Self, /) -> None:
        """Take in what another of the same kind gathered from other pieces."""

    def finish(self) -> Value:
        """The value of all pieces so far; more pieces may follow."""
