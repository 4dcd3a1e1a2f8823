"""Results in object storage, against a real S3 server on loopback with faults: nothing half-uploaded counts as done."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specvae.errors import OutputError, UsageError
from specvae.files import store as store_module
from specvae.files.store import Store
from specvae.files.store_address import is_store, mirror_of
from specvae.files.store_index import INDEX
from specvae.pipeline import run as batch
from specvae.pipeline import store_lock
from specvae.pipeline.run import run
from specvae.pipeline.run_options import Options
from specvae.pipeline.store_lock import StoreLock
from specvae.pipeline.summary.outcome import Batch
from specvae.pipeline.workers import schedule
from specvae.stages.watch.request import WatchRequest
from specvae.stages.watch.run import watch
from tests.batches import SCORE, inline_workers
from tests.commands import call
from tests.faulty_store import FAULTS, Proxy, object_store
from tests.raster_files import write
from tests.score_folders import day_of, normal_ground, write_date

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("s3fs")
pytest.importorskip("moto.server")

OUT = "s3://bucket/coast"


@pytest.fixture(scope="module")
def server() -> Iterator[Proxy]:
    with object_store() as proxy:
        yield proxy


@pytest.fixture
def proxy(server: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Proxy:
    """The server with an empty bucket and no fault, the environment that leads there, and a mirror of the test's own."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test-key-id",
        "AWS_SECRET_ACCESS_KEY": "test-secret-word",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.address,
        "AWS_MAX_ATTEMPTS": "1",
        "SPECVAE_MIRROR": str(tmp_path / "mirror"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(store_module, "PAUSE", 0.01)
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setattr(batch, "_workers", inline_workers)
    monkeypatch.setattr(schedule, "FIRST_PAUSE", 0.01)
    server.inject("", 0)
    server.delay = 1.5
    bucket = files_of(server)
    if bucket.exists("bucket"):
        bucket.rm("bucket", recursive=True)
    bucket.mkdir("bucket")
    server.requests.clear()
    return server


def files_of(server: Proxy) -> Any:
    """The store as its own library sees it, past the proxy."""
    straight = {"endpoint_url": f"http://127.0.0.1:{server.upstream}"}
    return fsspec.filesystem("s3", client_kwargs=straight, skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture
def place(tmp_path: Path, four_band_model: Path) -> Path:
    """Two scenes, a model and a declaration whose results go to the store."""
    (tmp_path / "in").mkdir()
    shutil.copy(four_band_model, tmp_path / "model.specvae")
    for at in range(2):
        cube = np.random.default_rng(at).normal(1000, 50, (4, 24, 24)).astype("uint16")
        write(tmp_path / "in" / f"s{at}_2024010{at + 1}.tif", cube)
    (tmp_path / "x.toml").write_text(SCORE.replace('out = "out"', f'out = "{OUT}"'), encoding="utf-8")
    return tmp_path


def go(place: Path, **options: Any) -> Batch:
    return run(place / "x.toml", Options(**options))


def whole(server: Proxy) -> list[str]:
    """Folders of the store that count as done; asserts that each has every file of its index, to the byte."""
    files = files_of(server)
    folders = [path.rsplit("/", 1)[0] for path in files.find("bucket") if path.endswith("/item.json")]
    folders = [folder for folder in folders if Store(f"s3://{folder}").pull(".")]
    for folder in folders:
        index = json.loads(files.cat(f"{folder}/{INDEX}"))["files"]
        item = json.loads(files.cat(f"{folder}/item.json"))
        assert {asset["href"].removeprefix("./") for asset in item["assets"].values()} <= set(index)
        for name, entry in index.items():
            content = files.cat(f"{folder}/{name}")
            assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["size"], entry["sha256"]), name
    return sorted(folder.rsplit("/", 1)[-1] for folder in folders)


def test_a_batch_goes_to_the_store_and_is_known_from_there(place: Path, proxy: Proxy) -> None:
    assert go(place).exit_status == 0
    assert whole(proxy) == ["s0_20240101", "s1_20240102"]
    files = files_of(proxy)
    names = {path.rsplit("/", 1)[-1] for path in files.ls("bucket/coast", detail=False)}
    assert names >= {"run.json", "index.html", "metrics.prom", "log.jsonl", "collection.json"}
    assert not files.exists("bucket/coast/.specvae.lock")
    # Another machine, or this one after its mirror went: what is done is known from the store alone.
    shutil.rmtree(place / "mirror")
    again = go(place)
    assert [scene.status for scene in again.scenes] == ["already", "already"]
    assert {scene.folder for scene in again.scenes} == {f"{OUT}/s0_20240101", f"{OUT}/s1_20240102"}
    # And the other way: what the store lost is made again, whatever the mirror remembers.
    files.rm("bucket/coast/s0_20240101/item.json")
    assert [scene.status for scene in go(place).scenes] == ["done", "already"]
    assert whole(proxy) == ["s0_20240101", "s1_20240102"]


def test_the_maps_are_those_of_a_local_run_and_the_mirror_is_small(place: Path, proxy: Proxy) -> None:
    go(place)
    (place / "x.toml").write_text(SCORE, encoding="utf-8")
    go(place)
    files = files_of(proxy)
    for name in ("score.tif", "anomaly.tif"):
        assert files.cat(f"bucket/coast/s0_20240101/{name}") == (place / "out" / "s0_20240101" / name).read_bytes()
    # The mirror keeps only what says what is done.
    folder = mirror_of(OUT) / "s0_20240101"
    assert sorted(path.name for path in folder.iterdir()) == ["item.json", "report.json"]


def test_score_writes_to_the_store_and_shows_the_address(place: Path, proxy: Proxy) -> None:
    words = ["score", str(place / "in"), "--model", str(place / "model.specvae"), "--out", OUT]
    status, printed = call(words)
    assert status == 0, printed
    assert f"{OUT}/s0_20240101/report.html" in printed
    assert whole(proxy) == ["s0_20240101", "s1_20240102"]
    status, printed = call(words)
    assert (status, printed.count("done already")) == (0, 2)


QUICK = ("corrupt",)
"""Faults that are tried in every run of the tests; the others take their seconds in the slow ones."""
EACH = [fault if fault in QUICK else pytest.param(fault, marks=pytest.mark.slow) for fault in FAULTS]
LASTING = [each for each, fault in zip(EACH, FAULTS, strict=True) if fault != "slow"]


@pytest.mark.parametrize("fault", EACH)
def test_a_fault_that_passes_costs_no_object(fault: str, place: Path, proxy: Proxy) -> None:
    """Two requests of the uploads fail; they are tried again."""
    proxy.inject(fault, 2, lambda method, path: method == "PUT" and "s1_" in path)
    result = go(place)
    assert [scene.status for scene in result.scenes] == ["done", "done"], [scene.message for scene in result.scenes]
    assert whole(proxy) == ["s0_20240101", "s1_20240102"]


@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_stays_is_a_failed_scene_and_leaves_nothing_that_counts(
    fault: str, place: Path, proxy: Proxy
) -> None:
    proxy.inject(fault, 10**9, lambda method, path: method == "PUT" and "s1_" in path)
    result = go(place, retries=1)
    assert [scene.status for scene in result.scenes] == ["done", "failed"]
    assert (result.exit_status, result.scenes[1].attempts) == (3, 2)
    assert "cannot be used" in result.scenes[1].message
    assert whole(proxy) == ["s0_20240101"]
    # The result itself was made: once the store is back, it is only uploaded.
    proxy.inject("", 0)
    made = (mirror_of(OUT) / "s1_20240102" / "score.tif").read_bytes()
    assert go(place).exit_status == 0
    assert files_of(proxy).cat("bucket/coast/s1_20240102/score.tif") == made
    assert whole(proxy) == ["s0_20240101", "s1_20240102"]


@pytest.mark.slow
def test_an_upload_that_is_cut_at_any_request_leaves_nothing_that_counts(place: Path, proxy: Proxy) -> None:
    go(place)
    # How many requests does a replaced result take? Then it is cut after each of them.
    proxy.requests.clear()
    call(["score", str(place / "in" / "s0_20240101.tif"), *_words(place, "5")])
    count = len(proxy.requests)
    assert count > 10
    for cut in random.Random(0).sample(range(1, count), 6):
        seen = iter(range(10**9))
        proxy.inject("refused", 10**9, lambda method, path, seen=seen, cut=cut: next(seen) >= cut)
        status, printed = call(["score", str(place / "in" / "s0_20240101.tif"), *_words(place, str(6 + cut))])
        proxy.inject("", 0)
        # The number of requests differs by one or two from run to run: a cut behind the last one cuts nothing.
        assert status == 4 or cut >= count - 3, printed
        assert set(whole(proxy)) <= {"s0_20240101", "s1_20240102"}
    status, printed = call(["score", str(place / "in" / "s0_20240101.tif"), *_words(place, "5")])
    assert status == 0, printed
    assert whole(proxy) == ["s0_20240101", "s1_20240102"]


def _words(place: Path, threshold: str) -> list[str]:
    return ["--model", str(place / "model.specvae"), "--out", OUT, "--overwrite", "--threshold", threshold]


def test_an_invalid_scene_is_recorded_in_the_store(place: Path, proxy: Proxy) -> None:
    (place / "in" / "s1_20240102.tif").write_bytes(b"no raster")
    assert go(place).scenes[1].status == "invalid"
    assert files_of(proxy).exists("bucket/coast/s1_20240102/invalid.json")
    shutil.rmtree(place / "mirror")
    again = go(place)
    assert (again.scenes[1].status, again.scenes[1].attempts) == ("invalid", 0)


def test_credentials_are_in_no_file_and_no_message(place: Path, proxy: Proxy) -> None:
    proxy.inject("expired", 10**9, lambda method, path: method == "PUT" and "s1_" in path)
    result = go(place, retries=0)
    files = files_of(proxy)
    written = b"".join(files.cat(path) for path in files.find("bucket"))
    written += b"".join(path.read_bytes() for path in (place / "mirror").rglob("*") if path.is_file())
    written += " ".join(scene.message for scene in result.scenes).encode()
    for word in (b"test-key-id", b"test-secret-word"):
        assert word not in written


def test_a_second_run_is_refused_and_a_lock_that_is_left_is_taken_over(
    place: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_lock, "SETTLE_SECONDS", 0.05)
    with StoreLock(Store(OUT)):
        with pytest.raises(OutputError, match="another run is at work in s3://bucket/coast"):
            go(place)
        assert go(place, dry_run=True).exit_status == 0
    # A run that was killed never removes its lock: only its age tells.
    files_of(proxy).pipe_file("bucket/coast/.specvae.lock", b"{}")
    with pytest.raises(OutputError, match="another run is at work"):
        go(place)
    monkeypatch.setattr(store_lock, "STALE_SECONDS", -1.0)
    assert go(place).exit_status == 0
    assert not files_of(proxy).exists("bucket/coast/.specvae.lock")


def test_a_store_without_conditional_writes_is_refused_without_the_option(
    place: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(self: Store, name: str, content: bytes) -> bool:
        self.write(name, content)
        return True

    monkeypatch.setattr(Store, "create", create)
    with pytest.raises(OutputError, match="give --no-lock"):
        go(place)
    assert go(place, no_lock=True).exit_status == 0


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3:///x",
        "s3://key:secret@bucket/x",
        "s3://bucket/../x",
        "s3://bucket/a?versionId=1",
        "s3://bucket/a b",
    ],
)
def test_addresses_that_are_none_are_refused_without_their_secrets(address: str) -> None:
    assert is_store(address)
    with pytest.raises(UsageError, match="no address of a folder") as caught:
        mirror_of(address)
    assert "secret" not in str(caught.value)


def test_what_is_no_result_does_not_go_to_a_store(tmp_path: Path, place: Path) -> None:
    scene, model = str(place / "in" / "s0_20240101.tif"), str(place / "model.specvae")
    for words in (
        ["fit", scene, "--model", "s3://bucket/model.specvae", "--set", "training.steps=10"],
        ["encode", scene, "--model", model, "--out", "s3://bucket/x"],
    ):
        status, printed = call(words)
        assert status == 2, printed
        assert "object storage" in printed


def test_an_index_that_climbs_removes_nothing_elsewhere(place: Path, proxy: Proxy) -> None:
    """The content of a store is input like any other."""
    go(place)
    files = files_of(proxy)
    files.pipe_file("bucket/precious", b"x")
    forged = {"files": {"../../precious": {}, "..": {}, "stray.txt": {}}}
    files.pipe_file(f"bucket/coast/s0_20240101/{INDEX}", json.dumps(forged).encode())
    files.pipe_file("bucket/coast/s0_20240101/stray.txt", b"of an older result")
    status, printed = call(["score", str(place / "in" / "s0_20240101.tif"), *_words(place, "5")])
    assert status == 0, printed
    assert files.exists("bucket/precious")
    assert not files.exists("bucket/coast/s0_20240101/stray.txt")


@pytest.mark.slow
def test_alerts_go_to_the_store_and_a_night_goes_on_from_there(tmp_path: Path, proxy: Proxy) -> None:
    """The state of the nights before comes from the store where this machine has none; nothing else changes a byte."""
    reports, alerts = tmp_path / "coast", "s3://bucket/alerts"
    rng = np.random.default_rng(0)
    centre, spread = normal_ground(rng, (20, 24))
    nights = [centre + spread * rng.normal(size=(20, 24)) for _ in range(5)]
    for number in range(4):
        write_date(reports, day_of(number), nights[number])
    proxy.inject("503", 10**9, lambda method, path: method == "PUT" and path.endswith("watch.json"))
    with pytest.raises(OutputError, match="cannot be used"):
        watch([str(reports)], WatchRequest(out=alerts))
    assert not files_of(proxy).exists("bucket/alerts/watch.json")
    proxy.inject("", 0)
    assert watch([str(reports)], WatchRequest(out=alerts)).status == "already"
    assert files_of(proxy).exists("bucket/alerts/watch.json")
    shutil.rmtree(mirror_of(alerts))
    write_date(reports, day_of(4), nights[4])
    outcome = watch([str(reports)], WatchRequest(out=alerts))
    assert (outcome.status, outcome.computed) == ("done", 1)
    watch([str(reports)], WatchRequest(out=str(tmp_path / "here")))
    for name in ("status.tif", "state.tif", "alerts.json"):
        assert files_of(proxy).cat(f"bucket/alerts/{name}") == (tmp_path / "here" / name).read_bytes(), name


def test_scenes_come_from_the_same_store(place: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """GDAL's own names for the store, allowed by the user; the result goes back to it."""
    files_of(proxy).put_file(str(place / "in" / "s0_20240101.tif"), "bucket/in/scene.tif")
    for name, value in {
        "AWS_S3_ENDPOINT": f"127.0.0.1:{proxy.upstream}",
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }.items():
        monkeypatch.setenv(name, value)
    words = ["score", "/vsis3/bucket/in/scene.tif", "--model", str(place / "model.specvae"), "--out", OUT]
    assert call(words)[0] == 4
    status, printed = call([*words, "--allow-remote"])
    assert status == 0, printed
    assert whole(proxy) == ["scene"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_object_is_lost_in_500_faulty_uploads(proxy: Proxy, tmp_path: Path) -> None:
    """Each upload meets a fault at a random request, once or for good: it fails and counts for nothing, or is whole."""
    rng, store, failed = random.Random(7), Store("s3://bucket/many"), 0
    # The library's own retries pause for up to a second each: here only those of the product are tried.
    once = {"config_kwargs": {"retries": {"max_attempts": 0}}, "skip_instance_cache": True, "use_listings_cache": False}
    store._fs, proxy.delay, past_the_proxy = fsspec.filesystem("s3", **once), 0.02, files_of(proxy)
    for number in range(500):
        folder = store.mirror / f"r{number % 20}"
        contents = {
            name: rng.randbytes(rng.randrange(1, 5_000)) for name in ("score.tif", "report.json", f"x{number % 3}.csv")
        }
        make_result(folder, contents)
        seen, start, times = iter(range(10**9)), rng.randrange(12), rng.choice((1, 2, 10**9))
        proxy.inject(rng.choice(FAULTS), times, lambda method, path, seen=seen, start=start: next(seen) >= start)
        try:
            store.push(folder.name, empty=False)
        except OutputError:
            failed += 1
            proxy.inject("", 0)
            # Where the first request failed, the store still has the result of before, whole; else nothing that counts.
            there = Store(f"s3://bucket/many/{folder.name}")
            there._fs = store._fs  # a client of its own takes longer than an upload
            assert not there.pull(".") or start <= 1
            make_result(folder, contents)  # looking at the store brought its markers into the mirror
            store.push(folder.name, empty=False)
        proxy.inject("", 0)
        for name, content in contents.items():
            assert past_the_proxy.cat(f"bucket/many/{folder.name}/{name}") == content
    assert whole(proxy) == sorted(f"r{at}" for at in range(20))
    assert failed > 50
    print(f"500 uploads, {failed} of them failed at first, 0 objects lost")


def make_result(folder: Path, contents: dict[str, bytes]) -> None:
    """A finished folder of these files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    item = {"assets": {name: {"href": f"./{name}"} for name in contents}}
    (folder / "item.json").write_text(json.dumps(item), encoding="utf-8")
