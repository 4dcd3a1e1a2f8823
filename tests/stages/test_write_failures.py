"""Writes that fail, at each of them: outputs are whole or not there, what stood before stands or is replaced whole."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.commands import call
from tests.raster_files import write

SIZES = [0, 200, 1_000, 4_000, 16_000, 40_000, 120_000]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, four_band_model: Path) -> Path:
    """A folder with a model, a scene and a table."""
    folder = tmp_path_factory.mktemp("writes")
    for name in ("model.specvae", "normal.tif"):
        shutil.copy(four_band_model.with_name(name), folder / name)
    cube = np.random.default_rng(2).normal(1000, 50, (4, 70, 90)).astype("uint16")
    write(folder / "scene.tif", cube)
    rows = pd.DataFrame(cube.reshape(4, -1).T[:3000], columns=["450", "550", "650", "850"])
    rows.to_csv(folder / "rows.csv", index=False)
    rows.to_parquet(folder / "pq.parquet")
    return folder


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond ``size`` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Failing:
    """Counts calls of the functions that put files in place, and lets one of them fail."""

    NAMES = ("fsync", "replace", "rename", "mkdir", "open", "unlink")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, below: Path, fail_at: int) -> None:
        self.count, self.fail_at, self.below = 0, fail_at, str(below)
        for name in self.NAMES:
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name), name))

    def _wrapped(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            mine = name == "fsync" or any(self.below in str(a) for a in args[:2])
            reading = name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if mine and not reading and name != "unlink":
                self.count += 1
                if self.count == self.fail_at:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(args[0]))
            return real(*args, **kwargs)

        return call


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def score(place: Path, source: str, out: Path, *more: str) -> tuple[int, str]:
    return call(["score", str(place / source), "--model", str(place / "model.specvae"), "--out", str(out), *more])


@pytest.mark.parametrize("source", ["scene.tif", "rows.csv", "pq.parquet"])
def test_a_disk_that_fills_up_leaves_whole_outputs_or_none(source: str, place: Path, tmp_path: Path) -> None:
    statuses = []
    for size in SIZES:
        out = tmp_path / f"out-{size}"
        with largest_file(size):
            status, text = score(place, source, out)
        statuses.append(status)
        assert status in (0, 4), text
        assert "Traceback" not in text
        left = contents(out) if out.exists() else {}
        if status == 4:
            assert left == {}, f"{size}: {sorted(left)}"
        else:
            assert any(name.endswith("item.json") for name in left)
    assert statuses[0] == 4


def failures(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, every: int) -> None:
    """Fail every ``every``-th call, first into nothing, then over an earlier result."""
    fresh = tmp_path / "fresh"
    with monkeypatch.context() as patch:
        total = Failing(patch, tmp_path, 0)
        assert score(place, source, fresh)[0] == 0
    assert total.count >= 10, "the calls that put files in place were not counted"
    key = Path(source).stem
    new = set(contents(fresh / key))
    for at in range(1, total.count + 1, every):
        out = tmp_path / f"at-{at}"
        for more in ((), ("--overwrite", "--false-alarm-rate", "0.1")):
            before = contents(out)
            with monkeypatch.context() as patch:
                Failing(patch, tmp_path, at)
                status, text = score(place, source, out, *more)
            assert status in (0, 4), text
            assert "Traceback" not in text
            after = contents(out)
            assert not [name for name in after if ".part-" in name]
            if status == 4 and f"{key}/item.json" in after:
                assert after == before, "a failed run left a mixture that claims to be whole"
            if status == 4 and not before:
                assert after == {}
            if status == 0:
                assert {name.removeprefix(f"{key}/") for name in after} == new
            elif not more:
                assert score(place, source, out)[0] == 0  # there must be something to overwrite


def test_a_failure_at_any_call_leaves_whole_outputs_or_none(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures(place, tmp_path, monkeypatch, "rows.csv", 5)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["scene.tif", "rows.csv"])
def test_a_failure_at_every_call_leaves_whole_outputs_or_none(
    source: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures(place, tmp_path, monkeypatch, source, 1)


@pytest.mark.parametrize("size", [0, 500, 20_000])
def test_a_model_is_written_whole_or_not_at_all(size: int, place: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.specvae"
    args = ["fit", str(place / "normal.tif"), "--model", str(model), "--context", "none", "--set", "training.epochs=1"]
    with largest_file(size):
        status, text = call(args)
    assert status == 4, text
    assert "cannot be written" in text
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_not_written_through_symbolic_links(place: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "out").mkdir()
    os.symlink(elsewhere, tmp_path / "out" / "scene")
    status, text = score(place, "scene.tif", tmp_path / "out")
    assert status == 4, text
    assert list(elsewhere.iterdir()) == []
