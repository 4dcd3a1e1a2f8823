"""Tables scored chunk by chunk: as if in one piece, in order, with the best rows found."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import specvae.ingest.table.columns as columns
import specvae.stages.score.table as score_table
from specvae.bands import Band, BandSet
from specvae.ingest.table.reading import Table, open_table
from specvae.spectra import Parts
from specvae.stages.score.best_rows import BestRows
from specvae.stages.score.overlap import prefetched
from tests.commands import run

NAMES = ["a", "b", "c", "d"]


def frame(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 1)) * [1, 2, 3, 4] + rng.normal(size=(n, 4))
    out = pd.DataFrame(values.astype(np.float32), columns=NAMES)
    out.insert(0, "site", [f"s{i}" for i in range(n)])
    out["odd"] = (rng.random(n) < 0.02).astype(int)
    out.loc[out.odd == 1, "b"] += 20
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    frame(3000)[NAMES].to_parquet(folder / "fit.parquet")
    assert run("fit", folder / "fit.parquet", "--model", folder / "m.specvae", "--set", "training.steps=40") == 0
    return folder / "m.specvae"


def scored(path: Path, model: Path, out: Path, *more: str) -> Path:
    assert run("score", path, "--model", model, "--out", out, *more) == 0
    return out / path.stem


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_chunks_change_nothing(kind: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = frame(10_000, 1)
    table.loc[5000, "c"] = np.nan
    path = tmp_path / f"t.{kind}"
    table.to_parquet(path, row_group_size=777) if kind == "parquet" else table.to_csv(path, index=False)
    whole = scored(path, model, tmp_path / "whole", "--truth", "odd")
    monkeypatch.setattr(score_table, "CHUNK", 4096)
    monkeypatch.setattr(columns, "BLOCK", 1 << 16)
    cut = scored(path, model, tmp_path / "cut", "--truth", "odd")
    assert (whole / f"scores.{kind}").read_bytes() == (cut / f"scores.{kind}").read_bytes() or kind == "parquet"
    read = pd.read_parquet if kind == "parquet" else pd.read_csv
    one, two = read(whole / f"scores.{kind}"), read(cut / f"scores.{kind}")
    pd.testing.assert_frame_equal(one, two)
    assert one.site.tolist() == table.site.tolist()
    assert np.isnan(one.score[5000])
    assert np.flatnonzero(one.anomaly.isna()).tolist() == [5000]
    assert (whole / "explanations.csv").read_text() == (cut / "explanations.csv").read_text()
    reports = [pd.read_json(folder / "report.json", typ="series") for folder in (whole, cut)]
    for key in ("pixels", "drift", "metrics", "threshold"):
        assert reports[0][key] == reports[1][key]
    assert reports[0]["pixels"]["invalid_by_reason"]["nan"] == 1
    judged = one.score.notna()
    oracle = roc_auc_score(one.odd[judged], one.score[judged])
    assert reports[0]["metrics"]["auroc"] == pytest.approx(oracle, abs=1e-6)
    assert 0.95 < oracle <= 1.0


def test_a_column_that_turns_into_text_midway_is_read_to_the_end(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = frame(12_000, 2)
    text = table.astype({"b": object})
    text.loc[11_000, "b"] = "broken"
    text.to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.setattr(score_table, "CHUNK", 4096)
    monkeypatch.setattr(columns, "BLOCK", 1 << 16)
    found = pd.read_csv(scored(tmp_path / "t.csv", model, tmp_path) / "scores.csv")
    assert len(found) == 12_000
    assert np.flatnonzero(found.score.isna()).tolist() == [11_000]
    assert found.b[11_000] == "broken"
    table.to_csv(tmp_path / "clean.csv", index=False)
    clean = pd.read_csv(scored(tmp_path / "clean.csv", model, tmp_path) / "scores.csv")
    np.testing.assert_allclose(found.score.drop(11_000), clean.score.drop(11_000), rtol=1e-6)


@pytest.mark.parametrize("rows", ["", "x,,,,0\n", "x,1,2,bad,0\n"])
def test_a_table_without_a_valid_row_is_refused_and_leaves_nothing(
    rows: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("site,a,b,c,d\n" + rows)
    assert run("score", tmp_path / "t.csv", "--model", model, "--out", tmp_path / "out") == 4
    assert not (tmp_path / "out" / "t").exists() or not list((tmp_path / "out" / "t").glob("scores*"))


def test_regular_chunks_come_whatever_the_files_own(tmp_path: Path) -> None:
    table = frame(2500)
    table.to_parquet(tmp_path / "t.parquet", row_group_size=300)
    table.to_csv(tmp_path / "t.csv", index=False)
    for name in ("t.parquet", "t.csv"):
        file = open_table(str(tmp_path / name))
        parts = list(file.chunks(1000))
        assert [len(p) for p in parts] == [1000, 1000, 500]
        np.testing.assert_allclose(np.concatenate([p.values for p in parts]), file.read().values)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(0, 7), st.integers(1, 9))
def test_the_best_rows_are_the_sorts(scores: list[int], count: int, size: int) -> None:
    score = np.array([np.nan if s == 0 else s for s in scores], np.float32)
    best = BestRows(count)
    names = pa.table({"a": np.arange(len(score)), "id": [f"r{i}" for i in range(len(score))]})
    for start in range(0, len(score), size):
        part = slice(start, start + size)
        values = np.arange(len(score), dtype=np.float32)[part, None]
        n = len(values)
        table = Table(BandSet((Band("a"),)), values, np.zeros(n, np.uint8), np.ones(n, bool), names.slice(start, n))
        best.update(table, start, Parts(score[part], score[part], score[part]), score[part].astype(float))
    assert best.rows is not None
    expected = [i for i in np.argsort(-score, kind="stable") if np.isfinite(score[i])][:count]
    assert best.rows.at.tolist() == best.rows.values[0].tolist() == expected
    assert best.rows.others.tolist() == [[f"r{i}" for i in expected]]


def test_items_are_made_ahead_in_order_and_no_further() -> None:
    made: list[int] = []

    def source() -> object:
        for i in range(20):
            made.append(i)
            yield i

    found = []
    for item in prefetched(source(), ahead=2):  # type: ignore[var-annotated]
        found.append(item)
        assert len(made) <= item + 4
    assert found == list(range(20))
    before = threading.active_count()
    for item in prefetched(source(), ahead=2):
        if item == 3:
            break
    assert threading.active_count() <= before


def test_an_error_of_the_source_is_raised_where_it_is_used() -> None:
    def source() -> object:
        yield 1
        raise ValueError("damaged midway")

    with pytest.raises(ValueError, match="damaged midway"):
        list(prefetched(source()))  # type: ignore[arg-type]


def test_a_long_parquet_table_is_compared_on_a_share_of_its_rows(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame(9000, 3).to_parquet(tmp_path / "t.parquet")
    whole = pd.read_json(scored(tmp_path / "t.parquet", model, tmp_path / "a") / "report.json", typ="series")
    monkeypatch.setattr(score_table, "DRIFT_ROWS", 1000)
    monkeypatch.setattr(score_table, "CHUNK", 4096)
    part = pd.read_json(scored(tmp_path / "t.parquet", model, tmp_path / "b") / "report.json", typ="series")
    assert whole["drift"]["pixels"] == 9000
    assert part["drift"]["pixels"] == 1000
    assert part["pixels"] == whole["pixels"]
    assert part["drift"]["verdict"] == whole["drift"]["verdict"]


@pytest.mark.parametrize("truth", [["normal", "weed"], ["0", "1"], ["False", "True"]])
def test_words_of_a_truth_column_are_no_missing_values(truth: list[str], model: Path, tmp_path: Path) -> None:
    table = frame(2000, 3)
    table["odd"] = np.where(table.odd == 0, *truth)
    table.to_csv(tmp_path / "t.csv", index=False)
    folder = scored(tmp_path / "t.csv", model, tmp_path / "out", "--truth", "odd")
    found = pd.read_csv(folder / "scores.csv")
    report = pd.read_json(folder / "report.json", typ="series")
    oracle = roc_auc_score(np.where(table.odd == truth[0], 0, 1), found.score)
    assert report["metrics"]["auroc"] == pytest.approx(oracle, abs=1e-6)
