"""What benchmarks write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specvae import benchmarks
from specvae.benchmarks.report import Report, Row, environment, pivot, table, write_figure, write_metrics
from specvae.benchmarks.settings import BENCHMARKS, Settings, run_benchmark
from specvae.errors import InputError, UsageError

ROWS = [
    Row("a", "specvae", "auroc", 0.9, 3, 1.5),
    Row("b", "specvae", "auroc", 0.8, 3, 1.5),
    Row("a", "knn", "auroc", 0.7, 1, 0.1),
    Row("b", "knn", "auroc", 0.6, 1, 0.1),
    Row("a", "specvae", "average_precision", 0.5, 3, 1.5),
]


def test_metrics_hold_what_was_given_and_no_means(tmp_path: Path) -> None:
    write_metrics(tmp_path, "adbench", ROWS, environment(device="cpu"))
    tree = json.loads((tmp_path / "metrics.json").read_text())
    assert list(tree) == ["benchmark", "environment", "results"]
    assert tree["benchmark"] == "adbench"
    assert tree["environment"]["device"] == "cpu"
    assert {"python", "torch", "numpy", "specvae", "processor", "cores"} <= set(tree["environment"])
    assert len(tree["results"]) == len(ROWS)
    assert tree["results"][0] == {
        "dataset": "a", "method": "specvae", "metric": "auroc", "value": 0.9, "seeds": 3, "seconds": 1.5,
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_row_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Row("a", "specvae", "auroc", value, 3, 1.0)
    with pytest.raises(ValueError, match="not finite"):
        Row("a", "specvae", "auroc", 0.5, 3, value)


def test_a_row_without_a_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="no seed"):
        Row("a", "specvae", "auroc", 0.5, 0, 1.0)


def test_a_row_given_twice_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        write_metrics(tmp_path, "adbench", [ROWS[0], ROWS[0]], {})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_metrics(tmp_path, "adbench", ROWS, {"load": float("nan")})
    assert not list(tmp_path.iterdir())


def test_the_environment_tells_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.argv", ["/home/someone/specvae", "benchmark", "adbench", "--data", "/home/someone/adbench"]
    )
    assert environment()["command"] == "specvae benchmark adbench --data adbench"


def test_a_pivot_has_methods_across_and_their_means_below() -> None:
    lines = pivot(ROWS, "auroc", {"kNN": {"a": 0.75, "b": 0.65}, "LOF": {"a": 0.5}}).splitlines()
    assert lines[0] == "|  | specvae | knn | kNN (published) | LOF (published) |"
    assert lines[2] == "| a | 0.9000 | 0.7000 | 0.7500 | 0.5000 |"
    assert lines[3] == "| b | 0.8000 | 0.6000 | 0.6500 |  |"
    assert lines[4] == "| mean | 0.8500 | 0.6500 | 0.7000 |  |"


def test_a_table_escapes_bars_and_leaves_none_empty() -> None:
    assert table(["x", "y"], [["a|b", None]]).splitlines()[2] == "| a\\|b |  |"


def test_a_report_shows_its_pieces_in_order(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    picture = write_figure(tmp_path, "curve", figure)
    path = Report("Title").section("One").text("words").figure(picture, "A line").made_with({"k": 1}).write(tmp_path)
    text = path.read_text()
    assert text.startswith("# Title\n\n## One\n\nwords\n\n![A line](curve.png)")
    assert text.endswith("## Made with\n\n- k: 1\n")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    first = picture.read_bytes()
    assert write_figure(tmp_path, "curve", figure).read_bytes() == first


def test_an_unknown_benchmark_and_a_missing_folder_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no benchmark 'adbunch'; known: adbench"):
        run_benchmark("adbunch", Settings())
    with pytest.raises(InputError, match=r"no folder nowhere; give --data"):
        Settings(data=Path("nowhere")).folder("adbench")


def test_the_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "adbench").mkdir()
    monkeypatch.setenv("SPECVAE_DATA", str(tmp_path))
    assert Settings().folder("adbench") == tmp_path / "adbench"
    assert Settings(data=tmp_path).folder("adbench") == tmp_path


def test_the_list_names_every_benchmark_that_there_is() -> None:
    folder = Path(benchmarks.__file__).parent
    runs = {
        path
        for path in (*folder.glob("*.py"), *folder.glob("*/__init__.py"))
        if "\ndef run(" in path.read_text("utf-8")
    }
    assert sorted(path.parent.name if path.stem == "__init__" else path.stem for path in runs) == list(BENCHMARKS)
