"""IDX files are read as they are, or refused in one line."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from specvae.benchmarks.mnist.data import MNIST, read_images
from specvae.errors import InputError
from specvae.ingest.table.idx import read_idx


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_idx_file_is_read_whether_gzipped_or_not(tmp_path: Path, pack) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    (tmp_path / "a").write_bytes(pack(idx(array)))
    np.testing.assert_array_equal(read_idx(tmp_path / "a"), array)


@pytest.mark.parametrize(
    "data", [b"", b"abc", b"\x00\x00\x08\x02\x00\x00\x00\x05", b"\x1f\x8bnonsense", idx(np.ones(9, np.uint8))[:-1]]
)
def test_what_is_no_whole_idx_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(InputError, match="not a whole IDX file"):
        read_idx(tmp_path / "a")


def test_an_absent_mnist_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data DIR"):
        read_images(tmp_path, MNIST)


def test_another_file_under_mnists_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(np.ones((1, 28, 28), np.uint8))))
    with pytest.raises(InputError, match="md5"):
        read_images(tmp_path, MNIST)


def test_mnist_has_its_known_shapes_and_counts(real_data: Path) -> None:
    arrays = read_images(real_data / "mnist", MNIST)
    assert arrays["train_images"].shape == (60_000, 28, 28)
    assert arrays["test_images"].shape == (10_000, 28, 28)
    assert np.bincount(arrays["test_labels"]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
