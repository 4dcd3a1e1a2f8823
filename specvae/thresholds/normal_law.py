"""The law of normal scores that held-out data give: ranks as far as they resolve, a Pareto tail beyond."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.conformal import ROUNDING, conformal_rank, conformal_threshold
from specvae.thresholds.p_values import PixelPValues
from specvae.thresholds.tail import Tail, fit_tail
from specvae.thresholds.tail_law import TailLaw
from specvae.thresholds.tiles import CalibrationTiles
from specvae.thresholds.trimmed_tail import TrimmedTail, fit_trimmed_tail

__all__ = ["ENOUGH", "FEWEST", "LARGEST_DEFAULT", "NormalLaw"]

ENOUGH = 30
"""Pixels above an empirical cut from which on no tail is needed."""
FEWEST = 5
"""Pixels above an empirical cut from which on it is supported where the tail is refused."""
LARGEST_DEFAULT = 0.05
"""The largest false-alarm rate that takes the place of a default one: a cut above it is a coin toss on normal data."""


@dataclass(frozen=True, eq=False)
class NormalLaw:
    """Ranks, tail and resampled blocks of the scores in :class:`CalibrationTiles`; each is computed when asked."""

    tiles: CalibrationTiles
    contaminated: bool
    """Whether the tiles hold anomalies: then nothing above the trim quantile is used."""
    trim: float
    """Share of the scores above the trim quantile."""
    stored_tail: Mapping[str, Any] | None = None
    """The tail's summary in a model file; None where there is none."""

    def __post_init__(self) -> None:
        if self.contaminated and not 0 < self.trim < 0.5:
            raise ValueError(f"a contaminated calibration needs a trim share between 0 and 0.5, got {self.trim}")

    @property
    def size(self) -> int:
        """Number of held-out pixels."""
        return int(self.tiles.scores.size)

    @cached_property
    def ordered(self) -> NDArray[np.float32]:
        """``(size,)``: all held-out scores, ascending."""
        return np.sort(self.tiles.scores)

    @cached_property
    def normal(self) -> NDArray[np.float32]:
        """``(n,)``: the held-out scores that ranks count: all; where contaminated, those up to the trim quantile."""
        return self.ordered[self.ordered <= self.trimmed.stop] if self.trimmed else self.ordered

    @cached_property
    def bootstrap(self) -> BlockBootstrap:
        """Resampled blocks of the held-out scores."""
        return BlockBootstrap.of(self.tiles.resampling_blocks)

    @cached_property
    def tail(self) -> Tail | None:
        """The Pareto tail of held-out normal scores; None where contaminated or under 50 excesses."""
        if self.contaminated or not self.size:
            return None
        return fit_tail(self.tiles.scores, self.bootstrap)

    @cached_property
    def tail_law(self) -> TailLaw | None:
        """The law of the tail, without its uncertainty: from the model file where that holds it, for a fit takes longer."""
        if self.contaminated or self.stored_tail is None:
            return self.tail
        return TailLaw.from_summary(self.stored_tail)

    @cached_property
    def trimmed(self) -> TrimmedTail | None:
        """The tail below the trim quantile; None where not contaminated or too few scores."""
        if not self.contaminated or not self.size:
            return None
        return fit_trimmed_tail(self.tiles.scores, self.bootstrap, self.trim)

    @cached_property
    def ranked(self) -> int:
        """Ranks from the top in place of which the tail's law serves; 0 without a tail.

        An accepted tail says more than so few ranks; a refused one serves only where there is hardly a rank at all.
        """
        if self.tail_law is None:
            return 0
        return min(FEWEST if self.is_refused else ENOUGH, self.normal.size)

    @property
    def is_refused(self) -> bool:
        """Whether the tail does not extrapolate: then it serves only those who ask for its rate."""
        if self.stored_tail is not None:
            return self.stored_tail.get("refused") is not None
        return self.tail is not None and self.tail.refused is not None

    def cut(self, rate: float) -> float:
        """The cut for a rate, nats: the score of a rank, or the tail's where that rank is among the highest few.

        A score is above it if and only if its p-value is at most ``rate``. Inf where there is neither rank nor tail.
        """
        if self.trimmed is not None:
            if rate < self.trimmed.share:
                return self.trimmed.threshold(rate)
            # Of the normal pixels that the rate puts above the cut, the hidden ones are not among the ranks counted here.
            n, hidden = self.normal.size, self.trimmed.hidden
            rank = int(rate * (n + hidden + 1) * (1 + ROUNDING) - hidden)
            return min(float(self.normal[-min(max(rank, 1), n)]), self.trimmed.start)
        rank = conformal_rank(self.size, rate)
        if self.tail_law is None or rank >= self.ranked:
            return conformal_threshold(self.normal, rate)
        return max(self.tail_law.threshold(rate), float(self.normal[-self.ranked]))

    @cached_property
    def p_values(self) -> PixelPValues:
        """The p-value of any score; where contaminated, ranks count the hidden normal pixels too."""
        if self.trimmed is not None:
            return PixelPValues(self.normal, self.trimmed, self.trimmed.start, self.trimmed.hidden)
        begin = float(self.normal[-self.ranked]) if self.ranked else np.inf
        return PixelPValues(self.normal, self.tail_law, begin)

    @cached_property
    def smallest_rate(self) -> float | None:
        """The smallest false-alarm rate that the data support; None where they support none."""
        if self.contaminated:
            return self.trimmed.smallest_rate if self.trimmed else None
        if self.tail is not None and self.tail.refused is None:
            return self.tail.smallest_rate
        # A larger rate is for those who ask for it: by default nothing is flagged then.
        nearest = FEWEST / (self.size + 1)
        return nearest if nearest <= LARGEST_DEFAULT else None

    def problem(self, rate: float) -> str | None:
        """Why the data do not support a false-alarm rate, in words; None where they do."""
        if self.contaminated:
            if self.trimmed is None:
                return f"{self.size} held-out scores with anomalies among them are too few to model what is normal"
            if rate < self.trimmed.smallest_rate:
                return f"the model of the trimmed tail serves down to {self.trimmed.smallest_rate:.2g}"
            return None
        rank = conformal_rank(self.size, rate)
        if rank >= ENOUGH:
            return None
        if self.tail is not None and self.tail.refused is None:
            if rate >= self.tail.smallest_rate:
                return None
            return f"{self.size} held-out scores and their Pareto tail serve down to {self.tail.smallest_rate:.2g}"
        if rank >= FEWEST:
            return None
        refused = self.tail.refused if self.tail else "too few for a tail"
        return f"{self.size} held-out scores leave {rank} above the cut, and the tail is refused ({refused})"
