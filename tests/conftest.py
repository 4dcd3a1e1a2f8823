"""Fixtures that every test file may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def _data_folder() -> Path:
    given = os.environ.get("SPECVAE_DATA")
    return Path(given) if given else Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: SPECVAE_DATA, else ../shared/data; skips where there is none."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set SPECVAE_DATA")
    return folder


@pytest.fixture(scope="session")
def four_band_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``model.specvae``, a pixel model of four bands of noise, with ``normal.tif`` beside it; not to be changed."""
    from tests.models import fit_model

    return fit_model(tmp_path_factory.mktemp("four_bands"))


@pytest.fixture(scope="session")
def real_layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of real data, or synthetic files in its layout where there is none: for tests of no real figure."""
    from tests.stand_ins import write_stand_ins

    folder = _data_folder()
    return folder if folder.is_dir() else write_stand_ins(tmp_path_factory.mktemp("stand_ins"))
