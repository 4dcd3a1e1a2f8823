"""The calibration benchmark on planted data: what it counts, writes and concludes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from specvae.bands import Band, BandSet
from specvae.benchmarks.calibration import known, run
from specvae.benchmarks.calibration.data import NormalSet
from specvae.benchmarks.calibration.trial import FILLS, METHODS, RATES, run_trial
from specvae.benchmarks.report import Report
from specvae.benchmarks.settings import Settings
from specvae.errors import InputError
from specvae.model.config_file import load_config
from specvae.spectra import Cube, Window
from specvae.training.quota import Role
from specvae.training.sampling import Region

QUICK = load_config(None, None, ["training.steps=40", "training.refits=0"])


def heavy_scene(side: int = 120, bands: int = 6) -> NormalSet:
    """Multivariate t with 6 degrees of freedom, correlated bands, in blocks of 10 pixels."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(bands, bands))
    normal = mixing @ rng.standard_normal((bands, side * side))
    values = 1000 + 50 * normal / np.sqrt(rng.chisquare(6, side * side) / 6)
    values = values.reshape(bands, side, side).astype(np.float32)
    window = Window(0, 0, side, side)
    cube = Cube(values, np.zeros((side, side), np.uint8), window)
    row, col = np.indices((side, side)) // 10
    block = (row * (side // 10) + col).astype(np.int32)
    region = Region(cube, window, np.full((side, side), Role.CALIBRATION, np.uint8), block, 0)
    return NormalSet("t6", (region,), BandSet(tuple(Band(str(i)) for i in range(bands))), False, True)


def test_the_split_holds_half_of_the_blocks_out_whole() -> None:
    normal = heavy_scene()
    (region,) = normal.split(3)
    assert 0.45 < (region.role == Role.CALIBRATION).mean() < 0.55
    for number in range(0, 144, 7):
        assert np.unique(region.role[region.block == number]).size == 1


def test_on_multivariate_t_the_product_keeps_its_rate_and_chi_square_does_not() -> None:
    trial = run_trial(heavy_scene(), QUICK, "cpu")
    assert 0.8 < trial.median("specvae", 1e-1) / 1e-1 < 1.25
    assert 0.8 < trial.median("specvae", 1e-2) / 1e-2 < 1.25
    assert 0.4 < trial.median("specvae", 1e-3) / 1e-3 < 2.5
    assert trial.median("chi-square", 1e-3) / 1e-3 > 5
    assert set(trial.realised) == {(method, rate) for method in METHODS for rate in RATES}
    assert all(len(values) == 20 for values in trial.realised.values())
    assert np.mean(trial.covered[1e-2]) > 0.8
    detected = [trial.power[1e-1, fill][0] for fill in FILLS]
    assert all(0 <= share <= 1 for share in detected)


def test_the_benchmark_writes_rows_page_and_figures(tmp_path: Path) -> None:
    (tmp_path / "data" / "adbench").mkdir(parents=True)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data" / "adbench" / "planted.npz", X=rng.normal(size=(900, 5)), y=np.arange(900) % 10 == 0)
    out = run(Settings(tmp_path / "data", tmp_path / "out", None, True, (), None, "cpu"))
    assert {p.name for p in out.iterdir()} == {"metrics.json", "report.md", "realised.png"}
    tree = json.loads((out / "metrics.json").read_text())
    values = {(row["method"], row["metric"]): row["value"] for row in tree["results"]}
    assert values["specvae", "realised_0.1"] == pytest.approx(0.1, abs=0.04)
    page = (out / "report.md").read_text()
    assert "| planted | " in page
    assert "Rufiji" not in page
    assert values["chi-square", "realised_1e-05"] > 1e-2
    assert "| independent pixels | 0.1 | 1.0" in page


def test_a_folder_without_its_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the benchmark's data"):
        run(Settings(tmp_path, tmp_path / "out", None, True))
    with pytest.raises(InputError, match="there is no folder"):
        run(Settings(tmp_path / "absent", tmp_path / "out", None, True))


def test_a_run_that_was_cut_off_goes_on_where_it_stopped_and_forgets_when_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "adbench").mkdir(parents=True)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data" / "adbench" / "planted.npz", X=rng.normal(size=(900, 5)), y=np.arange(900) % 10 == 0)
    settings = Settings(tmp_path / "data", tmp_path / "out", None, True, (), None, "cpu")
    with monkeypatch.context() as patch:
        patch.setattr("specvae.benchmarks.calibration.write_page", None)
        with pytest.raises(TypeError, match="'NoneType' object is not callable"):
            run(settings)
    assert len(list((tmp_path / "out" / "work").glob("*.json"))) >= 6
    with monkeypatch.context() as patch:
        patch.setattr("specvae.benchmarks.calibration.run_trial", None)
        run(settings)
    assert "| planted | " in (tmp_path / "out" / "report.md").read_text()
    assert not (tmp_path / "out" / "work").exists()


@pytest.mark.parametrize("ground", known.GROUNDS)
def test_the_rate_that_is_computed_is_the_one_that_is_counted(ground: str) -> None:
    """Above a cut of the known law lie as many of its scores as the law says."""
    radius, roughness = known.GROUNDS[ground]
    random = np.random.default_rng(3)
    scores = np.concatenate([known.scores_of(random, radius, roughness).scores for _ in range(40)])
    for cut in (8.0, 15.0, 30.0):
        assert np.mean(scores > cut) == pytest.approx(known.true_rate(cut, roughness), rel=0.2)


def test_a_tail_that_misses_is_said_to_miss() -> None:
    """A refusal counts as infinitely far, and coverage of half of the calibrations as a miss."""
    covered = known.Coverage("independent pixels", 1e-2, 0.5, (0.9, 1.0, 1.1), 1.0, 0.0)
    reach = known.TailReach("specvae", (0.1, float("inf"), float("inf")), 0.2, 150)
    missed = known.Known(200, (covered,), (reach,))
    report = Report("page")
    known.write_known(report, missed)
    page = "\n".join(report.pieces)
    assert "missed for independent pixels at 0.01: 50.0%" in page
    assert "factor of 3: missed" in page
    assert [row.metric for row in known.known_rows(missed)] == [
        "interval_covers_0.01", "realised_0.01", "realised_1e-05_p05", "interval_covers_1e-05", "refused_1e-05",
    ]  # fmt: skip
