"""What a command says on standard error: text for people, or with ``--log-format json`` an event on each line."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from specvae.cli.invocation import Invocation
from specvae.cli.main import COMMANDS, cli
from specvae.cli.progress import FitProgress, ScoreProgress
from specvae.cli.terminal import echo
from specvae.model_file import load_model
from specvae.stages.calibrate import calibrate
from specvae.stages.demo.scenes import write_scene
from specvae.stages.fit import fit
from specvae.stages.requests import CalibrateRequest, FitRequest
from tests.commands import run

QUICK = ("training.steps=20", "training.refits=1", "sampling.folds=1")


def events(text: str) -> list[dict[str, object]]:
    """The lines of standard error, each of which must be an event."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert all({"time", "level", "event", "message"} <= line.keys() for line in lines)
    return lines


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small scenes and a model of the first."""
    folder = tmp_path_factory.mktemp("scenes")
    for seed, name in enumerate(("a", "b")):
        cube = np.random.default_rng(seed).normal(1000, 50, (3, 96, 96)).astype("uint16")
        write_scene(folder / f"{name}.tif", cube, names=("x", "y", "z"))
    fit([str(folder / "a.tif")], FitRequest(model=str(folder / "m.specvae"), device="cpu", set=QUICK))
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_is_wrong_with_its_words_as_an_event(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--log-format", "json", name, "--no-such-option") == 2
    (event,) = events(capsys.readouterr().err)
    assert (event["level"], event["event"], event["exit_status"]) == ("error", "error", 2)
    assert "no-such-option" in str(event["message"])
    assert not str(event["message"]).startswith("specvae:")


@pytest.mark.parametrize(
    "words",
    [
        ("fit", "none.tif"),
        ("score", "none.tif", "--model", "none.specvae"),
        ("calibrate", "none.tif"),
        ("inspect", "none.tif"),
        ("export", "none.specvae", "x.onnx"),
        ("sample", "--model", "none.specvae"),
        ("encode", "none.tif", "--model", "none.specvae"),
        ("reconstruct", "none.tif", "--model", "none.specvae"),
        ("interpolate", "none.tif", "--start", "1", "--end", "2", "--model", "none.specvae"),
    ],
)
def test_every_stage_says_what_it_cannot_use_as_an_event(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--log-format=json", *words) == 4
    *progress, event = events(capsys.readouterr().err)
    assert all(said["event"] == "progress" for said in progress)
    assert (event["level"], event["exit_status"]) == ("error", 4)
    assert "none." in str(event["message"]) or "model.specvae" in str(event["message"])


def test_the_program_says_as_an_event_that_an_option_or_a_command_is_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (("--log-format", "json", "--bogus"), ("--log-format", "json", "frobnicate")):
        assert run(*words) == 2
        assert [event["level"] for event in events(capsys.readouterr().err)] == ["error"]


def test_warnings_and_failed_scenes_are_events_and_results_stay_text(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.tif").write_text("no raster")
    model = ("--model", place / "m.specvae")
    words = ("score", place / "a.tif", tmp_path / "broken.tif", *model, "--out", tmp_path / "out")
    assert run("--log-format", "json", *words) == 3
    printed = capsys.readouterr()
    failed = [event for event in events(printed.err) if event["event"] == "scene-failed"]
    assert [(event["level"], event["scene"]) for event in failed] == [("error", "broken")]
    assert "cannot be read as a raster" in str(failed[0]["message"])
    assert printed.out.startswith("a: ")
    assert run("--log-format", "json", "calibrate", place / "a.tif", *model, "--out", tmp_path / "c.specvae") == 0
    (warning,) = events(capsys.readouterr().err)
    assert (warning["level"], warning["event"]) == ("warning", "warning")
    assert "was fitted on a.tif too" in str(warning["message"])


def test_without_it_the_same_lines_are_text(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ("--model", place / "m.specvae")
    assert run("calibrate", place / "a.tif", *model, "--out", tmp_path / "c.specvae") == 0
    assert capsys.readouterr().err.startswith("specvae: warning: the model was fitted on a.tif too")
    assert run("score", tmp_path / "none.tif", *model) == 4
    assert capsys.readouterr().err.startswith(f"specvae: {tmp_path / 'none.tif'} does not exist")


def test_a_bug_is_an_event_with_its_traceback_where_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("specvae.stages.inspect.inspect", broken)
    assert run("--log-format", "json", "--debug", "inspect", "x") == 1
    (event,) = events(capsys.readouterr().err)
    assert "a bug: ZeroDivisionError: by zero" in str(event["message"])
    assert "Traceback" in str(event["traceback"])
    assert run("--log-format", "json", "inspect", "x") == 1
    assert "traceback" not in events(capsys.readouterr().err)[0]


def test_what_other_packages_warn_of_is_an_event_while_the_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with Invocation(("--log-format", "json")).library_messages(), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning("a library's warning", UserWarning, "x.py", 1)
        logging.getLogger("some.library").error("a library's record")
    said = events(capsys.readouterr().err)
    assert [event["level"] for event in said] == ["warning", "error"]
    assert "a library's warning" in str(said[0]["message"])
    assert (said[1]["message"], said[1]["logger"]) == ("a library's record", "some.library")


def test_no_progress_bar_is_drawn_over_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    for words, drawn in ((("fit",), True), (("--log-format", "json", "fit"), False)):
        assert Invocation(words).shows_progress is drawn
        with cli.make_context("specvae", ["fit"], obj=Invocation(words)).scope(), FitProgress() as progress:
            assert (progress._progress is not None) is drawn


@pytest.mark.parametrize(
    ("words", "as_json"),
    [
        (("fit", "--log-format", "json"), False),
        (("--debug", "--log-format", "json", "fit"), True),
        (("--log-format=json",), True),
        (("--log-format", "text", "fit"), False),
        (("--log-format", "json", "--log-format", "text"), False),
        (("--log-format",), False),
    ],
)
def test_the_form_is_what_stands_before_the_commands_name(words: tuple[str, ...], as_json: bool) -> None:
    assert Invocation(words).log_as_json is as_json


def test_a_model_records_the_command_that_made_it(place: Path, tmp_path: Path) -> None:
    model, new = tmp_path / "m.specvae", tmp_path / "c.specvae"
    words = ["fit", place / "a.tif", "--model", model, "--device", "cpu", "--set", QUICK[0], "--set", QUICK[1]]
    assert run(*words) == 0
    assert load_model(model).metadata["provenance"]["command"] == ["specvae", *map(str, words)]
    words = ["calibrate", place / "b.tif", "--model", model, "--out", new]
    assert run(*words) == 0
    assert load_model(new).metadata["provenance"]["calibrate_command"] == ["specvae", *map(str, words)]


def test_a_model_made_from_python_records_the_call_and_not_the_words_of_the_process(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["jupyter", "--token", "secret"])
    source, model = (str(place / "a.tif"),), str(tmp_path / "m.specvae")
    fit(source, FitRequest(model=model, device="cpu", set=QUICK))
    recorded = load_model(model).metadata["provenance"]["command"]
    assert recorded == [
        "specvae.stages.fit.fit",
        f"source={source!r}",
        f"model={model!r}",
        f"set={QUICK!r}",
        "device='cpu'",
    ]
    source, new = (str(place / "b.tif"),), str(tmp_path / "c.specvae")
    calibrate(source, CalibrateRequest(model=model, out=new))
    recorded = load_model(new).metadata["provenance"]["calibrate_command"]
    assert recorded == ["specvae.stages.calibrate.calibrate", f"source={source!r}", f"model={model!r}", f"out={new!r}"]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_light(name: str) -> None:
    code = (
        "import sys\nfrom specvae.cli.main import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'rasterio', 'pandas', 'pydantic', 'scipy', 'numpy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    words = [sys.executable, "-c", code, *([name] if name else []), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_printed_under_a_bar_goes_to_standard_output_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes standard error for a terminal
    monkeypatch.setattr(Invocation, "shows_progress", True)
    line = "scene: 12 of 8,916 anomalous, " + "a long reason, " * 20 + "-> reports/scene/report.html"
    with ScoreProgress() as progress:
        progress("scene", 0.5)
        echo(line)
        progress("scene", 0.6)
    printed = capsys.readouterr()
    assert printed.out == line + "\n"
    assert "scene" in printed.err
    assert line not in printed.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_told_how_to_complete(shell: str) -> None:
    code = "import sys; sys.argv = ['specvae']; from specvae.cli.main import main; main()"

    def asked(**variables: str) -> str:
        environment = {**os.environ, **variables}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    script = asked(_SPECVAE_COMPLETE=f"{shell}_source")
    assert f"_SPECVAE_COMPLETE={shell}_complete" in script
    words = {"COMP_WORDS": "specvae score --false"}
    place = {"COMP_CWORD": "--false" if shell == "fish" else "2"}
    assert "--false-alarm-rate" in asked(_SPECVAE_COMPLETE=f"{shell}_complete", **words, **place)
