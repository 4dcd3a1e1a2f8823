"""One model, two devices: scores agree, memory that is short is lived with, and no training step waits.

What needs a GPU is marked; what it is compared with, and the parts that a CPU can show, run everywhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from threading import Barrier, Thread

import numpy as np
import pytest
import torch

from specvae.benchmarks.speed.step_profile import profile_steps
from specvae.model.config import ModelConfig
from specvae.model.precision import full_precision, precision_switches
from specvae.model.spectral_net import SpectralNet
from specvae.scoring.cells import CellScorer
from specvae.spectra import Cube, Window
from tests.gpu.models import KINDS, Kind, detector_of, scores_of
from tests.models import cube_of, small_scene

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, needs_gpu])]
each_kind = pytest.mark.parametrize("kind", KINDS)
NEAR = {"rtol": 1e-3, "atol": 1e-3}
WIDE_BANDS = 200
"""So many that one cell's spectra fill more memory than any leftover of a GPU's allocator holds."""


def wide_net() -> SpectralNet:
    spectra = np.random.default_rng(0).normal(size=(WIDE_BANDS, 3000)).astype(np.float32)
    torch.manual_seed(0)
    return SpectralNet.untrained(spectra, ModelConfig(), context=False).eval()


def wide_scene() -> Cube:
    return cube_of(np.random.default_rng(1).normal(size=(WIDE_BANDS, 640, 320)).astype(np.float32))


def switches() -> list[object]:
    return [getattr(holder, name) for holder, name, _ in precision_switches()]


@each_kind
def test_torch_s_scorer_which_a_gpu_uses_agrees_with_the_cpu_s_own(kind: Kind) -> None:
    detector = detector_of(kind, "cpu")
    other = replace(detector)
    other._scorer = CellScorer(detector.net)
    expected = scores_of(kind, detector)
    assert np.isfinite(expected).sum() > 900
    np.testing.assert_allclose(scores_of(kind, other), expected, **NEAR)


@pytest.mark.gpu
@needs_gpu
@each_kind
@pytest.mark.parametrize("fitted_on", ["cpu", "cuda"])
def test_a_model_scores_alike_on_both_devices_wherever_it_was_fitted(kind: Kind, fitted_on: str) -> None:
    detector = detector_of(kind, fitted_on)
    on_gpu, on_cpu = (scores_of(kind, detector.on(device)) for device in ("cuda", "cpu"))
    assert np.isfinite(on_cpu).sum() > 900
    np.testing.assert_allclose(on_gpu, on_cpu, **NEAR)


def test_a_detector_on_another_device_has_a_net_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = detector_of("pixel", "cpu")
    monkeypatch.setattr("specvae.detector.pick_device", lambda device: device)
    monkeypatch.setattr("specvae.detector.scorer_of", lambda state, device, threads: state.net.to(device))
    assert detector.on("meta").net.device.type == "meta"
    assert detector.net.device.type == "cpu"
    assert detector.on("cpu", 2).net is detector.net


@pytest.fixture
def shortened() -> Iterator[list[object]]:
    """The switches as a program sets them that trades precision for speed."""
    before = switches()
    for holder, name, full in precision_switches():
        setattr(holder, name, True if full is False else "tf32")
    yield switches()
    for (holder, name, _), value in zip(precision_switches(), before, strict=True):
        setattr(holder, name, value)


def test_within_full_precision_nothing_is_shortened_and_the_program_s_setting_comes_back(
    shortened: list[object],
) -> None:
    full = [value for _, _, value in precision_switches()]
    assert shortened != full
    first_inside, second_inside, seen = Barrier(2), Barrier(2), []

    def longer() -> None:
        with full_precision():
            first_inside.wait()
            second_inside.wait()
            seen.append(switches())

    thread = Thread(target=longer)
    thread.start()
    first_inside.wait()
    with full_precision():
        assert switches() == full
    second_inside.wait()
    thread.join()
    assert seen == [full], "the first to end must not restore what the other still needs"
    assert switches() == shortened


@pytest.mark.gpu
@needs_gpu
def test_scoring_on_a_gpu_runs_in_full_precision(shortened: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    both = CellScorer._both
    monkeypatch.setattr(CellScorer, "_both", lambda *given: seen.append(switches()) or both(*given))
    scores_of("patch", detector_of("patch", "cpu").on("cuda"))
    assert seen
    assert all(values == [value for _, _, value in precision_switches()] for values in seen)
    assert switches() == shortened


@pytest.fixture
def memory() -> Iterator[None]:
    """A GPU whose memory may be made short; all of it is there again afterwards."""
    torch.cuda.empty_cache()
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.gpu
@needs_gpu
def test_groups_are_halved_until_they_fit_the_gpu(memory: None) -> None:
    cube, window = wide_scene(), Window(0, 0, 640, 320)
    expected = CellScorer(wide_net()).score(cube, window)[0].score
    scorer = CellScorer(wide_net(), "cuda")
    before = scorer._workers.group
    assert before >= 50
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 100e6) / total)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = scorer.score(cube, window)[0].score
    assert 1 <= scorer._workers.group < 50
    assert scorer.device == "cuda"
    np.testing.assert_allclose(score, expected, **NEAR)


@pytest.mark.gpu
@needs_gpu
def test_where_not_even_one_cell_fits_the_gpu_the_cpu_goes_on(memory: None) -> None:
    cube, window = wide_scene(), Window(0, 0, 640, 320)
    expected = CellScorer(wide_net()).score(cube, window)[0].score
    scorer = CellScorer(wide_net(), "cuda")
    torch.cuda.set_per_process_memory_fraction(0.0)
    with pytest.warns(UserWarning, match="cuda has too little free memory"):
        score = scorer.score(cube, window)[0].score
    assert scorer.device == "cpu"
    np.testing.assert_array_equal(score, expected)


@pytest.mark.gpu
@needs_gpu
def test_scores_of_a_gpu_are_those_of_the_small_scene_s_ring_window_by_window() -> None:
    detector = detector_of("ring", "cpu").on("cuda")
    cube, window = cube_of(small_scene()), Window(30, 40, 100, 90)
    read = window.grow(detector.halo).clip(cube.window)
    part = detector.score(cube.crop(read), window).score
    np.testing.assert_allclose(part, scores_of("ring", detector)[window.slices], **NEAR)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("prior", ["normal", "mixture"])
def test_no_training_step_waits_for_its_device(device: str, prior: str) -> None:
    config = ModelConfig.model_validate({"network": {"prior": prior}})
    profiled = profile_steps(device, config, context=0 if prior == "mixture" else 6)
    assert profiled.operations["aten::addmm"].calls >= 5 * profiled.steps, "the steps were seen"
    assert not profiled.waits


def test_a_read_of_one_number_is_counted_as_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr("torch.nn.utils.clip_grad_norm_", lambda *given: float(clip(*given)))
    profiled = profile_steps("cpu")
    assert profiled.waits == {"aten::_local_scalar_dense": profiled.steps}
