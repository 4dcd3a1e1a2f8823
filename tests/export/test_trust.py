"""The joined verdict: never ok on a rate that was not tested or is model-based, and always with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from specvae.export.report.trust import expected_words, trust_of
from specvae.thresholds.drift.verdict import Drift


@dataclass(frozen=True)
class Figures:
    pixels: Any
    drift: Drift


def figures(anomalous: int = 10, verdict: str = "ok") -> Figures:
    reasons = ("all bands are moved",) if verdict != "ok" else ("like the fit",)
    drift = Drift(verdict, reasons, 1000, None, None, None, None, None, ())
    return Figures({"total": 10_000, "valid": 10_000, "anomalous": anomalous, "invalid_by_reason": {}}, drift)


def cut(**changes: Any) -> Any:
    usual = {
        "value": 30.0,
        "false_alarm_rate": 1e-3,
        "asked_rate": 1e-3,
        "method": "empirical",
        "interval": [6e-4, 2e-3],
        "value_interval": None,
        "supported": True,
        "warning": None,
    }
    return usual | changes


def calibration(judged: bool = True, passed: bool | None = True, contaminated: bool = False) -> Any:
    rows = [{"rate": rate, "judged": judged or rate > 1e-3, "passed": passed} for rate in (1e-1, 1e-2, 1e-3)]
    return {"contaminated": contaminated, "check": {"passed": passed, "rates": rows}}


def test_all_well_is_ok_and_says_what_was_looked_at() -> None:
    trust = trust_of(figures(), cut(), calibration(), "pixels")
    assert (trust["verdict"], trust["rate_tested"]) == ("ok", True)
    assert trust["expected"] == pytest.approx([10.0, 6.0, 20.0])
    assert "held" in trust["reasons"][0]


@pytest.mark.parametrize(
    ("changes", "facts", "words"),
    [
        ({}, {"judged": False}, "never tried"),
        ({}, {"passed": False}, "did not hold"),
        ({}, {"contaminated": True}, "hold anomalies themselves"),
        ({"method": "model-based"}, {}, "was not measured"),
        ({"supported": False, "asked_rate": 1e-4}, {}, "0.0001 that was asked for is not supported"),
        ({"interval": [1e-5, 2e-2]}, {}, "between 1e-05 and 0.02"),
        ({"false_alarm_rate": None, "asked_rate": None, "interval": None}, {}, "no false-alarm rate"),
        ({"false_alarm_rate": 1e-5, "asked_rate": 1e-5, "interval": [5e-6, 2e-5]}, {}, "1e-05 was never tried"),
    ],
)
def test_it_is_never_ok_where_the_rate_is_not_tested(
    changes: dict[str, Any], facts: dict[str, Any], words: str
) -> None:
    trust = trust_of(figures(), cut(**changes), calibration(**facts), "pixels")
    assert trust["verdict"] == "caution"
    assert any(words in reason for reason in trust["reasons"]), trust["reasons"]


def test_the_worst_of_the_parts_decides_and_all_reasons_are_given() -> None:
    trust = trust_of(figures(verdict="do-not-use"), cut(method="model-based"), calibration(), "pixels")
    assert trust["verdict"] == "do-not-use"
    assert len(trust["reasons"]) == 2
    assert trust_of(figures(6000), cut(), calibration(), "pixels")["verdict"] == "do-not-use"
    assert trust_of(figures(3000), cut(), calibration(), "pixels")["verdict"] == "caution"


def test_a_rate_between_two_checked_ones_is_tested_by_the_smaller() -> None:
    between = cut(false_alarm_rate=3e-3, asked_rate=3e-3, interval=[2e-3, 5e-3])
    assert trust_of(figures(), between, calibration(), "pixels")["rate_tested"]
    assert not trust_of(figures(), between, calibration(judged=False), "pixels")["rate_tested"]


def test_an_expected_number_is_told_with_its_interval() -> None:
    assert expected_words(None) == ""
    assert expected_words([43.9, 0.0, 726.4]) == "about 44 (0 to 726)"
