"""Benchmark ``speed``: scoring against decoding and copying the same file, in turn and repeated, in one run.

Every figure of a process is that of the complete process: wall seconds, and the peak memory that the kernel accounts to it.
Costs that grow with the scene are marginal ones, the largest size less the smallest, so that start-up is not part of them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from specvae.benchmarks.report import Row, environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.speed.fitting import fit_rows
from specvae.benchmarks.speed.large_fit import large_fit_rows
from specvae.benchmarks.speed.on_device import on_device_rows
from specvae.benchmarks.speed.page import Measured, write_page
from specvae.benchmarks.speed.processes import (
    Timing,
    fit_models,
    methods_for,
    time_method,
    timed_command,
    timed_process,
)
from specvae.benchmarks.speed.resident import resident_rows
from specvae.benchmarks.speed.step_profile import step_profile_rows
from specvae.benchmarks.speed.tables import table_rows
from specvae.errors import UsageError
from specvae.model.device import device_name, pick_device
from specvae.stages.demo.scenes import write_large_scene, write_scene
from specvae.stages.demo.synthetic import make_scene

__all__ = ["run"]

PARTS = ("processes", "device")
"""Complete processes; and spectra in the device's memory, a large fit and a training step."""
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
EVENT_SHAPE, EVENT_BANDS = (177, 246), 7
"""Rows, columns and bands of a scene cut around one event."""
FLAGGED_SIDE = 4096
"""Side of the scenes of which much and little is flagged, pixels."""
BATCH, BATCH_SIDE = 12, 128
"""Small scenes scored by one command, and their side, pixels."""
ROWS, QUICK_ROWS = 5_000_000, 50_000
"""Rows of the tables."""


def run(settings: Settings) -> Path:
    """Time the parts that ``settings.presets`` names, or all, and write the report; its folder.

    Raises UsageError for a part that there is none of.
    """
    unknown = set(settings.presets) - set(PARTS)
    if unknown:
        raise UsageError(f"--presets: speed has no part {min(unknown)!r}; known: {', '.join(PARTS)}")
    parts, device = settings.presets or PARTS, pick_device(settings.device)
    out, name = settings.place("speed"), device_name(device)
    measured, rows, made_with = None, list[Row](), environment(threads=THREADS, device=name)
    if "processes" in parts:
        measured, rows = _processes(settings, device)
        made_with = environment(
            threads=THREADS, repeats=measured.repeats, bands=measured.bands, dtype=_dtype(settings), device=name
        )
    if "device" in parts:
        rows += [*on_device_rows(device), *large_fit_rows(device, settings.quick), *step_profile_rows(device)]
    write_metrics(out, "speed", rows, made_with)
    write_page(out, measured, rows, made_with)
    return out


def _dtype(settings: Settings) -> str:
    return settings.dtype or DTYPE


def _processes(settings: Settings, device: str) -> tuple[Measured, list[Row]]:
    """Make scenes and time complete processes in turn."""
    sizes = tuple(sorted(settings.sizes)) or (QUICK_SIZES if settings.quick else SIZES)
    repeats = settings.seed_count(REPEATS)
    bands, dtype = settings.bands or BANDS, _dtype(settings)
    with tempfile.TemporaryDirectory(prefix="specvae-speed-") as place:
        work = Path(place)
        small = work / "fit.tif"
        write_large_scene(small, MODEL_SIDE, bands, dtype)
        fit_models(work, small, settings.device)
        timings = _timings(work, sizes, repeats, bands, dtype, settings)
        rows = [
            *resident_rows(work, small, device, THREADS),
            *fit_rows(work, QUICK_FIT_SIDE if settings.quick else FIT_SIDE, settings.device),
            *table_rows(work, QUICK_ROWS if settings.quick else ROWS),
            *_flagged(work, min(FLAGGED_SIDE, sizes[-1]), bands, dtype, settings),
            *_batch(work, repeats, settings.device),
            *_start_up(work, bands, dtype, repeats, settings.device),
        ]
    measured = Measured(timings, sizes, repeats, bands)
    return measured, [*measured.rows(), *rows]


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
    scene, event, model = work / "small.tif", work / "event.tif", work / "event.specvae"
    write_large_scene(scene, SMALLEST, bands, dtype)
    values = make_scene(*EVENT_SHAPE, wavelengths=np.linspace(443, 2202, EVENT_BANDS)).values
    write_scene(event, values, [f"b{band}" for band in range(EVENT_BANDS)])
    timed_command("fit", event, "--model", model, "--context", "ring", "--device", device)
    score = ["-m", "specvae", "score", "--out", str(work / "small"), "--overwrite", "--device", device, "--model"]
    commands = {
        "help": ["-m", "specvae", "--help"],
        "imports": ["-c", "import gc, specvae.stages.score.run; gc.freeze()"],  # ends as a command does
        f"score of {SMALLEST} x {SMALLEST} x {bands}": [*score, str(work / "score-context.specvae"), str(scene)],
        f"score of {EVENT_SHAPE[0]} x {EVENT_SHAPE[1]} x {EVENT_BANDS}": [*score, str(model), str(event)],
    }
    rows = []
    for name, command in commands.items():
        seconds = sorted(timed_process([sys.executable, *command]).seconds for _ in range(repeats))[repeats // 2]
        rows.append(Row("start-up", name, "seconds", seconds, repeats, seconds))
    return rows


def _flagged(work: Path, size: int, bands: int, dtype: str, settings: Settings) -> list[Row]:
    """Rows on a calm scene and on one of a failed sensor: what objects and outlines cost where most is flagged."""
    rows = []
    for name in ("calm", "failed sensor"):
        scene = work / "flagged.tif"
        write_large_scene(scene, size, bands, dtype, reverse=name != "calm")
        timing = time_method("score-context", scene, work, settings.device)
        scene.unlink()
        settings.progress(f"{size} {name}: {timing.seconds:.2f} s, {timing.peak_mib:.0f} MiB")
        figures = {
            "share_flagged": timing.share_flagged,
            "seconds": timing.seconds,
            "cpu_seconds": timing.cpu_seconds,
            "peak_mib": timing.peak_mib,
        }
        rows += [Row("flagged", name, metric, value, 1, timing.seconds) for metric, value in figures.items()]
    return rows


def _batch(work: Path, repeats: int, device: str) -> list[Row]:
    """Rows on what a further small scene costs: many scored by one command, less one by itself."""
    folder = work / "batch"
    folder.mkdir()
    for number in range(BATCH):
        write_scene(folder / f"scene{number}.tif", make_scene(BATCH_SIDE, BATCH_SIDE, number).values)
    model = work / "batch.specvae"
    timed_command("fit", folder / "scene0.tif", "--model", model, "--context", "ring", "--device", device)
    words = ("--model", model, "--out", work / "batch-out", "--overwrite", "--device", device)
    further = []
    for _ in range(repeats):
        one, all_ = (timed_command("score", source, *words) for source in (folder / "scene0.tif", folder))
        further.append((all_.cpu_seconds - one.cpu_seconds) / (BATCH - 1))
    value = sorted(further)[repeats // 2]
    return [Row("batch", f"{BATCH_SIDE}x{BATCH_SIDE}", "cpu_seconds_a_further_scene", value, repeats, value)]
