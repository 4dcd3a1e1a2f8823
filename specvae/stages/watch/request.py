"""What a watch is asked to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specvae.errors import UsageError
from specvae.files.places import output_place
from specvae.option import Option, Range, check_options, option
from specvae.stages.requests import OVERWRITE

__all__ = ["WatchRequest"]

DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


@dataclass(frozen=True)
class WatchRequest:
    """What a watch is asked to do. Raises UsageError where a value is outside its range."""

    out: str | None = option(
        None,
        Option(
            "Write the alerts to this folder. [default: watch in the folder of reports]", metavar="DIR", is_path=True
        ),
    )
    """The folder that is written; None: ``watch`` beside the dates' folders."""
    false_alert_rate: float = option(
        0.1,
        Option(
            "Allow so many false confirmed alerts of the place in a year.",
            metavar="R",
            range=Range(0, 1, low_open=True),
        ),
    )
    """How many alerts of the place as a whole may be confirmed falsely in a year, on average."""
    close_after: int = option(
        2, Option("Close an alert after so many clear looks without evidence.", metavar="N", range=Range(1, 100))
    )
    """Clear looks in a row without evidence that close an alert."""
    since: str | None = option(None, Option("Leave out earlier dates, YYYY-MM-DD.", metavar="DATE"))
    """The first date that is looked at; None: the first there is."""
    strict: bool = option(False, Option("Exit 5 where the newest date's verdict is do-not-use."))
    """Whether a newest date that is not to be used changes the exit status."""
    overwrite: bool = option(False, OVERWRITE)
    """Compute all dates anew, and replace whatever stands there."""
    renew: bool = False
    """Replace a result of other settings."""
    dry_run: bool = False
    """Only say whether there is something to do."""

    def __post_init__(self) -> None:
        check_options(self)
        if self.since is not None and not DAY.fullmatch(self.since):
            raise UsageError(f"since is {self.since!r}; expected a date as 2026-07-14")

    def place(self, reports: str) -> Path:
        """The folder that is written, where the first folder of reports is ``reports``."""
        return output_place(self.out) if self.out else Path(reports) / "watch"

    def settings(self) -> dict[str, Any]:
        """What the outputs' content depends on, JSON-ready."""
        return {"false_alert_rate": self.false_alert_rate, "close_after": self.close_after, "since": self.since}
