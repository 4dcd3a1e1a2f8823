"""The compiled arithmetic's tests under the address and undefined-behaviour sanitisers, in a process that ends at any fault."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KERNELS = {"scoring": "tests/scoring/test_kernel.py", "alerts": "tests/alerts/test_kernel.py"}
"""Rooms with compiled arithmetic, and the tests that call all of it."""
FLAGS = ("-O1", "-g", "-std=gnu11", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno")
SANITISERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
RUN = """
import importlib, sys, types
library = importlib.import_module(f"specvae.{sys.argv[2]}.kernel.library")
library.find_spec = lambda name: types.SimpleNamespace(origin=sys.argv[1])
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", sys.argv[3]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not on this machine")
@pytest.mark.parametrize("room", KERNELS)
def test_no_access_is_out_of_bounds_and_no_behaviour_undefined(tmp_path: Path, room: str) -> None:
    library, sources = tmp_path / "sanitised.so", sorted((ROOT / "specvae" / room / "kernel").glob("*.c"))
    include = sysconfig.get_paths()["include"]
    subprocess.run(["gcc", *FLAGS, *SANITISERS, f"-I{include}", *map(str, sources), "-o", library], check=True)
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    # Python itself does not free all it took, so leaks are not looked for.
    environment = os.environ | {"LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(library), room, KERNELS[room]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout
