"""``specvae demo``: make, fit, score, print where to look."""

from __future__ import annotations

import click

from specvae.cli.terminal import echo

__all__ = ["command"]


@click.command("demo")
@click.option("--out", default="demo", show_default=True, metavar="DIR", help="Where everything is written.")
@click.option("--seed", default=0, show_default=True, help="Seed of the two nights.")
def command(out: str, seed: int) -> int:
    """Make a small normal scene and tonight's with planted anomalies, fit on one, score the other, say where to look.

    \b
    specvae demo --out demo
    """
    from specvae.stages.demo.demo import demo

    outcome = demo(out, seed)
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
