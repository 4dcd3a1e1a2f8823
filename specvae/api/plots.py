"""Figures for notebooks: the scores of rows or of a map, and why a row scores as it does. matplotlib is loaded when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specvae.bands import BandSet
from specvae.errors import InputError, UsageError
from specvae.export.colours import FLAG, INK, NORMAL, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_reasons", "plot_scores"]

BINS = 60
MOST_LABELS = 40
"""Bands up to which each is named along an axis."""


def plot_scores(score: ArrayLike, cut: float | None = None, ax: Axes | None = None, **image: Any) -> Axes:
    """Draw scores in nats on logarithmic axes: rows ``(n,)`` as a histogram, a map ``(rows, cols)`` as a picture.

    ``cut``: nats above which a row or pixel is anomalous, such as ``model.threshold_.value``: a line in the histogram, an
    outline in the picture. ``image`` goes to ``Axes.imshow``. Returns the axes, new ones where none came. Raises InputError
    where nothing is finite or the shape is another.

    Examples
    --------
    >>> import numpy as np
    >>> from specvae import SpectralVAE, plot_scores
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> model = SpectralVAE(steps=50).fit(X)
    >>> plot_scores(model.anomaly_score(X), cut=9.0).get_xlabel()
    'score, nats'
    """
    values = np.asarray(score, np.float64)
    finite = values[np.isfinite(values)]
    if values.ndim not in (1, 2) or not finite.size:
        raise InputError(
            f"scores of shape {values.shape} came, {finite.size} of them finite; expected (n,) or (rows, cols)"
        )
    ax = _axes() if ax is None else ax
    # Scores may lie a little below 0, and a few may be a thousand times the others: the logarithm is taken above 1 nat.
    (_picture if values.ndim == 2 else _histogram)(ax, values, finite, cut, image)
    return ax


def _axes() -> Axes:
    from matplotlib.figure import Figure

    axes: Axes = Figure(figsize=(8, 4.2), layout="constrained").subplots()
    return axes


def _histogram(
    ax: Axes, values: NDArray[np.float64], finite: NDArray[np.float64], cut: float | None, image: dict[str, Any]
) -> None:
    if image:
        raise UsageError(f"{', '.join(image)} belong to a map of scores; rows came")
    edges = _symmetric_edges(finite)
    ax.hist(finite, edges.tolist(), color=NORMAL, label=f"{finite.size:,} rows" if cut is None else "normal by the cut")
    if cut is not None:
        above = finite[finite > cut]
        ax.hist(above, edges.tolist(), color=FLAG, label=f"{above.size:,} of {finite.size:,} above the cut")
        ax.axvline(cut, color=INK, linestyle="--", label=f"cut, {cut:.4g} nats")
    ax.set(xscale="symlog", yscale="log", xlabel="score, nats", ylabel="rows", ylim=(0.7, None))
    ax.legend()


def _symmetric_edges(finite: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bins of equal width on an axis that is linear up to 1 and logarithmic beyond."""
    ends = np.array([finite.min(), max(finite.max(), finite.min() + 1e-6)])
    low, high = np.sign(ends) * np.log1p(np.abs(ends))
    places = np.linspace(low, high, BINS + 1)
    return np.asarray(np.sign(places) * np.expm1(np.abs(places)))


def _picture(
    ax: Axes, values: NDArray[np.float64], finite: NDArray[np.float64], cut: float | None, image: dict[str, Any]
) -> None:
    from matplotlib.colors import SymLogNorm
    from matplotlib.lines import Line2D

    norm = SymLogNorm(1.0, vmin=finite.min(), vmax=max(finite.max(), finite.min() + 1e-6))
    shown = ax.imshow(values, **{"norm": norm, "cmap": "viridis", "interpolation": "nearest", **image})
    ax.figure.colorbar(shown, ax=ax, label="score, nats")
    ax.set(xlabel="column", ylabel="row")
    if cut is not None and (finite > cut).any():
        above = np.where(np.isfinite(values), values > cut, False).astype(float)
        ax.contour(above, levels=[0.5], colors=[FLAG], linewidths=1.0)
        count = int(above.sum())
        line = Line2D([], [], color=FLAG, label=f"{count:,} pixels above the cut, {cut:.4g} nats")
        ax.legend(handles=[line])


def plot_reasons(
    title: str,
    bands: BandSet,
    contribution: NDArray[np.floating],
    observed: NDArray[np.floating],
    expected: NDArray[np.floating],
) -> Figure:
    """A spectrum ``(bands,)`` over what was expected, and below it the nats that each band contributes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.6), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    along = np.arange(len(bands)) if bands.wavelengths is None else np.array(bands.wavelengths)
    marker = "o" if len(bands) <= MOST_LABELS else None
    above.plot(along, expected, color=NORMAL, marker=marker, label="expected")
    above.plot(along, observed, color=FLAG, marker=marker, label="observed")
    above.set(title=title, ylabel="value, as in the input")
    above.legend()
    width = 0.8 * (np.diff(along).min() if len(along) > 1 else 1.0)
    for colour, where, label in ((FLAG, contribution > 0, "raises the score"), (SOFT, contribution <= 0, "lowers it")):
        if where.any():
            below.bar(along[where], contribution[where], width=width, color=colour, label=label)
    below.set(ylabel="nats", xlabel="band" if bands.wavelengths is None else "wavelength, nm")
    below.legend()
    if bands.wavelengths is None and len(bands) <= MOST_LABELS:
        below.set_xticks(along, bands.labels, rotation=90 if len(bands) > 8 else 0)
    return figure
