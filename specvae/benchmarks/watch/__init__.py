"""Benchmark ``watch``: alerts over nights of synthetic places, beside each night alone, DIST-ALERT's rule and a seasonal distance.

Users' and producers' accuracy of the confirmed area, the delay in clear looks, and how often normal ground is confirmed in a
year, against the rate that was asked for. And 21 real dates: what is confirmed, drawn, looked at, and what is missed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings, data_root
from specvae.benchmarks.watch.large_place import DATES, SIDE, LargePlace, watch_large_place
from specvae.benchmarks.watch.normal_ground import NormalGround, watch_normal_ground
from specvae.benchmarks.watch.page import Measured, rows_of, write_page
from specvae.benchmarks.watch.real_place import SERIES, RealPlace, watch_real_place
from specvae.benchmarks.watch.trial import Trial, run_trial
from specvae.errors import InputError, UsageError

__all__ = ["run"]

SEEDS, NORMAL_SEEDS = 5, 8
"""Places with events, and places without any for the rate: seeds from 0 on. The rules were chosen on seeds 100 to 104 of both,
which are reported nowhere."""
QUICK_SIDE, QUICK_DATES = 256, 8
Each = TypeVar("Each", Trial, NormalGround)
TRIALS = "trials.json"
"""File of what was measured, so that one part can be run again beside the other's figures."""
SCENES = "scenes"
"""Folder of the real scenes below that of all data."""
PARTS = ("events", "normal", "large", "rufiji")


def run(settings: Settings) -> Path:
    """Run all parts, or those named as presets beside the stored figures of the others, and write the report; its folder.

    The large place has a side of ``settings.sizes`` pixels, and ``settings.seeds`` dates where only it is run.
    """
    out = settings.place("watch")
    parts = settings.presets or PARTS
    if not set(parts) <= set(PARTS):
        raise UsageError(f"--presets {','.join(parts)}: the parts of this benchmark are {', '.join(PARTS)}")
    side, found = 64 if settings.quick else 128, Measured()
    if "events" in parts:
        found = replace(found, trials=_each(settings, SEEDS, lambda s: run_trial(s, side, settings.quick)))
    if "normal" in parts:
        ground = _each(settings, NORMAL_SEEDS, lambda s: watch_normal_ground(s, 2 * side, settings.quick))
        found = replace(found, normal=ground)
    if "large" in parts:
        found = replace(found, large=_large(settings, alone=parts == ("large",)))
    if "rufiji" in parts:
        found = replace(found, real=_real(settings, out))
    # Read only now: the parts may be measured by processes that run at the same time.
    measured = found.over(_stored(out / TRIALS))
    made_with = environment(quick=settings.quick)
    out.mkdir(parents=True, exist_ok=True)
    (out / TRIALS).write_text(json.dumps(asdict(measured), indent=1) + "\n", encoding="utf-8")
    write_metrics(out, "watch", rows_of(measured), made_with)
    write_page(out, measured, made_with)
    return out


def _each(settings: Settings, default: int, measure: Callable[[int], Each]) -> tuple[Each, ...]:
    """What is measured of each seed."""
    results = []
    for seed in range(settings.seed_count(default)):
        results.append(measure(seed))
        settings.progress(results[-1].line)
    return tuple(results)


def _large(settings: Settings, alone: bool) -> tuple[LargePlace, ...]:
    """The large places."""
    dates = (settings.seeds if alone else None) or (QUICK_DATES if settings.quick else DATES)
    places = []
    for side in settings.sizes or (QUICK_SIDE if settings.quick else SIDE,):
        for place in watch_large_place(side, dates, settings.device):
            places.append(place)
            settings.progress(place.line)
    return tuple(places)


def _real(settings: Settings, out: Path) -> tuple[RealPlace, ...]:
    """The real place; none where its scenes are not there and nothing asked for them."""
    if not (settings.presets or settings.data or (data_root() / SCENES).is_dir()):
        settings.progress("Rufiji: its scenes are not there, so that this part is left out")
        return ()
    series = settings.folder(SCENES) / SERIES
    if not series.is_dir():
        raise InputError(f"there is no folder {series}; give --data, the folder that holds {SERIES}")
    place = watch_real_place(series, out, settings.quick)
    settings.progress(place.line)
    return (place,)


def _stored(path: Path) -> Measured:
    """What an earlier run measured; nothing where there was none."""
    tree = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return Measured(
        tuple(Trial(**each) for each in tree.get("trials", ())),
        tuple(NormalGround(**each) for each in tree.get("normal", ())),
        tuple(LargePlace(**each) for each in tree.get("large", ())),
        tuple(RealPlace(**each) for each in tree.get("real", ())),
    )
