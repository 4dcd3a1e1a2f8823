"""The page's data, from what was gathered over a scene or table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.export.report.page_data import Case, Curves, PageData, Picture, Spectra
from specvae.ingest.scene.footprint import corners
from specvae.ingest.scene.scene import Scene
from specvae.scoring.gathered.pixels import Sample
from specvae.scoring.gathered.survival import Survival
from specvae.spectra import Explanation
from specvae.stages.score.gatherers import Gatherers
from specvae.stages.score.objects import SceneObjects
from specvae.thresholds.cut_rates import rates_of
from specvae.thresholds.false_share import bound_false_share

if TYPE_CHECKING:
    from specvae.stages.score.best_rows import Rows  # pyarrow, which a map need not wait for

__all__ = ["map_page", "table_page"]


def map_page(scene: Scene, detector: Detector, gathered: Gatherers, objects: SceneObjects) -> PageData:
    """The page of a raster."""
    view, sample = gathered.overview, gathered.sample
    # What only the page needs is gathered where there is a page.
    assert view is not None
    assert sample is not None
    places = corners(scene.grid)
    return PageData(
        Picture(
            view.step,
            view.score,
            view.kl,
            view.composite,
            None if places is None else tuple(places),
            view.before,
        ),
        _curves(detector, gathered.survival.finish()),
        _envelope(detector),
        _spectra(sample.finish()),
        sample.step,
        objects.cases(),
        objects.spectra,
        detector.has_context,
        objects.section["count"] or 0,
        detector.highest,
    )


def table_page(
    detector: Detector,
    gathered: Gatherers,
    cases: list[Case],
    rows: Rows,
    explanation: Explanation,
) -> PageData:
    """The page of a table; ``explanation`` is that of its highest-scoring ``rows``."""
    # A table has no lattice on which a click could find a row: its sample is empty.
    none, bare, short = np.zeros(0, np.int64), np.zeros((len(detector.bands), 0), np.float32), np.zeros(0, np.float32)
    two = (explanation.expected, explanation.contribution)
    spectra = Spectra(rows.at, np.zeros_like(rows.at), rows.values, *two, rows.score, rows.kl)
    return PageData(
        None,
        _curves(detector, gathered.survival.finish()),
        _envelope(detector),
        Spectra(none, none, bare, bare, bare, short, short),
        1,
        cases,
        spectra,
        False,
        gathered.counts.valid,
    )


def _spectra(sample: Sample) -> Spectra:
    """The lattice's spectra beside what was expected of them."""
    return Spectra(
        sample.rows, sample.cols, sample.values, sample.expected, sample.contribution, sample.score, sample.kl
    )


def _envelope(detector: Detector) -> NDArray[np.float32] | None:
    """``(3, bands)``: 5, 50 and 95 % of the normal spectra that the model file holds; None where it holds none."""
    reference = detector.background.reference
    return np.quantile(reference, [0.05, 0.5, 0.95], axis=0).astype(np.float32) if len(reference) else None


def _curves(detector: Detector, survival: Survival) -> Curves:
    """How many pixels score above any cut, and the rate of false alarms that the calibration gives each cut."""
    calibration = detector.calibration
    cuts, above = survival.points()
    rate = rates_of(calibration, cuts)
    bound = bound_false_share(calibration.tiles, survival.total)
    # A bin's lower edge is the cut, and what lies in the bin counts as above it, here as in the page's own counts.
    false = np.full(len(cuts), np.nan) if bound is None else bound.share(cuts, lambda at: _at_least(cuts, above, at))
    at, share, law = calibration.survival()
    return Curves(cuts.astype(np.float64), above, rate, false, at, share, law)


def _at_least(cuts: NDArray[np.floating], above: NDArray[np.int64], wanted: NDArray[np.floating]) -> NDArray[np.int64]:
    """How many pixels score at least as much as each wanted cut, from the counts at ascending ``cuts``."""
    return np.asarray(np.append(above, 0)[np.searchsorted(cuts, wanted, side="left")], np.int64)
