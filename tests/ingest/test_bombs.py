"""Documents nested or named beyond reason: one line and an exit status, whoever has to parse them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.commands import call
from tests.raster_files import write

DEEP = "[" * 100_000 + "]" * 100_000


def model(header: str) -> bytes:
    """A safetensors file of this header and no tensor."""
    return struct.pack("<Q", len(header)) + header.encode()


BOMBS: list[tuple[str, bytes, list[str], int]] = [
    ("a.toml", f"a = {DEEP}".encode(), ["fit", "{scene}", "--config", "{bomb}"], 2),
    ("a.toml", b"a" + b".a" * 5_000 + b" = 1", ["fit", "{scene}", "--config", "{bomb}"], 2),
    ("a.toml", f"a = {DEEP}".encode(), ["run", "{bomb}", "--dry-run"], 2),
    ("a.toml", b'a = "' + b"x" * 5_000_000 + b'"', ["run", "{bomb}", "--dry-run"], 2),
    (
        "a.geojson",
        f'{{"type":"FeatureCollection","features":{DEEP}}}'.encode(),
        ["inspect", "{scene}", "--aoi", "{bomb}"],
        4,
    ),
    ("a.specvae", model(f'{{"__metadata__":{{"specvae":"{"[" * 50_000}"}}}}'), ["inspect", "{bomb}"], 4),
    ("a.specvae", model('{"__metadata__":' + '{"a":' * 50_000 + "1" + "}" * 50_001), ["inspect", "{bomb}"], 4),
    ("a.specvae", struct.pack("<Q", 2**60) + b"{}", ["inspect", "{bomb}"], 4),
]


@pytest.mark.parametrize(("name", "content", "command", "status"), BOMBS, ids=range(len(BOMBS)))
def test_a_document_that_is_a_bomb_is_refused_in_one_line(
    name: str, content: bytes, command: list[str], status: int, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    scene = write(tmp_path / "scene.tif", np.ones((3, 20, 20), "uint8"))
    words = [part.format(scene=scene, bomb=tmp_path / name) for part in command]
    got, text = call(words)
    assert got == status, text
    assert len(text.strip().splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "scene.tif"])
