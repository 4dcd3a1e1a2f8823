"""Fixtures of the batches' tests: folders with scenes, a model and a declaration."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.batches import SCORE
from tests.raster_files import write


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory, four_band_model: Path) -> Path:
    """Eight scenes, a model and the declaration; not to be changed."""
    folder = tmp_path_factory.mktemp("scenes")
    shutil.copy(four_band_model, folder / "model.specvae")
    (folder / "in").mkdir()
    for at in range(8):
        cube = np.random.default_rng(at).normal(1000, 50, (4, 70, 90)).astype("uint16")
        write(folder / "in" / f"s{at}.tif", cube)
    (folder / "x.toml").write_text(SCORE, encoding="utf-8")
    return folder


@pytest.fixture
def place(scenes: Path, tmp_path: Path) -> Path:
    """A copy of the eight scenes, the model and the declaration, for one test."""
    shutil.copytree(scenes, tmp_path / "batch")
    return tmp_path / "batch"
