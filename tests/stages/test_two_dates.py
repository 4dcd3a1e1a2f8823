"""Two dates of one place: planted changes are found, whatever was strange on both dates is not, and both are read alike."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from specvae.api.score_array import score_array
from specvae.errors import InputError, ModelError, UsageError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.model_file import load_model
from specvae.spectra import Window
from specvae.stages.fit import fit
from specvae.stages.inspect import inspect
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score, score_one
from specvae.stages.score.shards import Shards, count_shards, score_shard
from specvae.thresholds.calibration import Calibration
from tests.commands import call
from tests.raster_files import write

ROWS, COLS = 120, 150
NAMES = ("B2", "B3", "B4", "B8")
SHORT = ("training.steps=60",)
SMALL, LARGE, ROOFS = Window(20, 20, 3, 3), Window(70, 60, 40, 60), Window(30, 100, 6, 6)


@cache
def dates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Earlier and later reflectance ``(4, rows, cols)``, and where the ground changed ``(rows, cols)``.

    The later date has another light and another season. A block of roofs is strange on both dates.
    """
    rng = np.random.default_rng(5)
    ground = np.stack([gaussian_filter(rng.normal(size=(ROWS, COLS)), 2) for _ in range(3)])
    ground /= ground.std(axis=(1, 2), keepdims=True)
    mixing = rng.normal(size=(4, 3))
    before = 1000 + 80 * np.tensordot(mixing, ground, 1) + rng.normal(0, 8, (4, ROWS, COLS))
    before[(slice(None), *ROOFS.slices)] += np.array([900, -500, 700, 300])[:, None, None]
    season = np.eye(4) * 1.1 + 0.05
    after = np.tensordot(season, before, 1) + rng.normal(0, 8, (4, ROWS, COLS))
    changed = np.zeros((ROWS, COLS), bool)
    for window, strength in ((SMALL, 1.0), (LARGE, 0.5)):
        changed[window.slices] = True
        after[(slice(None), *window.slices)] += strength * np.array([60, 40, 90, -160])[:, None, None]
    return before.astype(np.float32), after.astype(np.float32), changed


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both dates, the truth, and a model of the pair fitted on itself."""
    folder = tmp_path_factory.mktemp("dates")
    before, after, changed = dates()
    write(folder / "before.tif", before, NAMES)
    write(folder / "after.tif", after, NAMES, tiled=True, blockxsize=64, blockysize=64)
    write(folder / "truth.tif", changed[None].astype(np.uint8))
    fit_pair(folder / "after.tif", folder / "before.tif", folder / "m.specvae")
    return folder


def fit_pair(after: Path, before: Path, model: Path, **more: object) -> None:
    ingest = IngestOptions(before=str(before), **more)  # type: ignore[arg-type]
    fit([str(after)], FitRequest(model=str(model), ingest=ingest, device="cpu", set=SHORT, overwrite=True))


def request(place: Path, out: Path, **ingest: str) -> ScoreRequest:
    options = IngestOptions(before=str(place / "before.tif"), **ingest)  # type: ignore[arg-type]
    return ScoreRequest(model=str(place / "m.specvae"), out=str(out), ingest=options, device="cpu")


def scores(place: Path) -> np.ndarray:
    detector = load_model(place / "m.specvae").detector
    options = IngestOptions(before=str(place / "before.tif"))
    with open_scene(str(place / "after.tif"), options, match=detector.bands, before=detector.before) as scene:
        return detector.score(scene.read(scene.grid.window), scene.grid.window).score


def test_small_and_large_changes_are_found_and_what_is_strange_on_both_dates_is_not(place: Path) -> None:
    score, (_, _, changed) = scores(place), dates()
    assert roc_auc_score(changed.ravel(), score.ravel()) > 0.98
    calm = ~changed
    # Surroundings of a change are strange themselves: pixels a ring away from it say what normal ones score.
    for window in (SMALL, LARGE):
        calm[window.grow(8).clip(Window(0, 0, ROWS, COLS)).slices] = False
    cut = np.quantile(score[calm], 0.99)
    assert (score[SMALL.slices] > cut).all()
    assert (score[LARGE.slices] > cut).mean() > 0.9
    assert (score[ROOFS.slices] > cut).mean() < 0.25


def test_the_report_knows_both_dates_and_the_linear_baseline(place: Path, tmp_path: Path) -> None:
    asked = request(place, tmp_path, truth=str(place / "truth.tif"))
    run = score([str(place / "after.tif")], asked)
    assert [outcome.status for outcome in run.outcomes] == ["done"], run.outcomes
    folder = tmp_path / "after"
    report = json.loads((folder / "report.json").read_text())
    assert report["scene"]["before"]["path"] == str(place / "before.tif")
    assert report["scene"]["before"]["bands"] == list(NAMES)
    metrics = report["metrics"]
    # The planted dates are linear, so that the linear baseline is the best there is.
    linear, one_date = (metrics["baselines"][name]["auroc"] for name in ("chronochrome", "rx"))
    assert linear > 0.99 > 0.9 > one_date
    assert metrics["auroc"] == pytest.approx(linear, abs=0.01)
    item = json.loads((folder / "item.json").read_text())
    derived = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    assert any(href.endswith("before.tif") for href in derived)
    page = (folder / "report.html").read_text()
    assert "Both dates" in page
    assert page.count("data:image/jpeg;base64,") >= 2
    # Done already, until the earlier date is another.
    assert score([str(place / "after.tif")], asked).outcomes[0].status == "already"
    other = write(tmp_path / "other.tif", dates()[0] + 1, NAMES)
    changed = replace(asked, ingest=replace(asked.ingest, before=str(other)))
    assert "holds another result" in score([str(place / "after.tif")], changed).outcomes[0].message


def test_a_pixel_has_the_same_score_in_every_window_and_shard(place: Path, tmp_path: Path) -> None:
    full = scores(place)
    detector = load_model(place / "m.specvae").detector
    options = IngestOptions(before=str(place / "before.tif"))
    everything = Window(0, 0, ROWS, COLS)
    with open_scene(str(place / "after.tif"), options, match=detector.bands, before=detector.before) as scene:
        for window in (Window(0, 0, 64, 64), Window(64, 0, 56, 150), Window(64, 64, 13, 29)):
            part = detector.score(scene.read(window.grow(detector.halo).clip(everything)), window).score
            np.testing.assert_array_equal(part, full[window.slices])
    model, (source,) = load_model(place / "m.specvae"), find_sources([str(place / "after.tif")])
    asked = request(place, tmp_path / "shards")
    count = count_shards(source, model, asked, 64)
    parts = tuple(score_shard(source, model, asked, 64, number, tmp_path) for number in range(count))
    assert count == 2
    assert score_one(source, model, asked, shards=Shards(str(tmp_path), parts)).status == "done"
    with open_scene(str(tmp_path / "shards" / "after" / "score.tif")) as written:
        np.testing.assert_array_equal(written.read(everything).values[0], full)


def test_explanations_of_a_change_add_up_and_expect_what_the_earlier_date_says(place: Path) -> None:
    detector, (before, after, _) = load_model(place / "m.specvae").detector, dates()
    options = IngestOptions(before=str(place / "before.tif"))
    with open_scene(str(place / "after.tif"), options, match=detector.bands, before=detector.before) as scene:
        cube = scene.read(scene.grid.window)
    parts, context = detector.scorer.score(cube, cube.window)
    assert context is not None
    columns = cube.values.reshape(8, -1)[:, :500]
    why = detector.explain(columns, context.reshape(len(context), -1)[:, :500])
    np.testing.assert_allclose(why.contribution.sum(axis=0), parts.score.ravel()[:500], rtol=1e-4, atol=1e-4)
    assert why.expected.shape == (4, 500)
    residual = why.expected - after.reshape(4, -1)[:, :500]
    assert np.abs(residual).mean() < 0.5 * np.abs(after - before).reshape(4, -1)[:, :500].mean()


def test_another_sensor_on_a_coarser_grid_serves_as_the_earlier_date(place: Path, tmp_path: Path) -> None:
    before, _, changed = dates()
    # Two bands of other names, at half the resolution.
    halved = before[:2].reshape(2, ROWS // 2, 2, COLS // 2, 2).mean(axis=(2, 4))
    coarse = write(tmp_path / "coarse.tif", halved, ("red", "nir"), transform=from_origin(400_000, 5_000_000, 20, 20))
    fit_pair(place / "after.tif", coarse, tmp_path / "m.specvae")
    stored = load_model(tmp_path / "m.specvae")
    assert stored.detector.before is not None
    assert stored.detector.before.names == ("red", "nir")
    assert any("resampled from 60x75 to 120x150" in note for note in stored.metadata["provenance"]["notes"])
    options = IngestOptions(before=str(coarse))
    with open_scene(
        str(place / "after.tif"), options, match=stored.detector.bands, before=stored.detector.before
    ) as scene:
        cube = scene.read(scene.grid.window)
    # The earlier date lies where it should: the later bands are predicted from it better than from the mean.
    seen = np.concatenate([cube.values[4:].reshape(2, -1), np.ones((1, ROWS * COLS))])
    later = cube.values[0].ravel()
    weights = np.linalg.lstsq(seen.T, later, rcond=None)[0]
    assert (later - weights @ seen).std() < 0.6 * later.std()
    score = stored.detector.score(cube, cube.window).score
    assert roc_auc_score(changed.ravel(), score.ravel()) > 0.85


def test_pairs_go_by_the_scene_s_name_and_other_pairs_can_be_scored(place: Path, tmp_path: Path) -> None:
    before, after, _ = dates()
    for folder in ("early", "late"):
        (tmp_path / folder).mkdir()
    for name, shift in (("a", 0), ("b", 40)):
        write(tmp_path / "early" / f"{name}.tif", np.roll(before, shift, 2), NAMES)
        write(tmp_path / "late" / f"{name}.tif", np.roll(after, shift, 2), NAMES)
    fit_pair(tmp_path / "late", tmp_path / "early" / "{stem}.tif", tmp_path / "m.specvae")
    asked = ScoreRequest(
        model=str(tmp_path / "m.specvae"),
        out=str(tmp_path / "out"),
        ingest=IngestOptions(before=str(tmp_path / "early" / "{stem}.tif")),
        device="cpu",
    )
    run = score([str(tmp_path / "late")], asked)
    assert [outcome.status for outcome in run.outcomes] == ["done", "done"]
    reports = [json.loads((tmp_path / "out" / name / "report.json").read_text()) for name in ("a", "b")]
    assert [Path(report["scene"]["before"]["path"]).name for report in reports] == ["a.tif", "b.tif"]


def test_a_pixel_that_is_invalid_on_either_date_is_not_scored(place: Path, tmp_path: Path) -> None:
    before, after, _ = dates()
    early, late, clear = before.copy(), after.copy(), np.ones((1, ROWS, COLS), np.uint8)
    early[:, 5, 6], late[:, 7, 8], clear[0, 9, 10] = -9999, -9999, 0
    write(tmp_path / "early.tif", early, NAMES, nodata=-9999)
    write(tmp_path / "late.tif", late, NAMES, nodata=-9999)
    write(tmp_path / "clear.tif", clear)
    detector = load_model(place / "m.specvae").detector
    options = IngestOptions(before=str(tmp_path / "early.tif"), before_mask=str(tmp_path / "clear.tif"))
    with open_scene(str(tmp_path / "late.tif"), options, match=detector.bands, before=detector.before) as scene:
        score = detector.score(scene.read(scene.grid.window), scene.grid.window).score
    assert sorted(zip(*np.nonzero(np.isnan(score)), strict=True)) == [(5, 6), (7, 8), (9, 10)]


def test_what_has_one_date_is_refused_by_a_model_of_two_and_the_other_way_round(
    place: Path, tmp_path: Path, four_band_model: Path
) -> None:
    with pytest.raises(ModelError, match="give the earlier one with --before"):
        open_scene(str(place / "after.tif"), IngestOptions(), *pair(place))
    with pytest.raises(ModelError, match="fitted on one date: leave --before out"):
        other = load_model(four_band_model).detector
        open_scene(str(place / "after.tif"), IngestOptions(before=str(place / "before.tif")), other.bands)
    with pytest.raises(ModelError, match="two dates, and an array in Python takes one"):
        score_array(dates()[1], place / "m.specvae")
    for words in (("sample",), ("encode", place / "after.tif"), ("export",)):
        tail = (tmp_path / "x.onnx",) if words == ("export",) else ()
        where = (place / "m.specvae",) if words == ("export",) else ("--model", place / "m.specvae")
        status, printed = call([*map(str, (*words, *where, *tail))])
        assert status != 0
        assert "compares two dates" in printed
    with pytest.raises(UsageError, match="--patch and --before do not go together"):
        FitRequest(patch=8, ingest=IngestOptions(before="b.tif"))
    with pytest.raises(UsageError, match="--before-mask needs --before"):
        IngestOptions(before_mask="m.tif")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n" * 40)
    with pytest.raises(InputError, match="is a table, and --before needs scenes"):
        fit_pair(tmp_path / "t.csv", place / "before.tif", tmp_path / "m.specvae")


def pair(place: Path) -> tuple:
    detector = load_model(place / "m.specvae").detector
    return detector.bands, detector.before


@pytest.mark.parametrize(
    ("rows", "east", "message"),
    [(ROWS, 400_500, "lies elsewhere"), (ROWS - 7, 400_000, "113x150 pixels, the scene is 120x150")],
)
def test_other_ground_is_refused(place: Path, tmp_path: Path, rows: int, east: int, message: str) -> None:
    other = write(tmp_path / "o.tif", dates()[0][:, :rows], NAMES, transform=from_origin(east, 5_000_000, 10, 10))
    with pytest.raises(InputError, match=message):
        open_scene(str(place / "after.tif"), IngestOptions(before=str(other)), *pair(place))


def test_inspect_says_what_the_earlier_date_is_and_what_the_model_compares(place: Path) -> None:
    about = inspect(str(place / "after.tif"), IngestOptions(before=str(place / "before.tif")))
    assert about["before"] == {  # type: ignore[typeddict-item]
        "path": str(place / "before.tif"),
        "bands": list(NAMES),
        "band_match": None,
        "datetime": None,
    }
    model = inspect(str(place / "m.specvae"))
    assert model["before"] == list(NAMES)  # type: ignore[typeddict-item]
    assert model["scorer"]["why_torch"] == "a model of two dates"  # type: ignore[typeddict-item]


@pytest.mark.slow
def test_quiet_pairs_realise_the_rate_that_was_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def date(seed: int) -> tuple[np.ndarray, np.ndarray]:
        ground = np.stack([gaussian_filter(np.random.default_rng(seed).normal(size=(200, 200)), 1) for _ in range(3)])
        early = (1000 + 500 * ground + rng.normal(0, 10, ground.shape)).astype(np.float32)
        return early, (1.2 * early + rng.normal(0, 20, ground.shape)).astype(np.float32)

    for name, seed in (("fit", 1), ("new", 2)):
        early, late = date(seed)
        write(tmp_path / f"{name}_early.tif", early, NAMES[:3])
        write(tmp_path / f"{name}_late.tif", late, NAMES[:3])
    fit_pair(tmp_path / "fit_late.tif", tmp_path / "fit_early.tif", tmp_path / "m.specvae")
    detector = load_model(tmp_path / "m.specvae").detector
    calibration: Calibration = detector.calibration
    options = IngestOptions(before=str(tmp_path / "new_early.tif"))
    with open_scene(str(tmp_path / "new_late.tif"), options, match=detector.bands, before=detector.before) as scene:
        score = detector.score(scene.read(scene.grid.window), scene.grid.window).score
    realised = float((score > calibration.threshold(0.05, explicit=True).value).mean())
    assert 0.025 < realised < 0.1


@pytest.mark.slow
def test_cold_springs_with_both_dates_reaches_what_specialists_reach(real_data: Path, tmp_path: Path) -> None:
    scenes = real_data / "scenes" / "coldsprings"
    options = IngestOptions(
        mask=str(scenes / "20160723_post_clear.tif"),
        before=str(scenes / "20160707_pre_sr7.tif"),
        before_mask=str(scenes / "20160707_pre_clear.tif"),
    )
    after = str(scenes / "20160723_post_sr7.tif")
    fit([after], FitRequest(model=str(tmp_path / "m.specvae"), ingest=options, device="cpu"))
    asked = ScoreRequest(
        model=str(tmp_path / "m.specvae"),
        out=str(tmp_path),
        ingest=replace(options, truth=str(scenes / "burn_mask.tif")),
        device="cpu",
    )
    (outcome,) = score([after], asked).outcomes
    assert outcome.report is not None
    metrics = outcome.report["metrics"]
    assert 0.90 < metrics["baselines"]["chronochrome"]["auroc"] < 0.95
    assert 0.985 < metrics["auroc"] < 1.0
    with (
        open_scene(str(tmp_path / Path(after).stem / "score.tif")) as written,
        open_scene(str(scenes / "burn_mask.tif"), IngestOptions(nodata="none")) as mask,
    ):
        found = written.read(written.grid.window)
        burnt = mask.read(mask.grid.window).values[0][found.valid] == 1
    values = found.values[0][found.valid]
    cut = np.quantile(values[~burnt], 1 - 1e-3)
    # dNBR, the specialists' index, finds 66 % at the same realised rate.
    assert 0.6 < (values[burnt] > cut).mean() < 0.9
