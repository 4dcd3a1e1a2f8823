"""Every command has help with an example and stands in the README; the README is short and its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from specvae.cli.main import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = cli.list_commands(click.Context(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_an_example_and_a_place_in_the_readme(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert len((command.help or "").splitlines()) >= 3
    assert f"specvae {name}" in (command.help or ""), "no example"
    assert f"`specvae {name}" in README


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    mute = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert not mute


def test_the_readme_is_under_230_lines_and_its_links_exist() -> None:
    assert len(README.splitlines()) < 230
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_every_option_named_in_the_readme_exists() -> None:
    known = {o for name in COMMANDS for p in cli.get_command(click.Context(cli), name).params for o in p.opts}
    known |= {o for p in cli.params for o in p.opts} | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) <= known


@pytest.mark.parametrize("folder", ["data", "pipelines", "reports"])
def test_each_plain_folder_says_what_it_is_for(folder: str) -> None:
    assert len((ROOT / folder / "README.md").read_text(encoding="utf-8")) > 200
