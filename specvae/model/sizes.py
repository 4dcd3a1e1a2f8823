"""Sizes and bounds of a model that torch's reference and the compiled scorer share; importing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CONTEXT_LIMIT",
    "FADE",
    "FLATTEST",
    "KNOTS",
    "LEADING",
    "LINEAR_REACH",
    "LOG_SIGMA_FLOOR",
    "PARTS",
    "PRIOR_SPREAD",
    "QUANTUM",
    "Ring",
    "component_count",
    "default_hidden",
    "default_latent",
]

PRIOR_SPREAD = 2.5
"""How far the log variance of the prior given a context may lie from 0: no ground is so rough that nothing is strange."""
LOG_SIGMA_FLOOR = -4.0
"""The decoder's per-band log standard deviation stays above this, in standard units: no band may explode."""
LEADING = 3
"""Components of a context whose own cost counts, the leading ones: the mean of a ring varies little along the others, and
their few odd values would cost more than any event does."""
LINEAR_REACH = 8.0
"""Up to so many standard deviations a normalised value is linear by default; beyond, its excess grows by a logarithm."""
QUANTUM = 2.0**-14
"""Components of the context are whole multiples of this, so that their sums over a ring are exact."""
CONTEXT_LIMIT = 3 * 2**14
"""Components stay within +-3 standard deviations, in quanta, so that an anomaly weighs little in the rings of its neighbours, and
49 x 49 of them fit an int32 sum."""
FADE = 2.25
"""A pixel counts in the rings of its neighbours in full up to the squared length of its components that is normal, not at
all from so many times that, and in proportion between."""
FLATTEST = 1.0
"""The least slope of a band's map by which it is inverted beyond its table."""
KNOTS = 1024
"""Knots of each band's marginal table, evenly over its range in training and four kernel widths beyond."""

PARTS = frozenset({"ring", "marginals", "smooth", "mixed", "components", "bounded", "surprise", "earlier"})
"""What a stored state says of the parts of its net; one of another name is from a later version."""


@dataclass(frozen=True)
class Ring:
    """What a model with context looks at around a pixel."""

    outer: int
    """Side of the outer window, pixels."""
    guard: int
    """Side of the guard window in its middle, which is not looked at, pixels."""
    components: int
    """Numbers that the ring is summarised by."""


def default_latent(bands: int) -> int:
    """Latent dimensions by default: as many as bands, at most 32; the noise decides how many are active."""
    return int(min(32, bands))


def default_hidden(bands: int) -> tuple[int, ...]:
    """Hidden widths by default: one layer of 16 up to 15 bands, growing to 64."""
    return (int(min(64, 16 + 8 * (bands // 16))),)


def component_count(bands: int) -> int:
    """Components of the context by default: all up to 6 bands, then fewer than the bands, 16 at most."""
    return int(min(bands, max(6, min(16, bands // 2))))
