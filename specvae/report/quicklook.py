"""The quicklook: natural colour (or three spread bands) beside the score and the flagged pixels, with a scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.accumulators import Overview
from specvae.spectra import BandSet
from specvae.thresholds.threshold import Threshold

__all__ = ["draw_quicklook", "draw_table_quicklook", "rgb_bands", "stretched"]

RED, GREEN, BLUE = 650.0, 560.0, 480.0
FLAG = "#e5484d"
LONGEST = 1600


def rgb_bands(bands: BandSet) -> tuple[int, int, int]:
    """0-based bands for red, green and blue: by wavelength, else by name, else three spread ones."""
    n = len(bands)
    if bands.wavelengths:
        w = np.array(bands.wavelengths)
        near = [int(np.abs(w - target).argmin()) for target in (RED, GREEN, BLUE)]
        if all(abs(w[i] - t) < 60 for i, t in zip(near, (RED, GREEN, BLUE), strict=True)):
            return near[0], near[1], near[2]
    names = [name.strip().casefold() for name in bands.names]
    for wanted in (("red", "green", "blue"), ("b4", "b3", "b2"), ("b04", "b03", "b02")):
        if all(name in names for name in wanted):
            r, g, b = (names.index(name) for name in wanted)
            return r, g, b
    return (n - 1, n // 2, 0) if n >= 3 else (n - 1, 0, 0) if n == 2 else (0, 0, 0)


def stretched(composite: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(3, rows, cols)`` -> ``(rows, cols, 3)`` in 0..1, each band from its 2 to its 98 %; invalid is grey."""
    out = np.full((*composite.shape[1:], 3), 0.5, np.float32)
    for i, band in enumerate(composite):
        good = np.isfinite(band)
        if not good.any():
            continue
        low, high = np.percentile(band[good], [2, 98])
        out[good, i] = np.clip((band[good] - low) / max(high - low, 1e-12), 0, 1)
    return out


def _figure(width: float, height: float, columns: int) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def draw_quicklook(path: Path, view: Overview, threshold: Threshold, title: str) -> None:
    """Write the PNG."""
    rows, cols = view.score.shape
    step = max(1, -(-max(rows, cols) // LONGEST))
    colour = stretched(view.composite[:, ::step, ::step])
    score, flags = view.score[::step, ::step], view.anomalous
    aspect = rows / cols
    tall = float(np.clip(5 * aspect, 2.5, 9))
    figure, axes = _figure(15, tall + 0.8, 3)
    good = view.score[np.isfinite(view.score)]
    norm = _norm(good, threshold.value)
    axes[0].imshow(colour, interpolation="nearest")
    axes[0].set_title("scene")
    image = axes[1].imshow(score, cmap="viridis", norm=norm, interpolation="nearest")
    axes[1].set_title("score")
    bar = figure.colorbar(image, ax=axes[1], shrink=0.8, label="nats")
    if np.isfinite(threshold.value) and norm.vmin <= threshold.value <= norm.vmax:
        bar.ax.axhline(threshold.value, color=FLAG, linewidth=2)
    axes[2].imshow(colour * 0.45 + 0.5, interpolation="nearest", vmin=0, vmax=1)
    at = np.nonzero(flags)
    size = float(np.clip(40_000 / max(rows, cols) ** 1.2, 0.4, 30))
    axes[2].scatter(at[1] / step, at[0] / step, s=size, c=FLAG, marker="s", linewidths=0)
    rate = "" if threshold.false_alarm_rate is None else f", rate {threshold.false_alarm_rate:.2g}"
    axes[2].set_title(f"anomalous: above {threshold.value:.4g} nats{rate}")
    for axis in axes:
        axis.set_xlim(-0.5, colour.shape[1] - 0.5)
        axis.set_ylim(colour.shape[0] - 0.5, -0.5)
        axis.set_axis_off()
    figure.suptitle(title.replace("$", r"\$"))
    figure.savefig(path, dpi=110)


def _norm(good: NDArray[np.float32], cut: float) -> Any:
    """Linear below the cut, logarithmic above: the bulk keeps its detail and extremes stay apart."""
    from matplotlib.colors import SymLogNorm

    low, high = (float(v) for v in np.percentile(good, [1, 100])) if good.size else (0.0, 1.0)
    knee = cut if np.isfinite(cut) and cut > 0 else max(high, 1e-6)
    return SymLogNorm(linthresh=knee, linscale=1.5, vmin=low, vmax=max(high, knee * 1.2, low + 1e-6))


def draw_table_quicklook(path: Path, score: NDArray[np.float32], threshold: Threshold, title: str) -> None:
    """A table's quicklook: the distribution of its scores, with the threshold."""
    figure, axes = _figure(9, 4, 1)
    good = score[np.isfinite(score)]
    if good.size:
        shown = np.clip(good, None, np.percentile(good, 99.9))
        axes[0].hist(shown, bins=80, color="#3e63dd")
    if np.isfinite(threshold.value):
        axes[0].axvline(threshold.value, color=FLAG, label=f"threshold {threshold.value:.4g}")
        axes[0].legend()
    axes[0].set_yscale("log")
    axes[0].set_xlabel("score, nats")
    axes[0].set_ylabel("rows")
    axes[0].set_title(title.replace("$", r"\$"))
    figure.savefig(path, dpi=110)
