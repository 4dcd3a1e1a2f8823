"""What a complete run of the tests came to: ``reports/tests/report.md``, from pytest's own record of the run.

``make test-all`` writes the record and calls ``python -m tests.suite_report RECORD``.
"""

from __future__ import annotations

import platform
import subprocess
import sys
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


def page(cases: Sequence[Case], commit: str, when: datetime) -> str:
    """The report in Markdown."""
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
    return "\n".join(lines) + "\n"


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
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(page(cases_of(Path(sys.argv[1])), _commit(), datetime.now(UTC)), encoding="utf-8")
    print(REPORT)
