"""Benchmark ``hyperspectral``: public scenes with planted or real targets, fitted on themselves without labels.

The protocol is the usual one: fit on the complete scene without its map of anomalies, score the same scene, take the AUROC
over all pixels. Every scene is fitted and scored as the product does it, with one default setting; only the metric reads
the map.
"""

from __future__ import annotations

from pathlib import Path

from specvae.benchmarks.hyperspectral.contexts import compare_contexts
from specvae.benchmarks.hyperspectral.data import read_mat
from specvae.benchmarks.hyperspectral.page import Shown, rows_of, write_page
from specvae.benchmarks.hyperspectral.trial import baselines, fit_and_score
from specvae.benchmarks.hyperspectral.variants import run_variants
from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.errors import InputError
from specvae.model.device import pick_device

__all__ = ["run"]

SEEDS = 3
"""Seeds of a full run; every figure is their mean."""
QUICK_SCENES = 2


def run(settings: Settings) -> Path:
    """Fit and score every scene of the folder, and compare scores with and without context on scenes of few bands.

    With ``presets`` (``all``, or names of variants) settings around the default are run too, one seed each, and written
    into ``variants.md``.
    """
    folder, out = settings.folder("had"), settings.place("hyperspectral")
    files = sorted(folder.glob("*.mat"))[: QUICK_SCENES if settings.quick else None]
    if not files:
        raise InputError(f"{folder} holds no .mat file; expected scenes with a cube and a map")
    scenes = [read_mat(path) for path in files]
    device, seeds = pick_device(settings.device), settings.seed_count(SEEDS)
    extra = [f"training.epochs={settings.epochs}"] if settings.epochs else []
    rows, shown = [], []
    for scene in scenes:
        results = [fit_and_score(scene, extra, seed, device) for seed in range(seeds)]
        others = baselines(scene)
        scene_rows = rows_of(scene, results, others)
        rows += scene_rows
        shown.append(Shown(scene, results, others["rx"].score))
        areas = (f"{r.method} {r.value:.4f}" for r in scene_rows if r.metric == "auroc")
        settings.progress(f"{scene.name}: {', '.join(areas)}")
    # Many fits on scenes of their own: the longest part by far, which a quick run cannot afford.
    contexts = None if settings.quick else compare_contexts(folder.parent / "scenes", seeds, extra, settings.progress)
    made_with = environment(device=device, seeds=seeds, settings=" ".join(extra) or "default")
    write_metrics(out, "hyperspectral", rows, made_with)
    write_page(out, rows, shown, contexts, made_with)
    if settings.presets:
        run_variants(scenes, settings, device, made_with).write(out, "variants.md")
    return out
