"""The speed benchmark's arithmetic on known timings, and a short run of the whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specvae.benchmarks.settings import Settings, run_benchmark
from specvae.benchmarks.speed.fitting import settled
from specvae.benchmarks.speed.large_fit import large_fit_rows
from specvae.benchmarks.speed.on_device import DeviceLimits, on_device_rows
from specvae.benchmarks.speed.page import Measured
from specvae.benchmarks.speed.processes import METHODS, Timing
from specvae.benchmarks.speed.work import SpectrumWork
from specvae.errors import UsageError
from specvae.model.config import ModelConfig
from specvae.model.spectral_net import SpectralNet
from specvae.stages.demo.scenes import write_large_scene


def test_marginal_ratios_leave_the_start_up_out() -> None:
    cost = {"decode": 1.0, "copy": 4.0, "rx-numpy": 2.0, "score": 3.0, "score-context": 6.0}
    start = dict.fromkeys(cost, 0.2) | {"score": 5.0, "score-context": 7.0}
    timings = {
        (method, size): [Timing(start[method] + cost[method] * size**2 / 1e6, 100.0)] * 3
        for method in METHODS
        for size in (1000, 2000, 4000)
    }
    rows = Measured(timings, (1000, 2000, 4000), 3, 12).rows()
    value = {(row.method, row.metric): row.value for row in rows if row.dataset == "marginal"}
    assert value[("score", "ratio_to_copy")] == pytest.approx(0.75)
    assert value[("score-context", "ratio_to_decode")] == pytest.approx(6.0)
    assert value[("decode", "mpx_per_s")] == pytest.approx(1.0)


def test_a_loss_has_settled_when_it_stays_within_a_hundredth_of_its_way() -> None:
    losses = [10.0, 1.05, 1.2, 1.005, 1.0, 1.0]
    history = [{"validation": loss, "seconds": float(i)} for i, loss in enumerate(losses, start=1)]
    assert settled(history) == 4.0
    assert settled(history[-1:]) == 6.0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_short_run_writes_a_row_for_every_method(tmp_path: Path) -> None:
    folder = run_benchmark("speed", Settings(out=tmp_path, quick=True, sizes=(128, 256, 384), bands=5))
    metrics = json.loads((folder / "metrics.json").read_text())
    methods = {row["method"] for row in metrics["results"]}
    assert methods >= {*METHODS, "help", "imports", "specvae", "specvae-10x"}
    assert all(row["value"] >= 0 for row in metrics["results"] if row["metric"] in ("seconds", "peak_mib", "auroc"))
    value = {(row["dataset"], row["method"], row["metric"]): row["value"] for row in metrics["results"]}
    calm, other = (value[("flagged", name, "share_flagged")] for name in ("calm", "failed sensor"))
    assert 0 <= calm < 0.2 < other <= 1
    assert "What was tried" in (folder / "report.md").read_text()


def test_the_work_of_a_spectrum_is_counted_from_the_layers() -> None:
    spectra = np.random.default_rng(0).normal(size=(12, 100)).astype(np.float32)
    config = ModelConfig.model_validate({"network": {"latent": 3, "hidden": [16]}, "context": {"components": 5}})
    work = SpectrumWork.of(SpectralNet.untrained(spectra, config, context=False), 12)
    # Encoder: 12 bands to 2 x 3 outputs and 16 hidden, then 16 to 6. Decoder: 3 to 12 and 16, then 16 to 12.
    weights = (6 + 16) * 12 + 6 * 16 + (12 + 16) * 3 + 12 * 16
    assert (work.operations, work.bytes) == (2 * weights, 4 * (12 + 2))
    ring = SpectralNet.untrained(spectra, config, context=True)
    # Both also take the context's 5 numbers, and the prior takes them alone.
    weights += (6 + 16) * 5 + (12 + 16) * 5 + (6 + 16) * 5 + 6 * 16
    assert SpectrumWork.of(ring, 12, given_contexts=True) == SpectrumWork(2 * weights, 4 * (12 + 5 + 2))
    assert SpectrumWork.of(ring, 12) == SpectrumWork(2 * (weights + 5 * 12), 4 * (12 + 2))


def test_the_roofline_is_the_lower_of_both_limits() -> None:
    limits = DeviceLimits(copied=1e9, multiplied=1e12)
    assert limits.spectra_per_s(SpectrumWork(operations=100.0, bytes=50.0)) == 1e9 / 50
    assert limits.spectra_per_s(SpectrumWork(operations=1e6, bytes=50.0)) == 1e12 / 1e6


def test_scoring_in_the_device_s_memory_is_timed_beside_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"SMALL_SPECTRA_BYTES": 1_000_000, "SMALL_COPY_BYTES": 4_000_000, "SMALL_PRODUCT_SIDE": 128, "REPEATS": 1}
    for name, value in small.items():
        monkeypatch.setattr(f"specvae.benchmarks.speed.on_device.{name}", value)
    value = {(row.method, row.metric): row.value for row in on_device_rows("cpu")}
    for bands in (12, 200):
        for context in ("without", "with"):
            figures = {
                metric: v for (method, metric), v in value.items() if method == f"{bands} bands, {context} context"
            }
            assert figures["limit_by_bytes_mspectra_per_s"] == pytest.approx(
                1e3 * value[("copy", "gb_per_s")] / figures["bytes_per_spectrum"]
            )
            assert figures["limit_by_operations_mspectra_per_s"] == pytest.approx(
                1e3 * value[("product", "gflop_per_s")] / figures["operations_per_spectrum"]
            )
            assert figures["mspectra_per_s"] > 0
            assert 1 <= figures["spectra_at_once"] <= 1_000_000 / (4 * bands)


def test_a_large_fit_passes_over_all_spectra_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specvae.benchmarks.speed.large_fit.QUICK_SPECTRA", 5000)
    value = {row.metric: row.value for row in large_fit_rows("cpu", quick=True)}
    assert value["spectra"] == 5000
    assert value["steps"] == value["epochs"] * value["spectra"] / value["batch"]
    assert 0 < value["seconds_training"] < value["seconds"]


def test_a_part_that_speed_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(UsageError, match="speed has no part 'gpu'; known: processes, device"):
        run_benchmark("speed", Settings(presets=("device", "gpu"), device="cpu"))


def test_large_and_small_scenes_are_one_ground_under_fresh_noise(tmp_path: Path) -> None:
    write_large_scene(tmp_path / "small.tif", 300, 3)
    write_large_scene(tmp_path / "large.tif", 1100, 3)
    with rasterio.open(tmp_path / "small.tif") as small, rasterio.open(tmp_path / "large.tif") as large:
        a, b = small.read().astype(float), large.read().astype(float)
    noise = np.sqrt(a / 4.0)
    np.testing.assert_array_equal(a, b[:, :300, :300])
    mirrored = b[:, :300, 512:812][:, :, ::-1] - b[:, :300, 212:512]
    assert abs(mirrored[:, :, :300].mean()) < 0.5
    assert 1.2 < (mirrored / np.sqrt(b[:, :300, 212:512] / 4.0)).std() < 1.6, "twice the noise, and nothing else"
    assert (np.abs(b[:, 511] - b[:, 512]) < 8 * np.sqrt(b[:, 511])).all(), "no edge where blocks meet"
    assert (noise > 0).all()
