"""Cells of text are read as pandas reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specvae.ingest.table.cells import is_one_of, numbers_in, read_cells
from specvae.ingest.table.number_format import NumberFormat

CELLS = (
    *("1", "+1", " 1 ", "1.", "1.5", ".5", "-.5", ".", "+", "-", "1e5", "1e", "1e+", "1E-3", "1.e2", "e5", "1e05"),
    *("inf", "-inf", "+INF", "Infinity", "nan", "-nan", "", "NA", "None", "1_000", "0x1A", "1,000", "1 2", "1d5", "1f"),
    *("True", "1e400", "-1e400", "1e-400", "007", "00.5", "--1", "1e5.5", "9" * 30, "1.7976931348623157e308", "0.1"),
    *("1\u00a0", "\u0661", "\uff11", "\t1\n", "2 e5", "5%", "<NA>", "0.30000000000000004", "123456789.123456789"),
)


def by_pandas(cells: list[str]) -> np.ndarray:
    numbers = pd.to_numeric(pd.Series(cells, dtype=object).str.strip(), errors="coerce")
    return numbers.astype("float64").to_numpy()


def test_cells_are_the_numbers_that_pandas_reads() -> None:
    cells = list(CELLS)
    assert numbers_in(pa.array(cells)).tolist() == pytest.approx(by_pandas(cells).tolist(), rel=1e-15, nan_ok=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("0123456789.eE+- infa_x\t", max_size=8), min_size=1, max_size=20))
def test_any_cells_are_the_numbers_that_pandas_reads(cells: list[str]) -> None:
    assert numbers_in(pa.array(cells)).tolist() == pytest.approx(by_pandas(cells).tolist(), rel=1e-15, nan_ok=True)


def test_decimal_commas_chunks_and_missing_cells_are_read() -> None:
    column = pa.chunked_array([["1,5", None], ["x", "-2,25e1"]])
    np.testing.assert_array_equal(numbers_in(column, NumberFormat(",")), [1.5, np.nan, np.nan, -22.5])


@pytest.mark.parametrize(
    "column",
    [pa.array([True, False]), pa.array([[1.0], None]), pa.nulls(2), pa.array(["a", "b"]).dictionary_encode()],
    ids=["booleans", "lists", "nothing", "categories"],
)
def test_what_holds_no_numbers_is_nan(column: pa.Array) -> None:
    np.testing.assert_array_equal(numbers_in(column), [np.nan, np.nan])


LABELS: dict[str, tuple[list[Any], list[bool]]] = {
    "words": (["Normal ", "weed", None, "0", "0.0", "FALSE"], [True, False, False, True, True, True]),
    "integers": ([0, 1, None, 255], [True, False, False, False]),
    "floats": ([0.0, -0.0, 1.5, float("nan")], [True, True, False, False]),
    "booleans": ([True, False, None], [False, True, False]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_type_say_which_rows_are_normal(kind: str) -> None:
    values, expected = LABELS[kind]
    for column in (pa.array(values), pa.array(values).dictionary_encode()):
        chunked = pa.chunked_array([column, column])
        assert is_one_of(chunked, {"0", "0.0", "false", "normal"}).tolist() == [*expected, *expected]


def test_a_missing_label_is_unknown_and_a_word_is_not() -> None:
    column = pa.chunked_array([["weed", "normal", "", "NaN", None, "255.0"]])
    unknown = is_one_of(column, {"", "nan", "none", "255", "<na>"})
    assert unknown.tolist() == [False, False, True, True, True, True]


def test_no_label_is_no_answer() -> None:
    assert is_one_of(pa.chunked_array([], pa.string()), {"0"}).tolist() == []


def test_numbers_of_a_csv_are_carried_as_they_came_but_for_blanks_and_missing_cells() -> None:
    cells = read_cells(pa.chunked_array([["1.50", "1e5"]]))
    assert (cells.plain, cells.text.to_pylist()) == (True, ["1.50", "1e5"])
    cells = read_cells(pa.chunked_array([[" 1.50", "NA", "-"], ["007"]]))
    assert (cells.plain, cells.text.to_pylist()) == (True, ["1.50", None, None, "007"])
    np.testing.assert_array_equal(cells.numbers, [1.5, np.nan, np.nan, 7])
    cells = read_cells(pa.chunked_array([["1,50", "-2"]]), NumberFormat(","))
    assert (cells.plain, cells.text.to_pylist()) == (True, ["1.50", "-2"]), "one file has one decimal mark"


def test_a_column_with_a_word_is_carried_as_it_came() -> None:
    cells = read_cells(pa.chunked_array([[" 1,50", "NA", "bad"]]), NumberFormat(","))
    assert (cells.plain, cells.text.to_pylist()) == (False, [" 1,50", "NA", "bad"])
    np.testing.assert_array_equal(cells.numbers, [1.5, np.nan, np.nan])
