"""``specvae benchmark speed``: scoring against decoding and copying the same file, in turn and repeated, in one run.

Every figure is a whole process's: wall seconds, and the peak memory that the kernel accounts to it. Costs that
grow with the scene are marginal ones, between the largest and the smallest size, so that start-up stands apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from specvae.benchmarks.report import Report, Row, environment, table, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.errors import SpecvaeError
from specvae.outputs.scenes import write_large_scene

__all__ = ["run"]

SIZES, QUICK_SIZES = (1024, 2048, 4096, 8192), (512, 1024)
BANDS = 12
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
LAUNCH = """
import os, resource, sys, time
started = time.perf_counter()
child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(child, 0)
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
METHODS = ("decode", "copy", "score", "score-context")


@dataclass(frozen=True)
class Timing:
    """One process."""

    seconds: float
    peak_mib: float
    stages: dict[str, float]


def run(settings: Settings) -> Path:
    """Make scenes, time everything in turn, write the report; its folder."""
    out = settings.place("speed")
    sizes = QUICK_SIZES if settings.quick else SIZES
    repeats = settings.seeds or (1 if settings.quick else 3)
    with tempfile.TemporaryDirectory(prefix="specvae-speed-") as place:
        work = Path(place)
        _models(work, settings)
        timings: dict[tuple[str, int], list[Timing]] = {}
        for size in sizes:
            scene = work / f"scene{size}.tif"
            write_large_scene(scene, size, BANDS)
            for _ in range(repeats):
                for method in METHODS:
                    timings.setdefault((method, size), []).append(_time(method, scene, work, settings.device))
                    settings.progress(f"{size} {method}: {timings[(method, size)][-1].seconds:.2f} s")
            scene.unlink()
    told = environment(threads=2, repeats=repeats, bands=BANDS, device=settings.device)
    rows = _rows(timings, sizes, repeats)
    write_metrics(out, "speed", rows, told)
    _report(rows, timings, sizes, told).write(out)
    return out


def _models(work: Path, settings: Settings) -> None:
    """A model without context and one with, fitted on a small scene."""
    scene = work / "fit.tif"
    write_large_scene(scene, 512, BANDS)
    for name, context in (("score", "none"), ("score-context", "ring")):
        command = ["fit", scene, "--model", work / f"{name}.specvae", "--context", context, "--device", settings.device]
        _process([sys.executable, "-m", "specvae", *map(str, command)])


def _time(method: str, scene: Path, work: Path, device: str) -> Timing:
    if method == "decode":
        return _process([sys.executable, "-c", DECODE, str(scene)])
    if method == "copy":
        timing = _process([sys.executable, "-c", COPY, str(scene), str(work / "copy.tif")])
        (work / "copy.tif").unlink()
        return timing
    out = work / "out"
    arguments = ["score", scene, "--model", work / f"{method}.specvae", "--out", out, "--overwrite", "--device", device]
    timing = _process([sys.executable, "-m", "specvae", *map(str, arguments)])
    report = json.loads((out / scene.stem / "report.json").read_text(encoding="utf-8"))
    return Timing(timing.seconds, timing.peak_mib, report["timing"])


def _process(command: list[str]) -> Timing:
    """Run a command whole; its wall time and the kernel's account of its peak memory.

    A small launcher stands between, since the kernel counts what a process held before it became the command.
    """
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCH, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SpecvaeError(
            f"the benchmark's `{' '.join(command[:4])}` ended with {done.returncode}: {done.stderr[-300:]}"
        )
    seconds, peak = done.stdout.split()[-2:]
    return Timing(float(seconds), float(peak) / 1024, {})


def _rows(timings: dict[tuple[str, int], list[Timing]], sizes: tuple[int, ...], repeats: int) -> list[Row]:
    rows = []
    middle = {key: median(t.seconds for t in found) for key, found in timings.items()}
    for (method, size), found in timings.items():
        name, seconds = f"{size}x{size}x{BANDS}", middle[(method, size)]
        rows.append(Row(name, method, "seconds", seconds, repeats, seconds))
        rows.append(Row(name, method, "peak_mib", max(t.peak_mib for t in found), repeats, seconds))
    small, large = sizes[0], sizes[-1]
    pixels = (large**2 - small**2) / 1e6
    for method in METHODS:
        marginal = [
            b.seconds - a.seconds for a, b in zip(timings[(method, small)], timings[(method, large)], strict=True)
        ]
        rows.append(
            Row("marginal", method, "mpx_per_s", pixels / max(1e-9, median(marginal)), repeats, median(marginal))
        )
        for other in ("decode", "copy"):
            pairs = zip(marginal, timings[(other, small)], timings[(other, large)], strict=True)
            ratio = median(mine / max(1e-9, b.seconds - a.seconds) for mine, a, b in pairs)
            rows.append(Row("marginal", method, f"ratio_to_{other}", ratio, repeats, median(marginal)))
    return rows


def _report(
    rows: list[Row], timings: dict[tuple[str, int], list[Timing]], sizes: tuple[int, ...], told: dict[str, Any]
) -> Report:
    value = {(r.dataset, r.method, r.metric): r.value for r in rows}
    report = Report("Speed")
    report.text(
        f"Whole processes, {BANDS} bands of uint16, deflated with predictor 2 in tiles of 512: the median of "
        f"{told['repeats']} runs taken in turn. Marginal: {sizes[-1]} less {sizes[0]} pixels square, so that start-up stands apart."
    )
    metrics = ("mpx_per_s", "ratio_to_decode", "ratio_to_copy")
    report.section("Marginal cost").text(
        table(["", *metrics], [[m, *(value[("marginal", m, metric)] for metric in metrics)] for m in METHODS])
    )
    for metric, title in (("seconds", "Wall seconds"), ("peak_mib", "Peak memory, MiB")):
        body = [[m, *(value[(f"{s}x{s}x{BANDS}", m, metric)] for s in sizes)] for m in METHODS]
        report.section(title).text(table(["", *(f"{s} x {s}" for s in sizes)], body))
    stages = [
        [m, *(timings[(m, sizes[-1])][-1].stages.get(s) for s in ("read", "compute", "write", "total"))]
        for m in METHODS[2:]
    ]
    report.section(f"Stages at {sizes[-1]} x {sizes[-1]}, seconds (they overlap)")
    report.text(table(["", "read", "compute", "write", "total"], stages))
    return report.made_with(told)
