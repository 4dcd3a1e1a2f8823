"""The faults: each is done to processes of the command line, and then looked for in what they left."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from specvae.benchmarks.faults.place import COMMANDS, Place, command_of, contents, torn
from specvae.benchmarks.settings import Settings

__all__ = ["Trial", "all_trials"]

LONGEST = 300.0
"""Seconds after which a command counts as hanging."""
JUMP = (
    "import sys, time\nreal = time.time\nborn = real()\n"
    "time.time = lambda: real() + ({jump} if real() - born > 0.5 else 0)\n"
    "from specvae.cli.main import main\nmain(sys.argv[1:])"
)
"""A process whose clock jumps half a second after its start."""
JUMPS = (-365 * 86_400, 365 * 86_400, -3_600, 3_600)


@dataclass
class Trial:
    """One kind of fault: how often it was done, and what was found then."""

    name: str
    what: str
    """A sentence of the report."""
    tried: int = 0
    torn: list[str] = field(default_factory=list)
    """Results that claimed to be complete and were not."""
    lost: list[str] = field(default_factory=list)
    """Files that a later, undisturbed run did not bring to the bytes of one that was never disturbed; inputs that changed."""
    seconds: float = 0.0


def all_trials(place: Place, kills: int, settings: Settings) -> list[Trial]:
    """Do every fault, one kind after the other."""
    rng = random.Random(settings.seeds or 0)
    each = -(-kills // len(COMMANDS))
    done = [_timed(partial(_kills, place, name, each, rng), settings) for name in COMMANDS]
    few = 4 if settings.quick else 16
    rest: list[Callable[[], Trial]] = [
        partial(_full_disk, place, few),
        partial(_jumping_clock, place),
        partial(_vanishing_inputs, place, few // 2, rng),
        partial(_untouched_inputs, place),
        partial(_two_at_once, place, few // 2),
    ]
    return done + [_timed(trial, settings) for trial in rest]


def _timed(trial: Callable[[], Trial], settings: Settings) -> Trial:
    started = time.perf_counter()
    done = trial()
    done.seconds = time.perf_counter() - started
    settings.progress(f"{done.name}: {done.tried} tried, {len(done.torn)} torn, {len(done.lost)} lost")
    return done


def _kills(place: Place, name: str, count: int, rng: random.Random) -> Trial:
    """SIGKILL at random moments of a command, from its start to a little after its usual end."""
    trial = Trial(f"kill-{name}", f"SIGKILL at a random moment of `specvae {COMMANDS[name][0]}`", count)
    for _ in range(count):
        process = _start(command_of(name), place)
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.02, 1.1 * place.seconds[name]))
        process.kill()
        process.wait()
        trial.torn += torn(place.out)
        if rng.random() < 0.3:  # from time to time all of it, so that every stage of the work is met
            trial.lost += _completed(place, name)
    trial.lost += _completed(place, name)
    return trial


def _start(command: list[str], place: Place, limit: int | None = None) -> subprocess.Popen[bytes]:
    def bounded() -> None:
        if limit is not None:
            # The signal would kill; ignored, each write beyond the limit fails as on a full disk.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        command,
        cwd=place.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=bounded,
    )


def _finish(command: list[str], place: Place) -> int:
    """The exit status of an undisturbed command; a hanging one raises TimeoutExpired."""
    return _start(command, place).wait(LONGEST)


def _completed(place: Place, name: str) -> list[str]:
    """What an undisturbed command after the fault does not bring to the expected bytes; the results are then removed."""
    status = _finish(command_of(name), place)
    lost = [f"{name} ended with {status}"] if status else []
    found, expected = contents(place.out), place.expected[name]
    lost += [file for file in expected if found.get(file) != expected[file]]
    lost += [str(path) for path in place.out.rglob(".*.part-*")]
    shutil.rmtree(place.out, ignore_errors=True)
    return lost


def _full_disk(place: Place, count: int) -> Trial:
    """No file may grow beyond a limit, from nothing to the largest file of a result: every write fails once."""
    trial = Trial("full-disk", "no file can grow beyond so many bytes, from 0 to the size of the largest file", count)
    _finish(command_of("score"), place)
    sizes = sorted({path.stat().st_size for path in place.out.rglob("*") if path.is_file()})
    shutil.rmtree(place.out)
    for step in range(count):
        limit = 0 if step == 0 else sizes[min(len(sizes) - 1, step * len(sizes) // count)] - 1
        status = _start(command_of("score"), place, limit).wait(LONGEST)
        trial.torn += torn(place.out) if place.out.exists() else []
        trial.torn += [f"limit {limit}: ended with 0"] if status == 0 else []
        trial.torn += [str(path) for path in place.out.rglob(".*.part-*")]
        shutil.rmtree(place.out, ignore_errors=True)
    trial.lost += _completed(place, "score")
    return trial


def _jumping_clock(place: Place) -> Trial:
    """The clock jumps by an hour and a year, both ways, while scenes are scored and before they are scored again."""
    trial = Trial("clock", "the clock jumps by an hour or a year, forwards or back, in the middle", len(JUMPS))
    for jump in JUMPS:
        words = COMMANDS["score"]
        status = _finish([sys.executable, "-c", JUMP.format(jump=jump), *words], place)
        trial.torn += torn(place.out) + ([f"jump {jump}: ended with {status}"] if status else [])
        trial.lost += _completed(place, "score")
    return trial


def _vanishing_inputs(place: Place, count: int, rng: random.Random) -> Trial:
    """A scene is moved away while a batch runs, and comes back afterwards."""
    trial = Trial("vanishing-input", "a scene is moved away at a random moment of a batch, and comes back later", count)
    scenes = sorted((place.folder / "in").glob("*.tif"))
    for number in range(count):
        scene = scenes[number % len(scenes)]
        away = place.folder / scene.name
        process = _start(command_of("run"), place)
        time.sleep(rng.uniform(0, place.seconds["run"]))
        scene.rename(away)
        process.wait(LONGEST)
        trial.torn += torn(place.out)
        away.rename(scene)
        trial.lost += _completed(place, "run")
    return trial


def _untouched_inputs(place: Place) -> Trial:
    """Every input has the bytes and the time that it had before all of this."""
    trial = Trial("read-only-input", "inputs and model are read and never written: bytes and times are as before", 1)
    inputs = [*sorted((place.folder / "in").iterdir()), place.folder / "model.specvae"]
    before = [_identity(path) for path in inputs]
    modes = [path.stat().st_mode for path in inputs]
    for path in inputs:
        path.chmod(0o444)
    trial.lost += _completed(place, "score")
    for path, mode in zip(inputs, modes, strict=True):
        path.chmod(mode)
    trial.lost += [str(path) for path, then in zip(inputs, before, strict=True) if _identity(path) != then]
    names = {path.name for path in (place.folder / "in").iterdir()}
    trial.lost += [f"{name} was put beside the inputs" for name in names - {path.name for path in inputs}]
    return trial


def _identity(path: Path) -> tuple[str, int]:
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns


def _two_at_once(place: Place, count: int) -> Trial:
    """Two runs start together: one works and the other one is refused or waits."""
    trial = Trial("two-runs", "two runs of one pipeline are started at once", count)
    for _ in range(count):
        processes = [_start(command_of("run"), place) for _ in range(2)]
        statuses = sorted(process.wait(LONGEST) for process in processes)
        # 0 and 4: the second was refused; 0 and 0: it began when the first had ended.
        trial.torn += torn(place.out) + ([] if statuses in ([0, 0], [0, 4]) else [f"ended with {statuses}"])
        trial.lost += _completed(place, "run")
    return trial
