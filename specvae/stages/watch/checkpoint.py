"""Checkpoints: the state of a place after a date, in two files, so that a night costs one night."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.night_effect import Survey
from specvae.alerts.place import Place
from specvae.alerts.registry import Registry
from specvae.stages.watch.past_file import PastFile

__all__ = ["duplicate", "load_place", "read_arrays", "save_pixels", "write_arrays"]


def duplicate(source: Path, target: Path) -> None:
    """The same file under another name, without copying its bytes where the file system can: checkpoints are never changed."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def save_pixels(path: Path, place: Place) -> None:
    """Write what a checkpoint holds beside the past."""
    rest = json.dumps({"registry": place.registry.to_json(), "survey": asdict(place.survey)}, sort_keys=True)
    write_arrays(path, pixels=place.pixels, rest=np.frombuffer(rest.encode(), np.uint8))


def load_place(past: PastFile, pixels: Path) -> Place:
    """The place of a checkpoint."""
    stored = read_arrays(pixels)
    rest = json.loads(stored["rest"].tobytes().decode())
    survey = rest["survey"]
    return Place(
        past,
        stored["pixels"],
        Registry.from_json(rest["registry"]),
        Survey(survey["nights"], survey["looks"], tuple(survey["at_most"])),
    )


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays as ``.npz``, the same arrays as the same bytes: numpy's own writer may put the time into the archive."""
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in sorted(arrays.items()):
            # Opened by name, an entry has the first day of the archive's calendar; its content is never in memory as a second copy.
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(values), allow_pickle=False)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz``, by name."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
