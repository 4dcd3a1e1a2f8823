"""IDX files of images, as MNIST's: each image a row of its pixels in 0..1, its label from the file beside."""

from __future__ import annotations

import gzip
import math
import os
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.limits import ARRAY_BYTES
from specvae.ingest.table.arrow_arrays import from_numpy
from specvae.ingest.table.chunk import Chunk
from specvae.ingest.table.endings import IDX_ENDINGS
from specvae.ingest.table.number_format import POINTS, NumberFormat
from specvae.ingest.table.survey import Column

__all__ = ["IdxFile", "is_idx", "labels_beside", "read_idx"]

SAMPLE = 200
"""Rows that are looked at to decide what the columns hold."""


def is_idx(path: str) -> bool:
    """Whether a table is read as IDX: by its ending."""
    return path.casefold().endswith(IDX_ENDINGS)


def labels_beside(path: str) -> str | None:
    """The file of labels beside a file of images, gzipped or not, by MNIST's names; None where there is none."""
    folder, name = os.path.split(path)
    if "images-idx3" not in name:
        return None
    other = name.replace("images-idx3", "labels-idx1").removesuffix(".gz")
    return next((p for p in (os.path.join(folder, other + end) for end in (".gz", "")) if os.path.isfile(p)), None)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, gzipped or not (LeCun's format: magic, sizes, bytes).

    Raises InputError for what is not one, or is cut short.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            zero, kind, axes = struct.unpack(">HBB", file.read(4))
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            # 8 is the format's code of unsigned bytes.
            if (zero, kind) != (0, 8):
                raise ValueError(f"magic {zero}, {kind}")
            size = math.prod(shape)
            if size > ARRAY_BYTES:
                raise ValueError(f"it claims {size:,} bytes, more than {ARRAY_BYTES:,}")
            # No more than the header says: a gigabyte of zeros behind it packs into a megabyte.
            data = file.read(size + 1)
        if len(data) != size:
            raise ValueError(f"{min(len(data), size):,} of {size:,} bytes" if len(data) < size else "more bytes follow")
        return np.frombuffer(data, np.uint8).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise InputError(f"{path} is not a whole IDX file of bytes ({error}); copy it again") from None


class IdxFile:
    """A file of images, read at once, for such files are small."""

    def __init__(self, path: str) -> None:
        self.path = path
        images = read_idx(Path(path))
        if images.ndim < 2:
            raise InputError(f"{path} holds {images.ndim} axis, labels perhaps; expected images (n, rows, cols)")
        self.rows: int | None = len(images)
        self._images = images.reshape(len(images), -1)
        self._others: dict[str, NDArray[Any]] = {"image": np.arange(1, len(images) + 1)}
        self.notes: tuple[str, ...] = ("grey levels 0..255 are scaled to 0..1",)
        self.decisions: tuple[Decision, ...] = ()
        label_path = labels_beside(path)
        if label_path is not None:
            labels = read_idx(Path(label_path))
            if labels.shape != (len(images),):
                raise InputError(f"{label_path} holds {labels.shape} labels for the {len(images)} images of {path}")
            self._others["label"] = labels
        self.names = (*self._others, *(f"pixel{i + 1}" for i in range(self._images.shape[1])))

    @property
    def pixels(self) -> tuple[int, ...]:
        """Positions of the columns that are pixels, behind the image's number and label."""
        return tuple(range(len(self._others), len(self.names)))

    @property
    def number_format(self) -> NumberFormat:
        """Decimal points: nothing in it is text."""
        return POINTS

    @cached_property
    def columns(self) -> list[Column]:
        """Every column holds numbers, by the format."""
        return [Column(name, len(self._images)) for name in self.names]

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks of ``rows`` images with the columns at ``at`` as bands, and each image's number and label."""
        columns = [i - len(self._others) for i in at]
        if min(columns, default=0) < 0:
            raise InputError(f"{self.path}: only its pixels can be bands")
        for start in range(0, len(self._images), rows):
            part = self._images[start : start + rows]
            values = part.T[columns].astype(np.float32) / np.float32(255)
            others = {name: from_numpy(column[start : start + rows]) for name, column in self._others.items()}
            yield Chunk(values.T, pa.table(others))

    def last_rows(self, count: int) -> tuple[list[list[str]], bool]:
        """Nothing: no cell of it is text."""
        return [], len(self._images) <= count
