"""The main job on real data, with the figures it must reach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import run


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def test_the_burn_at_cold_springs_is_found_better_than_by_rx(real_data: Path, tmp_path: Path) -> None:
    scenes = real_data / "scenes" / "coldsprings"
    model = tmp_path / "m.specvae"
    normal = scenes / "20160707_pre_clear.tif"
    assert run("fit", scenes / "20160707_pre_sr7.tif", "--normal", normal, "--model", model) == 0
    truth = ("--truth", scenes / "burn_mask.tif")
    assert run("score", scenes / "20160723_post_sr7.tif", *truth, "--model", model, "--out", tmp_path) == 0
    metrics = report_of(tmp_path / "20160723_post_sr7")["metrics"]
    assert metrics["baselines"]["rx"]["auroc"] == pytest.approx(0.908, abs=0.005)
    assert 0.93 < metrics["auroc"] < 1.0


@pytest.mark.slow
def test_adulterated_strawberry_is_separated_from_authentic(real_data: Path, tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(real_data / "spectra" / "ftir_strawberry.csv")
    for split in ("train", "test"):
        frame[frame["split"] == split].to_csv(tmp_path / f"{split}.csv", index=False)
    model = tmp_path / "m.specvae"
    assert run("fit", tmp_path / "train.csv", "--label-column", "adulterated", "--model", model) == 0
    assert run("score", tmp_path / "test.csv", "--truth", "adulterated", "--model", model, "--out", tmp_path) == 0
    assert report_of(tmp_path / "test")["metrics"]["auroc"] > 0.90


def test_reflectance_with_extra_columns_is_read_with_its_bands(real_data: Path, capsys: pytest.CaptureFixture) -> None:
    assert run("inspect", real_data / "spectra" / "deafrica_s2_spectra.csv", "--json") == 0
    description = json.loads(capsys.readouterr().out)
    assert len(description["bands"]) == 18
    assert description["rows"] == 30_065
