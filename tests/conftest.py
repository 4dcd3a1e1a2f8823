"""Fixtures that every test file may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def _data_folder() -> Path:
    told = os.environ.get("SPECVAE_DATA")
    return Path(told) if told else Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: SPECVAE_DATA, else ../shared/data; skips where there is none."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set SPECVAE_DATA")
    return folder
