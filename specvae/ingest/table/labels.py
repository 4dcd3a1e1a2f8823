"""Labels of rows: which words and numbers mean normal, anomalous and unknown, by the name of their column."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specvae.ingest.decision import Decision
from specvae.ingest.table.cells import is_one_of, words_of

__all__ = ["Truth", "TruthCounts", "normal_words", "truth_of"]

NORMAL = {"0", "0.0", "false", "no", "normal", "inlier", "ok", "good"}
"""What a label of a normal row may be where the options name no value; its first three, reversed, where 1 is normal."""
NORMAL_IS_ONE = {"1", "1.0", "true", "yes", "normal", "inlier", "ok", "good"}
"""The same in a column that says in its name that 1 is normal."""
SAYS_NORMAL = re.compile(
    r"(?:^|_|\b)(?:is_?)?(?:normal|inlier|nominal|good|valid|clean|healthy|ok)s?(?:_?(?:flag|label|mask))?$", re.I
)
"""Names of columns in which 1 or true means normal."""
DENIES = re.compile(
    r"(?:^|_|\b)(?:not|non|no)[_ ](?:an?[_ ])?(?:anomal(?:y|ous|ies)|outliers?|defects?|abnormal|faults?|fake|bad|contaminated)"
    r"(?:_?(?:flag|label|mask))?$",
    re.I,
)
"""Names that deny an anomaly, in which 1 means normal too: ``is_not_anomaly``."""
SAYS_NOT = re.compile(
    r"(?:^|_|\b)(?:not|non|ab|un|in)[_ ]?(?:normal|nominal|good|valid|clean|healthy|ok)s?(?:_?(?:flag|label|mask))?$",
    re.I,
)
"""Names that deny it: ``abnormal``, ``is_not_normal``, ``invalid``."""
UNKNOWN = {
    "",
    "nan",
    "none",
    "255",
    "<na>",
    "na",
    "n/a",
    "null",
    "unknown",
    "unlabeled",
    "unlabelled",
    "?",
    "ignore",
    "void",
}
"""What a label of a row may be of which nothing is known."""
ANOMALOUS = {"anomaly", "anomalous", "anomalies", "abnormal", "outlier", "bad"}
"""Usual words for anomalous rows; any other word is said, for it may be meant otherwise."""
SHOWN = 8
"""Words that a note names."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What a column of labels says of some rows."""

    anomalous: NDArray[np.bool_]
    """``(n,)``"""
    unknown: NDArray[np.bool_]
    """``(n,)``: rows of which nothing is known."""
    other_words: tuple[str, ...]
    """Words that count as anomalous and are no usual ones."""


@dataclass
class TruthCounts:
    """What the truth column of a table has said so far, for the notes of its report."""

    anomalous: int = 0
    normal: int = 0
    unknown: int = 0
    words: set[str] = field(default_factory=set)

    def update(self, truth: Truth, known: NDArray[np.bool_]) -> None:
        """Add some rows; ``known`` ``(n,)``: those that are valid and whose truth is known."""
        self.anomalous += int((truth.anomalous & known).sum())
        self.normal += int((~truth.anomalous & known).sum())
        self.unknown += int(truth.unknown.sum())
        self.words |= set(truth.other_words)

    def notes(self, name: str) -> list[str]:
        """What a user should know of the truth: what is unknown, what no row is, and words that may mean something else."""
        notes = []
        if self.unknown:
            notes.append(
                f"--truth {name}: {self.unknown:,} rows are unknown (empty, 255 or such a word) and do not count"
            )
        if self.words:
            words = ", ".join(map(repr, sorted(self.words)[:SHOWN]))
            notes.append(f"--truth {name}: these words are taken for anomalous: {words}")
        for count, kind in ((self.anomalous, "anomalous"), (self.normal, "normal")):
            if not count:
                notes.append(f"--truth {name}: no valid row is {kind}, so that nothing can be measured against it")
        return notes


def one_is_normal(name: str) -> bool:
    """Whether 1 and true mean normal in a column of this name: ``is_normal``, ``inlier``; not ``abnormal``."""
    name = name.strip()
    return bool(DENIES.search(name)) or (bool(SAYS_NORMAL.search(name)) and not SAYS_NOT.search(name))


def normal_words(name: str, value: str | None) -> tuple[set[str], Decision]:
    """The words of a label column that mean normal, in lower case, and the decision. ``value``: what the options name."""
    if value is not None:
        chosen = f"rows whose {name!r} is {value} are normal"
        return {value.strip().casefold()}, Decision("labels", chosen, f"the option --normal-value {value}")
    if one_is_normal(name):
        chosen, others = f"rows whose {name!r} is 1 or true are normal", (f"0 is normal in {name!r}",)
        return NORMAL_IS_ONE, Decision("labels", chosen, "the name of the column", others, "--normal-value 0", True)
    chosen = f"rows whose {name!r} is 0, false or normal are normal"
    return NORMAL, Decision("labels", chosen, "the usual meaning", (), "--normal-value")


def truth_of(name: str, column: pa.ChunkedArray) -> Truth:
    """What a truth column of this name says of its rows: numbers, booleans and words; what is no known word is anomalous."""
    unknown = is_one_of(column, UNKNOWN)
    normal = is_one_of(column, NORMAL_IS_ONE if one_is_normal(name) else NORMAL) & ~unknown
    other = sorted(words_of(column) - UNKNOWN - NORMAL - NORMAL_IS_ONE - ANOMALOUS)
    return Truth(~normal & ~unknown, unknown, tuple(other[:SHOWN]))
