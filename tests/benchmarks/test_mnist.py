"""The MNIST benchmark on small digits written as IDX files: every preset trains, and what is done is not done again."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from specvae.benchmarks.mnist import DETECTOR, KNOWN, chosen
from specvae.benchmarks.mnist.anomalies import Task
from specvae.benchmarks.mnist.data import MNIST, ImageSet, fetch, load_digits
from specvae.benchmarks.mnist.image_model import ImageModel
from specvae.benchmarks.mnist.trial import Trial, between
from specvae.benchmarks.settings import Settings, run_benchmark
from specvae.errors import InputError, UsageError
from tests.digits import IDX_FILES, write_digits


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("mnist")
    data = write_digits(base / "in", 400, 120)
    return run_benchmark("mnist", Settings(data=data, out=base / "out", quick=True, device="cpu"))


def trials(out: Path) -> dict[str, Trial]:
    stored = [Trial.load(path) for path in sorted((out / "work").glob("*.npz"))]
    return {trial.figures["preset"]: trial for trial in stored}


@pytest.mark.parametrize("preset", [name for name in KNOWN if name != DETECTOR])
def test_every_preset_trains_its_loss_falls_and_both_terms_move(done: Path, preset: str) -> None:
    trial = trials(done)[preset]
    train, test = trial.arrays["train"], trial.arrays["test"]
    assert len(train) == 2
    assert train[1] < train[0]
    assert test[1].sum() < test[0].sum()
    assert abs(test[1, 0] - test[0, 0]) > 0.1
    if preset == "deep-autoencoder":
        assert not test[:, 1].any()
        assert not trial.figures["elbo_defined"]
    else:
        assert abs(test[1, 1] - test[0, 1]) > 1e-3
        assert trial.arrays["samples"].std(axis=0).max() > 1e-3
    assert trial.figures["test_loss"] == pytest.approx(float(test[1].sum()), rel=1e-5)


def test_the_importance_weighted_bound_lies_below_the_negative_elbo(done: Path) -> None:
    for trial in trials(done).values():
        if "iw_bound" in trial.figures:
            assert 50 < trial.figures["iw_bound"] < trial.figures["binary_elbo"] + 3 * trial.figures["iw_error"]


def test_the_report_tells_what_each_preset_came_to(done: Path) -> None:
    text = (done / "report.md").read_text(encoding="utf-8")
    assert "no ELBO is defined" in text
    assert "importance-weighted" in text
    assert "One digit is normal" in text
    for name in ("curves", "reconstructions", "samples", "interpolation", "latent"):
        assert (done / f"{name}.png").stat().st_size > 5000
        assert f"({name}.png)" in text
    rows = json.loads((done / "metrics.json").read_text(encoding="utf-8"))["results"]
    values = {(row["dataset"], row["method"], row["metric"]): row["value"] for row in rows}
    assert {"conv-bernoulli", "deep-autoencoder", DETECTOR, "pca", "knn"} <= {method for _, method, _ in values}
    assert 0.8 < values["mnist-normal-0", DETECTOR, "auroc"] <= 1.0
    assert values["mnist", "mlp", "test_loss"] > 100


def test_what_is_done_is_not_trained_again(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **more: object) -> ImageModel:
        raise AssertionError("trained again")

    before = (done / "report.md").read_text(encoding="utf-8")
    monkeypatch.setattr(ImageModel, "fit", never)
    run_benchmark("mnist", Settings(data=done.parent / "in", out=done, quick=True, device="cpu"))
    after = (done / "report.md").read_text(encoding="utf-8")
    assert before.partition("## Made with")[0] == after.partition("## Made with")[0]


def test_a_task_trains_on_what_is_normal_alone(done: Path) -> None:
    digits = load_digits(Settings(data=done.parent / "in"))
    train, truth = Task("normal", 3).split(digits)
    assert len(train) == (digits.train_labels == 3).sum()
    assert (truth == (digits.test_labels != 3)).all()
    train, truth = Task("anomalous", 3).split(digits)
    assert len(train) == (digits.train_labels != 3).sum()
    assert (truth == (digits.test_labels == 3)).all()


def test_interpolation_is_exact_at_its_corners() -> None:
    corners = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    grid = between(corners, 6).reshape(6, 6, 5)
    np.testing.assert_allclose(grid[[0, 0, -1, -1], [0, -1, 0, -1]], corners, atol=1e-6)
    np.testing.assert_allclose(grid[0, 3], 0.4 * corners[0] + 0.6 * corners[1], atol=1e-6)


def test_a_preset_that_is_not_for_images_is_refused() -> None:
    with pytest.raises(UsageError, match="no preset of this benchmark; known: conv-bernoulli"):
        chosen(Settings(presets=("patches",)))
    with pytest.raises(UsageError, match="give a positive number, as in mlp:5"):
        chosen(Settings(presets=("mlp:few",)))
    assert chosen(Settings(presets=("mlp:3", "deep-autoencoder"))) == {"mlp": 3, "deep-autoencoder": None}


def test_absent_files_are_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="put MNIST's four original IDX files there, or give --data DIR"):
        load_digits(Settings(data=tmp_path))

    def offline(*args: object, **more: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("pooch.retrieve", offline)
    with pytest.raises(InputError, match=r"could not be downloaded \(OSError\); put its four IDX files .* --data DIR"):
        fetch(tmp_path, MNIST)


def test_a_download_is_checked_against_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def retrieve(url: str, known_hash: str, fname: str, path: Path) -> None:
        asked.append((url, known_hash, fname))

    monkeypatch.setattr("pooch.retrieve", retrieve)
    assert fetch(tmp_path, MNIST) == tmp_path
    assert len(asked) == 4
    assert all(digest.startswith("md5:") and len(digest) == 36 and url.endswith(name) for url, digest, name in asked)


@pytest.fixture
def served(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, ImageSet]]:
    """The folder of a server of the four files, gzipped, and the image set that expects them."""
    folder = tmp_path / "served"
    folder.mkdir()
    hashes = {}
    for name in IDX_FILES:
        packed = gzip.compress((done.parent / "in" / name).read_bytes())
        (folder / f"{name}.gz").write_bytes(packed)
        hashes[name] = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield folder, replace(MNIST, url=f"http://127.0.0.1:{httpd.server_port}/", md5=hashes)
        httpd.shutdown()


def test_the_files_are_downloaded_once_where_they_are_wanted(
    served: tuple[Path, ImageSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, images = served
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPECVAE_DATA", raising=False)
    assert load_digits(Settings(), images).train.shape == (400, 784)
    assert len(list((tmp_path / "data" / "cache" / "mnist").glob("*.gz"))) == 4
    for path in folder.glob("*.gz"):
        path.unlink()
    assert load_digits(Settings(), images).test.shape == (120, 784)


def test_a_downloaded_file_of_another_hash_is_refused_and_not_kept(
    served: tuple[Path, ImageSet], tmp_path: Path
) -> None:
    folder, images = served
    name = "t10k-images-idx3-ubyte.gz"
    (folder / name).write_bytes(gzip.compress(b"another file"))
    with pytest.raises(InputError, match=r"could not be downloaded \(ValueError\); put its four IDX files"):
        fetch(tmp_path / "cache", images)
    assert not (tmp_path / "cache" / name).exists()


@pytest.mark.parametrize("cut", [3, 15, 500])
def test_a_damaged_file_is_refused(done: Path, tmp_path: Path, cut: int) -> None:
    folder = write_digits(tmp_path / "in", 10, 10)
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="is not a whole IDX file"):
        load_digits(Settings(data=folder))
