"""Batches run by processes of their own, what they leave on disk, and the workers that do their tasks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from specvae.pipeline.workers import work
from specvae.pipeline.workers.task import Result, Task

ROOT = Path(__file__).parents[1]
SCORE = '[[stage]]\nrun = "score"\nscene = "in/*.tif"\nmodel = "model.specvae"\nout = "out"\n'
"""A declaration of one stage."""


def start(place: Path, *more: str) -> subprocess.Popen[str]:
    """A run of ``x.toml`` that has just been started."""
    command = [sys.executable, "-m", "specvae", "run", str(place / "x.toml"), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finish(place: Path, *more: str) -> tuple[int, dict[str, int]]:
    """Exit status and counts of a run from its start to its end."""
    with start(place, *more, "--json") as process:
        text, complaint = process.communicate(timeout=250)
    assert process.returncode in (0, 3), complaint
    return process.returncode, json.loads(text)["counts"]


def wait_for(process: subprocess.Popen[str], until: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something is so, while the process is at work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if until():
            return
        time.sleep(0.02)
    raise AssertionError(f"not reached; the run ended with {process.poll()}")


def maps(place: Path) -> dict[str, bytes]:
    """The bytes of every map, which hold pixels and where they lie."""
    return {str(p.relative_to(place / "out")): p.read_bytes() for p in sorted((place / "out").glob("[!.]*/*.tif"))}


def complete_items(place: Path) -> list[Path]:
    """The STAC items of all results that claim to be complete."""
    return [p for p in (place / "out").glob("*/item.json") if not p.parent.name.startswith(".")]


def check_complete(place: Path) -> None:
    """Assert that each result that claims to be complete has every file of its list, at its size."""
    for item in complete_items(place):
        tree = json.loads(item.read_text(encoding="utf-8"))
        for asset in tree["assets"].values():
            path = item.parent / asset["href"]
            assert path.stat().st_size == asset["file:size"], path
    for path in (place / "out").glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))


class Inline:
    """Workers that do each task at once in this process."""

    threads = 1
    idle = 1

    def __init__(self) -> None:
        self.ended: list[tuple[int, Result]] = []

    def prepare(self, request: Any) -> None:
        work.get_ready(request)

    def submit(self, number: int, task: Task) -> None:
        self.ended.append((number, work.carry_out(task)))

    def collect(self, timeout: float | None) -> list[tuple[int, Result]]:
        ended, self.ended = self.ended, []
        return ended


@contextmanager
def inline_workers(spec: object) -> Iterator[Inline]:
    """Stands in for the processes that a batch starts."""
    yield Inline()


@contextmanager
def module_process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module run as a process, ended on leaving."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = subprocess.Popen(
        [sys.executable, "-m", *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler on loopback and its workers, started as an operator starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    options = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(folder), "--no-nanny")
    with ExitStack() as stack:
        scheduler = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        stack.enter_context(module_process(*scheduler))
        commands = [("distributed.cli.dask_worker", address, "--name", f"w{at}", *options) for at in range(workers)]
        yield address, [stack.enter_context(module_process(*command)) for command in commands]
