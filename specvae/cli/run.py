"""``specvae run``: parse, run the batch, print."""

from __future__ import annotations

import json
from typing import Any

import click

from specvae.cli.options import json_option, set_option

__all__ = ["command"]


@click.command("run")
@click.argument("pipeline")
@click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Processes. [default: the TOML's, else 1]")
@click.option(
    "--cluster", metavar="ADDRESS", help="A Dask scheduler, tcp://host:8786, or local:4 for four workers here."
)
@click.option("--retries", type=click.IntRange(0, 100), metavar="N", help="Tries more for what failed. [default: 2]")
@click.option("--max-memory", metavar="SIZE", help="Working memory of all processes together: 400M, 2G.")
@click.option(
    "--shard-rows", type=click.IntRange(64), metavar="N", help="Split scenes over the processes, N rows each."
)
@click.option("--dry-run", is_flag=True, help="Say what would run, what is done and why, what is invalid.")
@set_option
@json_option
@click.pass_context
def command(ctx: click.Context, /, pipeline: str, set_: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Run a batch declared in a TOML file: stages over many scenes. What is done already is not done again.

    \b
    specvae run pipelines/nightly.toml
    specvae run pipelines/nightly.toml --dry-run
    specvae run pipelines/nightly.toml --jobs 4 --set score.false_alarm_rate=1e-4
    specvae run pipelines/nightly.toml --cluster tcp://scheduler:8786
    """
    from specvae.pipeline.run import Options, run

    on_stderr = (ctx.obj or {}).get("log_format") == "json"
    tell = _silent if as_json else _tell(options["dry_run"], on_stderr)
    batch = run(pipeline, Options(set=set_, log_on_stderr=on_stderr, tell=tell, **options))
    click.echo(json.dumps(batch.to_json(), indent=1) if as_json else _claim(batch))
    if batch.complaint:
        click.echo(f"specvae: {batch.complaint}", err=True)
    return batch.exit_status


def _silent(stage: Any, scene: Any) -> None:
    return


def _tell(dry_run: bool, logged: bool) -> Any:
    """Prints each stage and scene: what is good to stdout, what is not to stderr (unless logged there)."""

    def tell(stage: Any, scene: Any) -> None:
        name = f"stage {stage.number}, {stage.run}"
        if scene is not None:
            _line(scene.key, scene.status, scene.message, logged)
        elif stage.run == "score" and (dry_run or stage.status in ("done", "already")):
            if dry_run:
                for each in stage.scenes:
                    click.echo(f"{name}: {each.key}: {each.status}: {each.message}")
            else:
                for each in stage.scenes:
                    if each.status == "invalid" and not each.attempts:
                        _line(each.key, "invalid as before", each.message, logged)
        if scene is None and (stage.run != "score" or stage.message):
            _line(name, stage.status, f"{stage.message or stage.target}", logged)

    return tell


def _line(name: str, status: str, message: str, logged: bool) -> None:
    bad = status.split()[0] in ("invalid", "failed", "skipped")
    if not (bad and logged):
        click.echo(f"{'specvae: ' if bad else ''}{name}: {status}{f': {message}' if message else ''}", err=bad)


def _claim(batch: Any) -> str:
    counts = batch.counts
    told = ", ".join(f"{n} {state}" for state, n in counts.items() if state != "total" and n)
    where = "" if batch.dry_run else f" -> {batch.out}/index.html"
    return f"{batch.name}: {counts['total']} scenes{f': {told}' if told else ''}, {batch.seconds:.1f} s{where}"
