"""The command that scores the same input at another cut, as the page shows it beside its slider."""

from __future__ import annotations

import shlex

from specvae.export.report.sections import Report
from specvae.ingest.options import IngestOptions
from specvae.option import options_of

__all__ = ["CUT", "OUT", "command_again"]

CUT, OUT = "CUT", "at-CUT"
"""What stands for the cut in nats, and the folder of its results."""


def command_again(report: Report) -> str:
    """``specvae score`` with the input, the model and how the input was read; ``CUT`` stands for the threshold in nats."""
    words = ["specvae", "score", report["scene"]["path"], "--model", report["model"]["path"]]
    ingest = report["settings"].get("ingest", {})
    for declared in options_of(IngestOptions, "score"):
        value, name = ingest.get(declared.name), f"--{declared.name.replace('_', '-')}"
        if value is None or value is False or value == declared.default or value == []:
            continue
        if value is True:
            words.append(name)
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [name, str(each)]
    return " ".join([shlex.join(words), "--threshold", CUT, "--out", OUT])
