"""``specvae sample``: parse, draw, print."""

from __future__ import annotations

import json
from typing import Any

import click

from specvae.cli.derived_options import device_option, json_option, model_option, overwrite_option
from specvae.cli.terminal import echo

__all__ = ["command"]


@click.command("sample")
@model_option
@click.option(
    "--out", default="reports/sample", show_default=True, metavar="DIR", help="Write the draws to this folder."
)
@click.option("--count", type=int, default=1000, show_default=True, metavar="N", help="Draw so many.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draw with this seed.")
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Write the draws in this format.",
)
@device_option
@overwrite_option
@json_option
def command(as_json: bool, **options: Any) -> int:
    """Draw spectra, images or patches from a model's prior, and lay them over the envelope of its training spectra.

    \b
    specvae sample --model lab.specvae
    specvae sample --model lab.specvae --count 10000 --seed 7 --format parquet --out draws
    """
    from specvae.stages.latent.sample import sample

    result = sample(**options)
    if as_json:
        echo(json.dumps({"folder": str(result.folder), "skipped": result.skipped, **result.summary}))
        return 0
    summary = result.summary
    share = f"{100 * summary['inside_envelope']:.1f} % of their values within the training spectra's 5 to 95 %"
    # Results of earlier versions hold no judgement.
    if "envelope" in summary:
        share += f", where {100 * summary['inside_expected']:.0f} % of right draws lie: {summary['envelope']}"
    picture = "envelope.png" if summary["kind"] == "spectra" else "samples.png"
    echo(f"{summary['count']:,} draws, {share} -> {result.folder}/{picture}")
    return 0
