"""Attack: kilobytes that decompress to gigabytes, as an archive, an array, a table, images and a raster."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import rasterio

from tests.attacks.conftest import Attack

GIB = 1 << 30


def test_an_array_of_zeros_in_an_archive(tmp_path: Path, attack: Attack) -> None:
    """20 GiB of zeros in 20 MiB: the header of the array says how large it is, before anything is unpacked."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (5, 32768, 32768)})
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("cube.npy", "w", force_zip64=True) as member,
    ):
        member.write(head.getvalue())
        for _ in range(64):
            member.write(bytes(1 << 20))
    assert attack("inspect", tmp_path / "bomb.npz", memory=GIB).refused


def test_images_that_are_larger_than_their_header_says(tmp_path: Path, attack: Attack) -> None:
    """Ten images in the header, a gigabyte of zeros behind them: no more than the header says is unpacked."""
    with gzip.open(tmp_path / "bomb-images-idx3-ubyte.gz", "wb", compresslevel=1) as file:
        file.write(struct.pack(">HBBIII", 0, 8, 3, 10, 28, 28))
        for _ in range(1024):
            file.write(bytes(1 << 20))
    ended = attack("inspect", tmp_path / "bomb-images-idx3-ubyte.gz", memory=GIB)
    assert "a bug" not in ended.text
    assert "out of memory" not in ended.text


def test_images_whose_header_claims_more_than_an_array_may(tmp_path: Path, attack: Attack) -> None:
    with gzip.open(tmp_path / "bomb-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**10, 2**10))
        file.write(bytes(1 << 20))
    assert attack("inspect", tmp_path / "bomb-images-idx3-ubyte.gz", memory=GIB).refused


def test_a_raster_in_an_archive_that_claims_more_than_it_can_hold(tmp_path: Path, attack: Attack) -> None:
    """A sparse GeoTIFF of 150,000 x 150,000 pixels in a few kilobytes."""
    profile = {"driver": "GTiff", "width": 150_000, "height": 150_000, "count": 3, "dtype": "uint16"}
    with rasterio.open(tmp_path / "in.tif", "w", sparse_ok=True, tiled=True, compress="deflate", **profile):
        pass
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "in.tif", "in.tif")
    assert attack("inspect", tmp_path / "bomb.zip", memory=GIB).refused


def test_a_table_of_one_endless_cell(tmp_path: Path, attack: Attack) -> None:
    with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"a,b,c\n")
        for _ in range(1024):
            file.write(b"1" * (1 << 20))
    ended = attack("inspect", tmp_path / "bomb.csv.gz", memory=2 * GIB)
    assert "a bug" not in ended.text
    assert ended.status in (2, 3, 4)
