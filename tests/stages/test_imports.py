"""Scoring with the compiled scorer loads neither torch nor the libraries that only fits, tables of frames or figures need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from specvae.scoring.kernel.library import variants
from tests.raster_files import write

pytestmark = pytest.mark.skipif(not variants(), reason="the install has no compiled scorer")

HEAVY = ("torch", "matplotlib", "pandas", "geopandas", "sklearn")
PROGRAM = f"""
import json, sys
from specvae.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    loaded = [name for name in {HEAVY} if name in sys.modules]
    print(json.dumps([end.code, loaded]), file=sys.stderr)
"""


def loaded_by(folder: Path, *words: str) -> list[str]:
    """Which of the heavy libraries a command loads, which must end well."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, capture_output=True, text=True, timeout=120
    )
    status, loaded = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stderr
    return list(loaded)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, four_band_model: Path) -> Path:
    import shutil

    import numpy as np
    import pandas as pd

    from tests.commands import call

    place = tmp_path_factory.mktemp("imports")
    shutil.copy(four_band_model, place / "model.specvae")
    rng = np.random.default_rng(5)
    write(place / "scene.tif", rng.normal(1000, 50, (4, 96, 96)).astype("uint16"))
    pd.DataFrame(rng.normal(size=(400, 4)), columns=list("abcd")).to_csv(place / "rows.csv", index=False)
    words = ["fit", str(place / "rows.csv"), "--model", str(place / "rows.specvae"), "--set", "training.epochs=2"]
    status, printed = call(words)
    assert status == 0, printed
    (place / "night.toml").write_text(
        '[[stage]]\nrun = "score"\nscene = "scene.tif"\nmodel = "model.specvae"\nout = "night"\n'
    )
    return place


COMMANDS = {
    "a scene": ("score", "scene.tif", "--out", "one"),
    "a scene with every part": ("score", "scene.tif", "--out", "two", "--parts", "--fdr", "0.1", "--pool"),
    "a table": ("score", "rows.csv", "--model", "rows.specvae", "--out", "three"),
    "a batch": ("run", "night.toml"),
    "a model looked at": ("inspect", "model.specvae"),
    "a scene looked at": ("inspect", "scene.tif"),
    "a table looked at": ("inspect", "rows.csv"),
    "a model of a table looked at": ("inspect", "rows.specvae", "--json"),
    "a calibration": ("calibrate", "scene.tif", "--out", "new.specvae"),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_a_command_that_only_scores_loads_nothing_heavy(what: str, folder: Path) -> None:
    assert loaded_by(folder, *COMMANDS[what]) == []


def test_inspect_says_what_scores_a_model(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "specvae", "inspect", "model.specvae", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    scorer = json.loads(done.stdout)["scorer"]
    assert scorer == {"kind": "compiled", "variant": variants()[0].name, "why_torch": None}
