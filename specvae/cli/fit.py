"""``specvae fit``: parse, fit, print."""

from __future__ import annotations

import json
from typing import Any

import click

from specvae.cli.options import device_option, ingest_options, json_option, model_option, overwrite_option, set_option
from specvae.cli.progress import FitProgress, warn

__all__ = ["command"]


@click.command("fit")
@click.argument("source", nargs=-1, required=True)
@model_option
@ingest_options
@click.option("--preset", metavar="NAME", help="A configuration in the package.")
@click.option("--patch", type=int, metavar="P", help="Fit on patches of P x P pixels.")
@click.option("--context", type=click.Choice(["none", "ring", "auto"]), help="What surrounds a pixel. [default: auto]")
@click.option("--trim", type=float, metavar="SHARE", help="Share of the sample that each refit drops.")
@click.option("--config", metavar="FILE.toml", help="Settings in a TOML file.")
@set_option
@device_option
@click.option("--seed", type=int, help="Seed of sampling and training.")
@click.option("--max-pixels", type=int, help="Pixels to train on, at most.")
@overwrite_option
@json_option
def command(source: tuple[str, ...], set_: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Learn what is normal from rasters, folders, globs, CSV or Parquet tables, and write one model file.

    \b
    specvae fit normal.tif
    specvae fit "clean/*.tif" --mask "clean/{stem}_scl.img" --mask-values scl
    specvae fit spectra.csv --label-column adulterated
    """
    from specvae.stages.fit import fit

    with FitProgress() as progress:
        outcome = fit(source, set=set_, progress=progress, **options)
    for warning in outcome.warnings:
        warn(warning)
    if outcome.summary.get("interrupted"):
        warn("training was interrupted; the best weights so far were kept")
    if as_json:
        told = {"model": str(outcome.model), "sha256": outcome.sha256, "smallest_rate": outcome.smallest_rate}
        click.echo(json.dumps(told | outcome.summary))
        return 0
    pixels, told = outcome.summary["pixels"], outcome.summary["diagnostics"]
    state = "stands already, made from the same inputs and settings" if outcome.skipped else "written"
    click.echo(
        f"{outcome.model} {state}: trained on {pixels['train']:,} spectra, {pixels['calibration']:,} held out for "
        f"thresholds ({outcome.reach}), {told['active_latent']} of {told['latent']} latent dimensions active, "
        f"{100 * told['kl_share']:.0f} % of a normal score is KL"
    )
    return 0
