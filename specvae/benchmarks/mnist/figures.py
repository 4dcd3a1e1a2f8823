"""The figures of the MNIST report: loss curves, reconstructions by epoch, samples, interpolations and latent maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.mnist.trial import Trial
from specvae.benchmarks.report import pyplot, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_figures"]

SIDE = 28
"""Pixels of an image's side."""
COLUMNS = 3
"""Panels side by side."""
SHOWN_QUANTILE = 0.995
"""Share of the latent means inside the map: a few far ones would shrink all others to a spot."""


def draw_figures(trials: Sequence[Trial], out: Path) -> list[tuple[Path, str]]:
    """Draw every figure into ``out``; their paths and captions. ``trials`` holds one trial of each preset."""
    many = len(trials) > 1
    presets = f"{len(trials)} presets" if many else str(trials[0].figures["preset"])
    return [(_panels(trials, out, kind), f"{kind.caption}; {presets}") for kind in KINDS]


def _panels(trials: Sequence[Trial], out: Path, kind: Kind) -> Path:
    """Draw one figure, with a panel for each preset."""
    columns = min(COLUMNS, len(trials))
    rows = -(-len(trials) // columns)
    figure, axes = pyplot().subplots(
        rows, columns, figsize=(3.4 * columns, 3.4 * kind.height * rows + 0.3), squeeze=False
    )
    for axis in axes.flat[len(trials) :]:
        axis.set_axis_off()
    for axis, trial in zip(axes.flat, trials, strict=False):
        axis.set_title(trial.figures["preset"], fontsize=9)
        kind.draw(axis, trial)
    figure.tight_layout()
    return write_figure(out, kind.name, figure)


def _curves(axis: Axes, trial: Trial) -> None:
    train, test = trial.arrays["train"], trial.arrays["test"]
    epochs = np.arange(1, len(test) + 1)
    axis.plot(np.arange(1, len(train) + 1), train, color="0.3", lw=1)
    axis.plot(epochs, test.sum(axis=1), "--", color="#c1272d", lw=1)
    axis.plot(epochs, test[:, 1], ":", color="#0072b2", lw=1.2)
    axis.set_xlabel("epoch", fontsize=8)
    low = min(float(train.min()), float(test.sum(axis=1).min()))
    # The first epochs would flatten all later ones, so that what is above twice the least is cut off.
    axis.set_ylim(0, 2.0 * low)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)


def _reconstructions(axis: Axes, trial: Trial) -> None:
    epochs = sorted(int(key.removeprefix("epoch_")) for key in trial.arrays if key.startswith("epoch_"))
    lines = [trial.arrays["originals"], *(trial.arrays[f"epoch_{epoch}"] for epoch in epochs)]
    _show(axis, np.concatenate(lines), len(lines[0]))
    axis.set_axis_on()
    axis.set_xticks([])
    axis.set_yticks([SIDE * (i + 0.5) for i in range(len(lines))], ["test", *map(str, epochs)], fontsize=7)


def _samples(axis: Axes, trial: Trial) -> None:
    if not trial.figures["elbo_defined"]:
        axis.text(0.5, 0.5, "a plain autoencoder\nhas no prior", ha="center", va="center", fontsize=9)
        axis.set_axis_off()
        return
    _show(axis, trial.arrays["samples"], round(len(trial.arrays["samples"]) ** 0.5))


def _interpolation(axis: Axes, trial: Trial) -> None:
    _show(axis, trial.arrays["grid"], round(len(trial.arrays["grid"]) ** 0.5))


def _latent(axis: Axes, trial: Trial) -> None:
    import matplotlib as mpl

    latents, digits = trial.arrays["latents"].astype(np.float64), trial.arrays["digits"]
    centred = latents - latents.mean(axis=0)
    # The right singular vectors of centred means are their principal axes.
    flat = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    colours = mpl.colormaps["tab10"]
    axis.scatter(flat[:, 0], flat[:, 1], c=[colours(int(d)) for d in digits], s=2, alpha=0.6, linewidths=0)
    limit = np.quantile(np.abs(flat), SHOWN_QUANTILE)
    axis.set_xlim(-limit, limit)
    axis.set_ylim(-limit, limit)
    for digit in np.unique(digits):
        # The median, which a few means among the other digits do not move.
        x, y = np.median(flat[digits == digit], axis=0)
        box = {"facecolor": "white", "edgecolor": colours(int(digit)), "boxstyle": "circle,pad=0.15"}
        axis.text(x, y, str(digit), fontsize=8, ha="center", va="center", bbox=box)
    axis.set_xticks([])
    axis.set_yticks([])


def _show(axis: Axes, images: NDArray[np.float32], columns: int) -> None:
    """Show images as a grid, row by row."""
    rows = len(images) // columns
    grid = images[: rows * columns].reshape(rows, columns, SIDE, SIDE).swapaxes(1, 2).reshape(rows * SIDE, -1)
    axis.imshow(np.clip(grid, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_axis_off()


class Kind(NamedTuple):
    """One figure of the report."""

    name: str
    draw: Callable[[Axes, Trial], None]
    """Draws the panel of one trial."""
    caption: str
    height: float
    """Height of a panel as a share of its width."""


KINDS = (
    Kind(
        "curves",
        _curves,
        "Loss by epoch, nats an image: training batches (line), test images (dashed), KL (dotted)",
        0.75,
    ),
    Kind(
        "reconstructions", _reconstructions, "The first ten test images (top) and their reconstructions by epoch", 0.8
    ),
    Kind("samples", _samples, "Expected images of draws from the prior", 1.0),
    Kind("interpolation", _interpolation, "Between the latent means of four test images, one in each corner", 1.0),
    Kind(
        "latent", _latent, "Latent means of 3,000 test images on their two first principal axes, coloured by digit", 1.0
    ),
)
