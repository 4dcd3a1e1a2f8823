"""``specvae benchmark hyperspectral``: public scenes with planted or real targets, fitted on themselves without labels.

The usual protocol: fit on the whole scene without its map, score the same scene, AUROC over all pixels. Every scene is
fitted and scored by the product's own path with one default setting; the map is read only by the metric.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.hyperspectral.contexts import compare_contexts
from specvae.benchmarks.hyperspectral.mat_scene import MatScene, read_mat
from specvae.benchmarks.hyperspectral.page import page
from specvae.benchmarks.hyperspectral.trial import Result, baselines, fit_and_score
from specvae.benchmarks.hyperspectral.variants import run_variants
from specvae.benchmarks.report import Row, environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.errors import InputError
from specvae.model.device import pick_device
from specvae.scoring.gathered.metrics import auroc, average_precision

__all__ = ["run"]

SEEDS = 3


def run(settings: Settings) -> Path:
    """Every scene of the folder, 3 seeds, the default setting; and what context does to scenes of few bands.

    ``--presets all`` also runs the settings around the default, one seed each, into ``variants.md``.
    """
    folder, out = settings.folder("had"), settings.place("hyperspectral")
    files = sorted(folder.glob("*.mat"))[: 2 if settings.quick else None]
    if not files:
        raise InputError(f"{folder} holds no .mat file; expected scenes with a cube and a map")
    scenes = [read_mat(path) for path in files]
    device, seeds = pick_device(settings.device), settings.seeds or (1 if settings.quick else SEEDS)
    extra = [f"training.epochs={settings.epochs}"] if settings.epochs else []
    rows, results = [], []
    for scene in scenes:
        found = [fit_and_score(scene, extra, seed, device) for seed in range(seeds)]
        others = baselines(scene)
        mine = _rows(scene, found, others)
        rows += mine
        results.append((scene, found, others["rx"][0]))
        told = (f"{r.method} {r.value:.4f}" for r in mine if r.metric == "auroc")
        settings.progress(f"{scene.name}: {', '.join(told)}")
    contexts = None if settings.quick else compare_contexts(folder.parent / "scenes", seeds, extra, settings.progress)
    made = environment(device=device, seeds=seeds, settings=" ".join(extra) or "default")
    write_metrics(out, "hyperspectral", rows, made)
    page(rows, results, contexts, out, made).write(out)
    if settings.presets:
        run_variants(scenes, settings, device, made).write(out, "variants.md")
    return out


def _rows(scene: MatScene, found: list[Result], baselines: dict[str, tuple[NDArray[np.float32], float]]) -> list[Row]:
    seconds = float(np.mean([r.fit_seconds + r.score_seconds for r in found]))
    methods = {name: ([r.maps[name] for r in found], seconds) for name in found[0].maps}
    methods |= {name: ([score], spent) for name, (score, spent) in baselines.items()}
    rows = []
    for name, (maps, spent) in methods.items():
        for metric, measure in (("auroc", auroc), ("average_precision", average_precision)):
            value = _mean(measure, maps, scene.truth)
            if value is not None:
                rows.append(Row(scene.name, name, metric, value, len(maps), spent))
    return rows


def _mean(
    measure: Callable[[NDArray[np.floating], NDArray[np.bool_]], float | None],
    maps: list[NDArray[np.float32]],
    truth: NDArray[np.bool_],
) -> float | None:
    values = [measure(m[np.isfinite(m)], truth[np.isfinite(m)]) for m in maps]
    return None if any(v is None for v in values) else float(np.mean([v for v in values if v is not None]))
