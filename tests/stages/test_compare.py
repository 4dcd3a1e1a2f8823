"""``specvae compare``: two results or two models, with differences that are planted at known places."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import rasterio
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from specvae.cli.compare import command
from specvae.errors import InputError, UsageError
from specvae.export.comparison.finding import Finding, State, distance, values
from specvae.export.comparison.trees import compare_trees
from specvae.stages.compare import compare

STORED = Path(__file__).parents[1] / "stored"
NAMES = ["score", "kl"]
Edit = Callable[[dict[str, Any]], None]


def write_result(folder: Path, score: np.ndarray, flags: np.ndarray, cut: float = 5.0) -> Path:
    """A small result of three files: maps, a table and a report."""
    folder.mkdir(parents=True)
    rows, cols = flags.shape
    profile = {"driver": "GTiff", "height": rows, "width": cols, "crs": "EPSG:32632"}
    profile["transform"] = rasterio.transform.from_origin(500_000, 5_000_000, 10, 10)
    with rasterio.open(folder / "score.tif", "w", count=len(score), dtype="float32", **profile) as raster:
        raster.write(score.astype(np.float32))
        raster.descriptions = NAMES[: len(score)]
    with rasterio.open(folder / "anomaly.tif", "w", count=1, dtype="uint8", **profile) as raster:
        raster.write(flags.astype(np.uint8), 1)
    pandas.DataFrame({"rate": [0.1, 0.01], "value": [cut, 2 * cut], "method": ["empirical", None]}).to_csv(
        folder / "thresholds.csv", index=False
    )
    report = {"created": str(folder), "threshold": {"value": cut}, "timing": {"total": np.random.rand()}}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "item.json").write_text("{}")
    return folder


@pytest.fixture
def planes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    score = rng.normal(10, 3, (2, 700, 30))
    score[:, 5, 7] = np.nan
    return score, (score[0] > 12).astype(np.uint8)


def finding_of(a: Path, b: Path, what: str, tolerance: float = 1e-5) -> Finding:
    return next(f for f in compare(str(a), str(b), tolerance).findings if f.what == what)


def test_the_same_result_is_equal_whenever_it_was_made(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = write_result(tmp_path / "a", *planes), write_result(tmp_path / "b", *planes)
    comparison = compare(str(a), str(b))
    assert comparison.state is State.EQUAL
    assert [f.what for f in comparison.findings][:2] == ["anomaly.tif anomaly", "report.json"] or len(
        comparison.findings
    ) == 7


def test_the_largest_difference_is_at_its_place(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    """Two pixels differ; the larger one stands in the second window of rows, at a place of the map."""
    score, flags = planes
    other = score.copy()
    other[1, 3, 4] += 0.01
    other[1, 600, 20] = 50.0
    a, b = write_result(tmp_path / "a", score, flags), write_result(tmp_path / "b", other, flags)
    finding = finding_of(a, b, "score.tif kl")
    assert (finding.state, finding.count, finding.of) == (State.DIFFERS, 2, 700 * 30)
    assert finding.where.startswith("row 600, column 20 (500205, 4993995)")
    expected = abs(50.0 - score[1, 600, 20]) / max(1, abs(score[1, 600, 20]))
    assert finding.largest == pytest.approx(expected, rel=1e-5)
    assert finding_of(a, b, "score.tif score").state is State.EQUAL


def test_a_tolerance_is_of_scores_and_never_of_flags(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    score, flags = planes
    other = flags.copy()
    other[0, 0] ^= 1
    a, b = write_result(tmp_path / "a", score, flags), write_result(tmp_path / "b", score * (1 + 1e-4), other)
    assert finding_of(a, b, "score.tif score", 1e-3).state is State.WITHIN
    assert finding_of(a, b, "score.tif score", 1e-5).state is State.DIFFERS
    assert finding_of(a, b, "anomaly.tif 1", 1e3).state is State.DIFFERS


def test_a_pixel_that_is_invalid_in_one_alone_differs(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    score, flags = planes
    other = score.copy()
    other[0, 8, 8] = np.nan
    a, b = write_result(tmp_path / "a", score, flags), write_result(tmp_path / "b", other, flags)
    finding = finding_of(a, b, "score.tif score", 1e9)
    assert (finding.state, finding.count, finding.largest) == (State.DIFFERS, 1, float("inf"))


def test_what_stands_in_one_alone_is_named(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    score, flags = planes
    a, b = write_result(tmp_path / "a", score, flags), write_result(tmp_path / "b", score[:1], flags)
    (b / "thresholds.csv").unlink()
    assert finding_of(a, b, "thresholds.csv").where == "only in A"
    assert finding_of(a, b, "score.tif kl").where == "only in A"


def test_other_grids_are_said_in_words(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    score, flags = planes
    a, b = write_result(tmp_path / "a", score, flags), write_result(tmp_path / "b", score[:, :600], flags[:600])
    assert finding_of(a, b, "score.tif").where == "700 x 30 pixels and 600 x 30"


def test_cuts_of_reports_and_tables_are_compared(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = write_result(tmp_path / "a", *planes), write_result(tmp_path / "b", *planes, cut=6.0)
    assert "threshold.value: 5 and 6" in finding_of(a, b, "report.json").where
    assert finding_of(a, b, "thresholds.csv value").largest == pytest.approx(0.2)
    assert finding_of(a, b, "thresholds.csv method").state is State.EQUAL


def test_folders_of_results_pair_by_their_paths(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    for name in ("a/north/x", "a/south", "b/north/x"):
        write_result(tmp_path / name, *planes)
    comparison = compare(str(tmp_path / "a"), str(tmp_path / "b"))
    differing = [f for f in comparison.findings if f.state is State.DIFFERS]
    assert [(f.what, f.where) for f in differing] == [("south", "a result only in A")]


def changed_model(path: Path, tensor: str, at: slice, by: float, edit: Edit | None = None) -> Path:
    """The stored table's model with numbers of one tensor changed, and its digest made right again."""
    from specvae.model_file import _digest

    source = STORED / "table.specvae"
    tensors = load_file(source)
    tensors[tensor] = tensors[tensor].copy()
    tensors[tensor].flat[at] += by
    with safe_open(source, framework="numpy") as stored:
        metadata = json.loads(stored.metadata()["specvae"])
    if edit is not None:
        edit(metadata)
    metadata["tensors_sha256"] = _digest(tensors)
    save_file(tensors, path, metadata={"specvae": json.dumps(metadata, sort_keys=True)})
    return path


def test_two_models_differ_in_the_tensor_that_was_changed(tmp_path: Path) -> None:
    other = changed_model(tmp_path / "other.specvae", "background.mean", slice(1), 0.5)
    comparison = compare(str(STORED / "table.specvae"), str(other))
    differing = [f.what for f in comparison.findings if f.state is not State.EQUAL]
    assert differing == ["background.mean"]
    assert compare(str(other), str(shutil.copy(other, tmp_path / "copy.specvae"))).state is State.EQUAL


def test_a_band_of_another_name_is_named(tmp_path: Path) -> None:
    def rename(metadata: dict[str, Any]) -> None:
        metadata["bands"][1]["name"] = "another"

    other = changed_model(tmp_path / "other.specvae", "calibration.score", slice(None), 7.0, rename)
    findings = {f.what: f for f in compare(str(STORED / "table.specvae"), str(other)).findings}
    assert {what for what, f in findings.items() if f.state is State.DIFFERS} == {"calibration.score", "bands"}
    assert findings["bands"].where.startswith("[1].name: ")
    assert findings["bands"].where.endswith('and "another"')


@pytest.mark.parametrize(
    ("a", "b", "error", "words"),
    [
        ("nowhere", "nowhere", InputError, "does not exist"),
        ("empty", "empty", InputError, "holds no finished result"),
        ("empty", "text.txt", UsageError, "a folder and a file"),
        ("text.txt", "text.txt", Exception, "not a specvae model"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, a: str, b: str, error: type, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("no model, but long enough to be read as one")
    with pytest.raises(error, match=words):
        compare(str(tmp_path / a), str(tmp_path / b))


def test_a_damaged_file_is_one_line(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = write_result(tmp_path / "a", *planes), write_result(tmp_path / "b", *planes)
    (b / "score.tif").write_bytes(b"II*\0")
    with pytest.raises(InputError, match="cannot be compared"):
        compare(str(a), str(b))


def test_the_command_says_what_differs_and_ends_with_5(tmp_path: Path, planes: tuple[np.ndarray, np.ndarray]) -> None:
    score, flags = planes
    a, b = write_result(tmp_path / "a", score, flags), write_result(tmp_path / "b", score + 1, flags)
    ended = CliRunner().invoke(command, [str(a), str(b)], standalone_mode=False)
    assert ended.return_value == 5
    assert "score.tif score: differs; 20,999 of 21,000 values" in ended.output
    same = CliRunner().invoke(command, [str(a), str(a), "--json"], standalone_mode=False)
    assert same.return_value == 0
    assert json.loads(same.output)["state"] == "equal"


numbers = arrays(np.float32, 6, elements=st.floats(width=32, allow_nan=True, allow_infinity=True))


@given(numbers, numbers)
def test_a_distance_is_nothing_exactly_where_numbers_are_equal(a: np.ndarray, b: np.ndarray) -> None:
    away = distance(a, b)
    assert not np.isnan(away).any()
    np.testing.assert_array_equal(away == 0, (a == b) | (np.isnan(a) & np.isnan(b)))


@given(numbers, st.floats(0, 1))
def test_a_wider_tolerance_never_finds_more(a: np.ndarray, tolerance: float) -> None:
    first = np.nan_to_num(a.astype(np.float64), posinf=9, neginf=-9)
    narrow, wide = (values("x", first, first * 1.001, share) for share in (tolerance, 2 * tolerance))
    assert narrow.state.rank >= wide.state.rank


def test_trees_differ_in_keys_lists_and_kinds() -> None:
    assert compare_trees("t", {"a": [1, 2.0], "timing": 3}, {"a": [1, 2.0], "timing": 4}, 0).state is State.EQUAL
    assert compare_trees("t", {"a": 1.0}, {"a": 1.0000001}, 1e-5).state is State.WITHIN
    assert compare_trees("t", {"a": True}, {"a": 1.5}, 1e9).state is State.DIFFERS
    assert compare_trees("t", {"a": [1]}, {"a": [1, 2]}, 1e9).state is State.DIFFERS
    finding = compare_trees("t", {"a": 1, "b": {"c": "x"}}, {"b": {"c": "y"}}, 1e9)
    assert (finding.count, finding.where) == (2, 'a: 1 and "(absent)", b.c: "x" and "y"')
