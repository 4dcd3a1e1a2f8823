"""Small digits as MNIST's four files, for tests of image models."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits

IDX_FILES = {
    "train-images-idx3-ubyte": "train images",
    "train-labels-idx1-ubyte": "train labels",
    "t10k-images-idx3-ubyte": "test images",
    "t10k-labels-idx1-ubyte": "test labels",
}


def write_digits(folder: Path, train: int = 1400, test: int = 397) -> Path:
    """Scikit-learn's 8 x 8 digits, enlarged to 28 x 28, as MNIST's four files: the first for training, then those for test."""
    digits = load_digits()
    images = np.clip(zoom(digits.images[: train + test], (1, 3.5, 3.5), order=1) * 15.9, 0, 255).astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    parts = {
        "train images": images[:train],
        "train labels": labels[:train],
        "test images": images[train:],
        "test labels": labels[train : train + test],
    }
    folder.mkdir()
    for name, part in IDX_FILES.items():
        array = parts[part]
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / name).write_bytes(head + array.tobytes())
    return folder
