"""Anomalies planted in normal scenes: from which share on are they called contamination, and are clean scenes left alone?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.calibration.checkerboard import CLOUDY, Squares, fitted_detector, scenes
from specvae.benchmarks.report import Report, Row, table
from specvae.model.config import ModelConfig
from specvae.spectra import Cube, Window

__all__ = ["SHARES", "Planted", "judge_planted", "planted_rows", "planted_scenes", "write_planted"]

SHARES = (0.0, 0.001, 0.01, 0.03)
"""Shares of a scene's normal pixels that are planted."""
SIDE = 144
"""Side of the parts that large scenes are cut in, pixels."""
PARTS = 4
"""Parts of one place at most, so that no place decides alone; scenes whose names begin alike are dates of one."""
CLOUDS = (CLOUDY, "_clouds", "_sr7")
"""Ends of the names of scenes that hold clouds already: they are contaminated as they are."""
FEWEST = 12_000
"""Normal pixels of a part at least."""
COUNT = 20
"""Parts in all."""
RADII = (2, 7)
"""Radius of a planted disc, pixels, from and to."""
NOISE = 0.05
"""Relative deviation of the planted values from pixel to pixel."""
MOST_CLEAN, LEAST_FOUND, JUDGED = 1, 18, 0.01
"""How many of 20 clean parts may be called contaminated, and how many of 20 with a hundredth planted must be."""


@dataclass(frozen=True)
class Planted:
    """What became of one part of a scene."""

    name: str
    pixels: int
    found: dict[float, bool]
    """Planted share -> whether the fit called its normal data contaminated."""
    reason: dict[float, str]
    """The finding in words."""


def planted_scenes(folder: Path, quick: bool) -> Iterator[Squares]:
    """Parts of the scenes at hand, up to four of a place and twenty in all; every normal pixel of them is fitted."""
    by_place: dict[str, list[Squares]] = {}
    for scene in scenes(folder, quick):
        if quick or not scene.name.endswith(CLOUDS):
            by_place.setdefault(scene.name.split("_")[0], []).extend(_parts(scene))
    for number, parts in enumerate(by_place.values()):
        order = np.random.default_rng(number).permutation(len(parts))
        parts[:] = [parts[i] for i in order]
    # In turn, so that twenty parts come of as many places as possible.
    turns = [parts[turn] for turn in range(PARTS) for parts in by_place.values() if turn < len(parts)]
    yield from turns[: 1 if quick else COUNT]


def judge_planted(scene: Squares, config: ModelConfig, device: str) -> Planted:
    """Fit the part with each share planted."""
    found, reason = {}, {}
    for share in SHARES:
        detector = fitted_detector(_with_discs(scene, share), config, device)
        finding = detector.provenance["contamination"]
        found[share], reason[share] = bool(finding["found"]), str(finding["reason"])
    return Planted(scene.name, int(scene.fitted.sum()), found, reason)


def _parts(scene: Squares) -> Iterator[Squares]:
    rows, cols = scene.fitted.shape
    usable = scene.fitted | scene.counted
    for row in range(0, max(1, rows - SIDE // 2), SIDE):
        for col in range(0, max(1, cols - SIDE // 2), SIDE):
            window = Window(row, col, SIDE, SIDE).clip(Window(0, 0, rows, cols))
            normal = usable[window.slices]
            if normal.sum() >= FEWEST:
                part = scene.cube.crop(window)
                cube = Cube(part.values, part.reason, Window(0, 0, window.rows, window.cols))
                name = scene.name if (rows, cols) == normal.shape else f"{scene.name}, from {row}, {col}"
                yield Squares(name, cube, scene.bands, normal, np.zeros_like(normal))


def _with_discs(scene: Squares, share: float) -> Squares:
    """The part with discs of the mean spectrum, its bands reversed, on so large a ``share`` of its normal pixels."""
    rng = np.random.default_rng([int(1e6 * share), scene.fitted.sum()])
    disc = discs(scene.fitted, share, rng)
    values = np.asarray(scene.cube.values, np.float32).copy()
    target = values[:, scene.fitted].mean(axis=1)[::-1]
    noise = 1 + NOISE * rng.standard_normal((len(values), int(disc.sum())))
    values[:, disc] = target[:, None] * noise
    return Squares(scene.name, Cube(values, scene.cube.reason, scene.cube.window), scene.bands, scene.fitted, disc)


def discs(normal: NDArray[np.bool_], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """``(rows, cols)``: discs at random places among the normal pixels, until they cover the share."""
    wanted = round(share * normal.sum())
    disc = np.zeros(normal.shape, bool)
    rows, cols = np.indices(normal.shape)
    centres = np.flatnonzero(normal)
    while disc.sum() < wanted:
        row, col = np.unravel_index(int(rng.choice(centres)), normal.shape)
        # The last disc is no larger than what is wanted still.
        most = int(np.sqrt(max(wanted - disc.sum(), 1) / np.pi)) + 1
        radius = min(int(rng.integers(*RADII)), most)
        disc |= normal & ((rows - row) ** 2 + (cols - col) ** 2 <= radius**2)
    return disc


def planted_rows(planted: Sequence[Planted]) -> list[Row]:
    """Rows of ``metrics.json``: 1 where a part was called contaminated."""
    return [
        Row(p.name, "specvae", f"contaminated_{share:g}", float(p.found[share]), 1, 0.0)
        for p in planted
        for share in SHARES
    ]


def write_planted(report: Report, planted: Sequence[Planted]) -> None:
    """Add the section to the page."""
    report.section("Contamination")
    report.text(
        f"Parts of up to {SIDE} x {SIDE} pixels of the scenes are fitted as they are, and with discs of the mean spectrum, its "
        f"bands reversed, on a share of their pixels (radius {RADII[0]} to {RADII[1] - 1}). A cell says whether the fit called "
        "its normal data contaminated."
    )
    header = ["part", "pixels", *(f"{share:.1%} planted" if share else "as it is" for share in SHARES)]
    body = [[p.name, p.pixels, *("yes" if p.found[share] else "no" for share in SHARES)] for p in planted]
    report.text(table(header, body)).text(_reading(planted))


def _reading(planted: Sequence[Planted]) -> str:
    """How many of each share were called contaminated, and whether the targets are met."""
    counts = {share: sum(p.found[share] for p in planted) for share in SHARES}
    n = len(planted)
    clean = "met" if counts[0.0] * COUNT <= MOST_CLEAN * n else "missed"
    found = "met" if counts[JUDGED] * COUNT >= LEAST_FOUND * n else "missed"
    others = "; ".join(f"{share:.1%}: {counts[share]}" for share in SHARES if share not in (0.0, JUDGED))
    return (
        f"- Called contaminated, of {n}: as they are {counts[0.0]}, target {MOST_CLEAN} of {COUNT} at most: {clean}; with "
        f"{JUDGED:.0%} planted {counts[JUDGED]}, target {LEAST_FOUND} of {COUNT} at least: {found}. Without a target: {others}."
    )
