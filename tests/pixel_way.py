"""The way of a pixel from its file to score.tif: the product's own functions that its value passes, counted by one rule.

``python -m tests.pixel_way`` makes a plain scene, fits a model of one pixel on it, scores it and prints the way. As a file it
also runs on another version of the package: ``PYTHONPATH=OTHER python tests/pixel_way.py``.

A function is a hop where an argument or its result is, or holds, an array with a number for each pixel of the window. Masks
are none. What a look for undeclared fill, p-values of objects, accumulators, explanations and reports do beside the way is not on
it: they look at values, and pass none on.
"""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import rasterio

SIDE = 64
"""Rows and columns of the scene, which is one window: as many pixels as torch's scorer computes at once."""
BESIDE = {
    "with_fill",
    "seen",
    "surprise_of",
    "update",
    "compare",
    "explain",
    "explained",
    "_explained",
    "at",
    "_same_in_all",
}
"""Functions beneath which values are only looked at."""
MASKS = {"bool", "uint8"}
"""Types of arrays that are masks, reasons and flags."""
DEPTH = 3
"""How far an argument is searched for an array: of a window's piece, the scored window, its parts, their score."""


def holds_pixels(value: Any, depth: int = DEPTH) -> bool:
    """Whether a value is an array of numbers, one or more for each pixel, or holds such an array."""
    if isinstance(value, np.ndarray) or type(value).__name__ == "Tensor":
        return int(np.prod(value.shape)) >= SIDE * SIDE and str(value.dtype).removeprefix("torch.") not in MASKS
    if not depth or value is None or isinstance(value, str | bytes | Path | type):
        return False
    if isinstance(value, tuple | list):
        return any(holds_pixels(item, depth - 1) for item in value[:8])
    if type(value).__module__.startswith("specvae") and type(value).__name__ in {
        "Cube",
        "Parts",
        "Piece",
        "ScoredWindow",
    }:
        return any(holds_pixels(item, depth - 1) for item in vars(value).values())
    return False


class Way:
    """The hops of one run, in the order in which they are first entered."""

    def __init__(self, package: Path) -> None:
        self.package, self.hops, self.over = str(package), dict[tuple[str, str], None](), False
        self._beside = threading.local()

    def trace(self, frame: FrameType, event: str, arg: Any) -> None:
        """A profile function: takes note of the calls that are hops."""
        code = frame.f_code
        if event not in {"call", "return"} or not code.co_filename.startswith(self.package):
            return
        under = getattr(self._beside, "depth", 0)
        if code.co_name in BESIDE:
            self._beside.depth = under + (1 if event == "call" else -1)
            return
        self.over = self.over or code.co_qualname == "MapWriter.close"
        if self.over or under or code.co_name.startswith("<"):
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        values = [frame.f_locals.get(name) for name in names if name != "self"] if event == "call" else [arg]
        if any(holds_pixels(value) for value in values):
            self.hops.setdefault((code.co_filename.removeprefix(self.package).lstrip("/"), code.co_qualname))


def run(*words: str) -> None:
    """Run the command line in this process, silently. Raises SystemExit where it fails."""
    sys.argv = ["specvae", *words]
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_module("specvae", run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise


def way_of_a_pixel(folder: Path) -> Way:
    """The way through the package that is installed, on a scene that is made in ``folder``."""
    spec = find_spec("specvae")
    assert spec is not None
    assert spec.origin is not None
    scene, model = folder / "scene.tif", folder / "plain.specvae"
    values = np.random.default_rng(0).normal(1000.0, 100.0, (4, 4 * SIDE, 4 * SIDE)).astype("uint16")
    profile = {"driver": "GTiff", "count": 4, "dtype": "uint16"}
    for name, side in (("fit", 4 * SIDE), ("scene", SIDE)):
        with rasterio.open(folder / f"{name}.tif", "w", width=side, height=side, **profile) as file:
            file.write(values[:, :side, :side])
    run("fit", str(folder / "fit.tif"), "--model", str(model), "--context", "none")
    way = Way(Path(spec.origin).parent)
    threading.setprofile(way.trace)
    sys.setprofile(way.trace)
    try:
        run("score", str(scene), "--model", str(model), "--out", str(folder / "out"))
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return way


def main() -> None:
    """Print the way, and how many functions and files it passes."""
    with tempfile.TemporaryDirectory() as folder:
        hops = list(way_of_a_pixel(Path(folder)).hops)
    for number, (file, function) in enumerate(hops, start=1):
        print(f"{number:3d}  {file}: {function}")
    print(f"{len(hops)} functions in {len({file for file, _ in hops})} files")


if __name__ == "__main__":
    main()
