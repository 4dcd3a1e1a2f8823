"""Benchmark ``watch``: alerts over nights of synthetic places, beside each night alone, DIST-ALERT's rule and a seasonal distance.

Users' and producers' accuracy of the confirmed area, the delay in clear looks, and how often normal ground is confirmed in a
year, against the rate that was asked for.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.watch.normal_ground import NormalGround, watch_normal_ground
from specvae.benchmarks.watch.page import rows_of, write_page
from specvae.benchmarks.watch.trial import Trial, run_trial
from specvae.errors import UsageError

__all__ = ["run"]

SEEDS, NORMAL_SEEDS = 5, 8
"""Places with events, and places without any for the rate."""
TRIALS = "trials.json"
"""File of what was measured, so that one part can be run again beside the other's figures."""
PARTS = ("events", "normal")


def run(settings: Settings) -> Path:
    """Run both parts, or those named as presets beside the stored figures of the other, and write the report; its folder."""
    out = settings.place("watch")
    parts = settings.presets or PARTS
    if not set(parts) <= set(PARTS):
        raise UsageError(f"--presets {','.join(parts)}: the parts of this benchmark are {', '.join(PARTS)}")
    trials, normal = _stored(out / TRIALS)
    side = 64 if settings.quick else 128
    if "events" in parts:
        trials = []
        for seed in range(settings.seed_count(SEEDS)):
            trials.append(run_trial(seed, side, settings.quick))
            settings.progress(trials[-1].line)
    if "normal" in parts:
        normal = []
        for seed in range(settings.seed_count(NORMAL_SEEDS)):
            normal.append(watch_normal_ground(seed, 2 * side, settings.quick))
            settings.progress(normal[-1].line)
    made_with = environment(quick=settings.quick)
    out.mkdir(parents=True, exist_ok=True)
    tree = {"trials": [asdict(trial) for trial in trials], "normal": [asdict(ground) for ground in normal]}
    (out / TRIALS).write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
    write_metrics(out, "watch", rows_of(trials, normal), made_with)
    write_page(out, trials, normal, made_with)
    return out


def _stored(path: Path) -> tuple[list[Trial], list[NormalGround]]:
    """What an earlier run measured; nothing where there was none."""
    tree = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return [Trial(**each) for each in tree.get("trials", [])], [NormalGround(**each) for each in tree.get("normal", [])]
