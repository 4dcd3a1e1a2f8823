"""The page of the benchmark of faults: what was tried, and what was lost."""

from __future__ import annotations

from pathlib import Path

from specvae.benchmarks.faults.trials import Trial
from specvae.benchmarks.report import Environment, Report, table

__all__ = ["write_page"]

SHOWN = 5


def write_page(out: Path, trials: list[Trial], made_with: Environment) -> None:
    """Write ``report.md`` into ``out``."""
    tried, torn = sum(trial.tried for trial in trials), sum(len(trial.torn) for trial in trials)
    lost = sum(len(trial.lost) for trial in trials)
    report = Report("Faults")
    report.text(
        f"{tried} faults were done to processes of the command line. Torn results: {torn}; lost files: {lost}. *Torn* is a "
        "result whose `item.json` or `watch.json` stands while a file that it names is missing or has other bytes than its "
        "checksum, a command that ends well where it cannot have, or a left-over beside the results. *Lost* is a file that the "
        "same command, run once more without a fault, does not bring to the bytes of a run that was never disturbed, or an "
        "input that changed."
    )
    body = [[trial.what, trial.tried, len(trial.torn), len(trial.lost), f"{trial.seconds:.0f}"] for trial in trials]
    report.text(table(["fault", "tried", "torn", "lost", "seconds"], body))
    found = [f"- {trial.name}: {line}" for trial in trials for line in (trial.torn + trial.lost)[:SHOWN]]
    if found:
        report.section("What was found").text("\n".join(found))
    report.made_with(made_with).write(out)
