"""``specvae presets``: the configurations in the package, and what each is for."""

from __future__ import annotations

import json

import click

from specvae.cli.derived_options import json_option
from specvae.cli.terminal import echo

__all__ = ["command"]


@click.command("presets")
@json_option
def command(as_json: bool) -> int:
    """List the presets of `fit --preset`: what each is for, its network, and what its training takes.

    Without a preset, a fit takes the defaults, which are meant for scenes and tables of spectra.

    \b
    specvae presets
    specvae fit digits-images-idx3-ubyte.gz --preset conv-bernoulli
    """
    from specvae.model.about_presets import about_presets

    about = about_presets()
    if as_json:
        echo(json.dumps([preset.summary() for preset in about], indent=1))
        return 0
    for preset in about:
        echo(f"{preset.name}: {preset.purpose}\n  {preset.network}; {preset.training}")
    return 0
