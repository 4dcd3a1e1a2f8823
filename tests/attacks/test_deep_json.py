"""Attack: JSON nested a hundred thousand deep, where a recursive reader overflows its stack."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.attacks.conftest import Attack

DEEP = "[" * 100_000 + "]" * 100_000


def test_a_model_with_a_deep_header_is_refused(tmp_path: Path, attack: Attack) -> None:
    text = f'{{"__metadata__":{{"specvae":{DEEP}}}}}'.encode()
    (tmp_path / "model.specvae").write_bytes(struct.pack("<Q", len(text)) + text)
    assert attack("inspect", tmp_path / "model.specvae").refused


def test_a_mask_of_deep_geojson_is_refused(tmp_path: Path, scene: Path, attack: Attack) -> None:
    path = tmp_path / "area.geojson"
    path.write_text(f'{{"type":"FeatureCollection","features":{DEEP}}}', encoding="utf-8")
    assert attack("inspect", scene, "--aoi", path).refused


def test_a_deep_item_beside_a_result_is_no_result(tmp_path: Path, scene: Path, attack: Attack) -> None:
    """An ``item.json`` says that a folder is done; one that cannot be read does not, and is replaced."""
    assert attack("fit", scene, "--set", "training.steps=20").status == 0
    folder = tmp_path / "reports" / "scene"
    folder.mkdir(parents=True)
    (folder / "item.json").write_text(DEEP, encoding="utf-8")
    ended = attack("score", scene)
    assert "a bug" not in ended.text
    assert ended.status in (0, 4)


def test_a_deep_pipeline_is_refused(tmp_path: Path, attack: Attack) -> None:
    (tmp_path / "deep.toml").write_text(f"name = {DEEP}", encoding="utf-8")
    assert attack("run", tmp_path / "deep.toml", "--dry-run").refused
