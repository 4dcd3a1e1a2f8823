"""The README's commands run in order as they stand, after `make demo` and with the files that they name."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import make_scene

ROOT = Path(__file__).parents[1]
NEEDS_A_CLUSTER = "--cluster"


def commands() -> list[str]:
    """The lines of the README's blocks that are commands, in order."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    return [line for line in lines if line.startswith("specvae ")]


def lay_out(folder: Path) -> None:
    """The files that the commands name and `make demo` does not make, small."""
    for place, seeds in (("clean", (0, 1)), ("inbox", (2,)), ("july", (3,))):
        (folder / place).mkdir()
        for seed in seeds:
            write_scene(folder / place / f"{seed}.tif", make_scene(120, 130, seed).values)
    (folder / "masks").mkdir()
    classes = np.full((1, 120, 130), 4, np.uint8)
    classes[:, :20, :30] = 9  # a cloud
    for seed in (0, 1):
        write_scene(folder / "masks" / f"{seed}.tif", classes, ("scl",))
    write_scene(folder / "other.tif", make_scene(seed=2).values)
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(0.3, 0.05, (400, 4)), columns=["450", "550", "650", "850"])
    rows["adulterated"] = (np.arange(400) % 10 == 0).astype(int)
    rows.to_csv(folder / "spectra.csv", index=False)
    rows.to_csv(folder / "more.csv", index=False)
    images = (255 * rng.random((300, 28, 28)) ** 4).astype(np.uint8)
    head = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    shutil.copytree(ROOT / "pipelines", folder / "pipelines")


def run(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "specvae", *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_readme_s_commands_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    lay_out(tmp_path)
    assert run(tmp_path, ["demo"]).returncode == 0
    tried = [line for line in commands() if NEEDS_A_CLUSTER not in line]
    assert len(tried) >= 18
    for line in tried:
        done = run(tmp_path, shlex.split(line, comments=True)[1:])
        allowed = (0, 5) if "--strict" in line else (0,)
        assert done.returncode in allowed, f"{line}\n{done.stdout}\n{done.stderr}"
        told = re.search(r"# -> (reports/\S+)", line)
        assert told is None or (tmp_path / told.group(1)).exists(), line


def test_the_readme_says_which_extra_a_command_needs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `specvae export"))
    assert "[onnx]" in row
