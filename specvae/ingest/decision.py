"""A decision: one thing that a reader had to decide about a source, on what evidence, and what else it could have been.

Every reader appends its decisions to the product or table that it makes. `specvae inspect` shows all of them, fit and
score say those that were guessed, and report.json and the model's provenance keep them. Where the evidence is even
between two readings, nothing is decided: :func:`undecided` is the refusal, which names the option that decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from specvae.errors import InputError

__all__ = ["Decision", "DecisionRow", "guesses", "undecided"]

SUBJECTS = (
    *("files", "format", "header", "axes", "bands", "columns", "rows", "wavelengths", "unit", "scale"),
    *("fill", "mask", "labels", "place", "time"),
)
"""What a decision may be about."""


class DecisionRow(TypedDict):
    """A decision ready for JSON."""

    about: str
    chosen: str
    evidence: str
    others: list[str]
    option: str
    guessed: bool


@dataclass(frozen=True)
class Decision:
    """One decision of a reader. All texts are phrases in words, without a full stop.

    Examples
    --------
    >>> axes = Decision("axes", "(rows, cols, bands)", "its shape, 80x70x40", ("(bands, rows, cols)",), "--layout", True)
    >>> print(axes.sentence)
    axes: (rows, cols, bands), guessed from its shape, 80x70x40; else (bands, rows, cols): say --layout
    """

    about: str
    """What it is about: one of ``SUBJECTS``."""
    chosen: str
    """What was decided."""
    evidence: str
    """What it was decided on: ``the names of its dimensions``, ``its header``, ``the option --layout``."""
    others: tuple[str, ...] = ()
    """What else it could have been; empty where the evidence leaves nothing else."""
    option: str = ""
    """The option that decides otherwise, with a value where one can be named; empty where there is none."""
    guessed: bool = False
    """Whether the evidence was a likelihood rather than a statement, so that a user should look."""

    def __post_init__(self) -> None:
        if self.about not in SUBJECTS:
            raise ValueError(f"a decision is about {self.about!r}; expected one of {', '.join(SUBJECTS)}")

    @property
    def sentence(self) -> str:
        """The decision in one line for people."""
        text = f"{self.about}: {self.chosen}, {'guessed from' if self.guessed else 'by'} {self.evidence}"
        if self.others:
            text += f"; else {' or '.join(self.others)}"
        return text + (f"{':' if self.others else ';'} say {self.option}" if self.option else "")

    def to_json(self) -> DecisionRow:
        """The decision as a row of ``decisions`` in report.json, a model's provenance and `specvae inspect --json`."""
        return {
            "about": self.about,
            "chosen": self.chosen,
            "evidence": self.evidence,
            "others": list(self.others),
            "option": self.option,
            "guessed": self.guessed,
        }


def guesses(decisions: Iterable[Decision]) -> list[str]:
    """The sentences of those that were guessed, in order: what fit and score say of them."""
    return [decision.sentence for decision in decisions if decision.guessed]


def undecided(path: str, question: str, readings: Iterable[str], option: str) -> InputError:
    """The refusal of a source whose evidence is even between ``readings``; ``option`` decides.

    Examples
    --------
    >>> print(undecided("a.npy", "which axis of 40x40x40 counts bands", ("the first", "the last"), "--layout"))
    a.npy: which axis of 40x40x40 counts bands cannot be told (the first or the last); say it with --layout
    """
    return InputError(f"{path}: {question} cannot be told ({' or '.join(readings)}); say it with {option}")
