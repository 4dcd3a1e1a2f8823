"""Figures of the latent space: draws against the normal envelope, a path between two spectra, error against ratio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.compression import CompressionPoint
from specvae.spectra import BandSet

__all__ = ["draw_compression", "draw_envelopes", "draw_path"]

NORMAL, DRAWN, GIVEN = "#5b6069", "#3e63dd", "#e6007e"


def _axes(rows: int = 1) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5 if rows == 1 else 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, gridspec_kw={"height_ratios": [2.2, 1][:rows]})


def _band_axis(axes: Any, bands: BandSet) -> NDArray[np.float64]:
    """Where each band stands, and the axis labelled: by wavelength where all are known, else in order."""
    if bands.wavelengths:
        axes.set_xlabel("wavelength, nm")
        return np.array(bands.wavelengths, float)
    at = np.arange(len(bands), dtype=float)
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
    axes.plot(at[order], some.T[order], color=DRAWN, alpha=0.18, linewidth=0.8)
    axes.fill_between(
        at[order], normal[0][order], normal[2][order], color=NORMAL, alpha=0.3, label="training, 5 to 95 %"
    )
    axes.plot(at[order], normal[1][order], color=NORMAL, label="training, median")
    axes.plot(at[order], drawn[1][order], color=DRAWN, label="drawn, median")
    for row in (drawn[0], drawn[2]):
        axes.plot(
            at[order], row[order], color=DRAWN, linestyle="--", label="drawn, 5 and 95 %" if row is drawn[0] else ""
        )
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
    for t, row in zip(share, spectra, strict=True):
        axes.plot(at[order], row[order], color=colormaps["viridis"](0.9 * t), linewidth=1)
    for row, style, name in zip(given, ("-", "--"), ("start, as given", "end, as given"), strict=True):
        axes.plot(at[order], row[order], color=GIVEN, linestyle=style, linewidth=1.5, label=name)
    axes.legend(fontsize=9)
    axes.set_title("The path through the latent space")
    below.plot(share, score, color=DRAWN, marker="o", markersize=3)
    if threshold is not None and np.isfinite(threshold):
        below.axhline(threshold, color=GIVEN, linewidth=1, label="threshold")
        below.legend(fontsize=9)
    below.set_xlabel("share of the way")
    below.set_ylabel("score, nats")
    figure.savefig(path, dpi=110)


def draw_compression(path: Path, curve: Sequence[CompressionPoint]) -> None:
    """The error against the compression ratio, beside principal components."""
    from matplotlib.ticker import LogLocator

    figure, axes = _axes()
    ratio = [p.ratio for p in curve]
    pca = [p.pca_error if p.pca_error > 1e-9 else np.nan for p in curve]
    axes.plot(ratio, pca, color=NORMAL, marker="s", markersize=4, label="principal components")
    axes.plot(ratio, [p.error for p in curve], color=DRAWN, marker="o", markersize=4, label="latent values")
    axes.set_xscale("log")
    if min(p.error for p in curve) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.yaxis.set_major_formatter("{x:.3g}")
    ticks = sorted({p.ratio for p in curve if p.kept in (1, 2, 3, 5, 8, 12, 20, len(curve))})
    axes.set_xticks(ticks, [f"{t:,.0f} : 1" if t >= 100 else f"{t:.3g} : 1" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("values of a spectrum to one that is kept")
    axes.set_ylabel("error of the median spectrum, standard deviations")
    axes.legend(fontsize=9)
    figure.savefig(path, dpi=110)
