"""Score folders of one place as ``specvae score`` leaves them, made without a model: for tests of what follows a score."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from scipy.special import ndtr

PLACE = Affine(20.0, 0.0, 500_000.0, 0.0, -20.0, 5_800_000.0)
FIRST = date(2025, 1, 3)
NODES = np.linspace(-4, 8, 241)


def day_of(number: int, every: int = 5) -> str:
    """The date of a look, ISO 8601."""
    return (FIRST + timedelta(days=every * number)).isoformat()


def write_date(
    out: Path,
    day: str,
    normal_scores: NDArray[np.floating],
    verdict: str = "ok",
    transform: Affine = PLACE,
    crs: str = "EPSG:32632",
) -> Path:
    """A finished folder whose pixels have these normal scores; the score itself is ten plus the normal score."""
    folder = out / f"S2_{day.replace('-', '')}"
    folder.mkdir(parents=True, exist_ok=True)
    scores = (10 + np.asarray(normal_scores)).astype(np.float32)
    profile = {"width": scores.shape[1], "height": scores.shape[0], "count": 1, "dtype": "float32", "nodata": np.nan}
    with rasterio.open(folder / "score.tif", "w", driver="GTiff", crs=crs, transform=transform, **profile) as file:
        file.write(scores, 1)
    p = np.clip(1 - ndtr(NODES), 1e-12, 1)
    report = {
        "scene": {"path": f"{folder.name}.tif"},
        "p_values": {"score": (10 + NODES).tolist(), "p_value": np.minimum.accumulate(p).tolist()},
    }
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    properties = {
        "datetime": f"{day}T10:30:00Z",
        "specvae:datetime_from": "scene",
        "specvae:key": folder.name,
        "specvae:verdict": verdict,
        "specvae:fingerprint": {"inputs": [], "model": "0" * 64, "settings": {}},
        "checksum": float(np.nansum(scores, dtype=np.float64)),
    }
    item = {"type": "Feature", "id": folder.name, "properties": properties}
    (folder / "item.json").write_text(json.dumps(item), encoding="utf-8")
    return folder


def normal_ground(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and spread of each pixel's normal scores: together those of all pixels have unit spread."""
    return rng.normal(0, 0.8, shape), np.full(shape, 0.6)
