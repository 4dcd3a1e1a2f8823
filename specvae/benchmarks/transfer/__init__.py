"""Benchmark ``transfer``: fitted on some scenes and scored on others of the same sensor, as a nightly job does it.

Each scene is left out in turn. Real spectra of another place are planted in it, at shares and sizes that a seed draws
places for, and it is scored by a model, and by RX, PCA and isolation forest, that have seen the other scenes alone; and by
RX fitted on the scene itself. Where there is a truth, that is looked for too. No label is used in any fit. With ``--data`` a
folder in HAD100's layout, that data set's own protocol is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import fmean

from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.transfer.event_page import event_rows
from specvae.benchmarks.transfer.events import Event, grounds, planted_events
from specvae.benchmarks.transfer.had100 import is_had100, run_had100
from specvae.benchmarks.transfer.page import rows_of, write_page
from specvae.benchmarks.transfer.places import MAKERS, Sensor, sensors
from specvae.benchmarks.transfer.trial import Record, judge, leave_out
from specvae.errors import InputError, UsageError

__all__ = ["run"]

SEEDS = 3
EVENTS = "events"
"""The name of the part on large events among the presets."""
QUICK_PLACES = 2
"""Places of a sensor that are left out in a quick run."""


def run(settings: Settings) -> Path:
    """Leave each scene out in turn, sensor by sensor, and plant large events; the folder of the report.

    With ``presets`` only those sensors, or ``events``.
    """
    if settings.data and is_had100(settings.data):
        return run_had100(settings)
    folder, out = settings.folder("scenes"), settings.place("transfer")
    chosen = list(_chosen(folder, settings))
    planted = EVENTS in settings.presets or not settings.presets
    extra = [f"training.epochs={settings.epochs}"] if settings.epochs else []
    seeds = settings.seed_count(SEEDS)
    records, events = list[Record](), list[Event]()
    for seed in range(seeds):
        for sensor in chosen:
            for place in sensor.places[: QUICK_PLACES if settings.quick else None]:
                records += leave_out(sensor, place, seed, extra)
            records += judge(sensor, seed, extra)
            settings.progress(f"{sensor.name}, seed {seed}: {_line(records, sensor.name)}")
        events += _events(folder, seed, extra, settings) if planted else ()
    if not records and not events:
        raise InputError(f"{folder} holds none of the scenes of this benchmark, and is no folder in HAD100's layout")
    made_with = environment(seeds=seeds, settings=" ".join(extra) or "default")
    write_metrics(out, "transfer", [*rows_of(records), *event_rows(events)], made_with)
    write_page(out, chosen, records, events, made_with)
    return out


def _events(folder: Path, seed: int, extra: list[str], settings: Settings) -> Iterator[Event]:
    """Large events on each ground; in a quick run on the first alone."""
    for ground in islice(grounds(folder), 1 if settings.quick else None):
        events = list(planted_events(ground, seed, extra))
        yield from events
        means = {name: fmean(getattr(e, name) for e in events) for name in ("ring", "none", "rx")}
        settings.progress(f"events, {ground.name}, seed {seed}: " + ", ".join(f"{n} {v:.4f}" for n, v in means.items()))


def _chosen(folder: Path, settings: Settings) -> Iterator[Sensor]:
    """The sensors that the presets name, or all; in a quick run with fewer scenes to fit on."""
    names = (*MAKERS, EVENTS)
    wrong = [name for name in settings.presets if name not in names]
    if wrong:
        raise UsageError(f"--presets {','.join(wrong)}: the parts of this benchmark are {', '.join(names)}")
    for sensor in () if settings.presets == (EVENTS,) else sensors(folder, settings.presets):
        yield replace(sensor, places=sensor.places[: QUICK_PLACES + 1]) if settings.quick else sensor


def _line(records: list[Record], sensor: str) -> str:
    """Mean AUROC of what was planted, by method, so far."""
    planted = [r for r in records if r.sensor == sensor and r.fill is not None]
    methods = dict.fromkeys(r.method for r in planted)
    means = {m: [r.auroc for r in planted if r.method == m] for m in methods}
    return ", ".join(f"{method} {fmean(areas):.4f}" for method, areas in means.items())
