"""``specvae run``: parse, run the batch, print."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import click

from specvae.cli.derived_options import json_option, request_options, set_option
from specvae.cli.invocation import invocation
from specvae.cli.progress import RunProgress
from specvae.cli.terminal import echo
from specvae.option import build
from specvae.pipeline.declaration.stages import Pipeline

if TYPE_CHECKING:
    from specvae.pipeline.summary.outcome import Batch, SceneRecord, StageRecord

    Printer: TypeAlias = Callable[[StageRecord, SceneRecord | None], None]

__all__ = ["command"]


@click.command("run")
@click.argument("pipeline")
@request_options(Pipeline, "run", defaults=False)
@click.option("--dry-run", is_flag=True, help="Say what would run, what is done and why, what is invalid.")
@click.option("--no-lock", is_flag=True, help="Work in object storage that cannot lock; no other run may work there.")
@set_option
@json_option
def command(pipeline: str, as_json: bool, dry_run: bool, no_lock: bool, **options: object) -> int:
    """Run a batch declared in a TOML file: stages over many scenes. What is done already is not done again.

    \b
    specvae run pipelines/nightly.toml
    specvae run pipelines/nightly.toml --dry-run
    specvae run pipelines/nightly.toml --jobs 4 --set score.false_alarm_rate=1e-4
    specvae run pipelines/nightly.toml --cluster tcp://scheduler:8786
    """
    from specvae.pipeline.run import run
    from specvae.pipeline.run_options import Options

    on_stderr = invocation().log_as_json
    tell = _silent if as_json else _printer(dry_run, on_stderr)
    given = {**options, "dry_run": dry_run, "no_lock": no_lock, "log_on_stderr": on_stderr, "tell": tell}
    with RunProgress() as progress:
        batch = run(pipeline, build(Options, {**given, "progress": progress}))
    echo(json.dumps(batch.to_json(), indent=1) if as_json else _claim(batch))
    if batch.complaint:
        invocation().error(batch.complaint)
    return batch.exit_status


def _silent(stage: StageRecord, scene: SceneRecord | None) -> None:
    return


def _printer(dry_run: bool, logged: bool) -> Printer:
    """What prints each stage and scene: what is good to stdout, what is not to stderr, unless it is logged there."""

    def print_ended(stage: StageRecord, scene: SceneRecord | None) -> None:
        name = f"stage {stage.number}, {stage.run}"
        if scene is not None:
            _line(scene.key, scene.status, scene.message, logged)
        elif stage.run == "score" and (dry_run or stage.status in ("done", "already")):
            if dry_run:
                for each in stage.scenes:
                    echo(f"{name}: {each.key}: {each.status}: {each.message}")
            else:
                # No worker tried them, so none of them was reported on its own; a scene that is done is no news.
                for each in stage.scenes:
                    if each.status == "invalid" and not each.attempts:
                        _line(each.key, "invalid as before", each.message, logged)
        if scene is None and (stage.run != "score" or stage.message):
            _line(name, stage.status, f"{stage.message or stage.target}", logged)

    return print_ended


def _line(name: str, status: str, message: str, logged: bool) -> None:
    # The first word alone: "invalid as before" is invalid.
    bad = status.split()[0] in ("invalid", "failed", "skipped")
    if not (bad and logged):
        echo(f"{'specvae: ' if bad else ''}{name}: {status}{f': {message}' if message else ''}", err=bad)


def _claim(batch: Batch) -> str:
    counts = batch.counts
    by_state = ", ".join(f"{n} {state}" for state, n in counts.items() if state != "total" and n)
    where = "" if batch.dry_run else f" -> {batch.out}/index.html"
    return f"{batch.name}: {counts['total']} scenes{f': {by_state}' if by_state else ''}, {batch.seconds:.1f} s{where}"
