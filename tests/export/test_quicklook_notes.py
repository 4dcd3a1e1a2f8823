"""The words of a quicklook: when, where, what, how sure and whether to trust it, each from the report."""

from __future__ import annotations

from typing import Any

from specvae.export.report.quicklook_notes import notes_of


def report(**changes: Any) -> Any:
    leading = {"id": 1, "pixels": 149, "area_m2": 134_100.0, "bands": "red +98 %", "lon": -105.5, "lat": 39.98}
    interval = {"interval": [0.007, 0.013], "value_interval": None, "supported": True, "warning": None}
    return {
        "scene": {"datetime": "2016-07-23T17:30:00Z"},
        "model": {},
        "pixels": {"valid": 43_300, "anomalous": 1_200},
        "objects": {"count": 30, "leading": [leading]},
        "threshold": {
            "value": 69.93,
            "false_alarm_rate": 0.01,
            "asked_rate": 0.01,
            "method": "empirical",
            **interval,
        },
        "trust": {"verdict": "ok", "reasons": ["the scene looks like the fit"], "expected": [433.0, 303.0, 563.0]},
    } | changes


def test_the_five_answers_stand_in_the_notes() -> None:
    assert dict(notes_of(report(), (12, 34))) == {
        "when": "2016-07-23T17:30:00Z",
        "where": "object 1 of 30, circled: 149 pixels (134,100 m²) at 39.98000° N, 105.50000° W",
        "what": "red +98 %",
        "how sure": "flagged above 69.93 nats: a false-alarm rate of 0.01 (90 %: 0.007 to 0.013); about 433 (303 to 563) of "
        "43,300 pixels would be flagged if all were normal",
        "to be trusted?": "ok: the scene looks like the fit",
    }


def test_what_is_unknown_is_said_to_be_so() -> None:
    plain = report(scene={"datetime": None}, trust=report()["trust"] | {"expected": None})
    plain["objects"]["leading"][0] |= {"lon": None, "lat": None, "area_m2": None}
    notes = dict(notes_of(plain, (12, 34)))
    assert notes["when"] == "the input does not say when it was taken"
    assert notes["where"].endswith("149 pixels at row 12, column 34")
    assert notes["how sure"].endswith("(90 %: 0.007 to 0.013)")
    nothing = report(objects={"count": 0, "leading": []}, pixels={"valid": 9, "anomalous": 0})
    assert dict(notes_of(nothing, None))["where"] == "nothing is flagged"
