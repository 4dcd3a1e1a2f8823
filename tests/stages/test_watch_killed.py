"""A watch that is killed at any moment leaves the folder whole or marked as not, and the end is that of an undisturbed run."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from specvae.stages.watch.request import WatchRequest
from specvae.stages.watch.run import watch
from tests.score_folders import day_of, normal_ground, write_date

KILLS = 100
SHAPE = (160, 180)


def write_night(reports: Path, number: int) -> None:
    centre, spread = normal_ground(np.random.default_rng(0), SHAPE)
    scores = centre + spread * np.random.default_rng(number).normal(size=SHAPE)
    if number >= 8:
        scores[20:40, 30:60] += 6
    write_date(reports, day_of(number), scores)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def check_whole(folder: Path) -> None:
    """Where ``watch.json`` stands, every file that it names has the checksum that it states."""
    item = json.loads((folder / "watch.json").read_text())
    for name, asset in item["assets"].items():
        assert asset["file:checksum"] == "1220" + sha256((folder / name).read_bytes()).hexdigest(), name


def watch_in(reports: str) -> None:
    """The work of the process that is killed."""
    watch([reports], WatchRequest())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_a_hundred_times_it_is_never_half_there(tmp_path: Path) -> None:
    reports, rng = tmp_path / "coast", np.random.default_rng(1)
    # The libraries are loaded once, in a process that forks one for each run: most of a command's time is its start.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["specvae.stages.watch.run", "specvae.stages.watch.request", __name__])

    def run(seconds: float | None) -> int | None:
        process = processes.Process(target=watch_in, args=(str(reports),))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        return process.exitcode

    number, whole, after, killed = 0, 0, 0, 0
    for number in range(10):
        write_night(reports, number)
    run(None)
    shutil.rmtree(reports / "watch")
    started = time.monotonic()
    assert run(None) == 0
    usual = time.monotonic() - started
    while killed < KILLS:
        # The moments are spread over a run that begins anew, and so over one of a single date and a little beyond.
        code = run(float(rng.uniform(0.02, 1.0)) * usual)
        killed += code == -signal.SIGKILL
        after += code == 0
        assert code in (0, -signal.SIGKILL)
        if (reports / "watch" / "watch.json").is_file():
            check_whole(reports / "watch")
            whole += 1
        if code == 0:
            # What is done is not computed again: the next kill needs something to do.
            number += 1
            write_night(reports, number)
    assert whole > KILLS // 4
    assert run(None) == 0
    undisturbed = tmp_path / "other" / "coast"
    for each in range(number + 1):
        write_night(undisturbed, each)
    watch([str(undisturbed)], WatchRequest())
    assert contents(reports / "watch") == contents(undisturbed / "watch")
    assert [path.name for path in reports.iterdir() if path.name.startswith(".")] == []
