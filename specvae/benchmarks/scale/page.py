"""The rows and the page of the scale benchmark."""

from __future__ import annotations

from pathlib import Path

from specvae.benchmarks.report import Environment, Report, Row, table
from specvae.benchmarks.scale.many import Many
from specvae.benchmarks.scale.speed import Rate

__all__ = ["rows_of", "write_page"]


def rows_of(many: Many | None, rates: list[Rate]) -> list[Row]:
    """The rows of ``metrics.json``."""
    rows = _rows_of_many(many) if many else []
    for rate in rates:
        where = f"{rate.scenes}-scenes-{rate.how}-{rate.processes}"
        rows.append(Row(where, "specvae", "scenes_per_second", rate.per_second, 1, rate.seconds))
        rows.append(Row(where, "specvae", "overhead_share", rate.overhead, 1, rate.seconds))
    return rows


def _rows_of_many(many: Many) -> list[Row]:
    figures = {
        "done": float(many.counts["done"]),
        "named_rightly": float(many.broken - len(many.wrong)),
        "seconds": many.seconds,
        "second_run_seconds": many.second_seconds,
        "peak_mib_first_half": max(many.memory_mib[:5]),
        "peak_mib_second_half": max(many.memory_mib[5:]),
    }
    return [
        Row(f"{many.scenes}-scenes", "specvae", metric, value, 1, many.seconds) for metric, value in figures.items()
    ]


def write_page(out: Path, many: Many | None, rates: list[Rate], made_with: Environment) -> None:
    """Write ``report.md`` into ``out``; a part that was not run is not on it."""
    report = Report("Scale")
    if many:
        _add_many(report, many)
    if rates:
        body = [
            [r.how, r.processes, r.scenes, f"{r.seconds:.1f}", f"{r.per_second:.2f}", f"{100 * r.overhead:.0f} %"]
            for r in rates
        ]
        report.section("Speed").text(
            "Overhead is the share of the processes' time that was not work on a scene: start-up, loading the model, "
            "planning, waiting, the summary. The figures are of a machine with other work on it."
        )
        report.text(table(["", "processes", "scenes", "seconds", "scenes/s", "overhead"], body))
    report.made_with(made_with).write(out)


def _add_many(report: Report, many: Many) -> None:
    """Add the sections on thousands of scenes."""
    report.text(
        f"`specvae run` over {many.scenes:,} scenes of 32 x 32 pixels and 4 bands, {many.broken} of them broken in ten ways, "
        f"with {many.jobs} processes: exit status {many.exit_status}, {many.counts['done']:,} done, "
        f"{many.counts['invalid']} recorded as invalid, {many.counts['failed']} failed, in {many.seconds:.0f} s. The same "
        f"command again: exit status {many.second_status}, {many.second_counts['already']:,} done already, "
        f"{many.second_counts['invalid']} still invalid and not tried, in {many.second_seconds:.1f} s."
    )
    report.text("Wrong: " + ("; ".join(many.wrong) if many.wrong else "nothing."))
    body = [[way, len(texts), texts[0] if texts else None] for way, texts in many.reasons.items()]
    report.section("What was broken, and the reason given for the first of each").text(
        table(["way", "scenes", "reason"], body)
    )
    peaks = table([f"{10 * (i + 1)} %" for i in range(10)], [[f"{mib:.0f}" for mib in many.memory_mib]])
    report.section("Peak memory in each tenth of the run, all processes, MiB").text(peaks)
