"""``specvae interpolate``: parse, interpolate, print."""

from __future__ import annotations

import json

import click

from specvae.cli.derived_options import (
    device_option,
    ingest_of,
    json_option,
    model_option,
    overwrite_option,
    reading_options,
)
from specvae.cli.invocation import invocation
from specvae.cli.terminal import echo

__all__ = ["command"]


@click.command("interpolate")
@click.argument("source", required=False)
@click.option(
    "--start",
    required=True,
    metavar="WHICH",
    help="Start at a table's row, at a pixel's row,col, both counted from 0, or at a spectrum.",
)
@click.option("--end", required=True, metavar="WHICH", help="End there, given likewise.")
@click.option(
    "--steps",
    type=int,
    default=11,
    show_default=True,
    metavar="N",
    help="Draw so many spectra on the way, ends included.",
)
@model_option
@click.option(
    "--out", default="reports/interpolate", show_default=True, metavar="DIR", help="Write the path to this folder."
)
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Write the path in this format.",
)
@reading_options("interpolate")
@device_option
@overwrite_option
@json_option
def command(as_json: bool, **options: object) -> int:
    """Walk from one spectrum, image or patch to another through the latent space, and write what lies on the way.

    A model of patches takes row,col of patches, as on its maps.

    \b
    specvae interpolate spectra.csv --start 3 --end 17 --model lab.specvae
    specvae interpolate scene.tif --start 120,45 --end 300,77 --steps 21
    specvae interpolate --start 310,402,395,2210 --end 88,240,300,610 --model four_bands.specvae
    """
    from specvae.stages.latent.interpolate import interpolate

    result = interpolate(**ingest_of(options))
    if result.summary.get("warning"):
        invocation().warn(result.summary["warning"])
    if as_json:
        echo(json.dumps({"folder": str(result.folder), "skipped": result.skipped, **result.summary}))
        return 0
    scores = result.summary["scores"]
    picture = "path.png" if result.summary["kind"] == "spectra" else "images.png"
    echo(
        f"{len(scores)} steps, scores {min(scores):.4g} to {max(scores):.4g} nats on the way -> {result.folder}/{picture}"
    )
    return 0
