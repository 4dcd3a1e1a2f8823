"""Models of images: their pictures, and what does not go with patches of a scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import ModelError
from specvae.report.image_grid import write_grid

__all__ = ["draw_images", "refuse_patches"]


def draw_images(path: Path, detector: Detector, rows: list[NDArray[np.floating]]) -> None:
    """Rows of images ``(n, values)`` as a PNG; nothing for a model of spectra."""
    shape = detector.net.vae.shape
    if shape is not None:
        write_grid(path, rows, shape)


def refuse_patches(detector: Detector, command: str) -> None:
    """Raise ModelError for a model of patches."""
    if detector.config.patch:
        raise ModelError(
            f"`specvae {command}` works on spectra and images, and the model takes patches of a scene; "
            "encode it with `specvae encode`, or see each pixel's share with `specvae score --parts`"
        )
