"""The public face is typed: a user's program passes mypy --strict, and a wrong one does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

GOOD = """
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae import SpectralVAE, load_model, score_array
from specvae.model_file import StoredModel
from specvae.spectra import Parts
from specvae.thresholds.threshold import Threshold

rows: NDArray[np.float64] = np.zeros((10, 3))
model: SpectralVAE = SpectralVAE(contamination=0.1, latent=2, random_state=0).fit(rows)
nats: NDArray[np.float64] = model.anomaly_score(rows)
labels: NDArray[np.int64] = model.predict(rows)
parts: Parts = model.score_parts(rows)
threshold: Threshold | None = model.calibrate(rows, false_alarm_rate=0.01).threshold_
drivers: NDArray[np.float64] = model.explain(rows).contribution
model.save(Path("a.specvae"))
again: SpectralVAE = SpectralVAE.load("a.specvae")
stored: StoredModel = load_model("a.specvae")
cube: NDArray[np.float32] = np.zeros((3, 4, 5), np.float32)
found: NDArray[np.float32] = score_array(cube, stored)
"""

WRONG = """
from specvae import SpectralVAE, load_model, score_array

SpectralVAE(contamination="a tenth")
load_model(7)
score_array([1], load_model("a.specvae"), bands=3)
"""


def check(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = folder / "program.py"
    program.write_text(text, encoding="utf-8")
    argv = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--config-file",
        str(ROOT / "pyproject.toml"),
    ]
    return subprocess.run(
        [*argv, str(program)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_users_program_passes_mypy_strict(tmp_path: Path) -> None:
    done = check(GOOD, tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_wrong_types_are_seen_at_the_public_face(tmp_path: Path) -> None:
    done = check(WRONG, tmp_path)
    assert [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line] == ["4", "5", "6"], (
        done.stdout
    )


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "specvae" / "py.typed").exists()
    assert "strict = true" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
