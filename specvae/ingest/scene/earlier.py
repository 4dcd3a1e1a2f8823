"""The earlier date of a scene: on its grid as it is, or resampled where it is coarser or finer, as masks are."""

from __future__ import annotations

from dataclasses import replace

from specvae.errors import InputError, ModelError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.plan import Plan

__all__ = ["check_dates", "with_earlier"]


def check_dates(options: IngestOptions, two: bool) -> None:
    """Raise ModelError where a model of ``two`` dates is given one, or a model of one date is given two."""
    if two and not options.before:
        raise ModelError("the model compares two dates: give the earlier one with --before PATH")
    if options.before and not two:
        raise ModelError("the model was fitted on one date: leave --before out, or fit with --before")


def with_earlier(plan: Plan, before: Plan) -> Plan:
    """The plan of a scene that delivers the bands of the earlier date behind its own.

    Raises InputError where the two do not cover the same ground.
    """
    grid, other = plan.grid, before.grid
    notes = [f"earlier date: {note}" for note in before.notes]
    if other.shape == grid.shape:
        # Of one size they lie on each other pixel by pixel, unless both say that they are elsewhere.
        if other.placed and grid.placed and not (other.crs == grid.crs and grid.same_footprint(other)):
            raise InputError(
                f"--before {before.product.path} has the scene's size but lies elsewhere; give the same ground"
            )
    elif other.placed and grid.placed and other.crs == grid.crs and grid.same_footprint(other):
        before = replace(before, grid=grid)
        notes.append(f"earlier date: resampled from {other.rows}x{other.cols} to {grid.rows}x{grid.cols} pixels")
    else:
        sizes = f"{other.rows}x{other.cols} pixels, the scene is {grid.rows}x{grid.cols}"
        raise InputError(f"--before {before.product.path} is {sizes}; give the same ground in the same CRS")
    notes += _order(plan.product.datetime, before.product.datetime)
    decisions = [replace(d, chosen=f"of the earlier date: {d.chosen}") for d in before.decisions]
    return replace(plan, before=before, notes=(*plan.notes, *notes), decisions=(*plan.decisions, *decisions))


def _order(later: str | None, earlier: str | None) -> list[str]:
    """A note where what is given as the earlier date is not earlier; times in ISO 8601 compare as texts."""
    if later is None or earlier is None or earlier < later:
        return []
    return [f"what is given as the earlier date is of {earlier}, and the scene of {later}"]
