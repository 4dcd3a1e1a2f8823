"""``specvae calibrate``: parse, calibrate, print."""

from __future__ import annotations

import json

import click

from specvae.cli.derived_options import HeadedCommand, json_option, request_options
from specvae.cli.invocation import invocation
from specvae.cli.terminal import echo
from specvae.option import build
from specvae.stages.requests import CalibrateRequest

__all__ = ["command"]


@click.command("calibrate", cls=HeadedCommand)
@click.argument("source", nargs=-1, required=True)
@request_options(CalibrateRequest, "calibrate")
@json_option
def command(source: tuple[str, ...], as_json: bool, **options: object) -> int:
    """Give a model new thresholds from other normal data, without refitting.

    \b
    specvae calibrate "last_month/*.tif" --model coast.specvae --out coast_july.specvae
    """
    request = build(CalibrateRequest, {**options, "command": invocation().command})
    # Here, since numerical libraries come with them, and --help and wrong options need none.
    from specvae.files.json_files import finite
    from specvae.stages.calibrate import calibrate

    outcome = calibrate(source, request)
    for warning in outcome.warnings:
        invocation().warn(warning)
    if as_json:
        echo(json.dumps(finite(outcome.to_json())))
        return 0
    state = "stands already, made from the same inputs" if outcome.skipped else "written"
    scores = f"{outcome.summary['pixels']['calibration']:,} calibration scores"
    echo(f"{outcome.model} {state}: {scores}, {outcome.supported_rates}")
    return 0
