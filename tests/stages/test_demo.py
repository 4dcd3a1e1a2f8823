"""The demo finds what was planted, tells how many false alarms that took, and does nothing the second time."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.ndimage import distance_transform_cdt
from sklearn.metrics import roc_auc_score

from specvae.stages.demo.demo import DemoOutcome, demo

FILES = ("score.tif", "anomaly.tif", "objects.gpkg", "quicklook.png", "thresholds.csv", "report.html", "report.json")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> DemoOutcome:
    return demo(str(tmp_path_factory.mktemp("demo")), seed=0)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        band: np.ndarray = file.read(1)
        return band


def test_every_planted_anomaly_is_found_at_a_rate_near_the_one_asked(shown: DemoOutcome) -> None:
    assert shown.planted == 12
    assert shown.detected == 12
    assert shown.verdict == "ok"
    # A thousandth is asked. Mixed pixels next to planted ones are not in the truth, and some exceed the cut.
    assert 0.0001 < shown.false_alarms / shown.normal_pixels < 0.0033
    assert shown.normal_pixels > 70_000


def test_what_else_is_flagged_lies_beside_planted_anomalies(shown: DemoOutcome) -> None:
    truth, flags = read(shown.folder / "truth.tif"), read(shown.folder / "reports" / "tonight" / "anomaly.tif")
    normal = (flags == 1) & (truth == 0)
    assert shown.false_alarms + shown.beside == normal.sum()
    away = distance_transform_cdt((truth == 0) | (truth == 255), metric="chessboard")
    assert shown.false_alarms == (normal & (away > shown.halo)).sum()


def test_strong_targets_do_not_make_the_ground_around_them_strange(shown: DemoOutcome) -> None:
    truth, flags = read(shown.folder / "truth.tif"), read(shown.folder / "reports" / "tonight" / "anomaly.tif")
    planted = (truth > 0) & (truth < 255)
    assert (flags[planted] == 1).sum() > 400
    assert shown.beside <= planted.sum() / 10


def test_its_normal_scene_is_not_taken_for_contaminated(shown: DemoOutcome) -> None:
    report = json.loads((shown.folder / "reports" / "tonight" / "report.json").read_text())
    assert report["calibration"]["contaminated"] is False
    assert report["threshold"]["method"] in {"empirical", "pareto"}


def test_what_it_says_is_what_the_files_hold(shown: DemoOutcome) -> None:
    truth, reports = read(shown.folder / "truth.tif"), shown.folder / "reports" / "tonight"
    score, flags = read(reports / "score.tif"), read(reports / "anomaly.tif")
    known = (flags != 255) & (truth != 255)
    assert int(((flags == 1) & (truth == 0)).sum()) == shown.false_alarms + shown.beside
    assert 0.9 * int((truth == 0).sum()) < shown.normal_pixels < int((truth == 0).sum())
    assert roc_auc_score(truth[known] > 0, score[known]) == pytest.approx(shown.auroc, abs=1e-6)
    assert {name for name in FILES if (reports / name).stat().st_size > 0} == set(FILES)


def test_the_second_demo_touches_nothing(shown: DemoOutcome) -> None:
    kept = [shown.folder / "model.specvae", *sorted((shown.folder / "reports").rglob("*.*"))]
    before = [path.stat().st_mtime_ns for path in kept]
    again = demo(str(shown.folder), seed=0)
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert asdict(again) == asdict(shown)


@pytest.mark.slow
def test_another_seed_replaces_what_stands(shown: DemoOutcome) -> None:
    old = (shown.folder / "model.specvae").read_bytes()
    other = demo(str(shown.folder), seed=5)
    assert (shown.folder / "model.specvae").read_bytes() != old
    assert other.detected >= 10
