"""A scene scored with an exported model that looks at surroundings, by ONNX Runtime and numpy alone.

    specvae export model.specvae model.onnx
    python examples/onnx_context.py scene.tif model.onnx score.tif

The graph holds everything but the ring around a pixel, which is a mean over neighbours. It gives the numbers to be averaged
(``components``) and how much each pixel counts (``weight``); the ring is made of them here, and goes back in as ``context``.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import onnxruntime
import rasterio
from numpy.typing import NDArray

Floats = NDArray[np.floating]
ROWS = 1 << 16
"""Pixels that go through the graph at once."""


def box_sums(plane: Floats, side: int) -> Floats:
    """``(rows, cols)``: the sum over a square of ``side`` pixels around each pixel, as far as the plane goes."""
    reach = side // 2
    # In float64, since differences of running sums of a large scene lose the last digits of float32.
    sums = np.pad(np.asarray(plane, np.float64), reach).cumsum(0).cumsum(1)
    sums = np.pad(sums, ((1, 0), (1, 0)))
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]


def ring_means(planes: Floats, weight: Floats, outer: int, guard: int) -> Floats:
    """``(components, rows, cols)``: weighted means over the ring between two squares; where hardly anything counts, towards 0."""

    def total(plane: Floats) -> Floats:
        return box_sums(plane, outer) - box_sums(plane, guard)

    count = np.maximum(total(weight), 1.0)
    return np.stack([total(plane * weight) / count for plane in planes])


def scored(cube: Floats, valid: NDArray[np.bool_], graph: str) -> Floats:
    """``(rows, cols)`` nats of a cube ``(bands, rows, cols)`` in the units of the fit, NaN where not ``valid``."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["specvae"])
    names = [output.name for output in session.get_outputs()]
    spectra = np.ascontiguousarray(np.where(valid, cube, 0).reshape(len(cube), -1).T, np.float32)

    def run(context: Floats | None) -> dict[str, Floats]:
        pieces = []
        for start in range(0, len(spectra), ROWS):
            given = {"spectra": spectra[start : start + ROWS]}
            if context is not None:
                given["context"] = np.ascontiguousarray(context[start : start + ROWS], np.float32)
            pieces.append(session.run(None, given))
        return {name: np.concatenate(parts) for name, parts in zip(names, zip(*pieces, strict=True), strict=True)}

    context = None
    if "context" in about:
        # Any context will do for the first pass: what is to be averaged does not depend on it.
        width = next(given.shape[1] for given in session.get_inputs() if given.name == "context")
        first = run(np.zeros((len(spectra), width)))
        planes = first["components"].T.reshape(-1, *valid.shape)
        # Invalid pixels count in no ring.
        weight = first["weight"].reshape(valid.shape) * valid
        ring = about["context"]
        context = ring_means(planes, weight, ring["outer"], ring["guard"]).reshape(len(planes), -1).T
    return np.where(valid, run(context)["score"].reshape(valid.shape), np.nan)


def main(scene: str, graph: str, out: str) -> None:
    """Score the scene in one file, whose bands are those of the fit in their order, into another."""
    with rasterio.open(scene) as source:
        cube, profile = source.read().astype(np.float32), source.profile
        nodata = source.nodata
    valid = np.isfinite(cube).all(axis=0)
    if nodata is not None:
        valid &= (cube != nodata).all(axis=0)
    profile.update(driver="GTiff", count=1, dtype="float32", nodata=float("nan"), photometric="minisblack")
    with rasterio.open(out, "w", **profile) as target:
        target.write(scored(cube, valid, graph).astype(np.float32), 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
