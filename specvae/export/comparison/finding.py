"""Findings of a comparison: what was compared, whether it is equal, by how much it differs and where."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOLERANCE", "Comparison", "Finding", "State", "distance", "values"]

TOLERANCE = 1e-5
"""What two scorers of one model may differ by, relative to max(1, |score|): the rule of the score."""


class State(Enum):
    """How two things stand to each other."""

    EQUAL = "equal"
    WITHIN = "equal within the tolerance"
    DIFFERS = "differs"

    @property
    def rank(self) -> int:
        """0 of the best; a comparison is what its worst finding is."""
        return list(State).index(self)


@dataclass(frozen=True)
class Finding:
    """One thing that was compared."""

    what: str
    """Its name: a file, and a band, column or key of it."""
    state: State
    largest: float | None = None
    """Largest distance of two numbers, ``|a - b| / max(1, |a|)``; None where no numbers were compared."""
    count: int = 0
    """Values that differ at all."""
    of: int = 0
    """Values compared."""
    where: str = ""
    """The place of the largest distance, or what differs, in words."""

    def sentence(self) -> str:
        """The finding as a line of the terminal."""
        parts = [f"{self.what}: {self.state.value}"]
        if self.state is not State.EQUAL and self.of:
            parts.append(f"{self.count:,} of {self.of:,} values")
        if self.state is not State.EQUAL and self.largest is not None:
            parts.append(f"largest difference {self.largest:.3g}")
        if self.where:
            parts.append(self.where)
        return "; ".join(parts)


@dataclass(frozen=True)
class Comparison:
    """All findings of two results or two models."""

    kind: str
    """``results`` or ``models``."""
    a: str
    b: str
    tolerance: float
    findings: tuple[Finding, ...]

    @property
    def state(self) -> State:
        """The state of the worst finding."""
        return max((finding.state for finding in self.findings), key=lambda state: state.rank, default=State.EQUAL)

    def summary(self) -> dict[str, Any]:
        """The comparison for programs."""
        rows = [{**asdict(finding), "state": finding.state.name.lower()} for finding in self.findings]
        return {
            "kind": self.kind,
            "a": self.a,
            "b": self.b,
            "tolerance": self.tolerance,
            "state": self.state.name.lower(),
            "findings": rows,
        }


def distance(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Distances ``|a - b| / max(1, |a|)`` of two arrays of one shape.

    They are infinite where one alone is NaN or infinite, or the signs of two infinities differ.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        away = np.abs(first - second) / np.maximum(1.0, np.abs(first))
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    return np.where(same, 0.0, np.where(np.isnan(away), np.inf, away))


def values(what: str, a: NDArray[Any], b: NDArray[Any], tolerance: float) -> Finding:
    """Compare two arrays of numbers; the place of the largest difference is its index."""
    if a.shape != b.shape:
        return Finding(what, State.DIFFERS, where=f"shapes {a.shape} and {b.shape}")
    if a.dtype != b.dtype:
        return Finding(what, State.DIFFERS, where=f"types {a.dtype} and {b.dtype}")
    away = distance(a, b)
    count = int(np.count_nonzero(away))
    if not count:
        return Finding(what, State.EQUAL, 0.0, 0, away.size)
    worst = np.unravel_index(int(np.argmax(away)), away.shape)
    largest = float(away[worst])
    state = State.WITHIN if largest <= tolerance else State.DIFFERS
    index = ", ".join(str(int(i)) for i in worst)
    return Finding(what, state, largest, count, away.size, f"at [{index}]: {a[worst]:.6g} and {b[worst]:.6g}")
