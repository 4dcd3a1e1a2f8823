"""What an attack has: a scene, a secret that must not be read, a mark that must not appear, and a command to run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.commands import call
from tests.raster_files import write

SECRET = 211
"""The value of every pixel of the file that no scene may show."""
SECONDS = 110


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    text: str

    @property
    def refused(self) -> bool:
        """Whether it was one line on an input or a usage that is refused: no traceback, no bug."""
        errors = [line for line in self.text.splitlines() if line.startswith("specvae: ") and "warning: " not in line]
        return self.status in (2, 3, 4) and len(errors) == 1 and "a bug" not in self.text


Attack = Callable[..., Ended]


@pytest.fixture
def attack(tmp_path: Path) -> Attack:
    """Run ``specvae`` in the test's folder; with ``memory``, in a process of its own that may have so many bytes.

    A command of its own that hangs fails the test.
    """

    def run(*words: object, memory: int | None = None) -> Ended:
        if memory is None:
            with chdir(tmp_path):
                return Ended(*call(list(map(str, words))))
        limits = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, ({memory}, {memory}))"
        code = f"{limits}; from specvae.cli.main import main; import sys; main(sys.argv[1:])"
        command = [sys.executable, "-c", code, *map(str, words)]
        root = str(Path(__file__).parents[2])
        environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=SECONDS, check=False, env=environment)
        return Ended(done.returncode, (done.stdout + done.stderr).decode(errors="replace"))

    return run


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A harmless scene of three bands."""
    values = np.random.default_rng(0).integers(100, 200, (3, 40, 40)).astype(np.uint8)
    (tmp_path / "in").mkdir()
    return write(tmp_path / "in" / "scene.tif", values)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside the folder that the user points at, whose content must not come out."""
    (tmp_path / "private").mkdir()
    return write(tmp_path / "private" / "secret.tif", np.full((1, 40, 40), SECRET, np.uint8))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that an attack would make if its code ran."""
    return tmp_path / "executed"
