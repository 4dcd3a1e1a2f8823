"""A batch: what is done is left, what changed is redone, what fails is contained, and the exit status says so."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specvae.errors import OutputError
from specvae.pipeline import run as batch
from specvae.pipeline.run import run
from specvae.pipeline.run_options import Options
from specvae.pipeline.summary.outcome import Batch
from specvae.pipeline.workers import schedule
from specvae.pipeline.workers.task import over_limit
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import make_scene
from tests.batches import SCORE, inline_workers
from tests.commands import call
from tests.models import fit_model
from tests.raster_files import write


def serve(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A web server of a folder in a process of its own: GDAL waits for it while it holds this one up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return server, port
        time.sleep(0.1)
    server.kill()
    raise AssertionError("the web server did not start")


@pytest.fixture(autouse=True)
def _inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_workers", inline_workers)
    monkeypatch.setattr(schedule, "FIRST_PAUSE", 0.01)


def cube(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, 50, (4, 24, 24)).astype("uint16")


@pytest.fixture
def place(tmp_path: Path, four_band_model: Path) -> Path:
    """Three good scenes, a model and the declaration."""
    (tmp_path / "in").mkdir()
    shutil.copy(four_band_model, tmp_path / "model.specvae")
    for at in range(3):
        write(tmp_path / "in" / f"s{at}_2024010{at + 1}.tif", cube(at))
    (tmp_path / "x.toml").write_text(SCORE, encoding="utf-8")
    return tmp_path


def go(place: Path, **options: Any) -> Batch:
    return run(place / "x.toml", Options(**options))


def states(result: Batch) -> list[str]:
    return [scene.status for scene in result.scenes]


def times(folder: Path) -> dict[str, int]:
    times = {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*/*") if p.is_file()}
    assert times
    return times


def test_every_scene_is_done_once_and_a_second_run_touches_nothing(place: Path) -> None:
    first = go(place)
    assert (states(first), first.exit_status) == (["done"] * 3, 0)
    before = times(place / "out")
    again = go(place)
    assert (states(again), again.exit_status) == (["already"] * 3, 0)
    assert times(place / "out") == before
    for name in ("index.html", "metrics.prom", "log.jsonl", "collection.json"):
        assert (place / "out" / name).stat().st_size > 100, name
    report = json.loads((place / "out" / "run.json").read_text(encoding="utf-8"))
    assert report["counts"] == {"total": 3, "done": 0, "already": 3, "invalid": 0, "failed": 0}
    assert [s["date"] for s in report["stages"][0]["scenes"]] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert all(s["valid"] == 576 and s["verdict"] for s in report["stages"][0]["scenes"])


def test_only_what_changed_is_redone_and_the_plan_says_why(place: Path) -> None:
    go(place)
    write(place / "in" / "s1_20240102.tif", cube(9))
    planned = go(place, dry_run=True)
    assert states(planned) == ["already", "todo", "already"]
    assert planned.scenes[1].message == "s1_20240102.tif changed"
    assert states(go(place)) == ["already", "done", "already"]
    planned = go(place, dry_run=True, set=("score.false_alarm_rate=0.05",))
    assert {s.message for s in planned.scenes} == {"false_alarm_rate changed"}
    assert states(go(place, set=("score.false_alarm_rate=0.05",))) == ["done"] * 3


def test_a_scene_whose_time_changed_but_not_its_bytes_is_left(place: Path) -> None:
    go(place)
    (place / "in" / "s0_20240101.tif").touch()
    assert states(go(place)) == ["already"] * 3


def test_another_model_redoes_everything(place: Path) -> None:
    go(place)
    model = place / "model.specvae"
    model.write_bytes(model.read_bytes())
    assert states(go(place)) == ["already"] * 3
    model.unlink()
    fit_model(place)  # its file holds its time and command, so it is another one
    assert {s.message for s in go(place, dry_run=True).scenes} == {"the model changed"}


def test_a_broken_scene_is_recorded_not_tried_again_and_still_counts(place: Path) -> None:
    broken = place / "in" / "s1_20240102.tif"
    broken.write_bytes(broken.read_bytes()[:300])
    result = go(place)
    assert (states(result), result.exit_status) == (["done", "invalid", "done"], 3)
    record = place / "out" / "s1_20240102" / "invalid.json"
    made = record.stat().st_mtime_ns
    again = go(place)
    assert (states(again), again.exit_status) == (["already", "invalid", "already"], 3)
    assert record.stat().st_mtime_ns == made
    assert again.scenes[1].attempts == 0
    assert again.alerts()[0]["key"] == "s1_20240102"
    write(broken, cube(5))
    mended = go(place)
    assert (states(mended), mended.exit_status) == (["already", "done", "already"], 0)
    assert not record.exists()


def test_a_scene_that_breaks_after_it_was_done_loses_its_result(place: Path) -> None:
    go(place)
    broken = place / "in" / "s1_20240102.tif"
    broken.write_bytes(b"II*\0 this is no raster")
    assert states(go(place)) == ["already", "invalid", "already"]
    assert [p.name for p in (place / "out" / "s1_20240102").iterdir()] == ["invalid.json"]


def test_a_scene_without_one_of_the_bands_is_invalid_and_says_so(place: Path) -> None:
    write(place / "in" / "s1_20240102.tif", cube()[:2])
    result = go(place)
    assert states(result) == ["done", "invalid", "done"]
    assert "band" in result.scenes[1].message


def test_a_failure_that_passes_is_tried_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from specvae.stages.score import run as score

    real, tries = score.score_map, []

    def failing(job: Any, *rest: Any) -> Any:
        tries.append(job.source.key)
        if job.source.key.startswith("s1") and tries.count(job.source.key) < 3:
            raise OutputError("the disk is full")
        return real(job, *rest)

    monkeypatch.setattr(score, "score_map", failing)
    result = go(place, retries=2)
    assert (states(result), result.exit_status) == (["done"] * 3, 0)
    assert [s.attempts for s in result.scenes] == [1, 3, 1]


@pytest.mark.parametrize(
    "error", [OutputError("the disk is full"), MemoryError(), OSError(5, "I/O error"), KeyError("x")]
)
def test_a_failure_that_stays_is_the_scenes_own(error: Exception, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from specvae.stages.score import run as score

    real = score.score_map

    def failing(job: Any, *rest: Any) -> Any:
        if job.source.key.startswith("s1"):
            raise error
        return real(job, *rest)

    monkeypatch.setattr(score, "score_map", failing)
    result = go(place, retries=1)
    assert (states(result), result.exit_status) == (["done", "failed", "done"], 3)
    assert result.scenes[1].attempts == (1 if isinstance(error, KeyError) else 2)
    assert not (place / "out" / "s1_20240102").exists()
    monkeypatch.setattr(score, "score_map", real)
    assert states(go(place)) == ["already", "done", "already"]


def test_a_dry_run_writes_nothing(place: Path) -> None:
    before = sorted(p.name for p in place.rglob("*"))
    planned = go(place, dry_run=True)
    assert (states(planned), planned.exit_status) == (["todo"] * 3, 0)
    assert sorted(p.name for p in place.rglob("*")) == before


def test_what_needs_a_model_that_was_not_made_is_skipped(place: Path) -> None:
    text = '[[stage]]\nrun = "fit"\nsource = "nothing.tif"\nmodel = "model.specvae"\n' + SCORE
    (place / "x.toml").write_text(text, encoding="utf-8")
    result = go(place)
    assert [stage.status for stage in result.stages] == ["failed", "skipped"]
    assert result.exit_status == 4
    assert "nothing.tif" in result.stages[1].message


def test_scenes_without_a_model_are_not_begun(place: Path) -> None:
    (place / "model.specvae").unlink()
    result = go(place)
    assert result.exit_status == 4
    assert "specvae fit" in result.stages[0].message


def test_if_every_scene_fails_the_status_is_3(place: Path) -> None:
    for path in (place / "in").iterdir():
        path.write_bytes(b"nothing")
    assert go(place).exit_status == 3


def test_strict_tells_by_its_status_that_a_map_is_not_to_be_trusted(place: Path) -> None:
    for path in (place / "in").iterdir():
        write(path, cube() + np.uint16(20_000))
    (place / "x.toml").write_text(SCORE + "strict = true\n", encoding="utf-8")
    assert go(place).exit_status == 5
    assert go(place).exit_status == 5, "also where it was done before"


def test_a_fit_a_calibration_and_a_score_follow_each_other(place: Path) -> None:
    text = (
        '[[stage]]\nrun = "fit"\nsource = "in/s0*.tif"\nmodel = "a.specvae"\ncontext = "none"\nset = "training.epochs=1"\n'
        '[[stage]]\nrun = "calibrate"\nsource = "in/s1*.tif"\nmodel = "a.specvae"\nout = "b.specvae"\n'
        '[[stage]]\nrun = "score"\nscene = "in/s2*.tif"\nmodel = "b.specvae"\nout = "out"\n'
    )
    (place / "x.toml").write_text(text, encoding="utf-8")
    assert [s.status for s in go(place, dry_run=True).stages] == ["todo"] * 3
    assert [s.status for s in go(place).stages] == ["done"] * 3
    result = go(place)
    assert [s.status for s in result.stages] == ["already"] * 3
    write(place / "in" / "s0_20240101.tif", cube(8))
    planned = go(place, dry_run=True)
    assert [s.status for s in planned.stages] == ["todo"] * 3
    assert planned.scenes[0].message == "its model will be made anew"


def test_two_runs_at_once_on_one_folder_are_refused(place: Path) -> None:
    from specvae.pipeline.locks import alone

    with alone([place / "out"]), pytest.raises(OutputError, match="another run is at work"):
        go(place)
    assert go(place).exit_status == 0


def test_the_command_prints_what_became_of_each_scene(place: Path) -> None:
    (place / "in" / "s1_20240102.tif").write_bytes(b"nothing")
    status, text = call(["run", str(place / "x.toml")])
    assert status == 3
    assert "s0_20240101: done: " in text
    assert "specvae: s1_20240102: invalid: " in text
    assert "3 scenes: 2 done, 1 invalid" in text
    status, text = call(["run", str(place / "x.toml"), "--dry-run"])
    assert status == 0
    assert "s1_20240102: invalid: " in text
    status, text = call(["run", str(place / "x.toml"), "--json"])
    assert (status, json.loads(text)["exit_status"]) == (3, 3)
    status, text = call(["--log-format", "json", "run", str(place / "x.toml")])
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [e["event"] for e in events][:1] == ["run-start"]
    assert all({"time", "level", "event"} <= set(e) for e in events)


def test_a_declaration_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    status, text = call(["run", str(tmp_path / "none.toml")])
    assert status == 2
    assert "none.toml" in text


def test_the_nightly_example_runs_on_scenes_like_the_demos(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "pipelines" / "nightly.toml"
    write_scene(tmp_path / "normal.tif", make_scene(96, 96, seed=0).values)
    write_scene(
        tmp_path / "tonight.tif", make_scene(96, 96, seed=1, anomalies=True).values, taken="2026:07:14 10:30:00"
    )
    settings = (f"root={tmp_path}", "fit.set=['training.epochs=1']", "fit.context=none")
    result = run(example, Options(set=settings))
    assert result.exit_status == 0, [s.message for s in result.stages]
    assert [s.status for s in result.stages] == ["done", "done", "done"]
    assert (tmp_path / "nightly" / "tonight" / "item.json").is_file()
    assert (tmp_path / "nightly" / "watch" / "watch.json").is_file()


def test_a_scene_in_shards_has_the_very_pixels_and_report_of_one_in_one_piece(place: Path, tmp_path: Path) -> None:
    values = make_scene(300, 200, seed=3, anomalies=True).values
    write_scene(tmp_path / "normal.tif", make_scene(128, 128, seed=0).values)
    shutil.rmtree(place / "in")
    (place / "in").mkdir()
    write_scene(place / "in" / "large.tif", values)
    status, text = call(["fit", str(tmp_path / "normal.tif"), "--model", str(place / "ring.specvae"), "--context", "ring",
                          "--set", "training.epochs=1"])  # fmt: skip
    assert status == 0, text
    (place / "x.toml").write_text(SCORE.replace("model.specvae", "ring.specvae") + "parts = true\n", encoding="utf-8")
    assert states(go(place)) == ["done"]
    folder = place / "out" / "large"
    whole = {name: (folder / name).read_bytes() for name in ("score.tif", "anomaly.tif")}
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    shutil.rmtree(place / "out")
    result = go(place, shard_rows=64)
    assert states(result) == ["done"]
    events = [json.loads(line) for line in (place / "out" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [e["shards"] for e in events if e["event"] == "scene-sharded"] == [2], "blocks are whole"
    assert {name: (folder / name).read_bytes() for name in whole} == whole
    again = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    for section in ("pixels", "threshold", "objects"):
        assert again[section] == report[section], section
    assert again["drift"]["score_distance"] == pytest.approx(report["drift"]["score_distance"], abs=1e-9)
    assert [p.name for p in (place / "out").iterdir() if ".part-" in p.name] == []


def test_a_scene_whose_shards_fail_says_what_is_wrong_itself(place: Path) -> None:
    broken = place / "in" / "s1_20240102.tif"
    broken.write_bytes(b"II*\0 this is no raster")
    result = go(place, shard_rows=64)
    assert states(result) == ["done", "invalid", "done"]
    assert "cannot be read as a raster" in result.scenes[1].message


def test_a_scene_gives_itself_up_between_windows(place: Path) -> None:
    """As a worker of a cluster does, which no run can end; the scene is not tried again in this run, and is in the next."""
    (place / "x.toml").write_text("max_seconds_per_scene = 1e-9\n" + SCORE, encoding="utf-8")
    result = go(place)
    assert (states(result), result.exit_status) == (["failed"] * 3, 3)
    assert {s.attempts for s in result.scenes} == {1}
    assert {s.message for s in result.scenes} == {over_limit(1e-9)}
    assert states(go(place, max_seconds_per_scene=600.0)) == ["done"] * 3


def test_an_empty_inbox_is_a_quiet_night(place: Path) -> None:
    for path in (place / "in").iterdir():
        path.unlink()
    quiet = go(place)
    assert (quiet.exit_status, quiet.stages[0].status) == (0, "already")
    assert quiet.stages[0].message.startswith("nothing came in: no scene in ")
    assert go(place, fail_when_empty=True).exit_status == 4
    (place / "x.toml").write_text("fail_when_empty = true\n" + SCORE, encoding="utf-8")
    assert go(place).exit_status == 4


def test_one_empty_folder_of_two_keeps_nothing_from_the_other(place: Path) -> None:
    (place / "elsewhere").mkdir()
    (place / "x.toml").write_text(SCORE.replace('"in/*.tif"', '["elsewhere", "in/*.tif"]'), encoding="utf-8")
    assert states(go(place)) == ["done"] * 3


def test_a_named_file_that_is_missing_is_no_quiet_night(place: Path) -> None:
    (place / "x.toml").write_text(SCORE.replace("in/*.tif", "in/none.tif"), encoding="utf-8")
    assert go(place).exit_status == 4


def test_a_heartbeat_starts_at_the_pipelines_root_or_where_the_command_was_called(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "x.toml").write_text('heartbeat = "beat/a"\n' + SCORE, encoding="utf-8")
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    go(place, dry_run=True)
    assert not (place / "beat").exists()
    go(place)
    assert (place / "beat" / "a").exists()
    go(place, heartbeat="b")
    assert (place / "elsewhere" / "b").exists()


def test_a_heartbeat_that_cannot_be_written_is_one_line(place: Path) -> None:
    (place / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(OutputError, match=r"heartbeat .* cannot be written"):
        go(place, heartbeat=str(place / "file" / "beat"))


def test_scenes_may_lie_behind_an_address_or_in_an_archive(place: Path) -> None:
    with zipfile.ZipFile(place / "z.zip", "w") as archive:
        archive.write(place / "in" / "s1_20240102.tif", "inside.tif")
    server, port = serve(place / "in")
    names = [f"http://127.0.0.1:{port}/s0_20240101.tif", f"/vsizip/{place}/z.zip/inside.tif"]
    text = SCORE.replace('"in/*.tif"', json.dumps(names)) + "allow_remote = true\n"
    (place / "x.toml").write_text(text, encoding="utf-8")
    try:
        result = go(place)
    finally:
        server.kill()
        server.wait()
    assert states(result) == ["done", "done"], [s.message for s in result.scenes]
    assert states(go(place)) == ["already", "already"], "nothing is fetched again"


EXAMPLES = sorted((Path(__file__).parents[2] / "pipelines").glob("*.toml"))


def planned(name: str, *settings: str) -> Batch:
    return run(Path(__file__).parents[2] / "pipelines" / name, Options(dry_run=True, set=settings))


@pytest.mark.parametrize("name", ["mnist_benchmark.toml", "hyperspectral_benchmark.toml"])
def test_a_benchmarks_example_can_be_planned(name: str) -> None:
    assert [(s.run, s.status) for s in planned(name).stages] == [("benchmark", "todo")]


def test_the_series_example_can_be_planned(real_layout: Path, tmp_path: Path) -> None:
    # The example stands on the samples of the repository; here the real data take their place.
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "samples").symlink_to(real_layout)
    result = planned("rufiji_series.toml", f"root={tmp_path}")
    assert [(s.run, s.status) for s in result.stages] == [("fit", "todo"), ("score", "todo")]
    assert len(result.scenes) == 13
    assert not (tmp_path / "reports").exists()


def test_every_example_is_tried_here() -> None:
    assert {e.name for e in EXAMPLES} == {
        "nightly.toml", "rufiji_series.toml", "mnist_benchmark.toml", "hyperspectral_benchmark.toml"
    }  # fmt: skip
