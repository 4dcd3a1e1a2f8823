"""Arrays come from numpy to pyarrow and back as pyarrow's own conversions bring them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from specvae.ingest.table.arrow_arrays import from_numpy, from_words, to_numpy

COLUMNS: dict[str, pa.Array] = {
    "floats": pa.array([1.5, -0.0, float("nan")]),
    "floats with nulls": pa.array([1.5, None, float("nan")]),
    "single precision": pa.array(np.float32([1.1, 2.2])),
    "half precision": pa.array(np.float16([1.1, 2.2])),
    "large integers": pa.array([2**62 + 1, -(2**53) - 1]),
    "integers with nulls": pa.array([1, None, 3], pa.uint8()),
    "booleans": pa.array([True, None, False]),
    "decimals": pa.array([Decimal("1.25"), None]),
    "nothing": pa.nulls(3),
    "no row": pa.array([], pa.int16()),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_are_the_numbers_that_pyarrow_gives(kind: str) -> None:
    column = COLUMNS[kind]
    if column.null_count or kind in ("booleans", "decimals"):
        expected = column.cast(pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False)
    else:
        expected = column.to_numpy()
    sliced = pa.chunked_array([column, column.slice(1), column.slice(0, 1)], column.type)
    for given, truth in ((column, expected), (sliced, np.r_[expected, expected[1:], expected[:1]])):
        made = to_numpy(given)
        assert made.dtype == truth.dtype
        np.testing.assert_array_equal(made, truth)


@pytest.mark.parametrize("values", [[1.5, np.nan, -0.0], [], np.arange(20)[::3], np.uint8([1, 255]), [True, False]])
@pytest.mark.parametrize("nan_is_null", [False, True])
def test_arrays_are_those_that_pyarrow_makes(values: Any, nan_is_null: bool) -> None:
    array = np.asarray(values)
    made, truth = from_numpy(array, nan_is_null), pa.array(array, from_pandas=nan_is_null)
    assert (made.type, made.null_count) == (truth.type, truth.null_count)
    assert str(made) == str(truth), "NaN equals itself in print alone"


def test_words_are_text() -> None:
    assert from_words(["a", "", "ä"]).to_pylist() == ["a", "", "ä"]
    assert from_words([]).type == pa.string()
