"""Benchmark ``verdicts``: how often a crop of the fitted scene is called ok, and one with a known fault is not.

Each scene is fitted as it is. Random crops of it are normal by construction, whatever ground they show; the same crops with
a fault put into them are not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specvae.benchmarks.report import Report, Row, environment, table, tried, write_metrics
from specvae.benchmarks.settings import Settings, data_root
from specvae.benchmarks.verdicts.data import FAULTS, NamedScene, crops, faulted, scenes
from specvae.benchmarks.verdicts.verdict import verdict_on
from specvae.detector import Detector
from specvae.errors import InputError
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.device import pick_device
from specvae.spectra import Window
from specvae.stages.gathering import gather
from specvae.thresholds.drift.verdict import Drift

__all__ = ["run"]

CROPS = 100
"""Crops as they are, and of each fault; ``--seeds`` gives another number."""
QUICK_CROPS = 4
QUICK_SETTINGS = ["training.steps=40", "training.refits=0"]
TARGET = 0.95
"""Share of the crops that the verdict is to be right on."""


@dataclass(frozen=True)
class Judged:
    """The verdicts on the crops of one scene, as they are or with one fault."""

    scene: str
    fault: str
    """Empty for the crops as they are."""
    drifts: tuple[Drift, ...]

    @property
    def right(self) -> float:
        """Share of the verdicts that are right."""
        good = [(drift.verdict == "ok") == (not self.fault) for drift in self.drifts]
        return float(np.mean(good)) if good else 0.0

    @property
    def named(self) -> float:
        """Share of the verdicts that name the fault, or where it has no name give a reason."""
        names = FAULTS[self.fault][1]
        good = [drift.verdict != "ok" and (not names or drift.fault in names) for drift in self.drifts]
        return float(np.mean(good)) if good else 0.0

    @property
    def faults(self) -> str:
        """What was named, most often first."""
        count = Counter(drift.fault or drift.verdict for drift in self.drifts)
        return ", ".join(f"{name} {number}" for name, number in count.most_common(4))


def run(settings: Settings) -> Path:
    """Fit each scene, judge its crops, write ``metrics.json`` and ``report.md``, and return their folder."""
    folder = (settings.data or data_root()) / "scenes"
    found = list(scenes(folder))
    if not found:
        raise InputError(f"{folder} holds none of the benchmark's scenes; give --data, the folder that holds `scenes`")
    out, device = settings.place("verdicts"), pick_device(settings.device)
    config = load_config(None, None, QUICK_SETTINGS if settings.quick else [])
    # Every crop has a seed of its own, so that as many crops are judged as seeds are asked for.
    count = settings.seeds or (QUICK_CROPS if settings.quick else CROPS)
    judged: list[Judged] = []
    for scene in found[: 1 if settings.quick else None]:
        of_scene = _judge_scene(scene, config, device, count)
        judged += of_scene
        settings.progress(f"{scene.name}: " + ", ".join(f"{j.fault or 'as it is'} {j.right:.2f}" for j in of_scene))
    made_with = environment(device=device, crops=count)
    rows = [Row(j.scene, "specvae", _metric(j), j.right, 1, 0.0) for j in judged]
    rows += [Row(j.scene, "specvae", f"{_metric(j)}, named", j.named, 1, 0.0) for j in judged if j.fault]
    write_metrics(out, "verdicts", rows, made_with)
    _page(judged).made_with(made_with).write(out)
    return out


def _metric(judged: Judged) -> str:
    return judged.fault or "ok as it is"


def _judge_scene(scene: NamedScene, config: ModelConfig, device: str, count: int) -> list[Judged]:
    """Fit a scene, and judge its crops as they are and with each fault."""
    sources = find_sources([str(scene.path)])
    gathered = gather(sources, scene.options, config, None)
    detector = Detector.fit(gathered.regions, gathered.bands, config, gathered.names, gathered.context, device)
    with open_scene(sources[0], scene.options, match=detector.bands) as opened:
        cube = opened.read(Window(0, 0, opened.rows, opened.cols))
    whole = [Judged(scene.name, "", tuple(verdict_on(detector, crop) for crop in crops(cube, count, seed=0)))]
    for number, (fault, (change, _)) in enumerate(FAULTS.items(), start=1):
        random = np.random.default_rng(number)
        drifts = [verdict_on(detector, faulted(crop, change, random)) for crop in crops(cube, count, seed=number)]
        whole.append(Judged(scene.name, fault, tuple(drifts)))
    return whole


def _page(judged: list[Judged]) -> Report:
    """The report: the rate of right verdicts by scene and fault, what they were named, and what falls short."""
    report = Report("Verdicts")
    report.text(
        "Each scene is fitted as it is, with the default settings; then random crops of it, 96 to 256 pixels aside, are "
        "judged as scenes of their own: as they are, and with a fault put into them. A crop of water has other bands than "
        "the scene that it is cut from, and is to be ok all the same; a crop with a fault is not. The target is 95 of 100 "
        "in every cell."
    )
    names = list(dict.fromkeys(j.scene for j in judged))
    cells = {(j.scene, j.fault): j for j in judged}
    report.section("Right verdicts")
    body = [[name, *(_digits(cells[name, fault].right) for fault in ("", *FAULTS))] for name in names]
    report.text(table(["scene", "as it is: ok", *FAULTS], body))
    report.section("Faults named rightly").text(
        "Another sensor has no name of its own: any reason counts there. Elsewhere the reason must be the very fault."
    )
    report.text(table(["scene", *FAULTS], [[n, *(_digits(cells[n, f].named) for f in FAULTS)] for n in names]))
    report.section("What was said")
    report.text(table(["scene", *FAULTS], [[n, *(cells[n, f].faults for f in FAULTS)] for n in names]))
    short = [f"{j.scene}, {j.fault or 'as it is'}: {j.right:.2f}" for j in judged if j.right < TARGET]
    report.section("Below the target").text("\n".join(f"- {line}" for line in short) or "None.")
    report.section("What was tried").text(
        "Each idea with its figures over 16 crops a cell, on fits that it did not change; what was kept is the default."
    )
    return report.text(tried("specvae.benchmarks.verdicts"))


def _digits(share: float) -> str:
    return f"{share:.2f}"
