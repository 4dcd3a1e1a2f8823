"""``specvae export``: parse, export, print."""

from __future__ import annotations

import click

from specvae.cli.derived_options import overwrite_option
from specvae.cli.terminal import echo

__all__ = ["command"]


@click.command("export")
@click.argument("model")
@click.argument("out", metavar="FILE.onnx")
@overwrite_option
def command(model: str, out: str, overwrite: bool) -> int:
    """Write the scorer as ONNX: spectra in physical units in, score, reconstruction and KL in nats out.

    A model with context also takes each spectrum's context, and gives the components and weights that contexts are ring means of.

    \b
    specvae export model.specvae model.onnx
    """
    from specvae.stages.export import export

    outcome = export(model, out, overwrite=overwrite)
    state = "stands already, made from the same model" if outcome.skipped else "written"
    echo(f"{outcome.path} {state}: {', '.join(outcome.inputs)} -> score, reconstruction, kl")
    return 0
