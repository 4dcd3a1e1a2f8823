"""What a complete run of the tests came to: ``reports/tests/report.md``, from pytest's own record of the run.

``make test-all`` writes the record and calls ``python -m tests.suite_report RECORD``. Records of tests that were run again after a
mend follow as further arguments, and ``--at COMMIT`` names the commit that RECORD is of where it is not the newest.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "reports" / "tests" / "report.md"
SLOWEST = 25
"""Tests that are named with their seconds."""


@dataclass(frozen=True)
class Case:
    """One test as pytest recorded it."""

    file: str
    name: str
    seconds: float
    outcome: str
    """``passed``, ``failed`` or ``skipped``."""
    reason: str
    """Why it was skipped or how it failed, in a line; empty where it passed."""


def cases_of(record: Path) -> tuple[Case, ...]:
    """The tests of a record in JUnit's form. Raises OSError or ElementTree.ParseError where it cannot be read."""
    cases = []
    for element in ElementTree.parse(record).iter("testcase"):
        outcome, reason = "passed", ""
        for tag, word in (("skipped", "skipped"), ("failure", "failed"), ("error", "failed")):
            found = element.find(tag)
            if found is not None:
                outcome, reason = word, (found.get("message") or "").splitlines()[0] if found.get("message") else ""
        file = element.get("classname", "").replace(".", "/") + ".py"
        cases.append(Case(file, element.get("name", ""), float(element.get("time", 0)), outcome, reason))
    return tuple(cases)


def page(cases: Sequence[Case], commit: str, when: datetime, again: Sequence[Case] = (), mended: str = "") -> str:
    """The report in Markdown; ``again`` are the tests that were run once more, at the commit ``mended``."""
    count = {word: sum(case.outcome == word for case in cases) for word in ("passed", "failed", "skipped")}
    share = count["skipped"] / max(1, len(cases))
    lines = [
        "# All tests",
        "",
        f"`make test-all` at commit {commit}, {when:%Y-%m-%d}, Python {platform.python_version()}, {_processor()}, "
        f"{cpu_count()} cores: {count['passed']:,} passed, {count['failed']:,} failed, {count['skipped']:,} skipped "
        f"({share:.1%}). Seconds are those of the tests, two processes at a time.",
        "",
        "## By folder",
        "",
        "| folder | tests | failed | skipped | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    folders: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        parts = Path(case.file).parts
        folders["/".join(parts[:2]) if len(parts) > 2 else parts[0]].append(case)
    for folder, inside in sorted(folders.items()):
        failed, skipped = (sum(case.outcome == word for case in inside) for word in ("failed", "skipped"))
        lines.append(
            f"| {folder} | {len(inside):,} | {failed} | {skipped} | {sum(case.seconds for case in inside):,.0f} |"
        )
    lines += ["", "## Slowest", "", "| test | seconds |", "| --- | ---: |"]
    for case in sorted(cases, key=lambda case: -case.seconds)[:SLOWEST]:
        lines.append(f"| {case.file}::{_in_a_cell(case.name)} | {case.seconds:,.0f} |")
    for word in ("failed", "skipped"):
        reasons: dict[str, int] = defaultdict(int)
        for case in cases:
            if case.outcome == word:
                reasons[f"{case.file}: {case.reason}" if word == "failed" else case.reason] += 1
        lines += ["", f"## {word.capitalize()}", ""]
        lines += [f"- {n}: {_in_a_cell(reason)}" for reason, n in sorted(reasons.items())] or ["None."]
    return "\n".join([*lines, *_run_again(cases, again, mended)]) + "\n"


def _run_again(cases: Sequence[Case], again: Sequence[Case], mended: str) -> list[str]:
    """What became of the tests that failed, and of all that were run again; nothing where none was."""
    if not again:
        return []
    outcomes = {(case.file, case.name): case.outcome for case in again}
    failed = [case for case in cases if case.outcome == "failed"]
    count = sum(case.outcome == "passed" for case in again)
    lines = [
        "",
        "## Run again",
        "",
        f"At commit {mended}: {count} of {len(again)} tests passed. Of those that failed above:",
        "",
    ]
    for case in failed:
        outcome = outcomes.get((case.file, case.name), "not there any more under this name")
        lines.append(f"- {case.file}::{_in_a_cell(case.name)}: {outcome}")
    return lines


def _in_a_cell(text: str) -> str:
    return text.replace("|", "\\|")[:160]


def _processor() -> str:
    """The processor's name as Linux gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("record", type=Path)
    words.add_argument("again", type=Path, nargs="*")
    words.add_argument("--at", default=_commit())
    asked = words.parse_args()
    anew = tuple(case for record in asked.again for case in cases_of(record))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(page(cases_of(asked.record), asked.at, datetime.now(UTC), anew, _commit()), encoding="utf-8")
    print(REPORT)
