"""The report of a complete run: what failed, and what became of it when it was run again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.suite_report import cases_of, page

RECORD = """<testsuites><testsuite>
<testcase classname="tests.stages.test_fit" name="test_one" time="2.5"/>
<testcase classname="tests.stages.test_fit" name="test_two" time="1">
<failure message="assert 1 == 2&#10;more">text</failure></testcase>
<testcase classname="tests.test_docs" name="test_three" time="0"><skipped message="needs a GPU"/></testcase>
<testcase classname="tests.test_docs" name="test_gone" time="0"><error message="broken"/></testcase>
</testsuite></testsuites>"""
AGAIN = '<testsuites><testcase classname="tests.stages.test_fit" name="test_two" time="1"/></testsuites>'


def test_a_record_becomes_counts_folders_and_reasons(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(RECORD)
    text = page(cases_of(tmp_path / "a.xml"), "abc1234", datetime(2026, 1, 2, tzinfo=UTC))
    assert "at commit abc1234, 2026-01-02" in text
    assert "1 passed, 2 failed, 1 skipped (25.0%)" in text
    assert "| tests/stages | 2 | 1 | 0 | 4 |" in text
    assert "- 1: tests/stages/test_fit.py: assert 1 == 2\n" in text
    assert "- 1: needs a GPU" in text
    assert "Run again" not in text


def test_what_was_run_again_is_said_of_each_that_failed(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(RECORD)
    (tmp_path / "b.xml").write_text(AGAIN)
    first, again = (cases_of(tmp_path / name) for name in ("a.xml", "b.xml"))
    text = page(first, "abc1234", datetime(2026, 1, 2, tzinfo=UTC), again, "def5678")
    assert "At commit def5678: 1 of 1 tests passed" in text
    assert "- tests/stages/test_fit.py::test_two: passed" in text
    assert "- tests/test_docs.py::test_gone: not there any more under this name" in text
