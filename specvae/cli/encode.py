"""``specvae encode``: parse, encode, print."""

from __future__ import annotations

import click

from specvae.cli.derived_options import (
    device_option,
    ingest_of,
    json_option,
    memory_option,
    model_option,
    overwrite_option,
    reading_options,
)
from specvae.cli.outcomes import finish, print_outcome

__all__ = ["command"]


@click.command("encode")
@click.argument("source", nargs=-1, required=True)
@model_option
@click.option(
    "--out",
    default="reports/encode",
    show_default=True,
    metavar="DIR",
    help="Write a folder for each source below this one.",
)
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet", "tif"]),
    help="Write the latent means in this format. [default: that of the source]",
)
@reading_options("encode")
@device_option
@memory_option
@overwrite_option
@json_option
def command(source: tuple[str, ...], as_json: bool, **options: object) -> int:
    """Write latent means: of a table as rows, of a raster as a raster of latent bands, or as rows with --format.

    A model of patches has one pixel of the raster, or one row, for each patch.

    \b
    specvae encode spectra.csv --model lab.specvae
    specvae encode "inbox/*.tif" --model coast.specvae --out codes
    """
    from specvae.stages.latent.encode import encode

    # With --json standard output is one JSON document, so no line is printed for a source as it ends.
    return finish(encode(source, done=None if as_json else print_outcome, **ingest_of(options)), as_json)
