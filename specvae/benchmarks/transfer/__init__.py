"""Benchmark ``transfer``: fitted on some scenes and scored on others of the same sensor, as a nightly job does it.

Each scene is left out in turn. Real spectra of another place are planted in it, at shares and sizes that a seed draws
places for, and it is scored by a model, and by RX, PCA and isolation forest, that have seen the other scenes alone; and by
RX fitted on the scene itself. Where there is a truth, that is looked for too. No label is used in any fit. With ``--data`` a
folder in HAD100's layout, that data set's own protocol is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.transfer.had100 import is_had100, run_had100
from specvae.benchmarks.transfer.page import rows_of, write_page
from specvae.benchmarks.transfer.places import Sensor, sensors
from specvae.benchmarks.transfer.trial import Record, judge, leave_out
from specvae.errors import InputError, UsageError

__all__ = ["run"]

SEEDS = 3
QUICK_PLACES = 2
"""Places of a sensor that are left out in a quick run."""


def run(settings: Settings) -> Path:
    """Leave each scene out in turn, sensor by sensor, or those sensors that ``presets`` names; the folder of the report."""
    if settings.data and is_had100(settings.data):
        return run_had100(settings)
    folder, out = settings.folder("scenes"), settings.place("transfer")
    chosen = list(_chosen(list(sensors(folder)), settings))
    if not chosen:
        raise InputError(f"{folder} holds none of the scenes of this benchmark, and is no folder in HAD100's layout")
    extra = [f"training.epochs={settings.epochs}"] if settings.epochs else []
    seeds = settings.seed_count(SEEDS)
    records: list[Record] = []
    for sensor in chosen:
        left_out = sensor.places[: QUICK_PLACES if settings.quick else None]
        for seed in range(seeds):
            for place in left_out:
                records += leave_out(sensor, place, seed, extra)
            records += judge(sensor, seed, extra)
            settings.progress(f"{sensor.name}, seed {seed}: {_line(records, sensor.name)}")
    made_with = environment(seeds=seeds, settings=" ".join(extra) or "default")
    write_metrics(out, "transfer", rows_of(records), made_with)
    write_page(out, chosen, records, made_with)
    return out


def _chosen(known: list[Sensor], settings: Settings) -> Iterator[Sensor]:
    """The sensors that the presets name; in a quick run with fewer scenes to fit on."""
    names = [sensor.name for sensor in known]
    wrong = [name for name in settings.presets if name not in names]
    if wrong:
        raise UsageError(f"--presets {','.join(wrong)}: the sensors at hand are {', '.join(names)}")
    for sensor in known:
        if not settings.presets or sensor.name in settings.presets:
            yield replace(sensor, places=sensor.places[: QUICK_PLACES + 1]) if settings.quick else sensor


def _line(records: list[Record], sensor: str) -> str:
    """Mean AUROC of what was planted, by method, so far."""
    planted = [r for r in records if r.sensor == sensor and r.fill is not None]
    methods = dict.fromkeys(r.method for r in planted)
    means = {m: [r.auroc for r in planted if r.method == m] for m in methods}
    return ", ".join(f"{method} {sum(areas) / len(areas):.4f}" for method, areas in means.items())
