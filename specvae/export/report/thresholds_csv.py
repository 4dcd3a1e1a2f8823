"""``thresholds.csv``: the table of thresholds of a report, one row a rate, one number a cell."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from specvae.export.report.sections import ThresholdRow

__all__ = ["COLUMNS", "write_thresholds"]

COLUMNS = (
    "asked_rate",
    "false_alarm_rate",
    "value",
    "value_low",
    "value_high",
    "interval_low",
    "interval_high",
    "method",
    "supported",
    "expected_false_alarms",
    "expected_per_km2",
    "share_of_scene_above",
    "false_share_bound",
    "warning",
)


def write_thresholds(path: Path, thresholds: Sequence[ThresholdRow]) -> None:
    """Write the rows of ``report["thresholds"]``; an interval takes two columns, what is unknown is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for row in thresholds:
            ends: dict[str, float | None] = {}
            for name, interval in (("interval", row["interval"]), ("value", row["value_interval"])):
                ends[f"{name}_low"], ends[f"{name}_high"] = interval or (None, None)
            # Spreadsheets and R read a lower-case true as a boolean; Python's True they read as text.
            writer.writerow({**row, **ends, "supported": str(row["supported"]).lower()})
