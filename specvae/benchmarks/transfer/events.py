"""Large events: real spectra of burnt and flooded ground, and snow, over 1 to 60 % of a scene of 3, 7 or 10 bands.

A ring of neighbours inside an event is like the pixel, and must not make the event expected. A model with the ring and one
without are fitted on the ground before; both score it with the event in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from specvae.bands import BandSet
from specvae.benchmarks.transfer.places import CROP, Place, Sensor, cube_of, read_cube, sensors
from specvae.benchmarks.transfer.trial import ASKED, fit_on
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.scoring.baselines import Background
from specvae.scoring.gathered.metrics import auroc
from specvae.spectra import Cube

__all__ = ["FILLS", "SHARES", "Event", "Ground", "event_in", "grounds", "planted_events"]

SHARES = (0.01, 0.05, 0.10, 0.25, 0.45, 0.60)
"""Share of the scene that an event covers."""
FILLS = (0.3, 1.0)
"""Share of a pixel that its spectrum takes."""
RAGGED, SMOOTH = 12.0, 25.0
"""Width in pixels of the blur that gives events their outline: small ones, and those over a fifth of a scene or more."""
THREE = (3, 4, 6)
"""Red, near and short-wave infrared among Landsat's seven bands."""
NIR_7, NIR_10 = 4, 7
"""The near infrared among seven and ten bands."""
DARK = 0.05
"""Share of the coast's pixels that is its water: the darkest in the near infrared, which water absorbs."""
LANDSAT = (443.0, 482.0, 561.0, 655.0, 865.0, 1609.0, 2201.0)
SENTINEL = (492.0, 560.0, 665.0, 704.0, 741.0, 783.0, 833.0, 865.0, 1614.0, 2202.0)
"""Centre wavelengths, nm."""
SNOW = (
    (400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1200.0, 1300.0, 1500.0, 1600.0, 1800.0, 2000.0, 2200.0, 2400.0),
    (0.92, 0.93, 0.93, 0.91, 0.88, 0.83, 0.72, 0.50, 0.55, 0.08, 0.12, 0.20, 0.05, 0.12, 0.05),
)
"""Wavelengths and reflectance of snow of medium grains: no scene at hand has snow on it."""


@dataclass(frozen=True, eq=False)
class Ground:
    """A scene before any event, and the spectra of each kind of event, in its unit."""

    name: str
    place: Place
    bands: BandSet
    materials: Mapping[str, NDArray[np.float64]]
    """Kind -> ``(bands, n)``."""


@dataclass(frozen=True)
class Event:
    """What the models make of one event."""

    ground: str
    material: str
    share: float
    fill: float
    seed: int
    ring: float
    """AUROC with the ring."""
    none: float
    """AUROC without context."""
    rx: float
    realised: float
    """Share of the pixels outside the event above the cut, with the ring."""
    realised_none: float
    found: float
    """Share of the event above the cut, with the ring."""
    found_none: float


def grounds(folder: Path) -> Iterator[Ground]:
    """Grounds of 3, 7 and 10 bands, as far as the scenes are there."""
    fire = next(sensors(folder, ("landsat8-fire",)), None)
    coast = sorted(folder.glob("aberystwyth/*.tif"))
    if fire is None or not coast:
        return
    sea = read_cube(coast[0], lambda values: values / 1e3)
    shore = read_cube(coast[0], window=CROP)
    burnt, water = _burnt(fire) / 1e4, _darkest(sea.values[:, sea.valid])
    seven = _materials(burnt, water, LANDSAT, 1e4)
    before = fire.places[0]
    three = cube_of(before.cube.values[list(THREE)], before.cube.valid)
    few = BandSet(tuple(fire.bands[i] for i in THREE))
    yield Ground("3 bands", Place(before.name, three), few, {kind: m[list(THREE)] for kind, m in seven.items()})
    yield Ground("7 bands", before, fire.bands, seven)
    with open_scene(str(coast[0]), IngestOptions()) as scene:
        ten = scene.bands
    yield Ground("10 bands", Place("aberystwyth", shore), ten, _materials(burnt, water, SENTINEL, 1e3))


def _burnt(fire: Sensor) -> NDArray[np.floating]:
    """``(7, n)``: the darker half, in the near infrared, of the ground inside the fire's perimeter after it."""
    after = fire.judged[0]
    assert after.truth is not None
    inside = after.cube.values[:, after.truth & after.cube.valid]
    return inside[:, inside[NIR_7] <= np.median(inside[NIR_7])]


def _darkest(spectra: NDArray[np.floating]) -> NDArray[np.floating]:
    return spectra[:, spectra[NIR_10] <= np.quantile(spectra[NIR_10], DARK)]


def _materials(
    burnt: NDArray[np.floating], water: NDArray[np.floating], wavelengths: Sequence[float], unit: float
) -> dict[str, NDArray[np.float64]]:
    """Spectra of each kind at a sensor's wavelengths, interpolated between the bands that they were measured in."""
    bright = np.linspace(0.7, 1.0, 31)
    snow = np.interp(wavelengths, *SNOW)[:, None] * bright
    each = {"burn": (LANDSAT, burnt), "flood": (SENTINEL, water)}
    made = {
        kind: np.stack([np.interp(wavelengths, known, spectrum) for spectrum in spectra.T], axis=1)
        for kind, (known, spectra) in each.items()
    }
    return {kind: unit * spectra for kind, spectra in (made | {"snow": snow}).items()}


def event_in(ground: Ground, material: str, share: float, fill: float, seed: int) -> tuple[Cube, NDArray[np.bool_]]:
    """The scene with an event over a ``share`` of it, and where it is; its outline depends on share and seed alone."""
    cube = ground.place.cube
    rng = np.random.default_rng([seed, int(100 * share)])
    field = gaussian_filter(rng.normal(size=cube.valid.shape), SMOOTH if share > 0.2 else RAGGED, mode="wrap")
    inside = cube.valid & (field >= np.quantile(field[cube.valid], 1.0 - share))
    spectra = ground.materials[material]
    drawn = spectra[:, rng.integers(0, spectra.shape[1], int(inside.sum()))]
    values = cube.values.copy()
    values[:, inside] = (1.0 - fill) * values[:, inside] + fill * drawn
    return Cube(values, cube.reason, cube.window), inside


def planted_events(ground: Ground, seed: int, settings: Iterable[str] = ()) -> Iterator[Event]:
    """Fit with the ring and without on the ground as it was, and score every event in it."""
    extra = list(settings)
    detectors = [
        fit_on([ground.place], ground.bands, seed, [*extra, f"context.kind={kind}"], kind == "ring")
        for kind in ("ring", "none")
    ]
    cuts = [detector.calibration.threshold(ASKED).value for detector in detectors]
    away = Background.fit(ground.place.cube.values[:, ground.place.cube.valid])
    for material in ground.materials:
        for share in SHARES:
            for fill in FILLS:
                cube, truth = event_in(ground, material, share, fill, seed)
                inside = truth[cube.valid]
                scores = [d.score(cube, cube.window).score[cube.valid] for d in detectors]
                areas = [auroc(s, inside) or 0.0 for s in scores]
                areas.append(auroc(away.rx(cube.values[:, cube.valid].T), inside) or 0.0)
                outside = [float((s[~inside] > cut).mean()) for s, cut in zip(scores, cuts, strict=True)]
                found = [float((s[inside] > cut).mean()) for s, cut in zip(scores, cuts, strict=True)]
                yield Event(ground.name, material, share, fill, seed, *areas, *outside, *found)
