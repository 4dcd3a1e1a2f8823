"""A watch that is killed at any moment leaves the folder whole or marked as not, and the end is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_a_hundred_times_it_is_never_half_there(tmp_path: Path) -> None:
    reports, rng = tmp_path / "coast", np.random.default_rng(1)
    command = [sys.executable, "-m", "specvae", "watch", str(reports)]
    number, whole, after = 0, 0, 0.0
    for number in range(10):
        write_night(reports, number)
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    usual = time.monotonic() - started
    for kill in range(KILLS):
        if kill % 10 == 0:
            number += 1
            write_night(reports, number)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Most of a run is start-up; the moments are spread over the rest of it, and a little beyond.
        time.sleep(float(rng.uniform(0.4, 1.1)) * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
        after += process.returncode == 0
        if (reports / "watch" / "watch.json").is_file():
            check_whole(reports / "watch")
            whole += 1
    assert whole > 0
    assert after < KILLS
    subprocess.run(command, check=True, capture_output=True)
    undisturbed = tmp_path / "other" / "coast"
    for each in range(number + 1):
        write_night(undisturbed, each)
    watch([str(undisturbed)], WatchRequest())
    assert contents(reports / "watch") == contents(undisturbed / "watch")
    assert os.listdir(reports / "watch")
