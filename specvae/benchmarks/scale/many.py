"""The trial ``many``: thousands of scenes through ``specvae run``, some of them broken, and the same run again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from specvae.benchmarks.scale.data import WAYS, make_scenes
from specvae.benchmarks.settings import Settings
from specvae.errors import SpecvaeError

__all__ = ["Many", "Run", "declare", "fit_small", "run_batch", "run_many"]

SAMPLE_SECONDS = 0.5
"""Time between two samples of the memory, in a run of minutes."""


class SceneJson(TypedDict):
    """What is read of a scene in ``run.json``; its room lies above this one."""

    key: str
    status: str
    message: str
    seconds: float


@dataclass(frozen=True)
class Run:
    """One ``specvae run`` as a process with its workers."""

    exit_status: int
    seconds: float
    counts: dict[str, int]
    memory_mib: list[tuple[float, float]]
    """Seconds since the start, and resident memory of the run and its workers together."""
    scenes: list[SceneJson]
    """The scenes of ``run.json``."""


@dataclass(frozen=True)
class Many:
    """What became of the scenes in the first and in the second run."""

    scenes: int
    broken: int
    jobs: int
    exit_status: int
    counts: dict[str, int]
    seconds: float
    reasons: dict[str, list[str]]
    """Way to be broken -> the reason given for each such scene."""
    wrong: list[str]
    """Lines on broken scenes without the right reason, and on good scenes that were not done."""
    memory_mib: list[float]
    """Peak memory in each tenth of the first run, all processes together."""
    second_seconds: float
    second_status: int
    second_counts: dict[str, int]


def run_many(place: Path, count: int, settings: Settings, jobs: int = 2) -> Many:
    """Make ``count`` scenes, one in a hundred but at least ten of them broken, run them twice, and check the outcome."""
    broken = max(len(WAYS), count // 100)
    settings.progress(f"making {count} scenes, {broken} of them broken")
    ways = make_scenes(place / "inbox", count, broken)
    fit_small(place, settings)
    declare(place)
    first = run_batch(place, "--jobs", str(jobs))
    settings.progress(f"{first.counts} in {first.seconds:.0f} s")
    second = run_batch(place, "--jobs", str(jobs))
    settings.progress(f"again: {second.counts} in {second.seconds:.1f} s")
    reasons, wrong = _judged(first, ways)
    return Many(
        scenes=count,
        broken=broken,
        jobs=jobs,
        exit_status=first.exit_status,
        counts=first.counts,
        seconds=first.seconds,
        # The folder is temporary, and a committed report is the same wherever it was made.
        reasons={way: [text.replace(f"{place}/", "") for text in texts] for way, texts in reasons.items()},
        wrong=wrong,
        memory_mib=_tenths(first),
        second_seconds=second.seconds,
        second_status=second.exit_status,
        second_counts=second.counts,
    )


def _judged(first: Run, ways: dict[str, str]) -> tuple[dict[str, list[str]], list[str]]:
    """The reasons given, by the way a scene is broken, and lines on scenes with a wrong outcome."""
    reasons: dict[str, list[str]] = {way: [] for way in WAYS}
    wrong = []
    for scene in first.scenes:
        way = ways.get(scene["key"])
        if way is None:
            wrong += [f"{scene['key']}: {scene['status']}: {scene['message']}"] if scene["status"] != "done" else []
            continue
        reasons[way].append(scene["message"])
        if scene["status"] != "invalid" or not re.search(WAYS[way][1], scene["message"]):
            wrong.append(f"{scene['key']} ({way}): {scene['status']}: {scene['message']}")
    return reasons, wrong


def fit_small(place: Path, settings: Settings) -> None:
    """Fit a model without context on other scenes of the same land."""
    source = place / "normal"
    make_scenes(source, 24, 0)
    command = ["fit", str(source), "--model", str(place / "model.specvae"), "--context", "none"]
    command = [sys.executable, "-m", "specvae", *command, "--set", "training.epochs=2", "--device", settings.device]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SpecvaeError(f"the benchmark's fit ended with {done.returncode}: {done.stderr[-300:]}")


def declare(place: Path) -> None:
    """Write the TOML file of the batch."""
    stage = '[[stage]]\nrun = "score"\nscene = "inbox/*.tif"\nmodel = "model.specvae"\nout = "out"\n'
    (place / "batch.toml").write_text(stage, encoding="utf-8")


def run_batch(place: Path, *more: str) -> Run:
    """Run the batch once as a process, and sample its memory and that of its workers."""
    # Without retries: a broken scene stays broken, and the pauses between tries would be timed too.
    command = [sys.executable, "-m", "specvae", "run", str(place / "batch.toml"), "--retries", "0", "--json", *more]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    samples: list[tuple[float, float]] = []
    watch = threading.Thread(target=_watch, args=(process, started, samples), daemon=True)
    watch.start()
    # Both pipes are read while it runs: one that fills up would stop it for ever.
    text, complaint = process.communicate()
    seconds = time.perf_counter() - started
    watch.join()
    if process.returncode not in (0, 3):
        raise SpecvaeError(f"the benchmark's run ended with {process.returncode}: {complaint[-300:]}")
    tree = json.loads(text)
    return Run(process.returncode, seconds, tree["counts"], samples, tree["stages"][0]["scenes"])


def _watch(process: subprocess.Popen[str], started: float, samples: list[tuple[float, float]]) -> None:
    """Append the time and the memory in MiB twice a second until the process ends."""
    while process.poll() is None:
        samples.append((time.perf_counter() - started, _resident(process.pid) / 2**20))
        time.sleep(SAMPLE_SECONDS)


def _resident(pid: int) -> int:
    """Resident memory in bytes of a process and of all processes below it."""
    total, remaining = 0, [pid]
    while remaining:
        at = remaining.pop()
        try:
            for line in Path(f"/proc/{at}/status").read_text(encoding="utf-8").splitlines():
                total += int(line.split()[1]) * 1024 if line.startswith("VmRSS") else 0
            # A child belongs to the thread that started it, so that every thread is asked.
            for task in Path(f"/proc/{at}/task").glob("*/children"):
                remaining += [int(word) for word in task.read_text(encoding="utf-8").split()]
        except (OSError, ValueError):
            continue  # it ended between the listing and the reading
    return total


def _tenths(run: Run) -> list[float]:
    """Peak memory in each tenth of a run, MiB."""
    tenths = [0.0] * 10
    for second, mib in run.memory_mib:
        # The last sample may be taken a moment after the end.
        at = min(9, int(10 * second / run.seconds))
        tenths[at] = max(tenths[at], mib)
    return [round(mib, 1) for mib in tenths]
