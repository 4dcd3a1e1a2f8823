"""``specvae watch``: parse, watch, print."""

from __future__ import annotations

import json

import click

from specvae.cli.derived_options import json_option, request_options
from specvae.cli.invocation import invocation
from specvae.cli.progress import WatchProgress
from specvae.cli.terminal import echo
from specvae.option import build
from specvae.stages.watch.request import WatchRequest

__all__ = ["command"]


@click.command("watch")
@click.argument("reports", nargs=-1, required=True)
@request_options(WatchRequest, "watch")
@json_option
def command(reports: tuple[str, ...], as_json: bool, **options: object) -> int:
    """Follow the scored dates of one place: alerts from first sight to confirmed to closed, with a stated false-alert rate.

    \b
    specvae watch reports/coast
    specvae watch reports/coast --false-alert-rate 0.01 --out alerts/coast
    """
    request = build(WatchRequest, options)
    from specvae.stages.watch.run import watch  # here, since rasterio comes with it, and --help needs none

    with WatchProgress() as progress:
        outcome = watch(reports, request, progress)
    for warning in outcome.warnings:
        invocation().warn(warning)
    echo(json.dumps(outcome.alerts) if as_json else outcome.line)
    return outcome.exit_status
