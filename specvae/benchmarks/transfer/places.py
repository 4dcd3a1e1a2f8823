"""The scenes of each sensor, brought to common bands and units, and the spectra of another place that are planted in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.spectra import Cube, Invalid, Window

__all__ = ["CROP", "MAKERS", "Place", "Sensor", "cube_of", "read_cube", "sensors"]

SIZES = (1, 5, 25, 100)
"""Pixels of a planted target."""
EVERY = 3
"""Every third date of the long series is left out in turn; the fit is made on all others."""
CROP = Window(64, 64, 320, 320)
"""The part of a large scene that is used."""
REFLECTIVE = "B1,B2,B3,B4,B5,B6,B7"
"""Landsat 8's bands of reflected light at 30 m."""
LONG_ISLAND = "l8_toa_longisland_clouds"
"""Landsat 8 over the sea and clouds: reflectance at the top of the atmosphere."""
SHARED = "B2,B3,B4,B8,B11,B12"
"""The Sentinel-2 bands of the scene whose clouds are marked."""
CLOUDS = "cloudmask_sentinel2.npz"
SHADOW, CLOUD = 0, 4
"""What the mask of that scene says of its pixels."""
DN_OFFSET, DN_SCALE = 5000.0, 5e4
"""Reflectance at the top of the atmosphere as the digital numbers of Landsat 8, the sun's height left aside."""


@dataclass(frozen=True, eq=False)
class Place:
    """One scene."""

    name: str
    cube: Cube
    truth: NDArray[np.bool_] | None = None
    """``(rows, cols)``, True = anomalous; only the metric may read it. None where there is none."""


@dataclass(frozen=True, eq=False)
class Sensor:
    """Scenes of one sensor, one set of bands, and one unit."""

    name: str
    about: str
    """A sentence of what they are, and where the planted spectra come from."""
    bands: BandSet
    places: tuple[Place, ...]
    """Each is left out in turn."""
    strange: Cube
    """Another place, none of the above, whose spectra are planted."""
    sizes: tuple[int, ...] = SIZES
    others: tuple[Place, ...] = ()
    """Scenes that are fitted on and never left out."""
    judged: tuple[Place, ...] = field(default=())
    """Scenes with a truth; a model is fitted on all places but one of the same name."""


def sensors(folder: Path, names: Collection[str] = ()) -> Iterator[Sensor]:
    """The sensors of these names, or all, of which ``folder`` holds the scenes."""
    for name, make in MAKERS.items():
        if not names or name in names:
            sensor = make(folder)
            if sensor is not None:
                yield sensor


def cube_of(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Cube:
    """A cube of its own, its window at (0, 0)."""
    reason = np.where(valid, Invalid.VALID, Invalid.NODATA).astype(np.uint8)
    return Cube(np.ascontiguousarray(values, np.float32), reason, Window(0, 0, *valid.shape))


Change = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""From the unit of a file to that of the sensor."""


def _as_it_is(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values


def read_cube(
    path: Path, change: Change = _as_it_is, window: Window | None = None, options: IngestOptions | None = None
) -> Cube:
    """A scene, or a window of it, as a cube of its own."""
    with open_scene(str(path), options or IngestOptions()) as scene:
        cube = scene.read(window or Window(0, 0, *scene.shape))
    return cube_of(change(cube.values), cube.valid)


def _named(names: str) -> BandSet:
    return BandSet(tuple(Band(name) for name in names.split(",")))


def _thousandths(values: NDArray[np.float32]) -> NDArray[np.floating]:
    return values / 1e3


def _rufiji(folder: Path) -> Sensor | None:
    """Dates of one place, with the spectra of a coast in another country."""
    files, coast = sorted(folder.glob("rufiji_timeseries/S2_*.tif")), sorted(folder.glob("aberystwyth/*.tif"))
    if not files or not coast:
        return None
    with open_scene(str(files[0]), IngestOptions()) as scene:
        bands = scene.bands
    places = [Place(path.stem, read_cube(path)) for path in files]
    return Sensor(
        "sentinel2-dates",
        f"Rufiji: {len(files)} Sentinel-2 dates of mangroves, 10 bands. Every third date is left out in turn, the model fitted "
        "on all others. Planted: spectra of Aberystwyth, a town on the Welsh coast.",
        bands,
        tuple(places[::EVERY]),
        read_cube(coast[0], window=CROP),
        others=tuple(place for number, place in enumerate(places) if number % EVERY),
    )


def _sentinel2(folder: Path) -> Sensor | None:
    """Places far from each other; clouds and their shadows over a further one are the truth."""
    series, coast = folder / "rufiji_timeseries" / "S2_20190610.tif", sorted(folder.glob("aberystwyth/*.tif"))
    product = sorted(folder.glob("sentinel2_safe/*.zip"))
    if not (series.is_file() and coast and product and (folder / CLOUDS).is_file()):
        return None
    with np.load(folder / CLOUDS, allow_pickle=False) as file:
        values, kind = np.moveaxis(file["img"], -1, 0), file["msk"][..., 0]
    clouded = cube_of(values, np.isfinite(values).all(axis=0))
    return Sensor(
        "sentinel2-places",
        "Three places of Sentinel-2, 6 bands, as reflectance: Rufiji, Aberystwyth (both of the surface), and a tile of the "
        "Australian coast (at the top of the atmosphere). Planted: spectra of a fourth place, half of them clouds, shadows or "
        "fields of a farmland. Truth: the clouds and shadows of that place.",
        _named(SHARED),
        (
            Place(series.stem, read_cube(series, _thousandths, options=IngestOptions(bands=SHARED))),
            Place("aberystwyth", read_cube(coast[0], _thousandths, CROP, IngestOptions(bands=SHARED))),
            Place("sentinel2_safe", read_cube(product[0], options=IngestOptions(bands=SHARED))),
        ),
        clouded,
        judged=(Place(Path(CLOUDS).stem, clouded, np.isin(kind, (SHADOW, CLOUD))),),
    )


def _new_york(folder: Path) -> Sensor | None:
    """Dates of a small piece of New York in digital numbers, with spectra of the sea and clouds over Long Island."""
    dates = sorted(path for path in folder.glob("l8_newyork/LC08*") if path.is_dir())
    if not dates or not (folder / LONG_ISLAND).is_dir():
        return None
    sea = read_cube(
        folder / LONG_ISLAND, lambda values: DN_OFFSET + DN_SCALE * values, options=IngestOptions(bands=REFLECTIVE)
    )
    return Sensor(
        "landsat8-dates",
        f"New York: {len(dates)} Landsat 8 dates from winter to autumn, 7 bands of digital numbers. Planted: spectra of the sea "
        "and clouds over Long Island, as digital numbers.",
        _named(REFLECTIVE),
        tuple(Place(path.name, read_cube(path, options=IngestOptions(bands=REFLECTIVE))) for path in dates),
        sea,
    )


def _cold_springs(folder: Path) -> Sensor | None:
    """Two dates of one place, with a fire between them."""
    fire = folder / "coldsprings"
    before, after = fire / "20160707_pre_sr7.tif", fire / "20160723_post_sr7.tif"
    if not (before.is_file() and after.is_file() and (folder / LONG_ISLAND).is_dir()):
        return None
    pair = [
        read_cube(path, options=IngestOptions(mask=str(path).replace("_sr7", "_clear"), mask_values=("0",)))
        for path in (before, after)
    ]
    burnt = read_cube(fire / "burn_mask.tif", options=IngestOptions(nodata="none")).values[0] > 0
    with open_scene(str(before), IngestOptions()) as scene:
        bands = scene.bands
    return Sensor(
        "landsat8-fire",
        "Cold Springs: two Landsat 8 dates, 7 bands of surface reflectance, a wildfire between them. Planted: spectra of the sea "
        "and clouds over Long Island. Truth: the fire's perimeter, by the model of the date before.",
        bands,
        tuple(Place(path.stem, cube) for path, cube in zip((before, after), pair, strict=True)),
        read_cube(folder / LONG_ISLAND, lambda values: 1e4 * values, options=IngestOptions(bands=REFLECTIVE)),
        judged=(Place(after.stem, pair[1], burnt),),
    )


def _enmap(folder: Path) -> Sensor | None:
    """Tiles of one place of hundreds of bands, with the spectra of a desert."""
    tiles = sorted(folder.glob("enmap_hyperspectral/images/*.tif"))
    desert = folder / "enmap_hyperspectral" / "cubus_gamsberg_subset"
    if not tiles or not desert.is_file():
        return None
    with open_scene(str(tiles[0]), IngestOptions()) as scene:
        bands = scene.bands
    with open_scene(str(desert), IngestOptions()) as scene:
        known, rock = _wavelengths(scene.bands), scene.read(Window(0, 0, *scene.shape))
    rows = rock.values.reshape(len(rock.values), -1).T / 1e4
    values = np.stack([np.interp(_wavelengths(bands), known, row) for row in rows], axis=1)
    return Sensor(
        "enmap-tiles",
        f"Potsdam: {len(tiles)} EnMAP tiles of 32 x 32 pixels and {len(bands)} bands. Planted: spectra of rocks of Gamsberg, a "
        "desert, from another sensor and interpolated between its bands. Targets of 100 pixels would fill a tenth of a tile, and "
        "are left out.",
        bands,
        tuple(Place(path.stem, read_cube(path)) for path in tiles),
        cube_of(values.reshape(len(bands), *rock.reason.shape), rock.valid),
        sizes=SIZES[:-1],
    )


def _wavelengths(bands: Sequence[Band] | BandSet) -> list[float]:
    return [band.wavelength or 0.0 for band in bands]


MAKERS: Mapping[str, Callable[[Path], Sensor | None]] = {
    "sentinel2-dates": _rufiji,
    "sentinel2-places": _sentinel2,
    "landsat8-dates": _new_york,
    "landsat8-fire": _cold_springs,
    "enmap-tiles": _enmap,
}
"""Each sensor by its name, and what makes it of a folder of scenes; None where the scenes are not there."""
