"""``specvae demo``: make, fit, score, print where to look."""

from __future__ import annotations

import click

from specvae.cli.invocation import invocation
from specvae.cli.terminal import echo

__all__ = ["command"]


@click.command("demo")
@click.option(
    "--out",
    metavar="DIR",
    help="Write everything to this folder. [default: demo, or demo/series with --series]",
)
@click.option("--seed", default=0, show_default=True, help="Make the two nights with this seed.")
@click.option(
    "--series", is_flag=True, help="Make a place over a year and a half in place of two nights, and its alerts."
)
def command(out: str | None, seed: int, series: bool) -> int:
    """Make a small normal scene and tonight's with planted anomalies, fit on one, score the other, say where to look.

    \b
    specvae demo
    specvae demo --series
    """
    if series:
        return _series(out or "demo/series", seed)  # not where `specvae demo` keeps a model of its own
    from specvae.stages.demo.demo import demo

    outcome = demo(out or "demo", seed)
    reports = outcome.folder / "reports" / "tonight"
    echo(
        f"planted anomalies found: {outcome.detected} of {outcome.planted} (burns, oil and tarpaulins of 1 to 149 pixels)"
    )
    echo(
        f"false alarms: {outcome.false_alarms} of {outcome.normal_pixels:,} normal pixels, asked 1e-3; "
        f"{outcome.beside} more within {outcome.halo} pixels of planted ones, whose surroundings are not normal"
    )
    echo(f"AUROC: {outcome.auroc:.4f}; should you trust the map? {outcome.verdict}")
    echo(f"map:     {reports / 'score.tif'} and {reports / 'anomaly.tif'}")
    echo(f"picture: {reports / 'quicklook.png'}")
    echo(f"report:  {reports / 'report.html'}")
    return 0


def _series(out: str, seed: int) -> int:
    """The demo of a watched place."""
    from specvae.stages.demo.nights.demo import BESIDE, demo_series

    outcome = demo_series(out, seed, invocation().note)
    echo(f"{outcome.watched.line}")
    for kind, share in outcome.confirmed.items():
        echo(f"{kind}: {100 * share:.0f} % of its pixels were confirmed by {outcome.newest}")
    echo(
        f"confirmed pixels that nothing was planted in: {outcome.false_pixels} of {outcome.normal_pixels:,}, "
        f"{outcome.far_pixels} of them more than {BESIDE} pixels away from what was"
    )
    echo(
        "spill and ship are there for two nights and for one: what passes so fast is seldom confirmed, and nothing for one night"
    )
    echo(f"page:    {outcome.watched.folder / 'index.html'}")
    return 0
