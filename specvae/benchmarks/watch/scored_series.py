"""A synthetic series, scored by a model that was fitted on another place of the same kind without anything odd in it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.normal_scores import PValueCurve
from specvae.alerts.past import PastArray
from specvae.alerts.place import Place, advance
from specvae.alerts.seen import Night
from specvae.api.score_array import score_array
from specvae.detector import Detector
from specvae.model_file import load_model
from specvae.scoring.gathered.drift import DriftAccumulator
from specvae.stages.demo.nights.series import SyntheticSeries, make_series
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import BAND_NAMES
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.watch.dates import UNUSABLE
from specvae.thresholds.p_value_curve import p_value_points

__all__ = ["CLOSE_AFTER", "ScoredSeries"]

CLOSE_AFTER = 2
FITTED_EVERY = 30
"""Days between the dates that the model is fitted on: all seasons of a year."""


@dataclass(frozen=True, eq=False)
class ScoredSeries:
    """A series with its scores."""

    series: SyntheticSeries
    values: NDArray[np.uint16]
    """``(dates, bands, rows, cols)``."""
    scores: NDArray[np.float32]
    """``(dates, rows, cols)``, nats, NaN under clouds."""
    curve: PValueCurve
    cut: float
    """The threshold of a false-alarm rate of 1e-3, nats."""
    verdicts: tuple[str, ...]
    """The drift verdict of each date, as its report states it."""

    @staticmethod
    def of(series: SyntheticSeries, quick: bool) -> ScoredSeries:
        """Fit on a place of another seed, and score all nights."""
        with tempfile.TemporaryDirectory(prefix="specvae-watch-") as place:
            model = Path(place) / "model.specvae"
            _fit(series.seed, Path(place), model, quick)
            loaded = load_model(model)
        values = np.stack([night.values for night in series.nights()])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = [score_array(night.astype("f4"), loaded, nodata=0, bands=BAND_NAMES) for night in values]
        calibration = loaded.detector.calibration
        points = p_value_points(calibration)
        curve = PValueCurve.of({} if points is None else {"score": points["score"], "p_value": points["p_value"]})
        verdicts = tuple(_verdict(loaded.detector, *night) for night in zip(values, scores, strict=True))
        return ScoredSeries(series, values, np.stack(scores), curve, calibration.threshold(1e-3).value, verdicts)

    def places(self, needed: float) -> list[Place]:
        """The place after each night, where ``needed`` nats confirm."""
        rows, cols = self.series.shape
        place, places = Place(PastArray(rows, cols)), []
        for day, scores, verdict in zip(self.series.days.tolist(), self.scores, self.verdicts, strict=True):
            if verdict == UNUSABLE:
                place = replace(place, registry=place.registry.unchanged())
            else:
                night = Night(day, _rows_of(scores), self.curve)
                place = advance(place, night, PastArray(rows, cols), needed, CLOSE_AFTER)
            places.append(place)
        return places


def _rows_of(scores: NDArray[np.float32]) -> Callable[[int, int], NDArray[np.float32]]:
    """Gives rows of scores ``(rows, cols)``."""
    return lambda first, stop: scores[first:stop]


def _verdict(detector: Detector, values: NDArray[np.uint16], scores: NDArray[np.float32]) -> str:
    """The drift verdict of a night: ok, caution or do-not-use."""
    valid = np.isfinite(scores)
    drift = DriftAccumulator(detector.drift_reference, detector.bands.labels)
    drift.add_spectra(values[:, valid].astype(np.float32))
    drift.add_scores(scores[valid])
    return str(drift.finish().verdict)


def _fit(seed: int, place: Path, model: Path, quick: bool) -> None:
    clean = make_series(192, 192, seed=1000 + seed, years=1, every=FITTED_EVERY, events=False, roofs=0, cloudiness=0)
    paths = []
    for night in clean.nights():
        paths.append(place / f"{night.name}.tif")
        write_scene(paths[-1], night.values)
    settings = ("training.steps=60", "training.refits=0") if quick else ()
    fit([str(path) for path in paths], FitRequest(model=str(model), seed=seed, set=settings))
