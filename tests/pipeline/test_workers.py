"""Worker processes: scores of any number of them agree, one that is killed costs nothing, a run that is killed is resumed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from specvae.pipeline.declaration.stages import FitStage
from specvae.pipeline.locks import WORKERS, at_work, sweep
from specvae.pipeline.run import run
from specvae.pipeline.run_options import Options
from specvae.pipeline.workers.local import LocalWorkers
from specvae.pipeline.workers.schedule import carry_out_all
from specvae.pipeline.workers.task import Result, StageTask
from specvae.stages.requests import FitRequest
from tests.batches import SCORE, check_complete, complete_items, finish, maps, start, wait_for
from tests.raster_files import write

FIT = FitStage(("/nothing.tif",), FitRequest())


def children(process: subprocess.Popen[str]) -> list[int]:
    """Worker processes, without multiprocessing's own tracker."""
    pids = []
    for task in Path(f"/proc/{process.pid}/task").glob("*/children"):
        for pid in map(int, task.read_text(encoding="utf-8").split()):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                pids.append(pid)
    return pids


def test_two_processes_make_the_very_maps_of_one_and_share_the_threads(place: Path) -> None:
    other = place.with_name("two")
    shutil.copytree(place, other)
    assert finish(place, "--jobs", "1") == (0, {"total": 8, "done": 8, "already": 0, "invalid": 0, "failed": 0})
    assert finish(other, "--jobs", "2", "--max-memory", "64M")[1]["done"] == 8
    assert maps(place) == maps(other)
    assert len(maps(place)) == 16


@pytest.mark.slow
def test_score_with_two_processes_writes_what_one_does(place: Path) -> None:
    (place / "in" / "s3.tif").write_bytes(b"no raster")
    words = [
        sys.executable,
        "-m",
        "specvae",
        "score",
        str(place / "in"),
        "--model",
        str(place / "model.specvae"),
        "--out",
    ]
    for jobs, out in (("1", "out"), ("2", "two")):
        done = subprocess.run([*words, str(place / out), "--jobs", jobs], capture_output=True, text=True, check=False)
        assert done.returncode == 3, done.stderr
        assert "specvae: " in done.stderr
        assert "s3.tif cannot be read" in done.stderr
        assert len(done.stdout.splitlines()) == 7
    two = {str(p.relative_to(place / "two")): p.read_bytes() for p in (place / "two").rglob("*.tif")}
    assert two == maps(place)
    assert sorted(p.name for p in (place / "two").iterdir()) == sorted(p.name for p in (place / "out").iterdir())


def test_a_killed_worker_costs_no_scene(place: Path) -> None:
    with start(place, "--jobs", "2", "--json") as process:
        wait_for(process, lambda: complete_items(place))
        os.kill(children(process)[0], signal.SIGKILL)
        text, complaint = process.communicate(timeout=250)
    assert process.returncode == 0, complaint
    summary = json.loads(text)
    scenes = summary["stages"][0]["scenes"]
    assert sorted(s["key"] for s in scenes) == [f"s{at}" for at in range(8)]
    assert {s["status"] for s in scenes} == {"done"}
    assert max(s["attempts"] for s in scenes) <= 2
    check_complete(place)


@pytest.mark.parametrize(
    ("sign", "status"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_run_ends_within_ten_seconds_of_a_signal_and_is_resumed(place: Path, sign: int, status: int) -> None:
    with start(place, "--jobs", "2") as process:
        wait_for(process, lambda: complete_items(place))
        process.send_signal(sign)
        signalled = time.monotonic()
        _, complaint = process.communicate(timeout=60)
    assert time.monotonic() - signalled < 10
    assert (process.returncode, "Traceback" in complaint) == (status, False)
    assert not [p for p in place.rglob(".*") if ".part-" in p.name]
    check_complete(place)
    assert 1 <= len(complete_items(place)) < 8
    if sign == signal.SIGTERM:
        code, counts = finish(place)
        assert (code, counts["already"] + counts["done"]) == (0, 8)
        assert counts["already"] >= 1


def killed_again_and_again(place: Path, times: int, seed: int) -> None:
    """Kill runs at random times; nothing half-written may claim to be whole, and the last run ends the work."""
    clock = random.Random(seed)
    for _ in range(times):
        with start(place, "--jobs", "2") as process:
            try:
                process.communicate(timeout=clock.uniform(1, 12))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        check_complete(place)
    code, counts = finish(place, "--jobs", "2")
    assert (code, counts["done"] + counts["already"]) == (0, 8)
    assert len(complete_items(place)) == 8
    assert not [p for p in place.rglob(".*") if ".part-" in p.name]
    check_complete(place)


@pytest.mark.slow
def test_a_run_killed_at_random_times_is_ended_by_the_next(place: Path) -> None:
    killed_again_and_again(place, 2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_a_run_killed_many_times_is_ended_by_the_next(place: Path, seed: int) -> None:
    killed_again_and_again(place, 12, seed)
    reference = place.with_name("reference")
    shutil.copytree(place, reference, ignore=shutil.ignore_patterns("out"))
    finish(reference)
    assert maps(place) == maps(reference)


@pytest.mark.slow
def test_a_scene_over_its_limit_is_failed_and_the_others_go_on(place: Path) -> None:
    """A server that takes the connection and never answers holds up a scene in GDAL, where no exception reaches it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        names = ["in/*.tif", f"http://127.0.0.1:{silent.getsockname()[1]}/silent.tif"]
        text = SCORE.replace('["in/*.tif"]', json.dumps(names)).replace('"in/*.tif"', json.dumps(names))
        (place / "x.toml").write_text(text + "allow_remote = true\n", encoding="utf-8")
        beat = place / "beats" / "heartbeat"
        with start(place, "--max-seconds-per-scene", "12", "--heartbeat", str(beat), "--json") as process:
            wait_for(process, beat.exists)
            first = beat.stat().st_mtime
            wait_for(process, lambda: beat.stat().st_mtime > first + 2)
            printed, complaint = process.communicate(timeout=200)
    scenes = {s["key"]: s for s in json.loads(printed)["stages"][0]["scenes"]}
    assert process.returncode == 3, complaint
    assert {s["status"] for key, s in scenes.items() if key != "silent"} == {"done"}
    assert (scenes["silent"]["status"], scenes["silent"]["attempts"]) == ("failed", 1)
    assert "given up after 12 s" in scenes["silent"]["message"]
    check_complete(place)


def test_two_runs_started_at_once_end_with_every_scene_done_once(place: Path) -> None:
    with start(place) as first, start(place) as second:
        endings = [process.communicate(timeout=250) for process in (first, second)]
    codes = sorted((first.returncode, second.returncode))
    assert codes in ([0, 0], [0, 4]), endings
    if codes == [0, 4]:
        assert any("another run is at work" in complaint for _, complaint in endings)
    check_complete(place)
    assert len(complete_items(place)) == 8


def test_what_a_dead_process_left_is_swept_and_what_is_being_written_stays(tmp_path: Path) -> None:
    from specvae.export.result_folders import result_folder

    (tmp_path / "x" / ".s1.part-dead").mkdir(parents=True)
    (tmp_path / "x" / ".s1.part-dead" / "score.tif").write_bytes(b"half")
    with result_folder(tmp_path / "x" / "s2") as alive:
        assert sweep(tmp_path) == 1
        assert alive.path.is_dir()
    assert not (tmp_path / "x" / ".s1.part-dead").exists()


def test_a_run_waits_for_orphans_at_work(tmp_path: Path) -> None:
    from specvae.errors import OutputError
    from specvae.pipeline.locks import alone

    with (
        at_work(tmp_path / WORKERS),
        pytest.raises(OutputError, match="another run is at work"),
        alone([tmp_path], patience=0.2),
    ):
        raise AssertionError("not alone")
    with alone([tmp_path], patience=0.2):
        pass  # nobody is at work any more


class Unreliable:
    """Fails a task so many times, then does it."""

    threads = 1

    def prepare(self, request: object) -> None:
        return

    def __init__(self, failures: int, idle: int = 2) -> None:
        self.failures, self.idle, self.tries = failures, idle, 0
        self.ended: list[tuple[int, Result]] = []

    def submit(self, number: int, task: object) -> None:
        self.tries += 1
        bad = self.tries <= self.failures
        self.ended.append((number, Result("failed", "no", transient=True) if bad else Result("done")))

    def collect(self, timeout: float | None) -> list[tuple[int, Result]]:
        ended, self.ended = self.ended, []
        return ended


@pytest.mark.parametrize(
    ("failures", "retries", "status", "attempts"), [(0, 0, "done", 1), (2, 2, "done", 3), (3, 2, "failed", 3)]
)
def test_a_task_is_tried_so_often_with_growing_pauses(
    failures: int, retries: int, status: str, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specvae.pipeline.workers.schedule.FIRST_PAUSE", 0.01)
    ended: list[tuple[int, str, int]] = []
    pauses: list[float] = []
    carry_out_all(
        [StageTask(FIT)], Unreliable(failures), retries,
        lambda number, result, tries: ended.append((number, result.status, tries)),
        lambda number, result, pause: pauses.append(pause),
    )  # fmt: skip
    assert ended == [(0, status, attempts)]
    assert pauses == [0.01, 0.02][: min(failures, retries)]


def test_a_process_that_cannot_do_its_task_says_so_and_goes_on() -> None:
    broken = replace(FIT, source=cast(Any, None))
    tasks = [StageTask(FIT), StageTask(broken)]
    ended: dict[int, Result] = {}
    with LocalWorkers(1) as workers:
        assert workers.threads >= 1
        carry_out_all(tasks, workers, 0, lambda number, result, tries: ended.update({number: result}))
    assert "/nothing.tif does not exist" in ended[0].message
    assert "a bug: TypeError" in ended[1].message


def test_a_fit_in_a_worker_says_from_its_begin_how_far_it_is(tmp_path: Path) -> None:
    normal = np.random.default_rng(1).normal(1000, 50, (4, 96, 96)).astype("uint16")
    write(tmp_path / "normal.tif", normal)
    (tmp_path / "x.toml").write_text(
        'name = "x"\nout = "out"\n[[stage]]\nrun = "fit"\nsource = ["normal.tif"]\nmodel = "m.specvae"\nfolds = 2\n'
        'set = ["training.steps=60"]\n',
        encoding="utf-8",
    )
    heard: list[tuple[str, str, float]] = []
    result = run(tmp_path / "x.toml", Options(progress=lambda task, text, share: heard.append((task, text, share))))
    assert result.exit_status == 0
    assert {task for task, _, _ in heard} == {"stage 1, fit"}
    names = list(dict.fromkeys(text for _, text, _ in heard))
    assert [name for name in names if name in ("reading normal", "closed form", "fold 1 of 2", "fold 2 of 2")] == [
        "reading normal",
        "closed form",
        "fold 1 of 2",
        "fold 2 of 2",
    ]
    assert all(0.0 <= share <= 1.0 for _, _, share in heard)
    events = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    said = [event["message"] for event in events if event["event"] == "stage-progress"]
    assert said == names, "each phase is an event of the log, once"
