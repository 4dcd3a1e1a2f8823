"""``specvae fit``: parse, fit, print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from specvae.cli.derived_options import HeadedCommand, json_option, request_options
from specvae.cli.interruption import Interruption
from specvae.cli.invocation import invocation
from specvae.cli.progress import FitProgress
from specvae.cli.terminal import echo
from specvae.option import build
from specvae.stages.requests import FitRequest

if TYPE_CHECKING:
    from specvae.stages.fit_outcome import FitOutcome

__all__ = ["command"]


@click.command("fit", cls=HeadedCommand)
@click.argument("source", nargs=-1, required=True)
@request_options(FitRequest, "fit")
@json_option
def command(source: tuple[str, ...], as_json: bool, **options: object) -> int:
    """Learn what is normal from rasters, folders, globs, CSV or Parquet tables, and write one model file.

    \b
    specvae fit normal.tif
    specvae fit "clean/*.tif" --mask "clean/{stem}_scl.img" --mask-values scl
    specvae fit spectra.csv --label-column adulterated
    """
    request = build(FitRequest, {**options, "command": invocation().command})
    with FitProgress() as progress, Interruption(request.keep_interrupted) as interruption:
        progress.begin()
        # Here, since numerical libraries come with them, and --help and wrong options need none.
        from specvae.files.json_files import finite
        from specvae.stages.fit import fit
        from specvae.training.course import Course

        outcome = fit(source, request, Course(progress, interruption.asked))
    for warning in outcome.warnings:
        invocation().warn(warning)
    echo(json.dumps(finite(outcome.to_json())) if as_json else _claim(outcome))
    # Written, and still interrupted: what follows it in a script is not to run on such a model.
    return 128 + interruption.signal if outcome.interrupted else 0


def _claim(outcome: FitOutcome) -> str:
    pixels, diagnostics = outcome.summary["pixels"], outcome.summary["diagnostics"]
    state = "stands already, made from the same inputs and settings" if outcome.skipped else "written"
    state += ", interrupted" if outcome.interrupted else ""
    held = f"{pixels['calibration']:,} held out for thresholds{_folds(outcome)} ({outcome.supported_rates})"
    return (
        f"{outcome.model} {state}: trained on {pixels['train']:,} spectra, {held}, {diagnostics['active_latent']} of "
        f"{diagnostics['latent']} latent dimensions active, {100 * diagnostics['kl_share']:.0f} % of a normal score is KL"
    )


def _folds(outcome: FitOutcome) -> str:
    """How they were held out: a part of them from the one model, or each from the model of a fold."""
    count = outcome.summary.get("folds", {}).get("count", 1)
    return f", each from one of {count} folds" if count > 1 else ""
