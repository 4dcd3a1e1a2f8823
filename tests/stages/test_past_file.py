"""The past as a file: rows come back as they were put, in any pieces, and a file of another size is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specvae.alerts.past import past_type
from specvae.errors import InputError
from specvae.stages.watch.past_file import PastFile

ROWS, COLS = 1300, 37


def records_of(seed: int) -> np.ndarray:
    """Records of random content, but for the bytes between them."""
    rng, records = np.random.default_rng(seed), np.zeros(ROWS, past_type(COLS))
    for name in records.dtype.names or ():
        kind = records[name].dtype
        records[name] = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, (ROWS, COLS), kind, endpoint=True)
    return records


def test_rows_come_back_as_they_were_put(tmp_path: Path) -> None:
    records = records_of(0)
    with PastFile(tmp_path / "past", ROWS, COLS, fresh=True) as file:
        for first, stop in ((700, ROWS), (0, 3), (3, 700)):
            file.write(first, records[first:stop])
    again = PastFile(tmp_path / "past", ROWS, COLS)
    assert np.array_equal(again.read(0, ROWS), records)
    into = np.zeros(900, past_type(COLS))
    assert again.read(200, 1100, into) is into
    assert np.array_equal(into, records[200:1100])
    assert np.array_equal(again.looks(650, 1200), records["looks"][650:1200])
    assert (tmp_path / "past").stat().st_size == records.nbytes


def test_the_byte_that_ends_a_row_of_odd_length_is_none_of_memory(tmp_path: Path) -> None:
    written = []
    for garbage in (0, 255):
        records = np.full(ROWS * past_type(COLS).itemsize, garbage, np.uint8).view(past_type(COLS))
        for name in records.dtype.names or ():
            records[name] = records_of(1)[name]
        path = tmp_path / f"past-{garbage}"
        with PastFile(path, ROWS, COLS, fresh=True) as file:
            file.write(0, records)
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_a_fresh_file_is_ground_that_was_never_seen(tmp_path: Path) -> None:
    file = PastFile(tmp_path / "past", ROWS, COLS, fresh=True)
    assert not file.read(5, 9).view(np.uint8).any()


def test_a_file_of_another_size_is_refused(tmp_path: Path) -> None:
    PastFile(tmp_path / "past", ROWS, COLS, fresh=True)
    with pytest.raises(InputError, match="no checkpoint of 1300 x 38 pixels"):
        PastFile(tmp_path / "past", ROWS, COLS + 1)
    file = PastFile(tmp_path / "past", ROWS, COLS)
    with (tmp_path / "past").open("r+b") as cut:
        cut.truncate(1000)
    with pytest.raises(InputError, match="ends too early"):
        file.read(1000, 1010)
