"""Attack: a key that stands twice, so that one reader checks the first and another one uses the second."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.attacks.conftest import Attack

STORED = Path(__file__).parents[1] / "stored" / "table.specvae"


def test_a_tensor_that_stands_twice_in_a_header_is_refused(tmp_path: Path, attack: Attack) -> None:
    payload = STORED.read_bytes()
    size = struct.unpack("<Q", payload[:8])[0]
    header = payload[8 : 8 + size].rstrip()
    twice = header[:-1] + b',"net.vae.log_sigma":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (tmp_path / "model.specvae").write_bytes(struct.pack("<Q", len(twice)) + twice + payload[8 + size :])
    assert attack("inspect", tmp_path / "model.specvae").refused


def test_the_metadata_twice_is_refused(tmp_path: Path, attack: Attack) -> None:
    payload = STORED.read_bytes()
    size = struct.unpack("<Q", payload[:8])[0]
    header = payload[8 : 8 + size].rstrip()
    twice = header[:-1] + b',"__metadata__":{"specvae":"{}"}}'
    (tmp_path / "model.specvae").write_bytes(struct.pack("<Q", len(twice)) + twice + payload[8 + size :])
    assert attack("inspect", tmp_path / "model.specvae").refused


def test_a_key_that_stands_twice_in_a_pipeline_is_refused_with_its_line(
    tmp_path: Path, scene: Path, attack: Attack
) -> None:
    text = f'out = "out"\nout = "{tmp_path}/private"\n[[stage]]\nrun = "fit"\nsource = "{scene}"\n'
    (tmp_path / "twice.toml").write_text(text, encoding="utf-8")
    ended = attack("run", tmp_path / "twice.toml", "--dry-run")
    assert ended.refused
    assert "line 2" in ended.text
