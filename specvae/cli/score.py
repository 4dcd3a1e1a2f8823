"""``specvae score``: parse, score, print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specvae.cli.derived_options import HeadedCommand, HeadedOption, json_option, request_options
from specvae.cli.outcomes import print_outcome
from specvae.cli.progress import ScoreProgress
from specvae.cli.terminal import echo
from specvae.export.contents import PAGE
from specvae.export.result_folders import holds
from specvae.files.names import lines_of
from specvae.option import MAIN, build
from specvae.stages.score.request import ScoreRequest

if TYPE_CHECKING:
    from specvae.stages.outcome import SceneOutcome, ScoreRun

__all__ = ["command"]

jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 1024), default=1, show_default=True, help="Score in so many processes."
)
scenes_from_option = click.option(
    "--scenes-from",
    metavar="FILE",
    help="Score the scenes that this file lists, one a line; - is standard input.",
    cls=HeadedOption,
    heading=MAIN,
)


@click.command("score", cls=HeadedCommand)
@click.argument("scene", nargs=-1)
@request_options(ScoreRequest, "score", after={"device": jobs_option, "out": scenes_from_option})
@json_option
def command(scene: tuple[str, ...], scenes_from: str | None, jobs: int, as_json: bool, **options: object) -> int:
    """Score scenes or tables against a model, and write maps and reports to one folder each.

    \b
    specvae score scene.tif
    specvae score "inbox/*.tif" --false-alarm-rate 1e-4 --out reports/night
    specvae score spectra.csv --model lab.specvae
    """
    # Before anything is imported or read: a mistake in the command costs no seconds.
    if options["threshold"] is not None and options["false_alarm_rate"] is not None:
        raise click.UsageError("--threshold and --false-alarm-rate exclude each other; give one")
    scenes = [*scene, *(_listed(scenes_from) if scenes_from else [])]
    if not scenes:
        raise click.UsageError("no scene was given; name files, folders or globs, or --scenes-from FILE")
    run = _scored(scenes, build(ScoreRequest, options), jobs, None if as_json else partial(_print, set()))
    if as_json:
        from specvae.pipeline.summary.score_json import score_json

        echo(json.dumps([score_json(outcome) for outcome in run.outcomes]))
    return run.exit_status


def _scored(
    scenes: list[str], request: ScoreRequest, jobs: int, done: Callable[[SceneOutcome], None] | None
) -> ScoreRun:
    """Score in this process, or with ``jobs`` over 1 in several."""
    if jobs > 1:
        from specvae.pipeline.jobs import score_in_processes

        return score_in_processes(scenes, request, jobs, done)
    from specvae.stages.score.run import (
        score,
    )  # here, since torch comes with it, and --help and wrong options need none

    with ScoreProgress() as progress:
        return score(scenes, request, progress=progress, done=done)


def _listed(path: str) -> list[str]:
    """The names in a file or on standard input, one a line, whatever encoding the editor of the list wrote it in."""
    try:
        return lines_of(sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes())
    except OSError as error:
        raise click.UsageError(f"--scenes-from {path} cannot be read: {error.strerror}") from None


def _print(said: set[str], outcome: SceneOutcome) -> None:
    print_outcome(outcome, f"/{PAGE.name}" if holds(outcome.folder, PAGE) else "", said)
