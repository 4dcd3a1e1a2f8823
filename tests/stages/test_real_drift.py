"""Drift on real scenes: shifted radiometry is refused, the scene's own held-out half is not, a fire is no drift."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.windows

from specvae.ingest.options import IngestOptions
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

SCENES = {
    "coldsprings": "scenes/coldsprings/20160707_pre_sr7.tif",
    "aberystwyth": "scenes/aberystwyth/sen2_20210527_aber_10band.tif",
    "rufiji": "scenes/rufiji_timeseries/S2_20190610.tif",
    "sitakunda": "scenes/sitakunda/s2_sitakunda_4band.tif",
}
SHORT = ("training.steps=150", "training.refits=1")


@pytest.fixture(
    scope="module",
    params=[next(iter(SCENES)), *(pytest.param(name, marks=pytest.mark.slow) for name in list(SCENES)[1:])],
)
def fitted(
    request: pytest.FixtureRequest, real_layout: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A model fitted on every second strip of a scene, and the folder that holds the strips' mask and variants."""
    folder = tmp_path_factory.mktemp(request.param)
    source = real_layout / SCENES[request.param]
    with rasterio.open(source) as scene:
        window = rasterio.windows.Window(0, 0, min(scene.width, 480), min(scene.height, 480))
        values, names = scene.read(window=window), scene.descriptions
        profile = {**scene.profile, "width": window.width, "height": window.height}
    fill = (values == (profile["nodata"] if profile["nodata"] is not None else 0)).all(axis=0)
    limits = np.iinfo(values.dtype)
    rows = np.arange(values.shape[1]) // (values.shape[1] // 12 + 1) % 2 == 0
    mask = {**profile, "count": 1, "dtype": "uint8", "nodata": None}
    for name, chosen in (("mine", rows), ("other", ~rows)):
        with rasterio.open(folder / f"{name}.tif", "w", **mask) as file:
            file.write(np.broadcast_to(chosen[:, None], fill.shape).astype(np.uint8), 1)
    gains = np.resize([0.75, 1.3, 1.0], len(values))[:, None, None]
    variants = {
        "offset": values + 1000.0, "gain": values * 1.3, "half": values * 0.5, "sensor": values * gains, "same": values * 1.0
    }  # fmt: skip
    for name, changed in variants.items():
        changed = np.where(fill, values, np.clip(np.round(changed), limits.min + 1, limits.max))
        with rasterio.open(folder / f"{name}.tif", "w", **profile) as file:
            file.write(changed.astype(values.dtype))
            file.descriptions = names
    model = folder / "model.specvae"
    fit(
        [str(folder / "same.tif")],
        FitRequest(
            model=str(model),
            set=SHORT,
            max_pixels=60_000,
            device="cpu",
            context="none",
            ingest=IngestOptions(normal=str(folder / "mine.tif")),
        ),
    )
    return model, folder


def scored(fitted: tuple[Path, Path], scene: str, **options: Any) -> tuple[dict[str, Any], int, int]:
    """Report, exit status with --strict, and without."""
    model, folder = fitted
    out = folder / f"out_{scene}"
    ingest = IngestOptions(**options)
    request = ScoreRequest(model=str(model), out=str(out), strict=True, ingest=ingest, device="cpu", overwrite=True)
    run = score([str(folder / f"{scene}.tif")], request)
    report = json.loads((out / scene / "report.json").read_text())
    return report, run.exit_status, replace(run, strict=False).exit_status


@pytest.mark.parametrize(
    "scene", ["offset", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gain", "half", "sensor"))]
)
def test_shifted_radiometry_is_do_not_use_and_strict_exits_5(fitted: tuple[Path, Path], scene: str) -> None:
    report, strict, lenient = scored(fitted, scene)
    assert report["drift"]["verdict"] == "do-not-use", report["drift"]["reasons"]
    assert (strict, lenient) == (5, 0)


def test_the_half_of_the_scene_that_the_fit_never_saw_is_ok(fitted: tuple[Path, Path]) -> None:
    report, status, _ = scored(fitted, "same", mask=str(fitted[1] / "mine.tif"), mask_values=("1",))
    assert report["drift"]["verdict"] == "ok", report["drift"]["reasons"]
    assert status == (0 if report["threshold"]["supported"] else 5)


def test_the_scene_after_a_wildfire_is_not_refused(real_layout: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.specvae"
    fit(
        [str(real_layout / SCENES["coldsprings"])],
        FitRequest(model=str(model), set=SHORT, device="cpu", context="none"),
    )
    request = ScoreRequest(model=str(model), out=str(tmp_path / "out"), device="cpu")
    score([str(real_layout / "scenes/coldsprings/20160723_post_sr7.tif")], request)
    report = json.loads((tmp_path / "out" / "20160723_post_sr7" / "report.json").read_text())
    assert report["drift"]["verdict"] in {"ok", "caution"}, report["drift"]["reasons"]
    assert report["calibration"]["contaminated"] is False


@pytest.mark.slow
def test_a_hundredth_of_anomalies_in_the_scene_that_is_fitted_is_found(real_layout: Path, tmp_path: Path) -> None:
    with rasterio.open(real_layout / SCENES["coldsprings"]) as scene:
        values, profile = scene.read(), scene.profile
    rows, cols = values.shape[1:]
    centres = np.random.default_rng(0).integers(0, [rows, cols], (25, 2))
    y, x = np.mgrid[:rows, :cols]
    planted = (((y - centres[:, 0, None, None]) ** 2 + (x - centres[:, 1, None, None]) ** 2) <= 6).any(axis=0)
    valid = (values != profile["nodata"]).all(axis=0)
    planted &= valid
    target = values[:, valid].mean(axis=1)[::-1]
    values[:, planted] = (target[:, None] * np.random.default_rng(1).normal(1, 0.03, (7, planted.sum()))).astype("i2")
    assert 0.008 < planted.sum() / valid.sum() < 0.015
    with rasterio.open(tmp_path / "own.tif", "w", **profile) as file:
        file.write(values)
    outcome = fit([str(tmp_path / "own.tif")], FitRequest(model=str(tmp_path / "m.specvae"), set=SHORT, device="cpu"))
    assert outcome.summary["contamination"]["found"] is True
