"""Bins of scores by the leading bits of their float32: the same for every scene, so that counts can always be added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["ScoreBins"]

WORD = 32
SIGN = np.uint32(1 << (WORD - 1))
MAGNITUDE = 9
"""Bits of the sign and the exponent of a float32; a number is not finite where all of the exponent's are set."""


@dataclass(frozen=True)
class ScoreBins:
    """``2**bits`` bins, ascending; two scores share a bin where the first ``bits`` bits of their float32 agree.

    Those bits are the sign, 8 of the exponent and the first ``bits - 9`` of the mantissa: a logarithmic scale from the
    smallest number to the largest, with bins 2**(8 - bits) to 2**(9 - bits) of the score wide. The scale needs no
    knowledge of the scene, so that windows, shards and dates can be counted apart and added.

    Examples
    --------
    >>> bins = ScoreBins(16)
    >>> first, second, third = (int(i) for i in bins.of(np.array([-1.0, 0.5, 2.0], np.float32)))
    >>> first < second < third, float(bins.lower_edges[third])
    (True, 2.0)
    """

    bits: int

    @property
    def size(self) -> int:
        """Number of bins."""
        return 1 << self.bits

    @cached_property
    def lower_edges(self) -> NDArray[np.float32]:
        """``(2**bits,)``: the smallest score of each bin; not finite at both ends, where no finite score falls."""
        # The inverse of :meth:`of`: in the order of the bins, a set sign bit means a positive number.
        ordered = np.arange(self.size, dtype=np.uint32) << np.uint32(WORD - self.bits)
        return np.asarray(np.where(ordered & SIGN, ordered ^ SIGN, ~ordered), np.uint32).view(np.float32)

    def of(self, scores: NDArray[np.float32]) -> NDArray[np.uint32]:
        """The bin of each finite score, of any shape.

        The bits of positive floats sort as the numbers do and those of negative ones the other way round: the sign bit
        is flipped in the former, every bit in the latter.
        """
        leading, sign = self._leading(scores), np.uint32(1 << (self.bits - 1))
        return np.asarray(leading ^ np.where(leading & sign, np.uint32(self.size - 1), sign))

    def count(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """``(2**bits,)``: how many scores, of any shape, fall in each bin; NaN and infinite ones are left out."""
        by_pattern = np.bincount(self._leading(scores).ravel(), minlength=self.size)
        positive, negative = np.split(by_pattern, 2)  # ordered once for all patterns, which is less than once a score
        counts = np.concatenate([negative[::-1], positive])
        not_finite = 1 << (self.bits - MAGNITUDE)
        counts[:not_finite] = counts[-not_finite:] = 0
        return np.asarray(counts, np.int64)

    def _leading(self, scores: NDArray[np.float32]) -> NDArray[np.uint32]:
        """The first bits of each score, as they lie in memory."""
        bits = (np.ascontiguousarray(scores, np.float32) + np.float32(0)).view(np.uint32)  # adding 0 makes -0 a 0
        return np.asarray(bits >> np.uint32(WORD - self.bits))
