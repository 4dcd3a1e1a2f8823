"""The stage ``watch`` of a batch: after the score, resumed, and its alerts in run.json and the metrics."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from specvae.errors import SpecvaeError, UsageError
from specvae.pipeline.run import run
from specvae.pipeline.run_options import Options
from tests.batches import dask_cluster, inline_workers
from tests.score_folders import day_of, normal_ground, write_date

SHAPE = (40, 44)
TOML = """
name = "coast"
[[stage]]
run = "watch"
scene = ["reports/coast"]
strict = true
"""


def write_dates(reports: Path, numbers: range, **more: str) -> None:
    centre, spread = normal_ground(np.random.default_rng(0), SHAPE)
    for number in numbers:
        scores = centre + spread * np.random.default_rng(number).normal(size=SHAPE)
        if number >= 8:
            scores[10:20, 10:22] += 6
        write_date(reports, day_of(number), scores, **more)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    write_dates(tmp_path / "reports" / "coast", range(10))
    (tmp_path / "coast.toml").write_text(TOML)
    return tmp_path / "coast.toml"


def test_alerts_of_a_watched_place_stand_in_run_json_and_the_metrics(toml: Path) -> None:
    assert run(toml, Options(dry_run=True)).stages[0].status == "todo"
    batch = run(toml)
    assert batch.exit_status == 0
    assert batch.stages[0].message.startswith("coast: ")
    out = toml.parent / "reports" / "coast"
    tree = json.loads((Path(batch.out) / "run.json").read_text())
    assert tree["stages"][0]["watched"]["alerts"]["confirmed"] == 1
    (alert,) = tree["alerts"]
    assert alert["key"] == "coast"
    assert "1 confirmed alerts" in alert["why"]
    assert alert["leading"][0]["confirmed_on"] == day_of(9)
    metrics = (Path(batch.out) / "metrics.prom").read_text()
    assert 'specvae_watch_alerts{batch="coast",place="coast",status="confirmed"} 1' in metrics
    assert (out / "watch" / "watch.json").is_file()
    again = run(toml)
    assert again.stages[0].status == "already"
    assert run(toml, Options(dry_run=True)).stages[0].status == "already"


def test_a_setting_that_changed_is_taken_up_and_a_date_not_to_be_used_is_strict(toml: Path) -> None:
    run(toml)
    assert run(toml, Options(set=("watch.close_after=3",))).stages[0].status == "done"
    write_dates(toml.parent / "reports" / "coast", range(10, 11), verdict="do-not-use")
    batch = run(toml)
    assert batch.exit_status == 5
    assert "left out" in batch.stages[0].message


def test_what_is_wrong_with_a_stage_is_said_before_anything_starts(toml: Path) -> None:
    toml.write_text(TOML + "false_alert_rate = 3\n")
    with pytest.raises(UsageError, match="false_alert_rate"):
        run(toml)
    toml.write_text(TOML.replace("reports/coast", "reports/nowhere"))
    batch = run(toml)
    assert batch.exit_status == 4
    assert "no scored date" in batch.stages[0].message


def bytes_of(toml: Path) -> dict[str, bytes]:
    folder = toml.parent / "reports" / "coast" / "watch"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def events_of(out: str, name: str) -> list[dict[str, object]]:
    lines = (Path(out) / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def in_one_piece(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    """A place of 150 rows with clouds over the seams of its shards, and what one process made of it."""
    centre, spread = normal_ground(np.random.default_rng(0), (150, 44))
    for number in range(10):
        scores = centre + spread * np.random.default_rng(number).normal(size=centre.shape)
        scores[60:70, 10:22] += 6 if number >= 8 else 0
        scores[120:135, 20:] = np.nan if number % 3 == 0 else scores[120:135, 20:]
        write_date(tmp_path / "reports" / "coast", day_of(number), scores)
    toml = tmp_path / "coast.toml"
    toml.write_text(TOML)
    assert run(toml).exit_status == 0
    alone = bytes_of(toml)
    shutil.rmtree(tmp_path / "reports" / "coast" / "watch")
    return toml, alone


def test_rows_shared_out_among_processes_give_the_bytes_of_one(tmp_path: Path) -> None:
    toml, alone = in_one_piece(tmp_path)
    batch = run(toml, Options(jobs=2, shard_rows=64))
    assert batch.exit_status == 0
    assert [event["shards"] for event in events_of(batch.out, "night-sharded")] == [3] * 10
    assert bytes_of(toml) == alone


def test_a_place_whose_shards_fail_is_followed_by_one_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml, alone = in_one_piece(tmp_path)

    def lost(*_: object) -> None:
        raise SpecvaeError("this worker does not see the files")

    monkeypatch.setattr("specvae.pipeline.run._workers", inline_workers)
    monkeypatch.setattr("specvae.stages.watch.shards.compute_shard", lost)
    batch = run(toml, Options(shard_rows=64))
    assert batch.exit_status == 0
    assert "does not see the files" in str(events_of(batch.out, "shard-failed")[0]["message"])
    assert bytes_of(toml) == alone


@pytest.mark.slow
def test_two_workers_of_a_cluster_give_the_bytes_of_one_process(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="dask comes with the extra `cluster`")
    toml, alone = in_one_piece(tmp_path)
    with dask_cluster(tmp_path) as (address, _):
        batch = run(toml, Options(cluster=address, shard_rows=64))
    assert batch.exit_status == 0
    assert len(events_of(batch.out, "night-sharded")) == 10
    assert bytes_of(toml) == alone
