"""What a benchmark is asked to reach, beside what it reached: one table at the top of a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specvae.benchmarks.report import table

__all__ = ["Goal", "goals_table"]


@dataclass(frozen=True)
class Goal:
    """One figure that is asked for.

    Examples
    --------
    >>> Goal("mean AUROC", 0.93, None, 0.9067).answer, Goal("seconds", 8, 4, 6.5, most=True).answer
    ('missed by 0.0233', 'met')
    """

    what: str
    asked: float
    stretch: float | None
    """What would be better than asked; None where nothing is named."""
    reached: float
    most: bool = False
    """Whether the figure is to be at most what is asked; else at least."""
    digits: int = 4
    above: bool = False
    """Whether what is asked must be passed: to reach it is not enough."""

    @property
    def answer(self) -> str:
        """Whether the goal is met, or by how much it is missed; met beyond its stretch is said so."""
        short = self._short_of(self.asked)
        if self.above and short == 0:
            return "missed: no more than that"
        if short > 0:
            return f"missed by {short:.{self.digits}f}"
        return "met, and the stretch" if self.stretch is not None and self._short_of(self.stretch) <= 0 else "met"

    def _short_of(self, limit: float) -> float:
        return self.reached - limit if self.most else limit - self.reached


def goals_table(goals: Iterable[Goal]) -> str:
    """Markdown: a line a goal."""
    body: list[list[object]] = []
    for goal in goals:
        word = "at most" if goal.most else "above" if goal.above else "at least"
        stretch = None if goal.stretch is None else f"{word} {goal.stretch:.4g}"
        body.append([goal.what, f"{word} {goal.asked:.4g}", stretch, f"{goal.reached:.{goal.digits}f}", goal.answer])
    return table(["", "asked", "stretch", "reached", "answer"], body)
