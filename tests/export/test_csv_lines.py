"""Lines of CSV read back as what was written, and spreadsheets run nothing in them."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specvae.export import csv_lines
from specvae.export.csv_lines import header_line, lines_of


def written(table: pa.Table, plain: set[int] | None = None) -> str:
    lines = b"".join(lines_of(table, plain or set()))
    return (header_line(table.column_names) + lines).decode()


@pytest.mark.parametrize("rows", [1, 7, 16_384])
def test_floats_come_back_to_the_bit(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_lines, "ROWS", rows)
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 3000, dtype=np.uint32).view(np.float32)
    single = np.where(np.isfinite(bits), bits, np.float32(0))
    double, few = rng.normal(size=3000) ** 9, rng.integers(0, 5, 3000) / 7
    text = written(pa.table({"single": single, "double": double, "few": few, "flag": np.uint8(few > 0.5)}))
    back = pd.read_csv(io.StringIO(text))
    np.testing.assert_array_equal(back.single.to_numpy(np.float32), single)
    np.testing.assert_array_equal(back.double, double)
    np.testing.assert_array_equal(back.few, few)
    assert text.count("\n") == 3001


def test_nothing_but_a_missing_cell_is_empty() -> None:
    table = pa.table({"a": ["x", None, ""], "b": pa.array([1.5, None, float("nan")])})
    assert written(table) == "a,b\nx,1.5\n,\n,nan\n"


def test_only_cells_that_need_quotes_have_them_and_formulas_have_an_apostrophe() -> None:
    cells = ["a,b", 'say "x"', "two\nlines", "007", "-5", "=1+1", ' =cmd|"x"', "-x", "+1,5", "a b"]
    table = pa.table({"text": cells, "=name": cells[::-1]})
    header, *rows = list(csv.reader(io.StringIO(written(table))))
    assert header == ["text", "'=name"]
    safe = ["a,b", 'say "x"', "two\nlines", "007", "-5", "'=1+1", '\' =cmd|"x"', "'-x", "+1,5", "a b"]
    assert rows == [list(pair) for pair in zip(safe, safe[::-1], strict=True)]
    assert written(pa.table({"id": ["007", "a b"]})) == "id\n007\na b\n"


@pytest.mark.parametrize("before", ["\x00", "\x0b", "\x1f", "\x85", "\u200b", "\u3000", "\ufeff", " \x1e "])
def test_a_formula_behind_what_is_not_seen_has_an_apostrophe(before: str) -> None:
    assert written(pa.table({"text": [f"{before}=1+1"]})) == f"text\n'{before}=1+1\n"
    assert header_line([f"{before}@x"]).decode() == f"'{before}@x\n"


def test_plain_columns_stand_as_they_are() -> None:
    assert written(pa.table({"a": ["-1.50", None], "b": ["=1", "2"]}), {0}) == "a,b\n-1.50,'=1\n,2\n"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=6), st.text('=+-@",\r\n 1.e', max_size=6)), min_size=1, max_size=20))
def test_any_text_comes_back_but_for_apostrophes(rows: list[tuple[str, str]]) -> None:
    table = pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]})
    # A chunked column, some of whose chunks begin in the middle of an array.
    table = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    back = list(csv.reader(io.StringIO(written(table), newline="")))[1:]
    for read, came in zip(back, rows, strict=True):
        assert [cell.removeprefix("'") for cell in read] == [cell.removeprefix("'") for cell in came]
        assert not any(cell.lstrip()[:1] in ("=", "@") for cell in read if cell.strip())


def test_no_row_is_no_line() -> None:
    assert list(lines_of(pa.table({"a": pa.array([], pa.string())}))) == []
