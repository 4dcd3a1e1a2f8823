"""Every command has help with an example and a place in the guide; the README is short; every link and anchor leads somewhere."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import click
import pytest
import yaml

from specvae.cli.main import cli
from specvae.model.config_file import known_keys
from specvae.option import RUNNING
from tests import configuration
from tests.structure import BEGIN, END, PAGE, long_files, long_functions, order, rows

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guide" / "commands.md").read_text(encoding="utf-8")
COMMANDS = cli.list_commands(click.Context(cli))
FOLDERS = ("docs", "pipelines", "examples", "data", "reports")
PAGES = sorted(chain(ROOT.glob("*.md"), *((ROOT / folder).rglob("*.md") for folder in FOLDERS)))
DRAWN_BY_THE_TUTORIALS = "figures/"
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)


def outside_of_blocks(page: Path) -> str:
    """The text of a page without its code blocks and inline code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def links(page: Path) -> list[str]:
    """Targets of a page's links and pictures that are no addresses elsewhere."""
    targets = re.findall(r"\]\(\s*([^)\s]+)\s*\)", outside_of_blocks(page))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_an_example_and_a_place_in_the_guide(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert len((command.help or "").splitlines()) >= 3
    assert f"specvae {name}" in (command.help or ""), "no example"
    assert f"`specvae {name}" in GUIDE


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_in_a_sentence_what_it_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = [p for p in command.params if isinstance(p, click.Option)]
    said = {p.name: (p.help or "").split("[default")[0].strip() for p in options}
    assert [name for name, text in said.items() if not re.fullmatch(r"[A-Z][^ ]* .+ .+\.", text, re.S)] == []


@pytest.mark.parametrize("name", ["fit", "score", "calibrate", "inspect"])
def test_the_help_has_each_option_once_under_the_heading_that_it_was_declared_with(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    text = command.get_help(click.Context(command, info_name=name))
    headings, under = list[str](), dict[str, str]()
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z][a-z ]+:", line):
            headings.append(line[:-1])
        elif flag := re.match(r"  (?:-h, )?(--[a-z-]+)", line):
            assert flag[1] not in under
            under[flag[1]] = headings[-1]
    assert len(headings) == len(set(headings)) >= 3
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert under == {option.opts[0]: getattr(option, "heading", RUNNING) for option in options} | {"--help": RUNNING}


def test_the_page_of_settings_is_that_of_the_fields() -> None:
    assert configuration.PAGE.read_text(encoding="utf-8") == configuration.page(), (
        "python -m tests.configuration --write"
    )
    for key in known_keys():
        assert f"| `{key}` |" in configuration.tables()


def test_the_help_of_a_fit_names_the_settings_that_are_used_most() -> None:
    command = cli.get_command(click.Context(cli), "fit")
    assert command is not None
    (about,) = (p.help or "" for p in command.params if isinstance(p, click.Option) and p.name == "set")
    named = re.findall(r"[a-z]+\.[a-z_]+(?=[,;])", about)
    assert len(named) >= 5
    assert set(named) <= set(known_keys())


def test_the_readme_has_at_most_120_lines() -> None:
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_anchor_of_a_page_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if path.startswith(DRAWN_BY_THE_TUTORIALS):
            continue
        assert target.exists(), f"{link} does not exist"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading among {sorted(anchors(target))}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_site_s_pages_link_to_nothing_outside_of_it(page: Path) -> None:
    docs = ROOT / "docs"
    if page.is_relative_to(docs):
        outside = [link for link in links(page) if not (page.parent / link).resolve().is_relative_to(docs)]
        assert not outside, "MkDocs cannot follow these; name the file instead"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_of_the_package_that_a_page_names_exists(page: Path) -> None:
    for path in re.findall(
        r"`((?:specvae|tests|pipelines|examples|docs|reports/benchmarks)/[\w./-]+)`", page.read_text()
    ):
        assert (ROOT / path).exists(), path


def test_every_name_that_the_architecture_places_in_a_file_is_defined_there() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    placed = re.findall(r"`([\w.]+)` in `(specvae/[\w/]+\.py)`", text)
    assert len(placed) >= 40
    for name, path in placed:
        code = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(?:def |class |)({re.escape(name)})\b(?:\(|:| =)", code, re.M), f"{name} is not in {path}"


def test_each_change_begins_in_the_file_opened_first_and_only_one_touches_more_than_five() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## What a change touches")[1].split("\n## ")[0]
    body = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")][
        2:
    ]
    assert len(body) == 11
    for _, first, rest, count in body:
        changed = [first, *(rest.split(", ") if rest != "nothing" else [])]
        existing = [name.strip("`") for name in changed if not name.startswith("a new ")]
        assert all((ROOT / path).is_file() for path in existing), existing
        assert len(set(changed)) == int(count)
    assert [request for request, *_, count in body if int(count) > 5] == ["a cut for each class of land cover"]


@pytest.mark.parametrize("text", [README, GUIDE], ids=["README", "guide"])
def test_every_option_that_is_named_exists(text: str) -> None:
    known = {o for name in COMMANDS for p in cli.get_command(click.Context(cli), name).params for o in p.opts}
    known |= {o for p in cli.params for o in p.opts} | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known


@pytest.mark.parametrize("folder", ["data", "pipelines", "examples", "reports"])
def test_each_plain_folder_says_what_it_is_for(folder: str) -> None:
    assert len((ROOT / folder / "README.md").read_text(encoding="utf-8")) > 200


def names_in_pages() -> set[str]:
    """Dotted names that the site's reference asks for, and that the tutorials' and examples' code imports."""
    texts = [path.read_text(encoding="utf-8") for path in (*PAGES, *(ROOT / "examples").glob("*.py"))]
    names = {name for text in texts for name in re.findall(r"^::: (specvae[\w.]+)$", text, re.M)}
    for text in texts:
        for module, imported in re.findall(r"^ *from (specvae[\w.]*) import ([\w, ]+)$", text, re.M):
            names |= {f"{module}.{name.strip()}" for name in imported.split(",")}
    return names


@pytest.mark.parametrize("name", sorted(names_in_pages()))
def test_every_name_of_the_package_that_a_page_uses_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    if find_spec(module) is not None and hasattr(import_module(module), attribute):
        return
    assert find_spec(name) is not None, f"{name} is no module, and {module} has no {attribute}"


def test_the_workflow_runs_the_readme_s_two_commands_on_both_pythons() -> None:
    tree = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = tree["jobs"]["readme"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
    commands = [step["run"].split(" PYTHON=")[0] for step in job["steps"] if "run" in step]
    assert commands == ["make demo", "make test"]
    assert all(re.search(rf"^{command}\b", README, re.M) for command in commands)


def test_the_table_of_rooms_and_the_hard_rows_of_the_structure_are_those_of_the_code() -> None:
    committed = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    floors = [line.split("|")[1:3] for line in order()]
    assert [line.split("|")[1:3] for line in committed.strip().splitlines()[: len(floors)]] == floors
    hard = [row.line for row in rows() if row.hard]
    assert len(hard) >= 6
    for line in hard:
        assert line in committed, "run `python -m tests.structure --write`"


def test_the_code_keeps_to_each_limit_of_the_structure() -> None:
    limited = [row for row in rows() if row.limit]
    assert len(limited) == 5
    assert [row.line for row in limited if not row.within] == [], [*long_files(), *long_functions()]
