"""``specvae watch``: the same folders are the same bytes in any order of arrival, and what stands there is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner

from specvae.cli.main import cli
from specvae.errors import InputError, OutputError, UsageError
from specvae.export.watch.contents import CONTENTS, MOST_OLDER, checkpoint_names
from specvae.ingest.aligned_rows import AlignedRows, grid_of
from specvae.stages.watch.request import WatchRequest
from specvae.stages.watch.run import watch
from specvae.stages.watch.thinning import checkpoints_of
from tests.score_folders import PLACE, day_of, normal_ground, write_date

SHAPE = (48, 56)
COUNT, FIRE = 12, 8
FIRE_PLACE = (slice(10, 18), slice(30, 40))


def scores_of(number: int, seed: int = 0) -> np.ndarray:
    """Normal scores of a date: a fire from date FIRE on, a cloud on every third."""
    centre, spread = normal_ground(np.random.default_rng(seed), SHAPE)
    rng = np.random.default_rng((seed, number))
    scores = centre + spread * rng.normal(size=SHAPE)
    if number >= FIRE:
        scores[FIRE_PLACE] += 6
    if number % 3 == 2:
        scores[30:, :20] = np.nan
    return scores


def write_series(out: Path, numbers: range | list[int]) -> None:
    for number in numbers:
        write_date(out, day_of(number), scores_of(number))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place whose dates were all there when it was watched first; its folder of reports."""
    reports = tmp_path_factory.mktemp("watch") / "coast"
    write_series(reports, range(COUNT))
    watch([str(reports)], WatchRequest())
    return reports


def test_the_folder_holds_what_the_registry_says(undisturbed: Path) -> None:
    older = {name for number in range(len(checkpoints_of(COUNT)), 2 + MOST_OLDER) for name in checkpoint_names(number)}
    names = {path.name for path in (undisturbed / "watch").iterdir()}
    assert names == {file.name for file in CONTENTS} - older


def test_the_fire_is_confirmed_where_it_burns(undisturbed: Path) -> None:
    with rasterio.open(undisturbed / "watch" / "status.tif") as file:
        status = file.read(1)
        assert file.nodata == 255
    with rasterio.open(undisturbed / "watch" / "state.tif") as file:
        bands = dict(zip(file.descriptions, file.read(), strict=True))
    fire = np.zeros(SHAPE, bool)
    fire[FIRE_PLACE] = True
    assert (status[fire] == 3).mean() > 0.97
    assert (status[~fire] == 3).sum() <= 3
    assert (bands["looks"][30:, :16] == 8).all()
    assert (bands["confirmed"][status == 3] - bands["first"][status == 3]).min() >= 5
    assert np.isnan(bands["confirmed"][status == 0]).all()
    assert (bands["evidence"][status == 3] > 9).mean() > 0.97


def arrival(reports: Path, steps: list[Callable[[], object]]) -> dict[str, bytes]:
    """What the folder holds after each step was followed by a watch."""
    for step in steps:
        step()
        watch([str(reports)], WatchRequest())
    return contents(reports / "watch")


def test_a_night_at_a_time_gives_the_bytes_of_all_at_once(undisturbed: Path, tmp_path: Path) -> None:
    reports = tmp_path / "coast"
    steps = [lambda n=n: write_date(reports, day_of(n), scores_of(n)) for n in range(COUNT)]
    assert arrival(reports, steps) == contents(undisturbed / "watch")


def test_late_redone_and_removed_dates_are_taken_in(undisturbed: Path, tmp_path: Path) -> None:
    reports = tmp_path / "coast"

    def begin() -> None:
        write_series(reports, [n for n in range(COUNT) if n != 4])
        write_date(reports, day_of(COUNT), scores_of(COUNT))
        write_date(reports, day_of(COUNT - 1), scores_of(COUNT - 1, seed=7))

    steps: list[Callable[[], object]] = [
        begin,
        lambda: write_date(reports, day_of(4), scores_of(4)),  # late
        lambda: shutil.rmtree(reports / f"S2_{day_of(COUNT).replace('-', '')}"),  # removed
        lambda: write_date(reports, day_of(COUNT - 1), scores_of(COUNT - 1)),  # redone
    ]
    assert arrival(reports, steps) == contents(undisturbed / "watch")


def test_a_newest_date_that_went_away_leaves_no_trace(undisturbed: Path, tmp_path: Path) -> None:
    reports = tmp_path / "coast"
    steps: list[Callable[[], object]] = [
        lambda: write_series(reports, range(COUNT + 1)),
        lambda: shutil.rmtree(reports / f"S2_{day_of(COUNT).replace('-', '')}"),
    ]
    assert arrival(reports, steps) == contents(undisturbed / "watch")


def test_a_night_costs_one_night(tmp_path: Path) -> None:
    reports = tmp_path / "coast"
    write_series(reports, range(6))
    assert watch([str(reports)], WatchRequest()).computed == 6
    again = watch([str(reports)], WatchRequest())
    assert (again.status, again.computed) == ("already", 0)
    write_series(reports, [6])
    assert watch([str(reports)], WatchRequest()).computed == 1
    write_date(reports, day_of(6), scores_of(6, seed=3))  # the newest date redone: from the date before
    assert watch([str(reports)], WatchRequest()).computed == 1


def test_a_late_date_does_not_cost_the_whole_past(tmp_path: Path) -> None:
    reports, count = tmp_path / "coast", 21
    write_series(reports, [n for n in range(count) if n not in (3, 18)])
    watch([str(reports)], WatchRequest())
    write_series(reports, [18])  # two dates late, of 19: from the state after 16
    assert watch([str(reports)], WatchRequest()).computed == 4
    write_series(reports, [3])  # before any state that is still there
    assert watch([str(reports)], WatchRequest()).computed == 21
    at_once = tmp_path / "other" / "coast"
    write_series(at_once, range(count))
    watch([str(at_once)], WatchRequest())
    assert contents(reports / "watch") == contents(at_once / "watch")


def test_alerts_json_follows_its_schema_and_says_what_the_polygons_say(undisturbed: Path) -> None:
    schema = json.loads((resources.files("specvae.export.watch") / "alerts.schema.json").read_text())
    alerts: dict[str, Any] = json.loads((undisturbed / "watch" / "alerts.json").read_text())
    jsonschema.validate(alerts, schema)
    frame = pyogrio.read_dataframe(undisturbed / "watch" / "alerts.gpkg", layer="alerts")
    assert frame["id"].tolist() == [alert["id"] for alert in alerts["alerts"]]
    fire = frame[frame.status == "confirmed"].iloc[0]
    assert fire.area_m2 == pytest.approx(80 * 400, rel=0.05)
    assert fire.geometry.area == pytest.approx(fire.area_m2)
    assert (fire.first_seen, fire.confirmed_on) == (day_of(FIRE), day_of(FIRE + 1))
    west, _, _, north = fire.geometry.bounds
    assert west == pytest.approx(500_000 + 30 * 20, abs=20)
    assert north == pytest.approx(5_800_000 - 10 * 20, abs=20)
    assert fire.evidence > alerts["needed_evidence"]
    assert fire.false_alert_rate < 0.1


def test_the_item_is_written_last_and_names_the_files(undisturbed: Path) -> None:
    item = json.loads((undisturbed / "watch" / "watch.json").read_text())
    assert set(item["assets"]) == {file.name for file in CONTENTS if file.role}
    assert item["properties"]["datetime"].startswith(day_of(COUNT - 1))
    assert [record["used"] for record in item["properties"]["specvae:dates"]] == [True] * COUNT


def test_a_date_that_is_not_to_be_used_is_left_out_and_said_so(tmp_path: Path) -> None:
    reports = tmp_path / "coast"
    write_series(reports, range(8))
    before = watch([str(reports)], WatchRequest())
    write_date(reports, day_of(8), scores_of(2) + 9, verdict="do-not-use")
    outcome = watch([str(reports)], WatchRequest(strict=True))
    assert outcome.exit_status == 5
    assert "left out" in outcome.warnings[0]
    assert outcome.alerts["dates"]["left_out"] == [f"S2_{day_of(8).replace('-', '')}"]
    assert outcome.alerts["counts"]["open"] == before.alerts["counts"]["open"]
    assert outcome.alerts["new"] == []
    assert watch([str(reports)], WatchRequest()).exit_status == 0
    # The date after goes on from the looks before it, as if it had never been.
    write_series(reports, [9])
    after = watch([str(reports)], WatchRequest()).alerts["alerts"]
    without = tmp_path / "without" / "coast"
    write_series(without, [*range(8), 9])
    assert after == watch([str(without)], WatchRequest()).alerts["alerts"]


def test_other_settings_need_a_word(tmp_path: Path) -> None:
    reports = tmp_path / "coast"
    write_series(reports, range(3))
    watch([str(reports)], WatchRequest())
    with pytest.raises(OutputError, match="give --overwrite or another --out"):
        watch([str(reports)], WatchRequest(close_after=3))
    assert watch([str(reports)], WatchRequest(close_after=3, renew=True)).status == "done"
    assert watch([str(reports)], WatchRequest(overwrite=True)).computed == 3


def test_what_cannot_be_watched_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        watch([str(tmp_path / "nowhere")], WatchRequest())
    with pytest.raises(InputError, match="no scored date"):
        watch([str(tmp_path)], WatchRequest())
    with pytest.raises(UsageError, match="expected a date"):
        WatchRequest(since="last week")
    reports = tmp_path / "coast"
    folder = write_date(reports, day_of(0), scores_of(0))
    (folder / "report.json").write_text("{}")
    with pytest.raises(InputError, match="score the date again"):
        watch([str(reports)], WatchRequest())
    assert not (reports / "watch").exists()
    item = json.loads((folder / "item.json").read_text())
    item["properties"] |= {"specvae:datetime_from": "processing", "specvae:key": "tonight"}
    (folder / "item.json").write_text(json.dumps(item))
    with pytest.raises(InputError, match="has no date"):
        watch([str(reports)], WatchRequest())


def test_grids_that_differ_by_whole_pixels_are_aligned(tmp_path: Path) -> None:
    reports, moved = tmp_path / "a" / "coast", tmp_path / "b" / "coast"
    for number in range(COUNT):
        scores = scores_of(number)
        write_date(reports, day_of(number), scores)
        if number % 2:  # three rows and two columns more at the upper left corner
            wide = np.full((SHAPE[0] + 3, SHAPE[1] + 2), 5.0)
            wide[3:, 2:] = scores
            write_date(moved, day_of(number), wide, transform=PLACE * Affine.translation(-2, -3))
        else:
            write_date(moved, day_of(number), scores)
    one, two = (watch([str(place)], WatchRequest()) for place in (reports, moved))
    assert one.alerts["alerts"] == two.alerts["alerts"]
    assert not two.warnings


def test_other_grids_are_warped_and_another_crs_is_refused(tmp_path: Path) -> None:
    reports = tmp_path / "coast"
    write_series(reports, range(2))
    write_date(reports, day_of(2), scores_of(2), transform=PLACE * Affine.translation(0.4, 0.4))
    outcome = watch([str(reports)], WatchRequest())
    assert "warped" in outcome.warnings[0]
    assert outcome.alerts["dates"]["warped"] == [f"S2_{day_of(2).replace('-', '')}"]
    write_date(reports, day_of(3), scores_of(3), crs="EPSG:32633")
    with pytest.raises(InputError, match="EPSG:32633 and the first date EPSG:32632"):
        watch([str(reports)], WatchRequest())


def test_rows_beyond_the_edge_are_missing(tmp_path: Path) -> None:
    first = write_date(tmp_path, day_of(0), np.zeros(SHAPE))
    second = write_date(tmp_path, day_of(1), np.ones(SHAPE), transform=PLACE * Affine.translation(10, -4))
    with AlignedRows(second / "score.tif", grid_of(first / "score.tif")) as rows:
        values = rows.read(0, SHAPE[0])
    assert not rows.warped
    assert np.isnan(values[:, :10]).all()
    assert (values[: SHAPE[0] - 4, 10:] == 11).all()
    assert np.isnan(values[SHAPE[0] - 4 :]).all()


def test_the_command_says_one_line(tmp_path: Path) -> None:
    reports = tmp_path / "coast"
    write_series(reports, range(FIRE + 2))
    done = CliRunner().invoke(cli, ["watch", str(reports)], standalone_mode=False)
    assert done.return_value == 0
    line = done.output.strip()
    assert line.startswith("coast: ")
    assert f"1 confirmed, 0 closed since {day_of(FIRE)}; " in line
    counts = json.loads(CliRunner().invoke(cli, ["watch", str(reports), "--json"], standalone_mode=False).output)[
        "counts"
    ]
    assert line.endswith(f"{counts['open']} open")
    early = CliRunner().invoke(cli, ["watch", str(reports), "--since", day_of(FIRE), "--out", str(tmp_path / "o")])
    assert f"since {day_of(FIRE)}; 0 open" in early.output


@pytest.mark.parametrize("name", ["write_maps", "write_alerts", "watch_item"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    reports = tmp_path / "coast"
    write_series(reports, range(4))
    watch([str(reports)], WatchRequest())
    before = contents(reports / "watch")
    write_series(reports, [4])

    def broken(*_: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(f"specvae.stages.watch.run.{name}", broken)
    with pytest.raises(OutputError, match="disk is full"):
        watch([str(reports)], WatchRequest())
    assert contents(reports / "watch") == before
    assert [path.name for path in reports.iterdir() if path.name.startswith(".")] == []
