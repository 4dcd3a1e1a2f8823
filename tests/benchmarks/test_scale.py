"""The scale benchmark: what it counts, judges and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specvae.benchmarks.scale import Trials, run, write_report
from specvae.benchmarks.scale.data import WAYS, make_scenes
from specvae.benchmarks.scale.many import Many
from specvae.benchmarks.scale.speed import Rate
from specvae.benchmarks.settings import Settings
from specvae.errors import UsageError

MANY = Many(
    2000, 20, 2, 3, {"done": 1980, "invalid": 20, "failed": 0}, 400.0, {way: [f"no {way}"] * 2 for way in WAYS}, [],
    [500.0] * 9 + [510.0], 6.0, 3, {"already": 1980, "invalid": 20},
)  # fmt: skip


def test_a_rate_and_its_overhead_follow_from_the_seconds() -> None:
    rate = Rate("jobs", 2, 100, seconds=50.0, busy_seconds=80.0)
    assert rate.per_second == 2.0
    assert rate.overhead == pytest.approx(0.2)


def test_the_report_says_what_was_measured(tmp_path: Path) -> None:
    trials = Trials([Rate("workers", 2, 100, 50.0, 80.0)], MANY)
    write_report(tmp_path, trials, {"cores": 2})
    assert Trials.load(tmp_path / "trials.json") == trials
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "2,000 scenes" in page
    assert "1,980 done, 20 recorded as invalid, 0 failed, in 400 s" in page
    assert "Wrong: nothing." in page
    assert "| workers | 2 | 100 | 50.0 | 2.00 | 20 % |" in page
    rows = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["results"]
    values = {(row["dataset"], row["metric"]): row["value"] for row in rows}
    assert values["2000-scenes", "named_rightly"] == 20
    assert values["2000-scenes", "second_run_seconds"] == 6
    assert values["100-scenes-workers-2", "scenes_per_second"] == 2


def test_parts_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="speed, many"):
        run(Settings(out=tmp_path, presets=("slow",)))


def test_broken_scenes_are_spread_evenly_and_each_way_comes_alike(tmp_path: Path) -> None:
    ways = make_scenes(tmp_path, 60, 20)
    assert sorted(ways.values()) == sorted([*WAYS, *WAYS])
    numbers = sorted(int(key.removeprefix("scene")) for key in ways)
    assert {b - a for a, b in zip(numbers, numbers[1:], strict=False)} == {3}
    assert sum(1 for p in tmp_path.iterdir() if p.is_symlink()) == 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_short_run_measures_processes_and_workers_and_names_what_is_broken(tmp_path: Path) -> None:
    run(Settings(out=tmp_path / "report", quick=True, device="cpu"))
    report = json.loads((tmp_path / "report" / "trials.json").read_text(encoding="utf-8"))
    assert [(r["how"], r["processes"]) for r in report["rates"]] == [
        ("jobs", 1),
        ("jobs", 2),
        ("workers", 1),
        ("workers", 2),
    ]
    assert report["many"]["wrong"] == []
    assert report["many"]["exit_status"] == 3
