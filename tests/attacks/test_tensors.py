"""Attack: a model file whose tensors overlap, lie beyond the file or claim terabytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.conftest import Attack

STORED = Path(__file__).parents[1] / "stored" / "table.specvae"


def with_header(change: dict[str, Any], path: Path) -> Path:
    """The stored model with entries of its header replaced, its bytes of tensors unchanged."""
    payload = STORED.read_bytes()
    size = struct.unpack("<Q", payload[:8])[0]
    header = json.loads(payload[8 : 8 + size]) | change
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + payload[8 + size :])
    return path


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "forged",
    [
        entry([4], 0, 16),  # over the first tensor
        entry([2**40], 0, 2**42),
        entry([1], 2**62, 2**62 + 4),
        entry([2**62, 2**62], 0, 4),
        entry([-1], 0, 4),
        entry([4], 16, 0),
    ],
    ids=["overlap", "terabytes", "beyond", "overflow", "negative", "backwards"],
)
def test_forged_tensors_are_refused(forged: dict[str, Any], tmp_path: Path, attack: Attack) -> None:
    model = with_header({"net.vae.log_sigma": forged}, tmp_path / "model.specvae")
    assert attack("inspect", model).refused


def test_a_changed_number_is_noticed(tmp_path: Path, attack: Attack) -> None:
    payload = bytearray(STORED.read_bytes())
    payload[-3] ^= 1
    (tmp_path / "model.specvae").write_bytes(payload)
    ended = attack("inspect", tmp_path / "model.specvae")
    assert ended.refused
    assert "are not those that were saved" in ended.text
