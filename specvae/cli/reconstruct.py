"""``specvae reconstruct``: parse, reconstruct, print."""

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


@click.command("reconstruct")
@click.argument("source", nargs=-1, required=True)
@model_option
@click.option(
    "--out",
    default="reports/reconstruct",
    show_default=True,
    metavar="DIR",
    help="Write a folder for each source below this one.",
)
@reading_options("reconstruct")
@device_option
@memory_option
@overwrite_option
@json_option
def command(source: tuple[str, ...], as_json: bool, **options: object) -> int:
    """Write reconstructions and residuals, and the error against the compression ratio, beside principal components.

    The error is the mean squared one, in the squares of the data's units, and that of the median spectrum in standard
    deviations of the training spectra.

    \b
    specvae reconstruct scene.tif
    specvae reconstruct spectra.csv --model lab.specvae --out rebuilt
    """
    from specvae.stages.latent.reconstruct import reconstruct

    return finish(reconstruct(source, done=None if as_json else print_outcome, **ingest_of(options)), as_json)
