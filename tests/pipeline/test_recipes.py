"""The recipes of pipelines/README.md: each parses as what it is, and calls the program by options that it has."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from specvae.cli.main import cli

TEXT = (Path(__file__).parents[2] / "pipelines" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def check(words: list[str]) -> None:
    """Parse as the command line would."""
    # The image's entry point is the command, so that a container's arguments begin behind it.
    words = words if Path(words[0]).name == "specvae" else ["specvae", *words]
    assert (
        words[1] in cli.list_commands(cli.make_context("specvae", [], resilient_parsing=True))
        or words[1] == "--log-format"
    ), words
    rest = words[1:]
    if rest[0] == "--log-format":
        rest = rest[2:]
    command = cli.get_command(click.Context(cli), rest[0])
    assert command is not None, rest
    context = command.make_context(rest[0], rest[1:])
    assert context.params["pipeline"].endswith(".toml")


def test_the_cron_line_has_five_fields_and_a_command_that_parses() -> None:
    line = next(text for text in blocks("") if "* * *" in text).strip()
    fields = line.split(None, 5)
    assert all(re.fullmatch(r"[\d*/,-]+", field) for field in fields[:5])
    words = shlex.split(fields[5].split(">>")[0])
    assert Path(words[0]).is_absolute(), "cron has no active environment"
    check(words)


def test_the_systemd_units_parse() -> None:
    units = []
    for text in blocks("ini"):
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(text)
        units.append(unit)
    service = next(unit for unit in units if "Service" in unit)["Service"]
    assert service["Type"] == "oneshot"
    assert service["ExecStart"].startswith("/"), "systemd takes absolute paths"
    check(shlex.split(service["ExecStart"]))
    assert any("Timer" in unit and unit["Timer"]["OnCalendar"] for unit in units)


def test_the_airflow_dag_compiles_and_its_command_parses() -> None:
    (text,) = blocks("python")
    commands = [
        keyword.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "bash_command" and isinstance(keyword.value, ast.Constant)
    ]
    assert len(commands) == 1
    check(shlex.split(str(commands[0])))


def test_the_cron_job_is_yaml_and_its_command_parses() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the extra `cluster`")
    (text,) = blocks("yaml")
    tree: dict[str, Any] = yaml.safe_load(text)
    assert tree["kind"] == "CronJob"
    pod = tree["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    check(pod["containers"][0]["args"])
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} <= volumes


def test_every_exit_status_is_explained() -> None:
    assert all(re.search(rf"\b{status}\b", TEXT) for status in (0, 2, 3, 4, 5, 130, 143))
