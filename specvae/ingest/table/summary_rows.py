"""Rows of a table that are no spectra: statistics below the samples, and a header that stands among the rows again."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.decision import Decision

__all__ = ["LOOKED_AT", "Statistics", "header_rows", "statistics_at_end"]

LOOKED_AT = 24
"""Rows at the end of a table in which statistics of the others are looked for."""
MAIN = re.compile(
    r"^(?:mean|average|avg|median|arithmetic mean|mittel(?:wert)?e?|durchschnitt|moyenne|m[ée]diane?|media|mediana|promedio|"
    r"gemiddelde|std|sd|s\.d|stdev\w*|std\.? ?dev\w*|st\.? ?dev\w*|standard deviation|stabwn?a?|standardabweichung|"
    r"[ée]cart[- ]?type|desviaci[oó]n(?: est[aá]ndar)?|deviazione standard|variance|varianz|cv|cv ?%|cv ?\(%\)|rsd|rsd ?%|"
    r"coefficient of variation|sem|std\.? ?err\w*|standard error|total|sum|summe|gesamt|somme|suma|subtotal)$",
    re.I,
)
"""Words for a statistic over the rows above."""
BESIDE = re.compile(
    r"^(?:n|count|anzahl|min(?:imum)?|max(?:imum)?|var|se|range|quartile ?\d?|q\d|p\d\d|\d\d? ?%|mode)$", re.I
)
"""Words that are statistics beside such a one, and may be labels alone."""
CLOSE = 0.02
"""How much a number may differ from that in the header of its column, as a share of it, in a row that is a header."""
FEWEST = 5
"""Bands of a header, at least, whose numbers are compared with a row's."""


class Statistics(tuple[str, ...]):
    """The words of the statistics in the last rows of a table, in order; empty where there are none."""

    __slots__ = ()

    def decision(self, layout: str) -> Decision:
        """The decision that these rows are no spectra; ``layout`` is the option by which every row is one."""
        words = ", ".join(self[:8])
        chosen = f"the last row{'s' * (len(self) > 1)} ({words}) hold statistics of the others and are left out"
        if len(self) == 1:
            chosen = f"the last row ({words}) holds a statistic of the others and is left out"
        return Decision(
            "rows", chosen, "the words in it" if len(self) == 1 else "the words in them", ("spectra",), layout, True
        )


def statistics_at_end(rows: Sequence[Sequence[str]], whole: bool) -> Statistics:
    """The statistics in the last of the last ``rows`` of a table, as cells of text; ``whole``: whether these are all.

    Each stands once and in the same column; a column that says ``mean`` in every row, or again and again, is a label.

    Examples
    --------
    >>> statistics_at_end([["a", ".1"], ["b", ".3"], ["Mean", ".2"], ["SD", ".1"]], whole=True)
    ('Mean', 'SD')
    """
    width = max((len(row) for row in rows), default=0)
    best = Statistics()
    for at in range(width):
        words = [row[at].strip().rstrip(".:") if at < len(row) else "" for row in rows]
        said = [bool(MAIN.match(word) or BESIDE.match(word)) for word in words]
        count = next((k for k, is_one in enumerate(reversed(said)) if not is_one), len(said))
        found = words[len(words) - count :]
        folded = [word.casefold() for word in words if word]
        once = all(folded.count(word.casefold()) == 1 for word in found)
        named = any(MAIN.match(word) for word in found)
        if count > len(best) and once and named and not (whole and count == len(rows)):
            best = Statistics(found)
    return best


def header_rows(values: NDArray[np.float32], names: Sequence[str]) -> NDArray[np.bool_] | None:
    """``(n,)``: rows ``(n, bands)`` that repeat the numbers in the headers of their columns; None where these are none."""
    try:
        numbers = np.array([float(name.strip().strip("'\"").replace(",", ".")) for name in names], np.float64)
    except ValueError:
        return None
    if len(numbers) < FEWEST or not np.isfinite(numbers).all() or (np.diff(numbers) == 0).any():
        return None
    out = np.zeros(len(values), bool)
    with np.errstate(invalid="ignore"):
        # Hardly any row passes the first band, so that the others are compared in few.
        near = np.flatnonzero(np.abs(values[:, 0] - numbers[0]) <= CLOSE * abs(numbers[0]))
        out[near] = (np.abs(values[near] - numbers) <= CLOSE * np.abs(numbers)).all(axis=1)
    return out
