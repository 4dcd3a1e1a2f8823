"""Processes timed from start to end: decoding, copying and scoring the same file, and what other libraries offer."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from specvae.errors import SpecvaeError

__all__ = ["METHODS", "OTHERS", "Timing", "fit_models", "methods_for", "time_method", "timed_command", "timed_process"]

DECODE = """
import sys, rasterio
from rasterio.windows import Window
with rasterio.Env(GDAL_NUM_THREADS="2"), rasterio.open(sys.argv[1], num_threads=2) as scene:
    for row in range(0, scene.height, 512):
        scene.read(window=Window(0, row, scene.width, min(512, scene.height - row)))
"""
COPY = """
import sys, rasterio.shutil
rasterio.shutil.copy(
    sys.argv[1], sys.argv[2], driver="GTiff", compress="deflate", predictor=2, tiled=True, blockxsize=512,
    blockysize=512, num_threads=2)
"""
RX = """
import sys, numpy as np, rasterio
from rasterio.windows import Window
with rasterio.Env(GDAL_NUM_THREADS="2"), rasterio.open(sys.argv[1], num_threads=2) as scene:
    strips = [Window(0, row, scene.width, min(512, scene.height - row)) for row in range(0, scene.height, 512)]
    count, total, square = 0, 0.0, 0.0
    for strip in strips:
        x = scene.read(window=strip).reshape(scene.count, -1).astype(np.float32)
        count, total, square = count + x.shape[1], total + x.sum(axis=1, dtype=np.float64), square + (x @ x.T).astype(np.float64)
    mean = total / count
    precision = np.linalg.inv(square / count - np.outer(mean, mean)).astype(np.float32)
    profile = dict(driver="GTiff", width=scene.width, height=scene.height, count=1, dtype="float32", tiled=True,
                   blockxsize=512, blockysize=512, compress="zstd", num_threads=2)
    with rasterio.open(sys.argv[2], "w", **profile) as out:
        for strip in strips:
            x = scene.read(window=strip).reshape(scene.count, -1).astype(np.float32) - mean[:, None].astype(np.float32)
            out.write(((precision @ x) * x).sum(axis=0).reshape(1, strip.height, strip.width), window=strip)
"""
SPECTRAL = """
import sys, numpy as np, rasterio, spectral
with rasterio.open(sys.argv[1], num_threads=2) as scene:
    cube = np.moveaxis(scene.read(), 0, -1).astype(np.float32)
np.save(sys.argv[2], spectral.rx(cube))
"""
PYOD = """
import sys, numpy as np, rasterio
from pyod.models.vae import VAE
with rasterio.open(sys.argv[1], num_threads=2) as scene:
    x = scene.read().reshape(scene.count, -1).T.astype(np.float32)
model = VAE(epoch_num=1, batch_size=4096, verbose=0)
model.fit(x[:: max(1, len(x) // 20000)])
np.save(sys.argv[2], model.decision_function(x))
"""
SCRIPTS = {"decode": DECODE, "copy": COPY, "rx-numpy": RX, "spectral-rx": SPECTRAL, "pyod-vae": PYOD}
"""Method -> the program to run on a scene (first argument) and, where it writes, an output (second argument)."""
METHODS = ("decode", "copy", "rx-numpy", "score", "score-context")
"""What is timed at every size."""
OTHERS = {"spectral-rx": "spectral", "pyod-vae": "pyod"}
"""Methods of other libraries -> the module that must be installed."""
OTHERS_UP_TO = 2048
"""Largest side, pixels, that other libraries are given: they hold the scene in memory, as floats."""
MESSAGE = 300
"""Last characters of a failed process's standard error that its error shows."""
LAUNCH = """
import os, resource, sys, time
started = time.perf_counter()
child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(child, 0)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - started, used.ru_maxrss, used.ru_utime + used.ru_stime)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A launcher that runs a command and prints its wall seconds, its peak memory in KiB and its processor seconds."""


@dataclass(frozen=True)
class Timing:
    """The cost of one process."""

    seconds: float
    peak_mib: float
    cpu_seconds: float = 0.0
    """Processor time of all threads, in the program and in the operating system."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds of each stage of a score, as its report states them; empty for other methods."""
    share_flagged: float = 0.0
    """Share of the valid pixels that a score calls anomalous; 0 for other methods."""


def fit_models(work: Path, scene: Path, device: str) -> None:
    """Fit ``score.specvae`` without context and ``score-context.specvae`` with context on a small scene."""
    for name, context in (("score", "none"), ("score-context", "ring")):
        timed_command("fit", scene, "--model", work / f"{name}.specvae", "--context", context, "--device", device)


def methods_for(size: int) -> tuple[str, ...]:
    """The methods to time on a scene of this side, pixels: other libraries only where they are installed."""
    others = tuple(name for name, module in OTHERS.items() if find_spec(module)) if size <= OTHERS_UP_TO else ()
    return (*METHODS, *others)


def time_method(method: str, scene: Path, work: Path, device: str) -> Timing:
    """Run one method on the scene and remove what it writes."""
    if method in SCRIPTS:
        target = work / ("out.npy" if method in OTHERS else "out.tif")
        timing = timed_process([sys.executable, "-c", SCRIPTS[method], str(scene), str(target)])
        target.unlink(missing_ok=True)
        return timing
    out = work / "out"
    model = work / f"{method}.specvae"
    timing = timed_command("score", scene, "--model", model, "--out", out, "--overwrite", "--device", device)
    report = json.loads((out / scene.stem / "report.json").read_text(encoding="utf-8"))
    pixels = report["pixels"]
    share = pixels["anomalous"] / max(1, pixels["valid"])
    return Timing(timing.seconds, timing.peak_mib, timing.cpu_seconds, report["timing"], share)


def timed_command(*arguments: str | Path) -> Timing:
    """Run the product's command line with these arguments as a process; see :func:`timed_process`."""
    return timed_process([sys.executable, "-m", "specvae", *map(str, arguments)])


def timed_process(command: list[str]) -> Timing:
    """Run a command to its end and return its wall time and its peak memory as the kernel accounts it.

    A small launcher starts the command: a process that is forked from a large one counts the memory of that one as its own
    peak, until it becomes the command.
    """
    # -S: without site-packages the launcher is small, and starts in milliseconds that are not counted.
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCH, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SpecvaeError(
            f"the benchmark's `{' '.join(command[:4])}` ended with {done.returncode}: {done.stderr[-MESSAGE:]}"
        )
    seconds, peak, cpu = (float(figure) for figure in done.stdout.split()[-3:])
    return Timing(seconds, peak / 1024, cpu)
