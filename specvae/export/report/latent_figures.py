"""Figures of the latent space: draws against the normal envelope, a path between two spectra, error against ratio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.export import colours
from specvae.scoring.compression import CompressionPoint

__all__ = ["draw_compression", "draw_envelopes", "draw_path"]

TRAINING, MODEL, GIVEN = colours.SOFT, colours.NORMAL, colours.FLAG
"""Colours of training data, of what the model makes, and of what the user gave."""
EXACT = 1e-6
"""Errors below this, in standard deviations, are the rounding of float32."""


def _axes(rows: int = 1) -> tuple[Any, Any]:
    """A figure and its axes, one below the other."""
    # The backend is named rather than chosen by pyplot, which would look for a display and keep the figure for ever.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5 if rows == 1 else 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, gridspec_kw={"height_ratios": [2.2, 1][:rows]})


def _band_axis(axes: Any, bands: BandSet) -> NDArray[np.float64]:
    """The place of each band on the axis, and both axes labelled: by wavelength where all are known, else in order."""
    units = {band.unit for band in bands}
    axes.set_ylabel(f"value, {unit}" if len(units) == 1 and (unit := units.pop()) else "value, in the data's units")
    if bands.wavelengths:
        axes.set_xlabel("wavelength, nm")
        return np.array(bands.wavelengths, float)
    axes.set_xlabel("band")
    at = np.arange(len(bands), dtype=float)
    # Of a hundred bands only some have room for their names, in which a dollar sign would begin a formula.
    some = at[:: max(1, len(bands) // 16)].astype(int)
    names = [bands.labels[i].replace("$", r"\$") for i in some]
    axes.set_xticks(some, names, rotation=45 if max(map(len, names)) > 4 else 0, ha="right")
    return at


def draw_envelopes(
    path: Path, bands: BandSet, normal: NDArray[np.floating], drawn: NDArray[np.floating], some: NDArray[np.floating]
) -> None:
    """5, 50 and 95 % of normal and of drawn spectra ``(3, bands)`` each, and ``some`` draws ``(n, bands)``."""
    figure, axes = _axes()
    at = _band_axis(axes, bands)
    order = np.argsort(at)
    lines = axes.plot(at[order], some.T[order], color=MODEL, alpha=0.18, linewidth=0.8)
    if lines:
        lines[0].set_label(f"{len(some)} of the draws")
    axes.fill_between(
        at[order], normal[0][order], normal[2][order], color=TRAINING, alpha=0.3, label="training, 5 to 95 %"
    )
    axes.plot(at[order], normal[1][order], color=TRAINING, label="training, median")
    axes.plot(at[order], drawn[1][order], color=MODEL, label="drawn, median")
    for row, name in ((drawn[0], "drawn, 5 and 95 %"), (drawn[2], None)):
        axes.plot(at[order], row[order], color=MODEL, linestyle="--", label=name)
    axes.set_title("Spectra drawn from the prior")
    axes.legend(fontsize=9)
    figure.savefig(path, dpi=110)


def draw_path(
    path: Path,
    bands: BandSet,
    spectra: NDArray[np.floating],
    given: NDArray[np.floating],
    score: NDArray[np.floating],
    threshold: float | None,
) -> None:
    """Spectra along a path ``(steps, bands)``, the two given ones ``(2, bands)``, and the score of each step."""
    from matplotlib import colormaps

    figure, (axes, below) = _axes(2)
    at = _band_axis(axes, bands)
    order = np.argsort(at)
    share = np.linspace(0, 1, len(spectra))
    # The last tenth of viridis is a yellow that is not seen on white.
    colours = colormaps["viridis"](0.9 * share)
    labels = {0: "decoded at the start", len(share) // 2: "decoded half-way", len(share) - 1: "decoded at the end"}
    for i, (colour, row) in enumerate(zip(colours, spectra, strict=True)):
        axes.plot(at[order], row[order], color=colour, linewidth=1, label=labels.get(i))
    for row, style, name in zip(given, ("-", "--"), ("start, as given", "end, as given"), strict=True):
        axes.plot(at[order], row[order], color=GIVEN, linestyle=style, linewidth=1.5, label=name)
    axes.legend(fontsize=9)
    axes.set_title("The path through the latent space")
    below.plot(share, score, color=TRAINING, linewidth=1)
    below.scatter(share, score, c=colours, s=22, zorder=3, label="decoded, coloured as above")
    if threshold is not None and np.isfinite(threshold):
        below.axhline(threshold, color=GIVEN, linewidth=1, label=f"threshold, {threshold:.4g} nats")
    below.legend(fontsize=9)
    below.set_xlabel("share of the way from start to end")
    below.set_ylabel("score, nats")
    figure.savefig(path, dpi=110)


def _subdivisions(span: float) -> tuple[int, ...]:
    """The digits whose multiples of powers of ten have room on an axis over a factor of ``span``."""
    return (1, 2, 3, 5) if span < 50 else (1, 2, 5) if span < 1000 else (1,)


def draw_compression(path: Path, curve: Sequence[CompressionPoint]) -> None:
    """The error against the compression ratio, beside principal components; what is exact has no place on its axis."""
    from matplotlib.ticker import LogLocator

    figure, axes = _axes()
    ratio = [p.ratio for p in curve]
    error = np.array([p.error for p in curve])
    pca = np.array([p.pca_error if p.pca_error > EXACT else np.nan for p in curve])
    exact = " (exact where none is drawn)" if np.isnan(pca).any() else ""
    axes.plot(ratio, pca, color=TRAINING, marker="s", markersize=4, label=f"as many principal components{exact}")
    axes.plot(ratio, error, color=MODEL, marker="o", markersize=4, label="latent values")
    axes.set_xscale("log")
    if error.min() > 0:
        shown = np.concatenate([error, pca[np.isfinite(pca)]])
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=_subdivisions(shown.max() / shown.min())))
        axes.yaxis.set_major_formatter("{x:.3g}")
    ticks = sorted({p.ratio for p in curve if p.kept in (1, 2, 3, 5, 8, 12, 20, len(curve))})
    axes.set_xticks(ticks, [f"{t:,.0f} : 1" if t >= 100 else f"{t:.3g} : 1" for t in ticks])
    axes.minorticks_off()
    axes.set_title("What is lost by keeping fewer values")
    axes.set_xlabel("compression ratio: values of a spectrum to one that is kept")
    axes.set_ylabel("error of the median spectrum, training sd")
    axes.legend(fontsize=9)
    figure.savefig(path, dpi=110)
