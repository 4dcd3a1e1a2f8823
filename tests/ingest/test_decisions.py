"""What a reader decides is recorded, shown by inspect, said by fit and score where guessed, and kept in report and model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from specvae.cli.main import cli
from specvae.errors import InputError
from specvae.ingest.decision import SUBJECTS, Decision, guesses, undecided
from specvae.model_file import load_model

WORDS = st.text(st.characters(categories=("Ll", "Lu")), min_size=1, max_size=12)
QUICK = ("--set", "training.epochs=2")


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cube (rows, cols, bands) without a name for any axis, and a model fitted on it."""
    place = tmp_path_factory.mktemp("guessed")
    np.save(place / "cube.npy", np.random.default_rng(1).normal(0.3, 0.05, (70, 60, 8)).astype("float32"))
    fitted = run("fit", place / "cube.npy", "--model", place / "m.specvae", *QUICK)
    assert fitted.exit_code == 0, fitted.output
    (place / "fit.txt").write_text(fitted.output)
    return place


@given(st.sampled_from(SUBJECTS), WORDS, WORDS, st.lists(WORDS, max_size=3), WORDS, st.booleans())
def test_a_decision_survives_json_and_its_sentence_names_all_of_it(
    about: str, chosen: str, evidence: str, others: list[str], option: str, guessed: bool
) -> None:
    decision = Decision(about, chosen, evidence, tuple(others), option, guessed)
    row: dict[str, Any] = json.loads(json.dumps(decision.to_json()))
    assert Decision(**{**row, "others": tuple(row["others"])}) == decision
    assert all(word in decision.sentence for word in (about, chosen, evidence, option, *others))
    assert guesses([decision]) == ([decision.sentence] if guessed else [])


def test_a_decision_about_nothing_known_is_refused_at_its_birth() -> None:
    with pytest.raises(ValueError, match="expected one of files, format"):
        Decision("weather", "rain", "clouds")


def test_an_undecided_source_is_refused_with_the_option() -> None:
    error = undecided("a.npy", "which axis counts bands", ("the first", "the last"), "--layout")
    assert isinstance(error, InputError)
    assert str(error) == "a.npy: which axis counts bands cannot be told (the first or the last); say it with --layout"


def test_inspect_shows_every_decision_in_both_forms(folder: Path) -> None:
    rows = json.loads(run("inspect", folder / "cube.npy", "--json").output)["decisions"]
    assert [row["about"] for row in rows] == ["axes", "bands"]
    assert rows[0]["guessed"]
    assert rows[0]["option"] == "--layout bands-first"
    text = run("inspect", folder / "cube.npy").output
    assert "axes: the array of 70x60x8 is read as (rows, cols, bands), guessed from its shape alone" in text
    assert "bands: 8 of 8 bands" in text


def test_what_an_option_decides_is_no_guess(folder: Path) -> None:
    told = json.loads(run("inspect", folder / "cube.npy", "--layout", "bands-last", "--json").output)
    assert told["decisions"][0]["evidence"] == "the option --layout bands-last"
    assert not any(row["guessed"] for row in told["decisions"])
    assert not any("axes" in note for note in told["notes"])


def test_fit_says_the_guess_and_the_model_keeps_every_decision(folder: Path) -> None:
    assert "axes: the array of 70x60x8 is read as (rows, cols, bands), guessed" in (folder / "fit.txt").read_text()
    stored = load_model(folder / "m.specvae").metadata["provenance"]["decisions"]
    assert [(row["source"], row["about"], row["guessed"]) for row in stored] == [
        ("cube", "axes", True),
        ("cube", "bands", False),
    ]


def test_score_says_the_guess_and_the_report_keeps_every_decision(folder: Path) -> None:
    scored = run("score", folder / "cube.npy", "--model", folder / "m.specvae", "--out", folder / "out")
    assert scored.exit_code == 0, scored.output
    assert "axes: the array of 70x60x8 is read as (rows, cols, bands), guessed" in scored.output
    decisions = json.loads((folder / "out" / "cube" / "report.json").read_text())["scene"]["decisions"]
    assert [row["about"] for row in decisions] == ["axes", "bands"]
    assert decisions[1]["evidence"] == "the model's bands, matched by order"
