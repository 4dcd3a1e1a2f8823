"""``specvae compare``: parse, compare, print."""

from __future__ import annotations

import json

import click

from specvae.cli.derived_options import json_option
from specvae.cli.terminal import echo

__all__ = ["command"]


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="SHARE",
    help="Count two numbers as equal up to this |a - b| / max(1, |a|).  [default: 1e-5]",
)
@json_option
def command(a: str, b: str, tolerance: float | None, as_json: bool) -> int:
    """Compare two results (folders) or two models (files): equal, equal within a tolerance, or what differs and where.

    \b
    specvae compare reports/monday reports/tuesday
    specvae compare model.specvae new.specvae --tolerance 1e-6

    Exit status: 0 equal, or equal within the tolerance; 5 they differ.
    """
    from specvae.export.comparison.finding import TOLERANCE, State
    from specvae.files.json_files import finite
    from specvae.stages.compare import compare

    comparison = compare(a, b, TOLERANCE if tolerance is None else tolerance)
    if as_json:
        echo(json.dumps(finite(comparison.summary()), indent=1))
    else:
        equal = [finding for finding in comparison.findings if finding.state is State.EQUAL]
        for finding in comparison.findings:
            if finding.state is not State.EQUAL:
                echo(finding.sentence())
        echo(f"{comparison.state.value}: {len(equal)} of {len(comparison.findings)} parts are equal to the bit")
    return 5 if comparison.state is State.DIFFERS else 0
