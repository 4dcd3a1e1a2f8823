"""Variants: settings of the product around its default, run by ``--presets``."""

from __future__ import annotations

import numpy as np

from specvae.benchmarks.hyperspectral.data import MatScene
from specvae.benchmarks.hyperspectral.trial import fit_and_score
from specvae.benchmarks.report import Environment, Report, table
from specvae.benchmarks.settings import Settings
from specvae.scoring.gathered.metrics import auroc

__all__ = ["VARIANTS", "run_variants"]

VARIANTS: dict[str, tuple[str, ...]] = {
    "default": (),
    "no context": ("context.kind=none",),
    "ring 11, guard 5": ("context.outer=11", "context.guard=5"),
    "ring 21, guard 9": ("context.outer=21", "context.guard=9"),
    "32 context components": ("context.components=32",),
    "no linear paths": ("network.linear=false",),
    "learned noise per band": ("network.variance=learned",),
    "noise 1/200": ("network.noise=0.005",),
    "noise 1/3200": ("network.noise=0.0003125",),
    "8 latent dimensions": ("network.latent=8",),
    "hidden 128": ("network.hidden=[128]",),
    "no trimming": ("training.refits=0",),
    # Training cannot be left out, but a step so small changes nothing of the closed form that it starts from.
    "linear only (1 step)": ("training.epochs=1", "training.learning_rate=1e-9"),
}
"""Name -> the settings that differ from the default."""


def run_variants(scenes: list[MatScene], settings: Settings, device: str, made_with: Environment) -> Report:
    """The page of the variants that ``presets`` names, or of all: AUROC of each scene, one seed a scene."""
    wanted = VARIANTS if "all" in settings.presets else {n: VARIANTS[n] for n in settings.presets if n in VARIANTS}
    body: dict[str, list[list[object]]] = {"specvae": [], "specvae-pooled": []}
    for name, chosen in wanted.items():
        results = [fit_and_score(scene, chosen, 0, device) for scene in scenes]
        spent = float(np.mean([r.fit_seconds + r.score_seconds for r in results]))
        for method, lines in body.items():
            values = [auroc(r.maps[method].ravel(), s.truth.ravel()) for s, r in zip(scenes, results, strict=True)]
            lines.append([name, *values, float(np.mean([v for v in values if v is not None])), f"{spent:.1f}"])
        settings.progress(f"{name}: {body['specvae'][-1][-2]:.4f}, pooled {body['specvae-pooled'][-1][-2]:.4f}")
    header = ["", *(scene.name for scene in scenes), "mean", "seconds"]
    report = Report("Around the default")
    report.text("AUROC of settings around the default, one seed a scene, no labels used.")
    for method, lines in body.items():
        report.section(method).text(table(header, lines))
    return report.made_with(made_with)
