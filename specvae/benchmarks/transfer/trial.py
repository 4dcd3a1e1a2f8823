"""One trial: a model fitted on other scenes, targets planted in the scene that was left out, and what each method makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.benchmarks.hyperspectral.trial import region_of
from specvae.benchmarks.transfer.places import Place, Sensor
from specvae.benchmarks.transfer.planting import FILLS, Planted, plant
from specvae.benchmarks.verdicts.verdict import verdict_on
from specvae.detector import Detector
from specvae.model.config_file import load_config
from specvae.scoring.baselines import Background
from specvae.scoring.gathered.metrics import auroc, average_precision
from specvae.scoring.pooling import pool, stored_reach
from specvae.spectra import Cube
from specvae.thresholds.drift.verdict import Drift

__all__ = [
    "ASKED",
    "HERE",
    "METHODS",
    "REFUSED",
    "Record",
    "fit_on",
    "judge",
    "leave_out",
    "scored_by_itself",
    "scores_of",
]

ASKED = 1e-3
"""The false-alarm rate that the cut is asked for beforehand."""
THREADS = 2
METHODS = ("specvae", "specvae-pooled", "rx", "pca", "iforest", "rx-here")
"""All but the last are fitted on other scenes; ``rx-here`` on the scene that it scores, targets and all."""
HERE = "specvae-here"
"""The product fitted on the scene that it scores, targets and all: run where it says that a model of others is not to be used."""
REFUSED = "do-not-use"
Scores = Mapping[str, NDArray[np.floating]]
"""Method -> ``(n,)`` of the valid pixels, higher = more anomalous."""


@dataclass(frozen=True)
class Record:
    """What one method makes of the targets of one size and fill in one scene, or of a truth."""

    sensor: str
    place: str
    method: str
    seed: int
    fill: float | None
    """None: the scene's truth was looked for, and nothing was planted."""
    size: int
    """Pixels of a target; 0 for a truth."""
    auroc: float
    average_precision: float
    found: float
    """Share of the target pixels above the cut that as many normal pixels of this scene pass as was asked."""
    found_asked: float | None
    """The same for the cut that was made beforehand of normal data alone; None for methods that have none."""
    realised: float | None
    """Share of the normal pixels above that cut."""
    verdict: str
    """What the product says of the scene as it came, by the model of the others: ``ok``, ``caution`` or ``do-not-use``."""
    reason: str
    """The first reason of that verdict."""


def fit_on(
    places: Sequence[Place], bands: BandSet, seed: int, settings: Iterable[str] = (), context: bool = True
) -> Detector:
    """Fit on complete scenes as ``specvae fit`` does: all blocks train, and all calibrate by the models of the folds."""
    config = load_config(settings=[*settings, f"seed={seed}"])
    regions = [region_of(place.cube, config, number, len(places)) for number, place in enumerate(places)]
    return Detector.fit(regions, bands, config, tuple(place.name for place in places), context, threads=THREADS)


def scored_by_itself(place: Place, bands: BandSet, seed: int, settings: Iterable[str] = ()) -> NDArray[np.float32]:
    """``(n,)`` scores of the valid pixels of a scene that the model was fitted on, without its truth."""
    config = load_config(settings=[*settings, f"seed={seed}", "sampling.folds=1"])
    detector = Detector.fit([region_of(place.cube, config)], bands, config, (place.name,), threads=THREADS)
    return detector.score(place.cube, place.cube.window).score[place.cube.valid]


def scores_of(detector: Detector, cube: Cube, away: Scores | None = None) -> Scores:
    """What each of :data:`METHODS` says of the valid pixels of a scene; ``away``: :func:`_by_pixel` of it, where known."""
    score, spectra = detector.score(cube, cube.window).score, cube.values[:, cube.valid]
    return {
        "specvae": score[cube.valid],
        "specvae-pooled": pool(score, stored_reach(detector.provenance))[cube.valid],
        **(_by_pixel(detector, spectra) if away is None else away),
        "rx-here": Background.fit(spectra).rx(spectra.T),
    }


def _by_pixel(detector: Detector, spectra: NDArray[np.floating]) -> Scores:
    """The baselines fitted elsewhere of spectra ``(bands, n)``: what each says of one depends on no other."""
    return {name: getattr(detector.background, name)(spectra.T) for name in ("rx", "pca", "iforest")}


def _rescored(detector: Detector, still: Scores, planted: Planted) -> Scores:
    """``still``, of the scene as it came, with the pixels that were planted scored anew: the others have not changed."""
    touched = planted.size[planted.cube.valid] > 0
    anew = _by_pixel(detector, planted.cube.values[:, planted.cube.valid][:, touched])
    scores = {name: score.copy() for name, score in still.items()}
    for name, score in scores.items():
        score[touched] = anew[name]
    return scores


def leave_out(sensor: Sensor, place: Place, seed: int, settings: Iterable[str] = ()) -> Iterator[Record]:
    """Fit on all other scenes of the sensor, and look for what is planted in ``place``, fill by fill.

    Where the product refuses the scene, it is also fitted on the scene itself, with the first seed: what its user would do.
    """
    others = [other for other in (*sensor.places, *sensor.others) if other is not place]
    detector = fit_on(others, sensor.bands, seed, settings)
    drift, still = verdict_on(detector, place.cube), _by_pixel(detector, place.cube.values[:, place.cube.valid])
    for fill in FILLS:
        planted = plant(place.cube, sensor.strange, fill, sensor.sizes, seed)
        size = planted.size[planted.cube.valid]
        scores = dict(scores_of(detector, planted.cube, _rescored(detector, still, planted)))
        # A fit a fill is dear, and its figure is there to be compared, not to be asked for.
        if drift.verdict == REFUSED and seed == 0:
            scores[HERE] = scored_by_itself(Place(place.name, planted.cube), sensor.bands, seed, settings)
        for pixels in sensor.sizes:
            # Against untouched ground alone: targets of other sizes are neither hits nor false alarms.
            judged = (size == pixels) | (size == 0)
            chosen = {name: each[judged] for name, each in scores.items()}
            yield from _records(
                detector, chosen, size[judged] > 0, drift, (sensor.name, place.name, seed), fill, pixels
            )


def judge(sensor: Sensor, seed: int, settings: Iterable[str] = ()) -> Iterator[Record]:
    """Fit on all scenes of the sensor but the one that is judged, and look for its truth."""
    for place in sensor.judged:
        others = [other for other in (*sensor.places, *sensor.others) if other.name != place.name]
        detector = fit_on(others, sensor.bands, seed, settings)
        assert place.truth is not None
        scores, truth = scores_of(detector, place.cube), place.truth[place.cube.valid]
        drift = verdict_on(detector, place.cube)
        yield from _records(detector, scores, truth, drift, (sensor.name, place.name, seed), None, 0)


def _records(
    detector: Detector,
    scores: Scores,
    truth: NDArray[np.bool_],
    drift: Drift,
    of: tuple[str, str, int],
    fill: float | None,
    size: int,
) -> Iterator[Record]:
    """A record for each method; ``of`` is the sensor, the place and the seed."""
    made = {"specvae": detector.calibration.threshold(ASKED).value}
    if detector.evidence is not None and detector.evidence.size:
        made["specvae-pooled"] = detector.evidence.threshold(ASKED).value
    for name, score in scores.items():
        area, precision = auroc(score, truth), average_precision(score, truth)
        if area is None or precision is None:
            continue
        found = float((score[truth] > np.quantile(score[~truth], 1.0 - ASKED)).mean())
        cut = made.get(name)
        asked = None if cut is None else float((score[truth] > cut).mean())
        realised = None if cut is None else float((score[~truth] > cut).mean())
        said = (drift.verdict, drift.reasons[0])
        yield Record(of[0], of[1], name, of[2], fill, size, area, precision, found, asked, realised, *said)
