"""Attack: a pickle that runs a command when it is loaded, under the names of a model, an array, a table and a matrix file."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.attacks.conftest import Attack


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("name", ["model.specvae", "scene.npy", "scene.npz", "scene.mat", "rows.parquet", "scene.tif"])
def test_a_renamed_pickle_is_not_loaded(name: str, tmp_path: Path, mark: Path, attack: Attack) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Touch(mark)))
    assert attack("inspect", tmp_path / name).refused
    assert attack("fit", tmp_path / name).refused
    assert not mark.exists()


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path, mark: Path, attack: Attack) -> None:
    np.save(tmp_path / "scene.npy", np.array([Touch(mark)] * 8, dtype=object), allow_pickle=True)
    np.savez(tmp_path / "scene.npz", cube=np.array([Touch(mark)] * 8, dtype=object))
    assert attack("inspect", tmp_path / "scene.npy").refused
    assert attack("inspect", tmp_path / "scene.npz").refused
    assert not mark.exists()


def test_the_pickle_itself_would_run(mark: Path) -> None:
    """The attack is real: Python's own loader falls for it."""
    pickle.loads(pickle.dumps(Touch(mark)))
    assert mark.exists()
