"""The script that checks the package on a GPU, run on the CPU with small sizes: what it writes, and that it ends."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).with_name("check.sh")
STEPS = ("install", "tests", "device", "processes", "conv-bernoulli", "image-mixture")
SEVEN_MINUTES, CPU_PATIENCE = 420, 8
"""The limits of all steps together, seconds, and how many times as long each may take on the CPU."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_check_runs_on_the_cpu_and_writes_its_figures(tmp_path: Path) -> None:
    environment = os.environ | {"DEVICE": "cpu", "OUT": str(tmp_path / "out"), "PYTHON": sys.executable}
    done = subprocess.run([str(CHECK)], env=environment, capture_output=True, text=True, check=False)
    out = tmp_path / "out"
    assert done.returncode == 0, (out / "check.log").read_text()[-3000:] + done.stderr
    steps = list(csv.DictReader((out / "steps.csv").read_text().splitlines()))
    assert [(step["step"], step["status"]) for step in steps] == [(name, "0") for name in STEPS]
    speed = rows_of(out / "speed-gpu" / "metrics.json")
    for bands in (12, 200):
        for context in ("without", "with"):
            method = f"{bands} bands, {context} context"
            rate, share = (speed["device", method, name] for name in ("mspectra_per_s", "share_of_limit"))
            limits = [speed["device", method, f"limit_by_{what}_mspectra_per_s"] for what in ("bytes", "operations")]
            assert share == pytest.approx(rate / min(limits))
            assert 0 < share < 1, "no score is faster than its limits"
    assert speed["large-fit", "cpu", "spectra"] == 20_000
    assert speed["training-step", "waits for the device", "calls_a_step"] == 0
    assert rows_of(out / "speed-gpu-processes" / "metrics.json")["marginal", "decode", "mpx_per_s"] > 0
    for preset in ("conv-bernoulli", "image-mixture"):
        assert preset in {method for _, method, _ in rows_of(out / preset / "metrics.json")}
    assert sum(path.is_file() for path in out.rglob("*")) == 8
    assert sum(int(step["limit"]) for step in steps) <= SEVEN_MINUTES * CPU_PATIENCE


def rows_of(path: Path) -> dict[tuple[str, str, str], float]:
    """The figures of a benchmark by dataset, method and metric."""
    rows = json.loads(path.read_text())["results"]
    return {(row["dataset"], row["method"], row["metric"]): row["value"] for row in rows}
