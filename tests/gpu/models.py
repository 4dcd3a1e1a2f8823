"""Detectors of every kind that a GPU computes, fitted on either device, and what each scores."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.spectra import Cube, Invalid, Window
from specvae.stages.demo.synthetic import make_texture
from specvae.training.quota import Quota
from specvae.training.sampling import Region, region_of_rows, split_blocks
from tests.models import SHORT_FIT, TEN_BANDS, cube_of, small_scene

Kind = Literal["pixel", "ring", "table", "patch"]
KINDS: tuple[Kind, ...] = ("pixel", "ring", "table", "patch")
PATCH_SIDE, TEXTURE_BANDS = 8, 3


@cache
def detector_of(kind: Kind, device: str) -> Detector:
    """A detector of this kind, fitted on this device; a table's has learned marginals and a mixture for a prior."""
    if kind == "table":
        rows = table_rows()
        region = region_of_rows(rows, np.ones(len(rows), bool), SHORT_FIT.sampling, 0)
        return Detector.fit([region], TEN_BANDS, SHORT_FIT, ("table",), False, device)
    if kind == "patch":
        config = patch_config()
        return Detector.fit([region_of(patches(), config)], TEXTURE_NAMES, config, ("scene",), False, device)
    region = region_of(cube_of(small_scene()), SHORT_FIT)
    return Detector.fit([region], TEN_BANDS, SHORT_FIT, ("scene",), kind == "ring", device)


def scores_of(kind: Kind, detector: Detector) -> np.ndarray:
    """The detector's scores of the data of its kind, NaN where nothing is valid."""
    if kind == "table":
        rows = table_rows()
        return detector.score_rows(rows, np.ones(len(rows), bool)).score
    cube = patches() if kind == "patch" else cube_of(small_scene())
    return detector.score(cube, cube.window).score


@cache
def table_rows() -> np.ndarray:
    """``(3000, 10)``: rows in two clusters, the first band of them skewed."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 4)) @ rng.normal(size=(4, 10)) + 0.1 * rng.normal(size=(3000, 10))
    rows[::2] += 4.0
    rows[:, 0] = np.exp(0.3 * rows[:, 0])
    return rows.astype(np.float32)


@cache
def patches() -> Cube:
    """A scene of texture seen in patches: ``(bands * 64, 32, 32)``."""
    texture = make_texture(256, 256, 1, side=PATCH_SIDE, bands=TEXTURE_BANDS).values.astype(np.float32)
    side = 256 // PATCH_SIDE
    blocks = texture.reshape(TEXTURE_BANDS, side, PATCH_SIDE, side, PATCH_SIDE).transpose(0, 2, 4, 1, 3)
    values = np.ascontiguousarray(blocks.reshape(-1, side, side))
    return Cube(values, np.full((side, side), Invalid.VALID, np.uint8), Window(0, 0, side, side))


TEXTURE_NAMES = BandSet(tuple(Band(f"b{number}") for number in range(TEXTURE_BANDS)))


def patch_config() -> ModelConfig:
    """A convolutional network over the patches."""
    return ModelConfig.model_validate(
        {
            "patch": PATCH_SIDE,
            "training": {"steps": 60, "refits": 1},
            "network": {"kind": "conv", "shape": [TEXTURE_BANDS, PATCH_SIDE, PATCH_SIDE], "linear": False},
        }
    )


def region_of(cube: Cube, config: ModelConfig) -> Region:
    """A scene's cube as what is fitted on."""
    split = split_blocks((cube.window.rows, cube.window.cols), 0, config.sampling, 0)
    roles = np.where(cube.valid, split.role(cube.window), 0).astype(np.uint8)
    return Region(cube, cube.window, Quota.share(config.sampling, 1).take(roles), split.block(cube.window), 0)
