"""``specvae score``: parse, score, print."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from specvae.cli.options import bands_option, device_option, json_option, mask_options, model_option, overwrite_option
from specvae.cli.progress import ScoreProgress, warn

__all__ = ["command"]


@click.command("score")
@click.argument("scene", nargs=-1)
@model_option
@click.option("--out", default="reports", show_default=True, metavar="DIR", help="Folder for the reports.")
@click.option(
    "--false-alarm-rate", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="R", help="[default: 1e-3]"
)
@click.option("--threshold", type=float, metavar="NATS", help="A cut in nats, in place of a rate.")
@click.option("--truth", metavar="MASK", help="Raster or polygons of true anomalies, or a column of a table.")
@bands_option
@mask_options
@click.option("--parts", is_flag=True, help="Write reconstruction, kl, p-value and dominant band as well.")
@click.option("--pool", is_flag=True, help="Write evidence.tif: the score pooled over space, with its own threshold.")
@click.option(
    "--fdr", type=click.FloatRange(0, 1, min_open=True), metavar="Q", help="Keep objects at this false-discovery rate."
)
@click.option(
    "--explain", type=int, default=10, show_default=True, metavar="N", help="Explain so many rows of a table."
)
@click.option("--known", metavar="OBJECTS", help="Objects known from before; the others are marked new.")
@click.option(
    "--objects",
    multiple=True,
    type=click.Choice(["gpkg", "geojson", "parquet"]),
    default=("gpkg",),
    show_default=True,
    help="Write objects as GeoPackage, GeoJSON or GeoParquet; may be repeated.",
)
@click.option("--strict", is_flag=True, help="Exit 5 where a verdict is do-not-use or a rate is unsupported.")
@device_option
@click.option("--jobs", type=click.IntRange(1, 1024), default=1, show_default=True, help="Processes.")
@click.option("--max-memory", metavar="SIZE", help="Working memory: 400M, 2G.")
@click.option("--scenes-from", metavar="FILE", help="A file of scenes, one a line; - for standard input.")
@overwrite_option
@json_option
def command(scene: tuple[str, ...], scenes_from: str | None, jobs: int, as_json: bool, **options: Any) -> int:
    """Score scenes or tables against a model, and write maps and reports to one folder each.

    \b
    specvae score scene.tif
    specvae score "inbox/*.tif" --false-alarm-rate 1e-4 --out reports/night
    specvae score spectra.csv --model lab.specvae
    """
    from specvae.stages.score.run import score

    if options["threshold"] is not None and options["false_alarm_rate"] is not None:
        raise click.UsageError("--threshold and --false-alarm-rate exclude each other; give one")
    scenes = [*scene, *(_listed(scenes_from) if scenes_from else [])]
    if not scenes:
        raise click.UsageError("no scene was given; name files, folders or globs, or --scenes-from FILE")
    done = None if as_json else _tell
    if jobs > 1:
        from specvae.pipeline.jobs import score_in_processes

        run = score_in_processes(scenes, _request(options), jobs, done)
    else:
        with ScoreProgress() as progress:
            run = score(scenes, _request(options), progress=progress, done=done)
    if as_json:
        click.echo(
            json.dumps(
                [{"scene": o.scene, "status": o.status, "folder": o.folder, "message": o.message} for o in run.outcomes]
            )
        )
    return run.exit_status


def _request(options: dict[str, Any]) -> Any:
    from specvae.ingest.options import IngestOptions
    from specvae.stages.score.request import ScoreRequest

    reading = (
        "bands",
        "nodata",
        "mask",
        "mask_values",
        "aoi",
        "truth",
        "allow_remote",
        "allow_huge",
        "grid",
        "layout",
        "array",
    )
    ingest = IngestOptions(**{name: options.pop(name) for name in reading})
    return ScoreRequest(ingest=ingest, **options)


def _listed(path: str) -> list[str]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"--scenes-from {path} cannot be read: {error.strerror}") from None
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _tell(outcome: Any) -> None:
    if outcome.status == "failed":
        click.echo(f"specvae: {outcome.message}", err=True)
        return
    for warning in (outcome.report or {}).get("warnings", []):
        warn(f"{outcome.key}: {warning}")
    click.echo(f"{outcome.key}: {outcome.message} -> {outcome.folder}/report.html")
