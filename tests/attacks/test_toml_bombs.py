"""Attack: a TOML that is deep, long, or asks for what no machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.conftest import Attack

STAGE = '[[stage]]\nrun = "score"\nscene = "in/*.tif"\nmodel = "model.specvae"\n'


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000 + "]" * 50_000,
        "a = " + "{b=" * 20_000 + "1" + "}" * 20_000,
        "a" + ".a" * 20_000 + " = 1",
        'name = "' + "x" * 20_000_000 + '"\n' + STAGE,
        "jobs = 999999999\n" + STAGE,
        "retries = 99999999999999999999\n" + STAGE,
        'max_memory = "99999999999999T"\n' + STAGE,
        STAGE * 20_000 + "explain = -1\n",
    ],
    ids=["arrays", "tables", "dots", "name", "jobs", "retries", "memory", "stages"],
)
def test_a_pipeline_that_is_a_bomb_is_refused(text: str, tmp_path: Path, scene: Path, attack: Attack) -> None:
    (tmp_path / "bomb.toml").write_text(text, encoding="utf-8")
    ended = attack("run", "bomb.toml", "--dry-run")
    assert ended.refused, ended.text[:500]
    assert len(ended.text) < 2_000


@pytest.mark.parametrize("text", ["[network]\nlatent = 1000000000\n", "[network]\nhidden = [1000000000]\n"])
def test_a_network_that_no_machine_holds_is_refused(text: str, tmp_path: Path, scene: Path, attack: Attack) -> None:
    (tmp_path / "huge.toml").write_text(text, encoding="utf-8")
    ended = attack("fit", scene, "--config", "huge.toml")
    assert ended.refused, ended.text[:500]
