"""The scenes of the benchmark: MATLAB files with a cube, and a map of its anomalies for the metric alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError

__all__ = ["MatScene", "read_mat"]

CUBE_KEYS = ("data", "hsi")
MAP_KEYS = ("map", "hsi_gt", "groundtruth", "gt", "mask")
"""Names of the variables in the files that are in use, in lower case; the first one that is there counts."""


@dataclass(frozen=True)
class MatScene:
    """One scene: its cube, and the truth for the metric."""

    name: str
    values: NDArray[np.float32]
    """``(bands, rows, cols)``"""
    truth: NDArray[np.bool_]
    """``(rows, cols)``, True = anomaly; only the metric may read it."""


def read_mat(path: Path) -> MatScene:
    """Read a scene from a MATLAB file with a cube (rows, cols, bands) and a map. Raises InputError where one is missing."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        tree = {key.lower(): value for key, value in loadmat(path).items() if not key.startswith("__")}
    except (MatReadError, NotImplementedError, ValueError, OSError, TypeError) as error:
        raise InputError(f"{path} is not a MATLAB file up to version 7 ({error}); save it with -v7") from None
    cube = next((tree[key] for key in CUBE_KEYS if key in tree and np.ndim(tree[key]) == 3), None)
    truth = next((tree[key] for key in MAP_KEYS if key in tree and np.ndim(tree[key]) == 2), None)
    if cube is None or truth is None or cube.shape[:2] != truth.shape:
        content = ", ".join(f"{key} {np.shape(value)}" for key, value in tree.items())
        raise InputError(
            f"{path} holds {content}; expected a cube ({' or '.join(CUBE_KEYS)}; rows, cols, bands) and a map of its size "
            f"({', '.join(MAP_KEYS)})"
        )
    values = np.ascontiguousarray(np.moveaxis(np.asarray(cube, np.float32), 2, 0))
    # Whatever number a map marks its anomalies with; zero is the background in all of them.
    return MatScene(path.stem, values, np.asarray(truth) > 0)
