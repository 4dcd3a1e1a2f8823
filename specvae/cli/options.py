"""Options that several commands share, each said once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = [
    "device_option",
    "ingest_of",
    "ingest_options",
    "json_option",
    "mask_options",
    "memory_option",
    "model_option",
    "overwrite_option",
    "set_option",
]

F = TypeVar("F", bound=Callable[..., Any])


def _chain(*options: Callable[[F], F]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


model_option = click.option("--model", default="model.specvae", show_default=True, metavar="PATH", help="Model file.")
device_option = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda", help="Where to compute."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an output made otherwise.")
memory_option = click.option("--max-memory", metavar="SIZE", help="Working memory: 400M, 2G.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
set_option = click.option("--set", "set_", multiple=True, metavar="KEY=VALUE", help="A setting; may be repeated.")

bands_option = click.option(
    "--bands", metavar="LIST", help="Bands by name, 1-based number, range or wavelengths: B2,B3,5-8,450nm-900nm."
)

mask_options = _chain(
    click.option(
        "--mask",
        metavar="PATH",
        help="Raster: 0 is left out, or what its kind or --mask-values say; or polygons to leave out. {stem} is filled in.",
    ),
    click.option(
        "--mask-values",
        multiple=True,
        metavar="VALUES",
        help="Values of --mask to leave out: numbers, or names such as scl, qa_pixel, fmask.",
    ),
    click.option("--aoi", metavar="PATH", help="Polygons; only what lies inside is looked at."),
    click.option("--nodata", metavar="V", help="Value that means no data, in place of the file's; or `auto`."),
    click.option("--allow-remote", is_flag=True, help="Follow references to remote files."),
    click.option(
        "--allow-huge", is_flag=True, help="Lift the limits on sizes that keep small files from claiming it all."
    ),
    click.option("--grid", metavar="BAND", help="Band whose grid the others are resampled to. [default: the finest]"),
    click.option(
        "--layout",
        type=click.Choice(["auto", "bands-first", "bands-last"]),
        default="auto",
        show_default=True,
        help="Axes of a .mat, .npz or .npy array.",
    ),
    click.option("--array", metavar="KEY", help="Array of a .mat or .npz file. [default: the one three-dimensional]"),
)

ingest_options = _chain(
    bands_option,
    click.option("--normal", metavar="MASK", help="Raster (non-zero) or polygons (inside) of what is normal."),
    mask_options,
    click.option("--label-column", metavar="NAME", help="Column of a table that tells which rows are normal."),
    click.option("--normal-value", metavar="V", help="Its value in normal rows. [default: 0, false or normal]"),
)


def ingest_of(options: dict[str, Any]) -> dict[str, Any]:
    """The same options with those that say how sources are read gathered as ``ingest``."""
    from dataclasses import fields

    from specvae.ingest.options import IngestOptions

    reading = {field.name for field in fields(IngestOptions)}
    rest = {name: value for name, value in options.items() if name not in reading}
    return rest | {"ingest": IngestOptions(**{name: value for name, value in options.items() if name in reading})}
