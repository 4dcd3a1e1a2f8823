"""Small scenes and the models fitted on them, each made once in a process."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.scoring.cells import CellScorer
from specvae.spectra import Cube, Invalid, Window
from specvae.stages.demo.synthetic import make_scene
from specvae.training.quota import Quota
from specvae.training.sampling import Region, split_blocks
from tests.commands import call
from tests.raster_files import write

SHORT_FIT = ModelConfig.model_validate({"training": {"steps": 60, "refits": 1}})
TEN_BANDS = BandSet(tuple(Band(f"b{i}") for i in range(10)))


def fit_model(folder: Path) -> Path:
    """``model.specvae`` in a folder: a pixel model of four bands of noise, fitted on ``normal.tif`` beside it."""
    normal = np.random.default_rng(1).normal(1000, 50, (4, 96, 96)).astype("uint16")
    path = write(folder / "normal.tif", normal)
    model = folder / "model.specvae"
    words = ["fit", str(path), "--model", str(model), "--context", "none", "--set", "training.epochs=2", "--folds", "1"]
    status, printed = call(words)
    if status:
        raise SystemExit(f"the fit failed: {printed}")
    return model


def cube_of(values: np.ndarray, row: int = 0, col: int = 0) -> Cube:
    """The cube of ``values``, ``(bands, rows, cols)``, whose pixels of zeros alone are nodata."""
    reason = np.where((values == 0).all(axis=0), Invalid.NODATA, Invalid.VALID).astype(np.uint8)
    return Cube(values.astype(np.float32), reason, Window(row, col, *values.shape[1:]))


@cache
def small_scene() -> np.ndarray:
    """The synthetic scene that ``fitted_detector`` is fitted on: ``(10, 200, 230)``."""
    return make_scene(200, 230, seed=3).values


@cache
def fitted_detector(context: bool) -> Detector:
    """A detector of the small scene, with the ring of neighbours as context or without."""
    cube = cube_of(small_scene())
    split = split_blocks((200, 230), 7, SHORT_FIT.sampling, 0)
    role = Quota.share(SHORT_FIT.sampling, 1).take(np.where(cube.valid, split.role(cube.window), 0).astype(np.uint8))
    region = Region(cube, cube.window, role, split.block(cube.window), 0)
    return Detector.fit([region], TEN_BANDS, SHORT_FIT, ("scene",), context)


@cache
def torch_detector(context: bool) -> Detector:
    """The same detector, scored by torch where the compiled scorer would be chosen."""
    detector = replace(fitted_detector(context))
    detector._scorer = CellScorer(detector.net)
    return detector
