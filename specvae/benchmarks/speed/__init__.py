"""Benchmark ``speed``: scoring against decoding and copying the same file, in turn and repeated, in one run.

Every figure of a process is that of the complete process: wall seconds, and the peak memory that the kernel accounts to it.
Costs that grow with the scene are marginal ones, the largest size less the smallest, so that start-up is not part of them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from specvae.benchmarks.report import Row, environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.speed.fitting import fit_rows
from specvae.benchmarks.speed.page import Measured, write_page
from specvae.benchmarks.speed.processes import Timing, fit_models, methods_for, time_method, timed_process
from specvae.benchmarks.speed.resident import resident_rows
from specvae.benchmarks.speed.tables import table_rows
from specvae.stages.demo.scenes import write_large_scene

__all__ = ["run"]

SIZES, QUICK_SIZES = (1024, 2048, 4096, 8192), (512, 1024)
"""Sides of the scenes, pixels."""
BANDS, DTYPE = 12, "uint16"
"""A Sentinel-2 product's bands and type."""
THREADS = 2
REPEATS = 3
"""Runs of each process, of which the median counts."""
FIT_SIDE, QUICK_FIT_SIDE = 512, 128
MODEL_SIDE = 512
"""Side of the scene that the models are fitted on."""
SMALLEST = 100
"""Side of the scene whose cost is nearly all start-up."""
ROWS, QUICK_ROWS = 5_000_000, 50_000
"""Rows of the tables."""


def run(settings: Settings) -> Path:
    """Make scenes, time everything in turn, and write the report; its folder."""
    out = settings.place("speed")
    sizes = tuple(sorted(settings.sizes)) or (QUICK_SIZES if settings.quick else SIZES)
    repeats = settings.seed_count(REPEATS)
    bands, dtype = settings.bands or BANDS, settings.dtype or DTYPE
    with tempfile.TemporaryDirectory(prefix="specvae-speed-") as place:
        work = Path(place)
        small = work / "fit.tif"
        write_large_scene(small, MODEL_SIDE, bands, dtype)
        fit_models(work, small, settings.device)
        timings = _timings(work, sizes, repeats, bands, dtype, settings)
        rows = [
            *resident_rows(work, small, settings.device, THREADS),
            *fit_rows(work, QUICK_FIT_SIDE if settings.quick else FIT_SIDE, settings.device),
            *table_rows(work, QUICK_ROWS if settings.quick else ROWS),
            *_start_up(work, bands, dtype, repeats, settings.device),
        ]
    made_with = environment(threads=THREADS, repeats=repeats, bands=bands, dtype=dtype, device=settings.device)
    measured = Measured(timings, sizes, repeats, bands)
    rows = [*measured.rows(), *rows]
    write_metrics(out, "speed", rows, made_with)
    write_page(out, measured, rows, made_with)
    return out


def _timings(
    work: Path, sizes: tuple[int, ...], repeats: int, bands: int, dtype: str, settings: Settings
) -> dict[tuple[str, int], list[Timing]]:
    """Timings by method and size. Methods take turns, so that other work on the machine slows none of them alone."""
    timings: dict[tuple[str, int], list[Timing]] = {}
    for size in sizes:
        scene = work / f"scene{size}.tif"
        write_large_scene(scene, size, bands, dtype)
        for _ in range(repeats):
            for method in methods_for(size):
                timing = time_method(method, scene, work, settings.device)
                timings.setdefault((method, size), []).append(timing)
                settings.progress(f"{size} {method}: {timing.seconds:.2f} s, {timing.peak_mib:.0f} MiB")
        # Only one scene lies on the disk at a time: the largest takes more than a gigabyte before compression.
        scene.unlink()
    return timings


def _start_up(work: Path, bands: int, dtype: str, repeats: int, device: str) -> list[Row]:
    """Rows on start-up: what a small job costs before it does anything."""
    scene = work / "small.tif"
    write_large_scene(scene, SMALLEST, bands, dtype)
    score = ["-m", "specvae", "score", str(scene), "--model", str(work / "score-context.specvae"), "--device", device]
    commands = {
        "help": ["-m", "specvae", "--help"],
        "imports": ["-c", "import gc, specvae.stages.score.run; gc.freeze()"],  # ends as a command does
        "score": [*score, "--out", str(work / "small"), "--overwrite"],
    }
    rows = []
    for name, command in commands.items():
        seconds = sorted(timed_process([sys.executable, *command]).seconds for _ in range(repeats))[repeats // 2]
        rows.append(Row(f"{SMALLEST}x{SMALLEST}x{bands}", name, "seconds", seconds, repeats, seconds))
    return rows
