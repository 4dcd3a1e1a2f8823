"""The benchmark of reasons, quick, on one real scene: its sums are exact and what it says is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specvae.benchmarks.reasons import run
from specvae.benchmarks.settings import Settings


@pytest.mark.slow
def test_a_quick_run_measures_sums_and_names(real_data: Path, tmp_path: Path) -> None:
    run(Settings(data=real_data, out=tmp_path, quick=True))
    found = {row["metric"]: row["value"] for row in json.loads((tmp_path / "metrics.json").read_text())["results"]}
    assert found["error"] <= 1e-5
    assert found["named"] >= 0.9
    assert 0.5 <= found["single"] <= 1.0
    assert "target 90%" in (tmp_path / "report.md").read_text()
