"""A Dask cluster of real processes: the same pixels as here, and a worker that is killed costs no scene."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from specvae.errors import SpecvaeError, UsageError
from specvae.pipeline.workers import cluster
from specvae.pipeline.workers.cluster import ClusterWorkers
from tests.batches import check_complete, complete_items, dask_cluster, finish, maps, start, wait_for
from tests.raster_files import write


@pytest.mark.slow
def test_two_workers_on_loopback_make_the_very_maps_of_one_process(place: Path, tmp_path: Path) -> None:
    assert finish(place)[0] == 0
    here = maps(place)
    (place / "out").rename(tmp_path / "done-here")
    with dask_cluster(tmp_path) as (address, _):
        code, counts = finish(place, "--cluster", address)
        assert (code, counts["done"]) == (0, 8)
        assert finish(place, "--cluster", address)[1]["already"] == 8
    assert maps(place) == here
    check_complete(place)


def test_a_cluster_worker_that_is_killed_costs_no_scene(place: Path, tmp_path: Path) -> None:
    with dask_cluster(tmp_path) as (address, workers), start(place, "--cluster", address, "--json") as run:
        wait_for(run, lambda: complete_items(place))
        workers[0].send_signal(signal.SIGKILL)
        text, complaint = run.communicate(timeout=250)
    assert run.returncode == 0, complaint
    scene_records = json.loads(text)["stages"][0]["scenes"]
    assert sorted(s["key"] for s in scene_records) == [f"s{at}" for at in range(8)]
    assert {s["status"] for s in scene_records} <= {"done", "already"}
    index = (place / "out" / "index.html").read_text(encoding="utf-8")
    assert all(index.count(f'alt="Quicklook of s{at}"') == 1 for at in range(8))
    check_complete(place)


@pytest.mark.slow
def test_a_giant_scene_in_shards_over_two_workers_has_the_pixels_of_one_process(place: Path, tmp_path: Path) -> None:
    shutil.rmtree(place / "in")
    (place / "in").mkdir()
    cube = np.random.default_rng(9).normal(1000, 50, (4, 900, 300)).astype("uint16")
    write(place / "in" / "giant.tif", cube, tiled=True, blockxsize=128, blockysize=128)
    assert finish(place)[0] == 0
    here = maps(place)
    shutil.rmtree(place / "out")
    with dask_cluster(tmp_path) as (address, _):
        assert finish(place, "--cluster", address, "--shard-rows", "128")[1]["done"] == 1
    events = [json.loads(line) for line in (place / "out" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [e["shards"] for e in events if e["event"] == "scene-sharded"] == [8]
    assert maps(place) == here
    check_complete(place)


@pytest.mark.slow
def test_a_run_on_a_cluster_ends_in_time_when_it_is_asked_to(place: Path, tmp_path: Path) -> None:
    with dask_cluster(tmp_path) as (address, _), start(place, "--cluster", address) as run:
        wait_for(run, lambda: complete_items(place))
        run.send_signal(signal.SIGTERM)
        signalled = time.monotonic()
        run.communicate(timeout=60)
        assert time.monotonic() - signalled < 10
        assert run.returncode == 143
    check_complete(place)


@pytest.mark.slow
def test_a_local_cluster_needs_no_scheduler_started_before(place: Path) -> None:
    code, counts = finish(place, "--cluster", "local:2")
    assert (code, counts["done"]) == (0, 8)
    check_complete(place)


@pytest.mark.parametrize("address", ["local:", "local:x", "local:0", "host", "8786"])
def test_an_address_that_is_none_is_wrong_usage(address: str) -> None:
    with pytest.raises(UsageError, match="--cluster"), ClusterWorkers(address):
        raise AssertionError("not entered")


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with pytest.raises(SpecvaeError, match=r"tcp://127\.0\.0\.1:9"), ClusterWorkers("tcp://127.0.0.1:9"):
        raise AssertionError("not entered")
