"""Which states of a place stay: few, none that has to be computed again for its own sake, and enough for a date that is late."""

from __future__ import annotations

import pytest

from specvae.export.watch.contents import MOST_OLDER
from specvae.stages.watch.thinning import STEPS, checkpoints_of, first_to_go_on_from

MOST = 300


def test_few_states_stay_and_all_of_them_were_there_a_date_before() -> None:
    for dates in range(1, MOST):
        kept = checkpoints_of(dates)
        assert kept[0] == dates
        assert len(kept) <= 2 + MOST_OLDER
        assert set(checkpoints_of(dates + 1)) - {dates + 1} <= set(kept)


@pytest.mark.parametrize("step", STEPS)
def test_a_date_up_to_a_step_late_costs_two_steps_at_most(step: int) -> None:
    for dates in range(1, MOST):
        for late in range(1, min(step, dates) + 1):
            count = first_to_go_on_from(checkpoints_of(dates), dates - late, dates + 1)
            assert count <= dates - late
            assert dates + 1 - count <= 2 * step


def test_a_newest_date_that_is_redone_costs_one_night_and_what_is_missing_is_computed() -> None:
    for dates in range(2, MOST):
        assert first_to_go_on_from(checkpoints_of(dates), dates - 1, dates) == dates - 1
        # After a date went away, the states that stay of fewer dates may be others: it begins where all of them are made anew.
        count = first_to_go_on_from(checkpoints_of(dates), dates - 1, dates - 1)
        assert {each for each in checkpoints_of(dates - 1) if each <= count} <= set(checkpoints_of(dates))


def test_of_no_states_nothing_is_gone_on_from() -> None:
    assert first_to_go_on_from([], 5, 6) == 0
    assert first_to_go_on_from([6, 5, 4], 3, 6) == 0
