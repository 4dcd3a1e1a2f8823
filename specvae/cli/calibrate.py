"""``specvae calibrate``: parse, calibrate, print."""

from __future__ import annotations

from typing import Any

import click

from specvae.cli.options import ingest_options, model_option, overwrite_option
from specvae.cli.progress import warn

__all__ = ["command"]


@click.command("calibrate")
@click.argument("source", nargs=-1, required=True)
@model_option
@click.option("--out", metavar="PATH", help="The new model file. [default: MODEL.calibrated.specvae]")
@ingest_options
@overwrite_option
def command(source: tuple[str, ...], **options: Any) -> int:
    """Give a model new thresholds from other normal data, without refitting.

    \b
    specvae calibrate "last_month/*.tif" --model coast.specvae --out coast_july.specvae
    """
    from specvae.stages.calibrate import calibrate

    outcome = calibrate(source, **options)
    for warning in outcome.warnings:
        warn(warning)
    state = "stands already, made from the same inputs" if outcome.skipped else "written"
    scores = f"{outcome.summary['pixels']['calibration']:,} calibration scores"
    click.echo(f"{outcome.model} {state}: {scores}, {outcome.reach}")
    return 0
