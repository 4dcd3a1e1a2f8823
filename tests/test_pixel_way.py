"""A pixel passes few functions between its file and score.tif, and the documentation says how many."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BEFORE = 41
"""Functions that a pixel passed before the rooms and the compiled scorer, by the same rule."""


@pytest.mark.slow
def test_the_way_of_a_pixel_is_half_of_what_it_was_and_as_the_documentation_says() -> None:
    from specvae.scoring.kernel.library import variants

    done = subprocess.run(
        [sys.executable, "-m", "tests.pixel_way"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *way, figures = done.stdout.splitlines()
    assert "GdalReader.read" in "".join(way[:3])
    assert "MapWriter.write" in way[-1]
    if variants():  # where no compiler was, torch's scorer takes the place of one call
        assert len(way) <= BEFORE / 2
        page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
        assert f"a pixel passes {figures}" in page
