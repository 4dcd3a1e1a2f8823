"""The bands that drive the score of a row, in words: of many bands, ranges of neighbours that depart together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet

__all__ = ["drivers_in_words"]

MOST = 3
"""Ranges that are named."""
LEAST_SHARE = 0.1
"""A range whose strongest band contributes less than this share of the strongest of all is not named."""
RUN_SHARE = 0.3
"""A neighbour belongs to a range where it departs the same way and contributes at least this share of its strongest band."""
MANY_BANDS = 40
"""Of more bands than this, ranges are named, and single bands otherwise."""


def drivers_in_words(bands: BandSet, contribution: NDArray[np.floating], deviation: NDArray[np.floating]) -> str:
    """What drives one score, from ``(bands,)`` nats and deviations in standard units.

    Examples
    --------
    >>> from specvae.bands import Band
    >>> bands = BandSet(tuple(Band(wavelength=1000.0 + 9 * i) for i in range(50)))
    >>> nats, away = np.zeros(50), np.zeros(50)
    >>> nats[4:8], away[4:8] = [2.0, 5.0, 4.0, 2.0], [1.0, 3.0, 2.5, 1.5]
    >>> drivers_in_words(bands, nats, away)
    '1,036 to 1,063 nm +3.0'
    """
    used, words = np.zeros(len(bands), bool), list[str]()
    for band in np.argsort(-contribution, kind="stable").tolist():
        if len(words) == MOST or contribution[band] < LEAST_SHARE * contribution.max():
            break
        if used[band] or contribution[band] <= 0:
            continue
        first, last = _run(band, contribution, deviation, used)
        used[first : last + 1] = True
        words.append(f"{_label(bands, first, last)} {deviation[band]:+.1f}")
    return ", ".join(words)


def _run(
    band: int, contribution: NDArray[np.floating], deviation: NDArray[np.floating], used: NDArray[np.bool_]
) -> tuple[int, int]:
    """First and last band of the range around ``band``."""
    if len(contribution) <= MANY_BANDS:
        return band, band
    belongs = (deviation * deviation[band] > 0) & (contribution >= RUN_SHARE * contribution[band]) & ~used
    first = last = band
    while first > 0 and belongs[first - 1]:
        first -= 1
    while last < len(belongs) - 1 and belongs[last + 1]:
        last += 1
    return first, last


def _label(bands: BandSet, first: int, last: int) -> str:
    """The name of a range, or of its single band."""
    if first == last:
        return bands.labels[first]
    waves = bands.wavelengths
    if waves is None:
        return f"{bands.labels[first]} to {bands.labels[last]}"
    return f"{waves[first]:,.0f} to {waves[last]:,.0f} nm"
