"""Defaults that depend on the data: what a setting that is not given means for a scene, a table, or many bands."""

from __future__ import annotations

__all__ = [
    "BOUND",
    "FOLDS",
    "LARGEST_LINEAR",
    "MANY_BANDS",
    "MANY_BOUND",
    "MANY_NOISE",
    "MANY_RATE",
    "MANY_REACH",
    "MANY_SURPRISE",
    "MARGINAL_NOISE",
    "MARGINAL_STEPS",
    "MOST_STEPS",
    "REFITS",
    "SCENE_NOISE",
]

SCENE_NOISE = 1 / 800
"""Default of ``network.noise`` for scenes: a component with a smaller share of the residual's variance counts as noise."""
MANY_BANDS = 64
"""From so many bands on, a scene has other defaults: hundreds of bands repeat what one bright roof says, and would outweigh
an oddity in a few of them."""
MANY_NOISE, MANY_REACH, MANY_RATE = 1 / 400, 3.5, 2e-3
"""These defaults of ``network.noise``, ``normaliser.reach`` and ``training.learning_rate``."""
BOUND = 0.999
"""Default of ``context.bound``: pixels that hardly any normal one is like do not count in full in the rings around them."""
MANY_BOUND, MANY_SURPRISE = 1.0, 1.0
"""Defaults of ``context.bound`` and ``context.surprise`` for many bands: there, every roof is rare and has rare surroundings,
and only what is beyond all normal pixels, or all normal contexts, is treated as strange."""
MARGINAL_NOISE = 1 / 10
"""Default of ``network.noise`` times the bands where marginals are learned: a tenth of a band's variance, since the kernels
that its distribution is made of are about as wide."""
MOST_STEPS, REFITS = 2000, 4
"""Defaults of ``training.steps`` and ``training.refits``."""
MARGINAL_STEPS = 1
"""Default of ``training.steps`` where marginals are learned. On four tables 300 steps cost .01 of AUROC (tried.csv)."""
FOLDS = 6
"""Default of ``sampling.folds``: each model of a fold still sees five sixths of the blocks."""
LARGEST_LINEAR = 2048
"""Values of a patch up to which it has linear paths: beyond, their closed-form solution takes longer than training."""
