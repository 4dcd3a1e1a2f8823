"""The command ``specvae``: a group whose commands are imported when they are called."""

from __future__ import annotations

import click

from specvae import __version__

__all__ = ["cli", "main"]


@click.group()
@click.version_option(__version__, prog_name="specvae")
def cli() -> None:
    """Anomaly detection in spectral and remote-sensing data."""


def main() -> None:
    """Entry point."""
    cli()
