"""Thousands of scenes through ``specvae run``, some of them broken: what came of each, memory over time, the second run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specvae.benchmarks.scale.broken import WAYS, make_scenes
from specvae.benchmarks.settings import Settings
from specvae.errors import SpecvaeError

__all__ = ["Many", "Run", "declare", "fit_small", "run_batch", "run_many"]


@dataclass(frozen=True)
class Run:
    """One ``specvae run`` as a process with its workers."""

    exit_status: int
    seconds: float
    counts: dict[str, int]
    memory_mib: list[tuple[float, float]]
    """Seconds since the start, and resident memory of the run and its workers together."""
    told: dict[str, Any]
    """run.json."""


@dataclass(frozen=True)
class Many:
    """What the thousands came to."""

    scenes: int
    broken: int
    jobs: int
    exit_status: int
    counts: dict[str, int]
    seconds: float
    reasons: dict[str, list[str]]
    """Of each way to be broken: the reasons given."""
    wrong: list[str]
    """Broken scenes without the right reason, and good ones that were not done."""
    memory_mib: list[float]
    """Peak in each tenth of the run, all processes."""
    second_seconds: float
    second_status: int
    second_counts: dict[str, int]


def run_many(place: Path, count: int, settings: Settings, jobs: int = 2) -> Many:
    """Make ``count`` scenes, one in a hundred (ten at least) broken, run twice, and judge."""
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
    told = {way: [text.replace(f"{place}/", "") for text in texts] for way, texts in reasons.items()}
    return Many(
        count, broken, jobs, first.exit_status, first.counts, first.seconds, told, wrong, _tenths(first),
        second.seconds, second.exit_status, second.counts,
    )  # fmt: skip


def _judged(first: Run, ways: dict[str, str]) -> tuple[dict[str, list[str]], list[str]]:
    reasons: dict[str, list[str]] = {way: [] for way in WAYS}
    wrong = []
    for scene in first.told["stages"][0]["scenes"]:
        way = ways.get(scene["key"])
        if way is None:
            wrong += [f"{scene['key']}: {scene['status']}: {scene['message']}"] if scene["status"] != "done" else []
            continue
        reasons[way].append(scene["message"])
        if scene["status"] != "invalid" or not re.search(WAYS[way][1], scene["message"]):
            wrong.append(f"{scene['key']} ({way}): {scene['status']}: {scene['message']}")
    return reasons, wrong


def fit_small(place: Path, settings: Settings) -> None:
    """A model of the scenes' land, without context, fitted on a large one of its kind."""
    source = place / "normal"
    make_scenes(source, 24, 0)
    command = ["fit", str(source), "--model", str(place / "model.specvae"), "--context", "none"]
    done = subprocess.run(
        [sys.executable, "-m", "specvae", *command, "--set", "training.epochs=2", "--device", settings.device],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SpecvaeError(f"the benchmark's fit ended with {done.returncode}: {done.stderr[-300:]}")


def declare(place: Path) -> None:
    """Write the pipeline."""
    stage = '[[stage]]\nrun = "score"\nscene = "inbox/*.tif"\nmodel = "model.specvae"\nout = "out"\n'
    (place / "batch.toml").write_text(stage, encoding="utf-8")


def run_batch(place: Path, *more: str) -> Run:
    """``specvae run`` once, its memory and that of its workers watched."""
    command = [sys.executable, "-m", "specvae", "run", str(place / "batch.toml"), "--retries", "0", "--json", *more]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    samples: list[tuple[float, float]] = []
    watch = threading.Thread(target=_watch, args=(process, started, samples), daemon=True)
    watch.start()
    text, complaint = process.communicate()
    seconds = time.perf_counter() - started
    watch.join()
    if process.returncode not in (0, 3):
        raise SpecvaeError(f"the benchmark's run ended with {process.returncode}: {complaint[-300:]}")
    told = json.loads(text)
    return Run(process.returncode, seconds, told["counts"], samples, told)


def _watch(process: subprocess.Popen[str], started: float, samples: list[tuple[float, float]]) -> None:
    while process.poll() is None:
        samples.append((time.perf_counter() - started, _resident(process.pid) / 2**20))
        time.sleep(0.5)


def _resident(pid: int) -> int:
    """Bytes of a process and those below it that are in memory."""
    total, left = 0, [pid]
    while left:
        at = left.pop()
        try:
            for line in Path(f"/proc/{at}/status").read_text(encoding="utf-8").splitlines():
                total += int(line.split()[1]) * 1024 if line.startswith("VmRSS") else 0
            for task in Path(f"/proc/{at}/task").glob("*/children"):
                left += [int(word) for word in task.read_text(encoding="utf-8").split()]
        except (OSError, ValueError):
            continue
    return total


def _tenths(run: Run) -> list[float]:
    tenths = [0.0] * 10
    for second, mib in run.memory_mib:
        at = min(9, int(10 * second / run.seconds))
        tenths[at] = max(tenths[at], mib)
    return [round(mib, 1) for mib in tenths]
