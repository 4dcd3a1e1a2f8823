"""The picture of the alerts at the real place: each on some dates, in true colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from specvae.alerts.pixels import Status
from specvae.benchmarks.report import pyplot, write_figure

__all__ = ["PICTURE", "draw_alerts"]

PICTURE = "rufiji"
AROUND = 15
"""Pixels around an alert that are drawn."""
PICTURED = (
    "2017-08-29",
    "2018-08-19",
    "2018-09-23",
    "2019-06-10",
    "2019-06-15",
    "2019-06-20",
    "2019-07-15",
    "2019-08-09",
)
"""Dates that are drawn: those with few clouds, before and after."""


def draw_alerts(out: Path, series: Path, status: NDArray[np.uint8], alerts: Sequence[dict[str, Any]]) -> None:
    """Draw each alert on the dates of PICTURED into ``out``; ``status`` ``(rows, cols)`` outlines them."""
    if not alerts:
        return
    plt = pyplot()
    pictures = {day: _true_colour(series / f"S2_{day.replace('-', '')}.tif") for day in PICTURED}
    outlined = np.isin(status, [Status.FIRST, Status.PROVISIONAL, Status.CONFIRMED, Status.CLOSED])
    shape = len(alerts), len(pictures)
    figure, axes = plt.subplots(*shape, figsize=(1.5 * shape[1], 1.55 * shape[0]), squeeze=False)
    for line, alert in zip(axes, alerts, strict=True):
        window = tuple(slice(max(0, alert[name] - AROUND), alert[name] + AROUND) for name in ("row", "col"))
        for axis, picture in zip(line, pictures.values(), strict=True):
            axis.imshow(picture[window])
            axis.contour(outlined[window], levels=[0.5], colors="red", linewidths=0.8)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(f"{alert['id']}, {alert['status']}", fontsize=8)
    for axis, day in zip(axes[0], pictures, strict=True):
        axis.set_title(day, fontsize=8)
    figure.tight_layout(pad=0.3)
    write_figure(out, PICTURE, figure)


def _true_colour(scene: Path) -> NDArray[np.float64]:
    """``(rows, cols, 3)`` of 0..1, pink where missing."""
    with rasterio.open(scene) as read:
        values = read.read([1 + read.descriptions.index(name) for name in ("B4", "B3", "B2")]).astype(float)
    valid = (values > 0).all(axis=0)
    low, high = np.quantile(values[:, valid], (0.01, 0.97), axis=1)[:, :, None, None]
    picture = np.moveaxis(np.clip((values - low) / (high - low), 0, 1), 0, 2)
    picture[~valid] = (1, 0, 1)
    return np.asarray(picture)
