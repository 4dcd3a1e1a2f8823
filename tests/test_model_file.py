"""The model file: a round trip changes no score; what is not one is refused in one line."""

from __future__ import annotations

import json
import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from specvae.errors import ModelError
from specvae.model_file import FORMAT_VERSION, load_model, save_model
from specvae.version import __version__
from tests.models import cube_of, fitted_detector, small_scene


@pytest.fixture(scope="module", params=[False, True], ids=["pixel", "ring"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, Path]:
    path = tmp_path_factory.mktemp("model") / "m.specvae"
    save_model(fitted_detector(request.param), path, {"fingerprint": {}})
    return request.param, path


def test_a_loaded_model_scores_the_same_bits(saved: tuple[bool, Path]) -> None:
    context, path = saved
    cube = cube_of(small_scene())
    a = fitted_detector(context).score(cube, cube.window)
    b = load_model(path).detector.score(cube, cube.window)
    np.testing.assert_array_equal(a.score, b.score)
    np.testing.assert_array_equal(a.kl, b.kl)


def test_a_loaded_model_has_the_same_thresholds(saved: tuple[bool, Path]) -> None:
    context, path = saved
    assert load_model(path).detector.calibration.threshold(1e-2) == fitted_detector(context).calibration.threshold(1e-2)


def header(path: Path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def rewrite(path: Path, head: dict, body: bytes) -> None:
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def changed(saved: tuple[bool, Path], tmp_path: Path, key: str, value: object) -> Path:
    head, body = header(saved[1])
    metadata = json.loads(head["__metadata__"]["specvae"])
    metadata[key] = value
    head["__metadata__"]["specvae"] = json.dumps(metadata)
    rewrite(tmp_path / "changed.specvae", head, body)
    return tmp_path / "changed.specvae"


def test_a_newer_format_is_refused(saved: tuple[bool, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="update specvae"):
        load_model(changed(saved, tmp_path, "format_version", FORMAT_VERSION + 1))


def later(saved: tuple[bool, Path], tmp_path: Path, section: str, written_by: str | None) -> Path:
    """The model with one more key in a section, as a later version might write it."""
    head, body = header(saved[1])
    metadata = json.loads(head["__metadata__"]["specvae"])
    metadata[section] = {**metadata[section], "invention": 1}
    if written_by is None:  # as in models of the first release, which had no such key
        del metadata["written_by"]
        metadata["provenance"]["versions"] = {"specvae": "77.0.0"}
    else:
        metadata["written_by"] = written_by
    head["__metadata__"]["specvae"] = json.dumps(metadata)
    rewrite(tmp_path / "later.specvae", head, body)
    return tmp_path / "later.specvae"


@pytest.mark.parametrize("section", ["config", "net"])
@pytest.mark.parametrize(("written_by", "named"), [("99.1.0", "99.1.0"), ("1000.0rc1", "1000.0rc1"), (None, "77.0.0")])
def test_a_model_of_a_later_version_names_both_versions_and_says_update(
    saved: tuple[bool, Path], tmp_path: Path, section: str, written_by: str | None, named: str
) -> None:
    message = f"written by specvae {named}, this is {__version__}: update specvae"
    with pytest.raises(ModelError, match=re.escape(message)):
        load_model(later(saved, tmp_path, section, written_by))


@pytest.mark.parametrize("section", ["config", "net"])
@pytest.mark.parametrize("written_by", ["0.0.1", __version__, "nonsense"])
def test_an_unknown_key_of_this_version_or_an_earlier_one_is_damage(
    saved: tuple[bool, Path], tmp_path: Path, section: str, written_by: str
) -> None:
    with pytest.raises(ModelError, match=r"does not hold together .*fit it again"):
        load_model(later(saved, tmp_path, section, written_by))


def test_a_model_says_which_version_wrote_it(saved: tuple[bool, Path]) -> None:
    assert load_model(saved[1]).metadata["written_by"] == __version__


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("config", {"nonsense": 1}),
        ("bands", []),
        ("bands", 7),
        ("net", {}),
        ("net", None),
        ("sources", []),
        ("calibration", 3),
    ],
)
def test_tampered_metadata_is_refused(saved: tuple[bool, Path], tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(ModelError, match=r"does not hold together|refit"):
        load_model(changed(saved, tmp_path, key, value))


def test_tampered_tensors_are_refused(saved: tuple[bool, Path], tmp_path: Path) -> None:
    data = bytearray(saved[1].read_bytes())
    data[-5] ^= 0x40
    (tmp_path / "t.specvae").write_bytes(bytes(data))
    with pytest.raises(ModelError, match="not those that were saved"):
        load_model(tmp_path / "t.specvae")


@pytest.mark.parametrize("keep", [0, 5, 8, 9, 200, -1, -1000])
def test_a_truncated_model_is_refused(saved: tuple[bool, Path], tmp_path: Path, keep: int) -> None:
    (tmp_path / "t.specvae").write_bytes(saved[1].read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"truncated|not a specvae model"):
        load_model(tmp_path / "t.specvae")


class _Bomb:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("executed"),))


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.specvae").write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(ModelError, match="not a specvae model"):
        load_model(tmp_path / "p.specvae")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello, this is text",
        b"\xff" * 100,
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2**62) + b"{",
        b"II*\x00" + b"\0" * 50,
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.specvae").write_bytes(data)
    with pytest.raises(ModelError, match="not a specvae model"):
        load_model(tmp_path / "x.specvae")


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path / "none.specvae")
