"""The synthetic series: the same seed is the same nights, and what is planted is where and when it is said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specvae.stages.demo.nights.demo import demo_series
from specvae.stages.demo.nights.events import LASTING
from specvae.stages.demo.nights.series import make_series


def test_the_same_seed_is_the_same_nights() -> None:
    one, two, other = (next(make_series(40, 44, seed=seed, years=0.1).nights()).values for seed in (3, 3, 4))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_events_begin_and_end_when_they_should_and_do_not_touch() -> None:
    series = make_series(96, 96, seed=1)
    events = {event.kind: event for event in series.events}
    assert set(events) == {*LASTING, "spill", "ship"}
    assert np.sum([event.place for event in series.events], axis=0).max() == 1
    nights = {kind: int(sum(event.visible(day) for day in series.days.tolist())) for kind, event in events.items()}
    assert (nights["spill"], nights["ship"]) == (2, 1)
    assert events["felled"].visible(int(series.days[-1]))
    fire = events["fire"]
    assert fire.fill(fire.onset) > fire.fill(fire.onset + 200) > 0
    dieback = events["dieback"]
    assert dieback.fill(dieback.onset) == 0 < dieback.fill(dieback.onset + 100) < dieback.fill(dieback.onset + 300)


def test_clouds_are_masked_but_not_their_thinnest_edges() -> None:
    clear = make_series(64, 64, seed=2, years=1, events=False, cloudiness=0)
    cloudy = make_series(64, 64, seed=2, years=1, events=False)
    masked = [float((night.values[0] == 0).mean()) for night in cloudy.nights()]
    assert all((night.values > 0).all() for night in clear.nights())
    assert 0.1 < np.mean(masked) < 0.6
    assert min(masked) == 0


@pytest.mark.slow
def test_the_demo_of_a_series_confirms_what_lasts(tmp_path: Path) -> None:
    outcome = demo_series(str(tmp_path / "demo"), seed=0)
    assert outcome.confirmed["felled"] > 0.9
    assert outcome.confirmed["ship"] == 0
    # The ground beside a large event has strange surroundings, and joins it; nothing is confirmed by itself.
    assert outcome.far_pixels == 0
    assert outcome.false_pixels < 0.015 * outcome.normal_pixels
