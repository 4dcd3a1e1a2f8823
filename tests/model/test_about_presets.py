"""Every preset says what it is for, and the command lists them all."""

from __future__ import annotations

import json

from specvae.model.about_presets import about_presets
from specvae.model.config_file import load_config, presets
from tests.commands import call


def test_every_preset_is_listed_with_what_it_is_for() -> None:
    about = about_presets()
    assert [preset.name for preset in about] == sorted(presets())
    assert all(len(preset.purpose) > 40 and not preset.purpose.startswith("#") for preset in about)


def test_what_is_said_of_a_preset_is_what_it_sets() -> None:
    (digits,) = [preset for preset in about_presets() if preset.name == "conv-bernoulli"]
    network = load_config(preset="conv-bernoulli").network
    assert f"{network.latent} latent dimensions" in digits.network
    assert "bernoulli likelihood" in digits.network


def test_the_command_prints_a_paragraph_each_or_json() -> None:
    status, text = call(["presets"])
    assert status == 0
    assert all(f"{name}: " in text for name in presets())
    status, text = call(["presets", "--json"])
    assert [row["name"] for row in json.loads(text)] == sorted(presets())
