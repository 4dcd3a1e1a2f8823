"""The report of the watch benchmark: its figures are those that were measured, and its parts are joined by the command."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from specvae.benchmarks.report import environment
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.watch import TRIALS, run
from specvae.benchmarks.watch.large_place import LargePlace
from specvae.benchmarks.watch.normal_ground import NormalGround
from specvae.benchmarks.watch.page import METHODS, Measured, rows_of, write_page
from specvae.benchmarks.watch.trial import Trial
from specvae.errors import UsageError

FIGURES = {"users": 0.98, "producers": 0.95, "f1": 0.965, "delay_fire": 2.0}
TRIAL = Trial(3, {method: dict(FIGURES) for method in METHODS}, 0, 12.0)
GROUND = NormalGround(0, 40.0, [4, 1], [90, 20], [0.08, 0.006, 0.0008, 0.0002], 5.0)
PLACE = LargePlace(2048, 60, 4.0, 6.0, 8.0, 12.0, [1.0, 1.2, 5.0], [2.0, 2.2, 6.0], 512.0, 17, 3.5)


def value_of(measured: Measured, metric: str) -> float:
    return next(row.value for row in rows_of(measured) if row.metric == metric and row.method == "specvae")


def test_the_rows_are_means_rates_and_shares() -> None:
    other = replace(TRIAL, figures={method: FIGURES | {"users": 0.94} for method in METHODS})
    measured = Measured((TRIAL, other), (GROUND, replace(GROUND, confirmed=[0, 0])), (PLACE,))
    assert value_of(measured, "users") == pytest.approx(0.96)
    assert value_of(measured, "false_alerts_at_0.1") == pytest.approx(4 / 80)
    assert value_of(measured, "share_of_scoring") == pytest.approx(1.2 / 4)


def test_parts_measured_now_take_the_place_of_the_same_ones_alone() -> None:
    earlier = Measured((TRIAL,), (GROUND,), (PLACE, replace(PLACE, side=10_980)))
    now = Measured(large=(replace(PLACE, open_alerts=3),)).over(earlier)
    assert (now.trials, now.normal) == (earlier.trials, earlier.normal)
    assert [(place.side, place.open_alerts) for place in now.large] == [(2048, 3), (10_980, 17)]


def test_the_page_shows_each_part_and_what_was_tried(tmp_path: Path) -> None:
    write_page(tmp_path, Measured((TRIAL,), (GROUND,), (PLACE,)), environment(quick=True))
    text = (tmp_path / "report.md").read_text()
    assert "| 2,048 x 2,048 | 60 | 1.2 | 4.0 | 6.0 | 2.2 | 8.0 | 12.0 | 0.30 | 0.20 |" in text
    assert "| 0.1 | 4 | 0.1 |" in text
    assert "## What was tried" in text
    assert json.loads(json.dumps(asdict(TRIAL)))["seed"] == 3


def test_another_part_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="events, normal, large"):
        run(Settings(out=tmp_path / "out", presets=("nights",)))
    assert not (tmp_path / "out" / TRIALS).exists()
