"""The table of what is asked of a benchmark and what it reached."""

from __future__ import annotations

import pytest

from specvae.benchmarks.goals import Goal, goals_table


@pytest.mark.parametrize(
    ("goal", "answer"),
    [
        (Goal("", 0.9, None, 0.9), "met"),
        (Goal("", 0.9, 0.95, 0.94), "met"),
        (Goal("", 0.9, 0.95, 0.95), "met, and the stretch"),
        (Goal("", 0.9, 0.95, 0.8988), "missed by 0.0012"),
        (Goal("", 8, 4, 8.26, most=True, digits=1), "missed by 0.3"),
        (Goal("", 8, 4, 3.9, most=True, digits=1), "met, and the stretch"),
        (Goal("", 0.5, None, 0.5, above=True), "missed: no more than that"),
        (Goal("", 0.5, None, 0.51, above=True), "met"),
    ],
)
def test_a_goal_is_met_or_missed_by_how_much(goal: Goal, answer: str) -> None:
    assert goal.answer == answer


def test_the_table_has_a_line_a_goal_and_says_the_direction() -> None:
    lines = goals_table([Goal("area", 0.985, 0.99, 0.97884), Goal("seconds", 8, None, 6.6, most=True, digits=1)])
    assert lines.splitlines()[2:] == [
        "| area | at least 0.985 | at least 0.99 | 0.9788 | missed by 0.0062 |",
        "| seconds | at most 8 |  | 6.6 | met |",
    ]
