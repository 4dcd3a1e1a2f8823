"""``specvae benchmark``: run a benchmark and write its report."""

from __future__ import annotations

from pathlib import Path

import click

from specvae.benchmarks.settings import BENCHMARKS
from specvae.cli.derived_options import device_option
from specvae.cli.invocation import invocation
from specvae.cli.terminal import echo

__all__ = ["command"]


@click.command("benchmark")
@click.argument("name", type=click.Choice(BENCHMARKS))
@click.option("--data", metavar="DIR", help="Read its data from this folder. [default: its folder in $SPECVAE_DATA]")
@click.option("--out", metavar="DIR", help="Write the report to this folder. [default: reports/benchmarks/NAME]")
@click.option("--seeds", type=click.IntRange(1, 100), help="Average so many seeds. [default: the benchmark's]")
@click.option("--quick", is_flag=True, help="Run everything shortly, on little data; the figures mean little.")
@click.option(
    "--presets",
    metavar="LIST",
    help="Run these presets, separated by commas; mnist takes NAME:EPOCHS too; speed: processes, device; "
    "watch: events, normal, large. [default: all]",
)
@click.option("--epochs", type=click.IntRange(1), help="Train for so many epochs, in place of each preset's own.")
@device_option
@click.option(
    "--size",
    type=click.IntRange(128),
    multiple=True,
    help="Take scenes of this side, repeatable (speed, watch), or so many scenes (scale).",
)
@click.option("--bands", type=click.IntRange(1), help="Take scenes of so many bands (speed). [default: 12]")
@click.option(
    "--dtype",
    type=click.Choice(["uint8", "uint16", "int16", "float32"]),
    help="Take scenes of this type (speed). [default: uint16]",
)
def command(
    name: str,
    data: str | None,
    out: str | None,
    seeds: int | None,
    quick: bool,
    presets: str | None,
    epochs: int | None,
    device: str,
    size: tuple[int, ...],
    bands: int | None,
    dtype: str | None,
) -> int:
    """Run a benchmark: metrics.json, report.md and figures beside the published figures.

    \b
    specvae benchmark adbench --data data/cache/adbench
    specvae benchmark hyperspectral --data data/cache/had --seeds 3
    """
    from specvae.benchmarks.settings import Settings, run_benchmark

    # None and () stand for what only the benchmark itself knows: its folders, its seeds, all of its presets.
    settings = Settings(
        data=Path(data) if data else None,
        out=Path(out) if out else None,
        seeds=seeds,
        quick=quick,
        presets=tuple(word.strip() for word in (presets or "").split(",") if word.strip()),
        epochs=epochs,
        device=device,
        sizes=size,
        bands=bands,
        dtype=dtype,
        progress=invocation().note,
    )
    folder = run_benchmark(name, settings)
    echo((folder / "report.md").as_posix())
    return 0
