"""What a page packs reads back: arrays to their last bit, NaN as NaN, and pictures to each pixel."""

from __future__ import annotations

import base64
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specvae.export.png import write_png
from specvae.export.report.packing import packed_floats, packed_numbers, packed_places
from specvae.files.json_files import json_line


@pytest.mark.parametrize("dtype", ["u1", "u4", "f4", "f8"])
def test_packed_numbers_read_back_as_little_endian_numbers(dtype: str) -> None:
    values = np.array([0, 1, 7, 200])
    packed = packed_numbers(values, dtype)
    assert packed["dtype"] == dtype
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(packed["base64"]), f"<{dtype}"), values)


def test_a_number_that_is_not_finite_reads_back_as_such() -> None:
    read = np.frombuffer(base64.b64decode(packed_numbers([math.nan, 1.5, math.inf])["base64"]), "<f4")
    np.testing.assert_array_equal(read, [math.nan, 1.5, math.inf])


@pytest.mark.parametrize(("largest", "dtype"), [(255, "u1"), (256, "u2"), (65_536, "u4")])
def test_places_take_as_few_bytes_as_hold_the_largest(largest: int, dtype: str) -> None:
    packed = packed_places(np.array([3, largest]))
    assert packed["dtype"] == dtype
    assert np.frombuffer(base64.b64decode(packed["base64"]), f"<{dtype}").tolist() == [3, largest]
    assert packed_places(np.zeros(0, np.int64)) == {"dtype": "u1", "base64": ""}


def test_packed_floats_are_within_15_bits_of_mantissa() -> None:
    values = np.random.default_rng(0).normal(0, 1e3, (5, 700)).astype(np.float32)
    values[2, 3] = np.nan
    raw = np.frombuffer(zlib.decompress(base64.b64decode(packed_floats(values))), np.uint8).reshape(3, -1)
    bits = np.zeros((4, raw.shape[1]), np.uint8)
    bits[:3] = raw
    read = np.ascontiguousarray(bits.T).view(">f4").reshape(values.shape)
    np.testing.assert_allclose(read, values, rtol=2.0**-16)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (30, 1), (64, 50)])
def test_a_png_has_each_pixel_as_it_was(tmp_path: Path, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8).repeat(3, axis=0)
    write_png(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as picture:
        picture.verify()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_a_line_of_json_has_null_for_what_json_cannot_hold() -> None:
    tree = {"a": [1.5, math.nan, np.float32(2)], 3: (True, None, "x"), "n": np.int64(4), "far": math.inf}
    assert json_line(tree) == '{"a":[1.5,null,2.0],"3":[true,null,"x"],"n":4,"far":null}'
