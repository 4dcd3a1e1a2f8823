"""Checkerboards: each scene fitted on every second square, its rates counted on the squares between them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.model.config import ModelConfig
from specvae.spectra import Cube, Invalid, Window
from specvae.training.quota import Quota, Role
from specvae.training.sampling import Region, cross_split

__all__ = ["BOARD_RATES", "CLOUDY", "ENOUGH", "Board", "Squares", "fitted_detector", "judge_board", "scenes", "squares"]

SIDE = 48
"""Side of a square, pixels."""
BOARD_RATES = (1e-2, 1e-3)
"""Asked false-alarm rates."""
ENOUGH = 30
"""Expected pixels above the cut, among those fitted, from which on a scene is judged at a rate."""
FEWEST = 10_000
"""Fitted pixels under which a scene has no checkerboard."""
SCENES = (
    ("scenes/aberystwyth/*.tif", IngestOptions()),
    ("scenes/sitakunda/*.tif", IngestOptions(nodata="auto")),
    ("scenes/coldsprings/*_sr7.tif", IngestOptions()),
    ("scenes/l8_toa_longisland_clouds", IngestOptions()),
    ("scenes/sentinel2_safe", IngestOptions()),
    ("scenes/rufiji_timeseries/*.tif", IngestOptions()),
)
"""Patterns below the data folder, and how their scenes are read."""
CLEAR = "scenes/cloudmask_sentinel2.npz"
"""A cube with a mask of what each pixel shows: 0 shadow, 1 to 3 clear ground, 4 cloud."""
CLOUDY = "with clouds"
"""What the name of that cube ends in where its clouds and shadows are fitted as if they were normal."""


@dataclass(frozen=True, eq=False)
class Squares:
    """A scene with its checkerboard."""

    name: str
    cube: Cube
    bands: BandSet
    fitted: NDArray[np.bool_]
    """``(rows, cols)``: valid normal pixels of the squares that are fitted."""
    counted: NDArray[np.bool_]
    """``(rows, cols)``: valid normal pixels of the squares between them."""


@dataclass(frozen=True)
class Board:
    """What realised on the squares between those fitted."""

    name: str
    pixels: int
    """Fitted pixels."""
    realised: dict[float, float]
    """Asked rate -> share of the counted pixels above its cut."""
    interval: dict[float, tuple[float, float]]
    """Asked rate -> 90 % interval of the rate."""
    method: dict[float, str]
    """Asked rate -> how the cut was made."""
    contaminated: bool
    seconds: float
    """Time of the fit."""

    def judged(self, rate: float) -> bool:
        """Whether enough pixels were fitted for a rate to be judged."""
        return self.pixels * rate >= ENOUGH

    @property
    def line(self) -> str:
        """One line for progress."""
        rates = ", ".join(f"{rate:g}: {self.realised[rate] / rate:.2f} ({self.method[rate]})" for rate in BOARD_RATES)
        flag = ", contaminated" if self.contaminated else ""
        return f"{self.name}, checkerboard: {self.pixels} pixels fitted, realised / asked {rates}{flag}, {self.seconds:.0f} s"


def squares(folder: Path, quick: bool) -> Iterator[Squares]:
    """The checkerboard of every scene of the folder that is large enough, or with ``quick`` of one."""
    return (board for board in scenes(folder, quick) if board.fitted.sum() >= FEWEST)


def scenes(folder: Path, quick: bool) -> Iterator[Squares]:
    """The checkerboard of every scene of the folder, or with ``quick`` of one."""
    for pattern, options in SCENES[2:3] if quick else SCENES:
        paths = sorted(folder.glob(pattern))
        for path in paths[:1] if quick else paths:
            yield _of_file(path, options)
    if not quick and (folder / CLEAR).is_file():
        yield from _of_masked(folder / CLEAR)


def judge_board(board: Squares, config: ModelConfig, device: str) -> Board:
    """Fit on the fitted squares, and count on the others what lies above each cut."""
    begun = time.perf_counter()
    detector = fitted_detector(board, config, device)
    cuts = {rate: detector.calibration.threshold(rate) for rate in BOARD_RATES}
    seconds = time.perf_counter() - begun
    scores = detector.score(board.cube, board.cube.window).score[board.counted]
    return Board(
        board.name,
        int(board.fitted.sum()),
        {rate: float(np.mean(scores > cut.value)) for rate, cut in cuts.items()},
        {rate: cut.interval or (0.0, 1.0) for rate, cut in cuts.items()},
        {rate: cut.method for rate, cut in cuts.items()},
        detector.calibration.contaminated,
        seconds,
    )


def fitted_detector(board: Squares, config: ModelConfig, device: str) -> Detector:
    """A detector that is cross-fitted on the fitted squares, as ``specvae fit`` does it."""
    window = board.cube.window
    split = cross_split((window.rows, window.cols), config.context.outer // 2, config.sampling, config.seed)
    quota = Quota.crossed(config.sampling, 1)
    role = quota.take(np.where(board.fitted, split.role(window), np.uint8(Role.UNUSED)).astype(np.uint8))
    block = split.block(window)
    folds = split.fold_map(window, quota.calibrating(board.fitted, block))
    region = Region(board.cube, window, role, block, 0, folds)
    return Detector.fit((region,), board.bands, config, (board.name,), True, device)


def _board(name: str, cube: Cube, bands: BandSet, normal: NDArray[np.bool_]) -> Squares:
    rows, cols = np.arange(normal.shape[0]) // SIDE, np.arange(normal.shape[1]) // SIDE
    even = (rows[:, None] + cols) % 2 == 0
    usable = normal & cube.valid
    return Squares(name, cube, bands, usable & even, usable & ~even)


def _of_file(path: Path, options: IngestOptions) -> Squares:
    (source,) = find_sources([str(path)])
    with open_scene(source, options) as scene:
        window = Window(0, 0, scene.rows, scene.cols)
        return _board(path.stem, scene.read(window), scene.bands, scene.normal(window))


def _of_masked(path: Path) -> Iterator[Squares]:
    """The clear ground of a cube whose shadows and clouds are marked, and all of it as if it were normal."""
    with np.load(path, allow_pickle=False) as file:
        values, kind = np.moveaxis(file["img"], -1, 0).astype(np.float32), file["msk"][..., 0]
    reason = np.where(np.isfinite(values).all(axis=0), Invalid.VALID, Invalid.NAN).astype(np.uint8)
    cube = Cube(np.ascontiguousarray(values), reason, Window(0, 0, *kind.shape))
    bands = BandSet(tuple(Band(str(i)) for i in range(1, len(values) + 1)))
    yield _board(f"{path.stem}, clear", cube, bands, (kind > 0) & (kind < 4))
    yield _board(f"{path.stem}, {CLOUDY}", cube, bands, np.ones(kind.shape, bool))
