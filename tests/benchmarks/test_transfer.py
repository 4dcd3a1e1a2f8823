"""The transfer benchmark: what is planted and where, that scenes are left out, and HAD100's layout and protocol."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specvae.bands import Band, BandSet
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.transfer import run, trial
from specvae.benchmarks.transfer.event_page import event_rows, event_section
from specvae.benchmarks.transfer.events import SHARES, Ground, event_in, planted_events
from specvae.benchmarks.transfer.had100 import is_had100, read_places
from specvae.benchmarks.transfer.page import rows_of, write_page
from specvae.benchmarks.transfer.places import Place, Sensor, cube_of, sensors
from specvae.benchmarks.transfer.planting import plant
from specvae.benchmarks.transfer.trial import HERE, METHODS, REFUSED, judge, leave_out
from specvae.errors import InputError, UsageError
from specvae.spectra import Cube

ENDS = np.random.default_rng(7).uniform(100, 3000, (5, 60))


def ground(seed: int, bands: int = 60, side: int = 40) -> np.ndarray:
    """``(bands, side, side)`` mixed of three endmembers, with noise."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet([2, 2, 2], (side, side))
    return np.moveaxis(share @ ENDS[:3, :bands] + rng.normal(0, 8, (side, side, bands)), 2, 0)


def place(seed: int, bands: int = 8) -> Place:
    valid = np.ones((40, 40), bool)
    valid[:, :3] = False
    return Place(f"place{seed}", cube_of(ground(seed, bands), valid))


def strange(bands: int = 8) -> Cube:
    """Another place, of a fourth endmember, some of it not valid."""
    valid = np.random.default_rng(0).random((20, 20)) > 0.2
    values = ENDS[3, :bands, None, None] * np.random.default_rng(1).uniform(0.8, 1.2, (1, 20, 20))
    return cube_of(np.where(valid, values, np.nan), valid)


def test_targets_have_their_sizes_and_are_mixed_of_real_spectra() -> None:
    here, other = place(1).cube, strange()
    planted, again = (plant(here, other, 1.0, (1, 5, 25), 3) for _ in range(2))
    np.testing.assert_array_equal(planted.cube.values, again.cube.values)
    counts = {pixels: int((planted.size == pixels).sum()) for pixels in (1, 5, 25)}
    assert all(count and count % pixels == 0 for pixels, count in counts.items())
    assert (planted.size[:, :3] == -1).all()
    untouched = planted.size <= 0
    np.testing.assert_array_equal(planted.cube.values[:, untouched], here.values[:, untouched])
    known = {spectrum.tobytes() for spectrum in other.values[:, other.valid].T}
    assert all(spectrum.tobytes() in known for spectrum in np.ascontiguousarray(planted.cube.values[:, ~untouched].T))


def test_all_fills_are_planted_at_the_same_places_and_in_proportion() -> None:
    here, other = place(1).cube, strange()
    full, fifth = plant(here, other, 1.0, (5,), 0), plant(here, other, 0.2, (5,), 0)
    np.testing.assert_array_equal(full.size, fifth.size)
    at = full.size > 0
    moved, moved_less = (p.cube.values[:, at] - here.values[:, at] for p in (full, fifth))
    np.testing.assert_allclose(moved_less, 0.2 * moved, atol=1e-2)


def sensor(count: int = 3) -> Sensor:
    bands = BandSet(tuple(Band(f"b{i}") for i in range(8)))
    truth = np.zeros((40, 40), bool)
    truth[20:24, 20:24] = True
    burnt = plant(place(9).cube, strange(), 1.0, (1,), 0).cube
    values = burnt.values.copy()
    values[:, truth] = ENDS[4, :8, None]
    judged = Place("event", cube_of(values, burnt.valid), truth & burnt.valid)
    return Sensor(
        "made", "Made ground.", bands, tuple(place(i) for i in range(count)), strange(), (1, 25), judged=(judged,)
    )


def test_what_is_planted_in_the_scene_left_out_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "FILLS", (0.05, 0.5, 1.0))
    made = sensor()
    records = list(leave_out(made, made.places[0], 0, ("training.epochs=3",)))
    assert {r.verdict for r in records} <= {"ok", "caution"}
    assert {(r.method, r.fill, r.size) for r in records} == {
        (m, f, s) for m in METHODS for f in trial.FILLS for s in (1, 25)
    }
    ours = {(r.fill, r.size): r for r in records if r.method == "specvae"}
    assert ours[1.0, 25].auroc > 0.99
    assert ours[0.5, 1].auroc > 0.95
    assert ours[0.05, 1].auroc < ours[0.5, 1].auroc
    assert ours[1.0, 25].realised is not None
    assert ours[1.0, 25].realised < 0.03
    records += judge(made, 0, ("training.epochs=3",))
    truth = [r for r in records if r.fill is None and r.method == "specvae"]
    assert [r.place for r in truth] == ["event"]
    assert truth[0].auroc > 0.98
    rows = rows_of(records)
    assert {row.dataset for row in rows} == {"made: place0", "made: event, truth"}
    mean = np.mean([r.auroc for r in records if r.method == "rx" and r.fill is not None])
    assert next(r.value for r in rows if r.method == "rx" and r.metric == "auroc") == pytest.approx(mean)
    write_page(tmp_path, [made], records, [], {"seeds": 1})
    page = (tmp_path / "report.md").read_text()
    assert "| isolation forest, fitted elsewhere |" in page
    ours_on = np.mean([r.auroc for r in records if r.method == "specvae" and r.fill is not None])
    here_on = np.mean([r.auroc for r in records if r.method == "rx-here" and r.fill is not None])
    answer = "met" if ours_on > here_on else f"missed by {here_on - ours_on:.4f}"
    assert f"| made: mean AUROC | above {here_on:.4g} |  | {ours_on:.4f} | {answer} |" in page
    assert f"| made: place0 | {records[0].verdict} |" in page
    assert "on 1 of the 1 sensors" in page or "on 0 of the 1 sensors" in page
    assert (tmp_path / "fills.png").stat().st_size > 5000


def test_the_left_out_scene_is_not_fitted_on_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing but its own planted spectra tells the models of two places apart: the scene itself has no part in its model.
    monkeypatch.setattr(trial, "FILLS", (1.0,))
    made = sensor()
    bright = Place("bright", cube_of(3.0 * ground(5, 8), np.ones((40, 40), bool)))
    with_bright = Sensor(made.name, made.about, made.bands, (bright, *made.places), strange(), (1,))
    records = list(leave_out(with_bright, bright, 0, ("training.epochs=1",)))
    assert all(r.realised is not None and r.realised > 0.9 for r in records if r.method == "specvae")
    assert {r.verdict for r in records} == {REFUSED}
    # What is refused is fitted on itself too: that model knows its ground, and the targets alone stand out.
    assert {r.method for r in records} == {*METHODS, HERE}
    here = next(r for r in records if r.method == HERE)
    assert here.auroc > 0.95
    assert here.found_asked is None


def envi(path: Path, values: np.ndarray, interleave: str, ignore: float | None) -> None:
    """Write ``(bands, rows, cols)`` as an ENVI cube whose wavelengths do not ascend."""
    order = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}[interleave]
    values.astype("<f4").transpose(order).tofile(path)
    bands, rows, cols = values.shape
    waves = [380.0 + 5.0 * i for i in range(bands)]
    waves[31:35] = [525.0, 520.0, 530.0, 527.0]
    header = [
        "ENVI", f"samples = {cols}", f"lines = {rows}", f"bands = {bands}", "header offset = 0", "file type = ENVI Standard",
        "data type = 4", f"interleave = {interleave}", "byte order = 0", "wavelength units = Nanometers",
        "wavelength = { " + ", ".join(str(wave) for wave in waves) + " }",
    ]  # fmt: skip
    header += [] if ignore is None else [f"data ignore value = {ignore}"]
    path.with_suffix(".hdr").write_text("\n".join(header) + "\n")


@pytest.fixture
def had100(tmp_path: Path) -> Path:
    """Three training scenes and two tests in the data set's layout, BIL and BIP, with both fills."""
    folder = tmp_path / "HAD100"
    for part in ("train", "test", "ground_truth"):
        (folder / part / "aviris_ng").mkdir(parents=True)
    for number in range(3):
        values = ground(number, 60, 32)
        values[:, :2] = (-9999.0, 1e-34, -9999.0)[number]
        envi(
            folder / f"train/aviris_ng/ang{number}_1.img",
            values,
            ("bil", "bip", "bsq")[number],
            -9999.0 if number == 0 else None,
        )
    for number in range(2):
        values, truth = ground(10 + number, 60, 32), np.zeros((32, 32, 4), np.uint8)
        truth[10:13, 8:12, :] = 255
        values[:, 10:13, 8:12] = 0.4 * values[:, 10:13, 8:12] + 0.6 * ENDS[3, :, None, None]
        envi(folder / f"test/aviris_ng/ang9_{number}.img", values, ("bip", "bil")[number], None)
        Image.fromarray(truth).save(folder / f"ground_truth/aviris_ng/ang9_{number}.png")
    return folder


def test_had100s_cubes_are_read_band_by_band_without_their_fills(had100: Path) -> None:
    assert is_had100(had100)
    assert not is_had100(had100.parent)
    for number, read in enumerate(read_places(had100 / "train/aviris_ng", 50)):
        assert read.name == f"ang{number}_1"
        assert read.truth is None
        assert not read.cube.valid[:2].any()
        assert read.cube.valid[2:].all()
        expected = ground(number, 60, 32)[:50, 2:]
        np.testing.assert_allclose(read.cube.values[:, 2:], expected, rtol=1e-5)
    tests = list(read_places(had100 / "test/aviris_ng", 50, had100 / "ground_truth/aviris_ng"))
    assert [int(test.truth.sum()) for test in tests if test.truth is not None] == [12, 12]
    (had100 / "ground_truth/aviris_ng/ang9_0.png").unlink()
    with pytest.raises(InputError, match=r"ang9_0\.png is missing"):
        list(read_places(had100 / "test/aviris_ng", 50, had100 / "ground_truth/aviris_ng"))


def test_had100s_protocol_writes_its_table(had100: Path, tmp_path: Path) -> None:
    out = run(Settings(data=had100, out=tmp_path / "out", epochs=2, seeds=1))
    rows = json.loads((out / "metrics.json").read_text())["results"]
    assert {row["dataset"] for row in rows} == {"ang9_0-50", "ang9_1-50"}
    assert {row["method"] for row in rows} == {*METHODS, "specvae-here"}
    areas = [row["value"] for row in rows if (row["method"], row["metric"]) == ("specvae", "auroc")]
    assert min(areas) > 0.99
    page = (out / "report.md").read_text()
    assert "| AETNet-KCSR (published) | 0.9948 |" in page
    assert "scored on 2 scenes" in page


def test_folders_and_sensors_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds none of the scenes"):
        run(Settings(data=tmp_path))
    with pytest.raises(UsageError, match="sentinel2-dates"):
        run(Settings(data=tmp_path, presets=("modis",)))


@pytest.mark.slow
def test_the_real_scenes_of_each_sensor_share_bands_and_unit(real_data: Path) -> None:
    known = {sensor.name: sensor for sensor in sensors(real_data / "scenes")}
    assert list(known) == ["sentinel2-dates", "sentinel2-places", "landsat8-dates", "landsat8-fire", "enmap-tiles"]
    for sensor in known.values():
        every = (*sensor.places, *sensor.others, *sensor.judged)
        assert {len(p.cube.values) for p in every} | {len(sensor.strange.values)} == {len(sensor.bands)}
        levels = [np.median(cube.values[:, cube.valid]) for cube in (*(p.cube for p in every), sensor.strange)]
        # The units agree: the medians of all places lie within a factor of ten, where two units lie a thousand apart.
        assert max(levels) < 12 * min(levels), (sensor.name, levels)
    assert known["landsat8-fire"].judged[0].truth is not None
    assert known["landsat8-fire"].judged[0].truth.sum() == 2560


def test_events_cover_their_share_and_are_mixed_of_their_material() -> None:
    bands = BandSet(tuple(Band(f"b{i}") for i in range(8)))
    bright = Ground("made", place(1), bands, {"snow": np.full((8, 3), 9000.0)})
    for share in SHARES:
        cube, truth = event_in(bright, "snow", share, 0.3, 0)
        assert truth.sum() == pytest.approx(share * cube.valid.sum(), abs=2)
        before = place(1).cube.values
        np.testing.assert_allclose(cube.values[:, truth], 0.7 * before[:, truth] + 2700.0, rtol=1e-5)
        np.testing.assert_array_equal(cube.values[:, ~truth], before[:, ~truth])


def test_a_large_event_is_found_with_the_ring_as_without(tmp_path: Path) -> None:
    bands = BandSet(tuple(Band(f"b{i}") for i in range(8)))
    made = Ground("made", place(1), bands, {"burn": ENDS[3, :8, None] * np.linspace(0.9, 1.1, 9)})
    events = list(planted_events(made, 0, ("training.epochs=3",)))
    assert {(e.share, e.fill) for e in events} == {(share, fill) for share in SHARES for fill in (0.3, 1.0)}
    assert min(e.ring for e in events if e.fill == 1.0) > 0.99
    page = event_section(events)
    assert "12 events" in page
    assert "| made: burn over 45% at 100% |" in page
    assert {row.metric for row in event_rows(events)} == {"auroc", "realised_rate"}
