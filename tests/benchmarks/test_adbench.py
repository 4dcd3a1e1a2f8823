"""The table benchmark on planted sets: the split, the figures it writes, and its alarm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from specvae.benchmarks.adbench import COLLAPSED, METHODS
from specvae.benchmarks.datasets import plain_name, published_figures, read_adbench, semi_supervised
from specvae.benchmarks.settings import Settings, run_benchmark
from specvae.errors import InputError
from specvae.scoring.gathered.metrics import norm_rank_correlation


def planted(path: Path, seed: int = 0) -> Path:
    """300 normal rows on a line in 5 columns and 40 off it, mixed."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(300, 1)) * np.arange(1, 6) + 0.1 * rng.normal(size=(300, 5))
    odd = rng.normal(size=(40, 5)) * 3
    label = rng.permutation(np.r_[np.zeros(300, int), np.ones(40, int)])
    values = np.empty((340, 5))
    values[label == 0], values[label == 1] = normal, odd
    np.savez(path, X=values, y=label)
    return path


def test_the_split_trains_on_the_first_half_of_the_normal_rows_in_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.arange(18.0).reshape(9, 2), y=[0, 1, 0, 0, 0, 1, 0, 0, 0])
    split = semi_supervised(tmp_path / "a.npz")
    assert (split.train[:, 0] / 2).tolist() == [0, 2, 3]
    assert (split.test[:, 0] / 2).tolist() == [4, 6, 7, 8, 1, 5]
    assert split.anomalous.tolist() == [False] * 4 + [True] * 2


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": np.zeros((4, 2))}, "not an ADBench file"),
        ({"X": np.zeros((4, 2)), "y": np.zeros(3)}, "one 0 or 1 a row"),
        ({"X": np.zeros((4, 2)), "y": np.arange(4)}, "one 0 or 1 a row"),
        ({"X": np.zeros(4), "y": np.zeros(4)}, "expected"),
        ({"X": np.zeros((4, 2)), "y": np.zeros(4)}, "0 anomalies"),
        ({"X": np.zeros((4, 2)), "y": np.ones(4)}, "0 normal"),
        ({"X": np.array([["a"]]), "y": np.zeros(1)}, "not an ADBench file"),
        ({"X": np.array([{}], dtype=object), "y": np.zeros(1)}, "not an ADBench file"),
    ],
)
def test_what_is_no_adbench_set_is_refused_in_one_line(arrays: dict, said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=said):
        semi_supervised(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="not an ADBench file"):
        read_adbench(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("stem", "name"),
    [("30_satellite", "satellite"), ("31_satimage-2", "satimage2"), ("4_breastw", "breastw"), ("Wilt", "wilt")],
)
def test_sets_are_named_without_their_number(stem: str, name: str) -> None:
    assert plain_name(stem) == name


def test_the_benchmark_writes_a_row_for_every_method_and_ranks_them_among_the_published(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    planted(tmp_path / "in" / "1_line.npz")
    planted(tmp_path / "in" / "2_other.npz", 1)
    sheet = "Dataset,KNN,VAE\nline,91.5(0.2),70.25(1.0)\nother,90.5(0.0),\n"
    (tmp_path / "in" / "published_dte_semisupervised_auroc.csv").write_text(sheet)
    out = run_benchmark("adbench", Settings(data=tmp_path / "in", out=tmp_path / "out", quick=True, seeds=2))
    metrics = json.loads((out / "metrics.json").read_text())
    rows = {(r["dataset"], r["method"], r["metric"]): r for r in metrics["results"]}
    assert {method for _, method, _ in rows} == {"specvae", "knn", "pca", "iforest"} == set(METHODS)
    assert len(rows) == 2 * 4 * 3
    for name in ("1_line", "2_other"):
        assert rows[name, "specvae", "auroc"]["value"] > 0.9
        assert rows[name, "specvae", "auroc"]["seeds"] == 2
        assert rows[name, "knn", "auroc"]["value"] > 0.9
        assert 0 < rows[name, "pca", "auroc"]["seconds"] < 10
    page = (out / "report.md").read_text()
    assert "| KNN (published) | 0.9150 | 0.9050 | 0.9100 |" in page
    assert "| VAE (published) | 0.7025 |  |  |" in page
    assert "COLLAPSED" not in page
    assert (out / "auroc.png").stat().st_size > 5000


def test_a_collapsed_score_raises_the_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    planted(tmp_path / "in" / "1_line.npz")
    monkeypatch.setitem(METHODS, "specvae", lambda train, test, config, device: (test**2).sum(axis=1) + 5)  # type: ignore[arg-type]
    heard: list[str] = []
    out = run_benchmark(
        "adbench", Settings(data=tmp_path / "in", out=tmp_path / "out", quick=True, progress=heard.append)
    )
    assert "| 1_line | 1.0000 | COLLAPSED |" in (out / "report.md").read_text()
    assert any("collapsed" in line for line in heard)


def test_the_correlation_with_the_norm_is_spearmans() -> None:
    rng = np.random.default_rng(0)
    standard, score = rng.normal(size=(400, 3)), rng.normal(size=400)
    expected = spearmanr(score, (standard**2).sum(axis=1)).statistic
    assert norm_rank_correlation(score, standard) == pytest.approx(expected, abs=1e-12)
    assert norm_rank_correlation((standard**2).sum(axis=1) ** 3, standard) > COLLAPSED
    assert norm_rank_correlation(np.zeros(400), standard) == 0.0


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.npz"):
        run_benchmark("adbench", Settings(data=tmp_path, out=tmp_path / "out"))


def test_the_published_table_has_the_figures_as_printed(real_data: Path) -> None:
    published = published_figures(real_data / "adbench" / "published_dte_semisupervised_auroc.csv")
    assert len(published) == 26
    assert published["KNN"]["satellite"] == pytest.approx(0.8224)
    assert published["VAE"]["cardio"] == pytest.approx(0.9655)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_four_sets_reach_their_targets(real_data: Path, tmp_path: Path) -> None:
    out = run_benchmark("adbench", Settings(data=real_data / "adbench", out=tmp_path / "out", seeds=1))
    rows = json.loads((out / "metrics.json").read_text())["results"]
    ours = {r["dataset"]: r["value"] for r in rows if (r["method"], r["metric"]) == ("specvae", "auroc")}
    assert np.mean(list(ours.values())) > 0.932
    assert ours["30_satellite"] > 0.85
    assert {r["dataset"]: r["value"] for r in rows if (r["method"], r["metric"]) == ("knn", "auroc")}[
        "30_satellite"
    ] == pytest.approx(0.8224, abs=0.005)
