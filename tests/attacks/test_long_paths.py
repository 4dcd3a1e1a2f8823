"""Attack: paths of 4,096 characters and names of 300, which overflow what systems allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.conftest import Attack


@pytest.mark.parametrize("name", ["a/" * 2_100 + "b.tif", "x" * 300 + ".tif", "x" * 100_000])
def test_a_path_that_no_system_has_is_one_short_line(name: str, scene: Path, attack: Attack) -> None:
    for words in (("inspect", name), ("score", name), ("fit", scene, "--model", name), ("fit", scene, "--mask", name)):
        ended = attack(*words)
        assert ended.refused, (words[0], ended.text[:300])
        assert len(ended.text) < 1_000


def test_an_output_below_a_path_that_is_too_long(tmp_path: Path, scene: Path, attack: Attack) -> None:
    assert attack("fit", scene, "--set", "training.steps=10").status == 0
    ended = attack("score", scene, "--out", "d/" * 2_100)
    assert ended.refused
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "model.specvae"]
