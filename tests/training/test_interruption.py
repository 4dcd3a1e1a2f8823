"""An interrupted fit: nothing is written, or with ``--keep-interrupted`` a model that says so and that the same command resumes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from specvae.cli.progress import FitProgress
from specvae.model_file import load_model
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import make_scene
from specvae.training.course import Phase
from tests.commands import run

SETTINGS = (
    "--set",
    "training.steps=160",
    "--set",
    "training.refits=2",
    "--set",
    "training.patience=100",
    "--folds",
    "2",
)


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Ctrl-C is heard, even where the tests run in the background of a shell, which has its jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def normal(tmp_path: Path) -> Path:
    write_scene(tmp_path / "normal.tif", make_scene(90, 100, seed=0).values)
    return tmp_path / "normal.tif"


@pytest.fixture
def interrupted_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Phase], bool], int], list[Phase]]:
    """A function: from now on a fit gets this signal where a phase is one of these; the phases that it told of."""

    def arrange(here: Callable[[Phase], bool], number: int = signal.SIGINT) -> list[Phase]:
        told: list[Phase] = []

        def tell(self: FitProgress, phase: Phase) -> None:
            told.append(phase)
            if here(phase):
                os.kill(os.getpid(), number)

        monkeypatch.setattr(FitProgress, "__call__", tell)
        return told

    return arrange


def in_descent(phase: Phase) -> bool:
    return phase.check is not None and phase.check.step == 60


def once(name: str) -> Callable[[Phase], bool]:
    """Where a phase of this name is told of for the first time."""
    seen: list[str] = []

    def first(phase: Phase) -> bool:
        seen.append(phase.name)
        return phase.name == name and seen.count(name) == 1

    return first


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("phase", "number", "status"),
    [
        ("reading normal", signal.SIGTERM, 143),
        ("closed form", signal.SIGINT, 130),
        ("descent", signal.SIGINT, 130),
        ("fold 2 of 2", signal.SIGTERM, 143),
    ],
)
def test_an_interrupted_fit_writes_nothing(
    normal: Path, interrupted_at: Callable[..., list[Phase]], phase: str, number: int, status: int
) -> None:
    before = files(normal.parent)
    told = interrupted_at(lambda at: at.name == phase, number)
    assert run("fit", normal, "--model", normal.parent / "model.specvae", *SETTINGS) == status
    assert told[-1].name == phase
    assert files(normal.parent) == before


def test_every_phase_is_told_of(normal: Path, interrupted_at: Callable[..., list[Phase]]) -> None:
    told = interrupted_at(lambda phase: False)
    assert run("fit", normal, "--model", normal.parent / "model.specvae", *SETTINGS) == 0
    names = list(dict.fromkeys(phase.name for phase in told))
    assert names == [
        "looking at the sources",
        "reading normal",
        "loading torch",
        "normalising and surroundings",
        "closed form",
        "descent",
        "fold 1 of 2",
        "fold 2 of 2",
        "thresholds",
    ]
    shares = [phase.share for phase in told if phase.name.startswith("fold")]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0


def test_what_is_kept_says_so_and_the_same_command_finishes_it(
    normal: Path, interrupted_at: Callable[..., list[Phase]], capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = normal.parent / "model.specvae", normal.parent / "reports"
    fit = ("fit", normal, "--model", model, *SETTINGS, "--keep-interrupted")
    interrupted_at(in_descent)
    assert run(*fit) == 130
    first = load_model(model)
    assert first.metadata["fit"]["stopped_at"] == 60
    assert first.metadata["fit"]["history"][-1]["step"] == 60
    assert "interrupted after 60 steps" in capsys.readouterr().err

    assert run("inspect", model, "--json") == 0
    assert json.loads(capsys.readouterr().out)["interrupted"] is True
    assert run("score", normal, "--model", model, "--out", out) == 0
    report = json.loads((out / "normal" / "report.json").read_text())
    assert report["model"]["interrupted"] is True
    assert report["trust"]["verdict"] != "ok"
    assert any("interrupted" in reason for reason in report["trust"]["reasons"])
    assert "its fit interrupted" in (out / "normal" / "report.html").read_text()

    told = interrupted_at(lambda phase: False)
    assert run(*fit) == 0
    steps = [phase.check.step for phase in told if phase.check is not None]
    assert steps[0] == 66, "it goes on, and does not begin anew"
    assert steps[-1] == 160
    last = load_model(model)
    assert last.metadata["fit"]["interrupted"] is False
    assert [row["step"] for row in last.metadata["fit"]["history"]][:10] == list(range(6, 66, 6))
    capsys.readouterr()
    assert run(*fit) == 0
    assert "stands already" in capsys.readouterr().out


@pytest.mark.slow
def test_a_resumed_fit_is_as_good_as_one_that_was_never_interrupted(
    normal: Path, interrupted_at: Callable[..., list[Phase]]
) -> None:
    fit = ("fit", normal, *SETTINGS, "--keep-interrupted", "--model")
    interrupted_at(in_descent)
    assert run(*fit, normal.parent / "resumed.specvae") == 130
    interrupted_at(lambda phase: False)
    for name in ("resumed", "uninterrupted"):
        assert run(*fit, normal.parent / f"{name}.specvae") == 0
    best = [
        min(row["validation"] for row in load_model(normal.parent / f"{name}.specvae").metadata["fit"]["history"])
        for name in ("resumed", "uninterrupted")
    ]
    assert best[0] == pytest.approx(best[1], abs=0.3)


def test_a_fit_that_stops_in_its_folds_has_a_calibration_of_all_of_them(
    normal: Path, interrupted_at: Callable[..., list[Phase]]
) -> None:
    model = normal.parent / "model.specvae"
    interrupted_at(once("fold 1 of 2"))
    assert run("fit", normal, "--model", model, *SETTINGS, "--keep-interrupted") == 130
    stored = load_model(model)
    assert stored.metadata["fit"]["stopped_at"] == 160
    assert stored.metadata["fit"]["folds"]["count"] == 2
    assert stored.detector.calibration.size == stored.metadata["fit"]["pixels"]["calibration"] > 8000
    assert np.isfinite(stored.detector.calibration.threshold().value)


def test_the_second_interruption_writes_nothing(normal: Path, interrupted_at: Callable[..., list[Phase]]) -> None:
    before = files(normal.parent)
    in_fold = once("fold 1 of 2")
    interrupted_at(lambda phase: in_descent(phase) or in_fold(phase))
    assert run("fit", normal, "--model", normal.parent / "m.specvae", *SETTINGS, "--keep-interrupted") == 130
    assert files(normal.parent) == before


def test_an_interruption_before_anything_is_trained_writes_nothing(
    normal: Path, interrupted_at: Callable[..., list[Phase]]
) -> None:
    before = files(normal.parent)
    interrupted_at(lambda phase: phase.name == "looking at the sources")
    assert run("fit", normal, "--model", normal.parent / "m.specvae", *SETTINGS, "--keep-interrupted") == 130
    assert files(normal.parent) == before
