"""Pictures and arrays of what models of images and of patches take and make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.bands import rgb_bands
from specvae.detector import Detector
from specvae.export.report.image_grid import write_grid

__all__ = ["draw_images", "kind_of", "save_images"]

Array = NDArray[np.floating]


def kind_of(detector: Detector) -> str:
    """What the model takes: ``spectra``, ``images`` or ``patches``."""
    if detector.config.patch:
        return "patches"
    return "spectra" if detector.net.shape is None else "images"


def save_images(path: Path, detector: Detector, images: Array) -> None:
    """Images or patches ``(n, values)`` as an array ``(n, channels, rows, cols)``, .npy; nothing for spectra."""
    shape = detector.net.shape
    if shape is not None:
        # No pickle: a .npy file with one runs code as it is loaded.
        np.save(path, np.asarray(images, np.float32).reshape(-1, *shape), allow_pickle=False)


def draw_images(path: Path, detector: Detector, rows: list[Array], residuals: Array | None = None) -> None:
    """Rows of images or patches ``(n, values)`` as a PNG, ``residuals`` last, grey where 0; nothing for spectra.

    Images are in 0..1. Patches are shown as quicklooks are, by three bands, each from the 2 to the 98 % of all shown.
    """
    shape = detector.net.shape
    if shape is None:
        return
    if detector.config.patch:
        low, high = _limits(rows, detector)
        shape = (3, *shape[1:])
        rows = [_composite((_pixels(images, detector) - low) / (high - low)) for images in rows]
        if residuals is not None:
            # A difference has no zero point: only the width of the stretch applies.
            residuals = _composite(_pixels(residuals, detector) / (high - low))
    write_grid(path, rows if residuals is None else [*rows, 0.5 + 0.5 * residuals], shape)


def _pixels(patches: Array, detector: Detector) -> Array:
    """``(n, values) -> (n, side * side, 3)``: the bands of the quicklook."""
    each = patches.reshape(len(patches), len(detector.bands), -1)
    return np.moveaxis(each[:, list(rgb_bands(detector.bands))], 1, 2)


def _composite(pixels: Array) -> Array:
    """``(n, side * side, 3) -> (n, values)``, bands first, as images are laid out."""
    return np.moveaxis(pixels, 2, 1).reshape(len(pixels), -1)


def _limits(rows: list[Array], detector: Detector) -> tuple[Array, Array]:
    """The lowest and the highest value shown in each of the three bands, ``(3,)`` each."""
    pixels = np.concatenate([_pixels(images, detector).reshape(-1, 3) for images in rows])
    # One stretch for all rows: given and reconstructed patches can be compared by their brightness.
    low, high = np.nanpercentile(pixels, [2, 98], axis=0)
    return low, np.maximum(high, low + 1e-12)
