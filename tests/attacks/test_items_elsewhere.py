"""Attack: STAC items and results that point into other folders, so that these are read, overwritten or swept."""

from __future__ import annotations

import json
from pathlib import Path

from tests.attacks.conftest import Attack


def test_an_item_whose_assets_lie_elsewhere_shows_no_secret(secret: Path, scene: Path, attack: Attack) -> None:
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "x",
        "geometry": None,
        "properties": {"datetime": "2024-01-01T00:00:00Z"},
        "links": [],
        "assets": {
            "red": {"href": str(secret), "type": "image/tiff", "roles": ["data"]},
            "nir": {"href": "../private/secret.tif", "type": "image/tiff", "roles": ["data"]},
            "far": {"href": "http://127.0.0.1:9/x.tif", "type": "image/tiff", "roles": ["data"]},
        },
    }
    path = scene.parent / "item.json"
    path.write_text(json.dumps(item), encoding="utf-8")
    assert attack("fit", path, "--set", "training.steps=10").refused


def test_what_an_old_item_names_elsewhere_is_not_swept(
    tmp_path: Path, secret: Path, scene: Path, attack: Attack
) -> None:
    """A result is replaced file by file of the registry; what its old item claims to own plays no part."""
    assert attack("fit", scene, "--set", "training.steps=10").status == 0
    assert attack("score", scene).status == 0
    path = tmp_path / "reports" / "scene" / "item.json"
    item = json.loads(path.read_text(encoding="utf-8"))
    item["assets"]["evil"] = {"href": "../../private/secret.tif"}
    path.write_text(json.dumps(item), encoding="utf-8")
    assert attack("score", scene, "--overwrite", "--threshold", "4").status == 0
    assert secret.exists()


def test_a_folder_of_results_that_is_a_link_is_not_followed(
    tmp_path: Path, secret: Path, scene: Path, attack: Attack
) -> None:
    assert attack("fit", scene, "--set", "training.steps=10").status == 0
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "scene").symlink_to(secret.parent)
    assert attack("score", scene).refused
    assert sorted(p.name for p in secret.parent.iterdir()) == ["secret.tif"]
