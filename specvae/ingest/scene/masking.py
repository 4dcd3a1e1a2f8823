"""Masks looked at once before a scene is read: what was decided about their numbers, and counts that surprise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from specvae.ingest.decision import Decision
from specvae.ingest.grid import Grid
from specvae.ingest.masks.overlay import Overlay, open_overlay
from specvae.ingest.masks.quality_overlay import QualityOverlay
from specvae.ingest.scene.plan import Plan
from specvae.spectra import Window

__all__ = ["with_masks"]

SIDE = 256
"""Side in pixels of the windows that are looked at."""
LOOKED_AT = 64
"""Windows that are looked at, at most, spread evenly over the scene."""
NEARLY_ALL = 0.95
"""Share of the pixels left out from which it is said."""
MOST_ANOMALOUS = 0.5
"""Share of the pixels that a truth calls anomalous from which it is said."""


def with_masks(plan: Plan) -> Plan:
    """The plan with what was decided about the masks over it, and notes of masks that leave out nothing or nearly all."""
    options = plan.options
    given = {"mask": options.mask, "aoi": options.aoi, "normal": options.normal, "truth": options.truth}
    decisions, notes = _by_product(plan)
    for purpose, path in given.items():
        if path is None:
            continue
        overlay = open_overlay(path, plan.grid, purpose, options)
        try:
            decisions += overlay.decisions
            notes += _surprise(overlay, purpose, path, plan.grid)
        finally:
            overlay.close()
    return replace(plan, notes=(*plan.notes, *notes), decisions=(*plan.decisions, *decisions))


def _by_product(plan: Plan) -> tuple[list[Decision], list[str]]:
    """What was decided about the quality layers of the product, and a note of what they leave out."""
    layers = plan.product.masks
    if not layers:
        return [], []
    names = ", ".join(dict.fromkeys(f"{layer.what} ({Path(layer.path).name})" for layer in layers))
    if not plan.quality:
        return [Decision("mask", f"its quality layers are not applied: {names}", "the option --product-masks none")], []
    overlay = QualityOverlay(plan.quality, plan.grid, allow_remote=plan.options.allow_remote)
    try:
        counts = [(int(overlay.excluded(window).sum()), window.size) for window in _spread(plan.grid)]
    finally:
        overlay.close()
    share = sum(marked for marked, _ in counts) / max(1, sum(size for _, size in counts))
    how = Decision(
        "mask",
        f"left out by its quality layers: {names}",
        "the documents of the product",
        ("use these pixels",),
        "--product-masks none",
    )
    what = ", ".join(dict.fromkeys(layer.what for layer in layers))
    return [how], [
        f"its quality layers leave out {share:.1%} of the pixels looked at ({what}); --product-masks none uses them"
    ]


def _surprise(overlay: Overlay, purpose: str, path: str, grid: Grid) -> list[str]:
    """A note where a mask leaves out no pixel or nearly all, or where an area or a truth touches none."""
    looked_at = marked = 0
    for window in _spread(grid):
        if purpose == "mask":
            marked += int(overlay.excluded(window).sum())
        elif purpose == "truth":
            marked += int((overlay.truth(window) == 1).sum())
        else:
            marked += int(overlay.marked(window).sum())
        looked_at += window.size
    of = f"of the {looked_at:,} pixels looked at"
    if not marked:
        effect = {"mask": "leaves out none", "aoi": "contains none", "normal": "marks none", "truth": "marks none"}
        return [f"--{purpose} {path} {effect[purpose]} {of}; see whether it touches the scene"]
    much = {"mask": "leaves out", "truth": "marks as anomalous"}.get(purpose)
    if much and marked >= (MOST_ANOMALOUS if purpose == "truth" else NEARLY_ALL) * looked_at:
        return [f"--{purpose} {path} {much} {marked / looked_at:.1%} {of}; see whether its values mean the contrary"]
    return []


def _spread(grid: Grid) -> Iterator[Window]:
    """Windows over the grid, all of a small one and evenly spread over a large one."""
    windows = [
        Window(row, col, min(SIDE, grid.rows - row), min(SIDE, grid.cols - col))
        for row in range(0, grid.rows, SIDE)
        for col in range(0, grid.cols, SIDE)
    ]
    yield from windows[:: max(1, len(windows) // LOOKED_AT)]
