"""Many scenes, some broken in ten ways; a disk that is full; and the 21 dates of one place, in every way to run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from specvae.benchmarks.scale.data import WAYS, make_scenes
from specvae.benchmarks.scale.many import declare, fit_small, run_many
from specvae.benchmarks.settings import Settings
from specvae.pipeline import run as batch
from specvae.pipeline.run import run
from specvae.pipeline.run_options import Options
from tests.batches import check_complete, complete_items, dask_cluster, finish, inline_workers, maps, start, wait_for


def test_broken_scenes_among_many_are_named_with_the_right_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_workers", inline_workers)
    ways = make_scenes(tmp_path / "inbox", 12, 10)
    assert sorted(ways.values()) == sorted(WAYS)
    fit_small(tmp_path, Settings(device="cpu"))
    declare(tmp_path)
    result = run(tmp_path / "batch.toml")
    assert result.exit_status == 3
    assert result.counts == {"total": 12, "done": 2, "already": 0, "invalid": 10, "failed": 0}
    for scene in result.scenes:
        assert scene.status == ("invalid" if scene.key in ways else "done"), scene.message
        if scene.key in ways:
            assert re.search(WAYS[ways[scene.key]][1], scene.message), scene.message
    again = run(tmp_path / "batch.toml", Options())
    assert again.exit_status == 3
    assert again.counts == {"total": 12, "done": 0, "already": 2, "invalid": 10, "failed": 0}


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_thousand_scenes_are_done_but_for_the_twenty_broken_ones(tmp_path: Path) -> None:
    trial = run_many(tmp_path, 2000, Settings(device="cpu"))
    assert (trial.exit_status, trial.wrong) == (3, [])
    assert trial.counts == {"total": 2000, "done": 1980, "already": 0, "invalid": 20, "failed": 0}
    assert trial.second_counts == {"total": 2000, "done": 0, "already": 1980, "invalid": 20, "failed": 0}
    # The last tenth holds the summary's making; the run itself must not grow.
    assert max(trial.memory_mib[5:9]) <= 1.1 * max(trial.memory_mib[1:5])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of one megabyte; skips where mounting is not permitted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_ends_in_lines_and_leaves_nothing_that_looks_whole(tmp_path: Path, small_disk: Path) -> None:
    make_scenes(tmp_path / "inbox", 12, 0)
    fit_small(tmp_path, Settings(device="cpu"))
    declare(tmp_path)
    command = [sys.executable, "-m", "specvae", "run", str(tmp_path / "batch.toml"), "--retries", "0"]
    done = subprocess.run(
        [*command, "--set", f"score.out={small_disk}/out"], capture_output=True, text=True, cwd=Path(__file__).parents[2],
        check=False,
    )  # fmt: skip
    assert done.returncode in (3, 4), done.stderr
    assert "Traceback" not in done.stderr
    assert re.search("the disk is full|is the disk full", done.stderr)
    for line in done.stderr.splitlines():
        assert line.startswith("specvae: "), line
    assert len(list(small_disk.glob("out/scene*/item.json"))) < 12
    assert not [p for p in small_disk.rglob("*") if ".part-" in p.name]
    for item in small_disk.glob("out/*/item.json"):
        for asset in json.loads(item.read_text(encoding="utf-8"))["assets"].values():
            assert (item.parent / asset["href"]).stat().st_size == asset["file:size"]
    for folder in small_disk.glob("out/scene*"):
        assert (folder / "item.json").is_file(), "a result that is not whole"


@pytest.fixture
def series(real_data: Path, tmp_path: Path) -> Path:
    """The declaration of the 21 dates in a folder of its own, with a shorter fit."""
    place = tmp_path / "series"
    (place / "data").mkdir(parents=True)
    (place / "data" / "samples").symlink_to(real_data)
    example = Path(__file__).parents[2] / "pipelines" / "rufiji_series.toml"
    text = example.read_text(encoding="utf-8").replace('root = ".."', "").replace("reports/rufiji/", "")
    (place / "x.toml").write_text(text.replace("reports/rufiji", "out"), encoding="utf-8")
    return place


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_dates_of_one_place_give_the_same_pixels_however_they_are_run(series: Path, tmp_path: Path) -> None:
    with start(series) as process:
        wait_for(process, lambda: len(complete_items(series)) >= 4, 600)
        process.kill()
        process.communicate()
    assert 4 <= len(complete_items(series)) < 13
    check_complete(series)
    code, counts = finish(series)
    assert (code, counts["total"], counts["done"] + counts["already"]) == (0, 13, 13)
    assert counts["already"] >= 4
    began = time.monotonic()
    assert finish(series)[1] == {"total": 13, "done": 0, "already": 13, "invalid": 0, "failed": 0}
    assert time.monotonic() - began < 60
    reference = maps(series)
    assert len(reference) == 26
    shutil.rmtree(series / "out")
    assert finish(series, "--jobs", "2")[1]["done"] == 13
    assert maps(series) == reference
    shutil.rmtree(series / "out")
    with dask_cluster(tmp_path) as (address, workers):
        with start(series, "--cluster", address, "--json") as process:
            wait_for(process, lambda: complete_items(series), 600)
            os.kill(workers[1].pid, signal.SIGKILL)
            process.communicate(timeout=900)
        assert process.returncode == 0
    assert maps(series) == reference
