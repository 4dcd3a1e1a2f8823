"""One trial: a preset trained on MNIST, and everything that the report shows of it.

A trial is stored as one file, so that the report can be written again without training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.mnist.data import Digits
from specvae.benchmarks.mnist.image_model import ImageModel
from specvae.files.atomic import atomic_file
from specvae.model.config import ModelConfig

__all__ = ["OURS", "PRESETS", "Figures", "Trial", "run_trial"]

PRESETS = ("conv-bernoulli", "mlp-gaussian-tanh", "mlp-bernoulli", "deep-autoencoder", "spectral-64", "mlp")
"""The classic systems, as presets of the package."""
OURS = "binary-mixture"
"""Our preset for densities."""
SNAPSHOTS = (1, 2, 5, 10, 20, 50, 100)
"""Epochs after which test images are reconstructed for the report."""
SHOWN, SIDE, MAPPED = 10, 8, 3000
"""Test images that are reconstructed, images along a side of the grids, and test images on the latent map."""
CORNERS = (0, 1, 2, 4)
"""Test images in the corners of the interpolation: a 7, a 2, a 1 and a 4."""
BINARISED = 12345
"""Seed of the binarisation of the test images, the same for all presets."""


class Figures(TypedDict):
    """The figures of a trial. Terms of the ELBO are nats an image, squared errors are of pixels in 0..1."""

    preset: str
    latent: int
    mse: float
    """Mean squared error of the reconstructions at the posterior means."""
    pca_mse: float
    """Mean squared error of as many principal components as the model has latent dimensions."""
    seconds: float
    cpu_seconds: float
    elbo_defined: bool
    """Whether the model has an ELBO; a plain autoencoder has none."""
    epochs: int | None
    """Epochs of the training; None where steps were set instead."""
    binarised: NotRequired[bool]
    """Whether training drew each image as zeros and ones."""
    test_reconstruction: float
    test_kl: float
    test_loss: float
    """``test_reconstruction`` + ``test_kl``."""
    binary_elbo: NotRequired[float]
    """Negative ELBO of the binarised test images; the keys below belong to it and are there for Bernoulli models alone."""
    iw_bound: NotRequired[float]
    """Importance-weighted bound of the negative log likelihood."""
    iw_error: NotRequired[float]
    """Standard error of ``iw_bound`` over the images."""
    iw_draws: NotRequired[int]
    iw_images: NotRequired[int]


@dataclass(frozen=True, eq=False)
class Trial:
    """What one preset came to under one seed."""

    arrays: dict[str, NDArray[Any]]
    """Losses by epoch (``train (checks,)``, ``test (checks, 2)``: reconstruction and KL), images ``(n, 784)`` (``epoch_N``,
    ``originals``, ``samples``, ``grid``), and ``latents (n, latent)`` with their ``digits (n,)``."""
    figures: Figures

    @classmethod
    def load(cls, path: Path) -> Trial:
        """Load a stored trial."""
        # No pickles: a stored trial is data, and reading it runs no code of the file.
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files if name != "figures"}
            return cls(arrays, json.loads(str(stored["figures"])))

    def save(self, path: Path) -> None:
        """Store the trial as one ``.npz`` file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, figures=json.dumps(self.figures), **self.arrays)  # type: ignore[arg-type]


def trial_name(config: ModelConfig, digits: Digits) -> str:
    """The file name of a stored trial; it differs where settings, seed or size of the data differ."""
    # Without the defaults, so that a setting that a later version adds does not change the name.
    identity = config.model_dump_json(exclude_defaults=True) + f"{len(digits.train)} {len(digits.test)}"
    return f"{config.preset}-{config.seed}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}.npz"


def run_trial(
    config: ModelConfig,
    digits: Digits,
    work: Path,
    device: str,
    bound: tuple[int, int],
    progress: Callable[[str], None] = lambda line: None,
) -> Trial:
    """Train a preset, or load the trial of the same settings from ``work``.

    ``bound`` holds the draws an image and the number of images of the importance-weighted bound.
    """
    place = work / trial_name(config, digits)
    if place.is_file():
        return Trial.load(place)
    curve: list[tuple[float, float]] = []
    snapshots: dict[int, NDArray[np.float32]] = {}

    seen = digits.binarised(BINARISED) if config.training.binarise else digits.test

    def watch(epoch: int, model: ImageModel) -> None:
        parts = model.elbo(seen)
        curve.append((float(parts.reconstruction.mean()), float(parts.kl.mean())))
        progress(f"{config.preset}, epoch {epoch}: training {model.losses[-1]:.2f}, test {sum(curve[-1]):.2f} nats")
        # The last epoch is always shown, whatever their number.
        if epoch in SNAPSHOTS or epoch == config.training.epochs:
            snapshots[epoch] = model.reconstruct(digits.test[:SHOWN])

    model = ImageModel.fit(digits.train, config, digits.test, device, watch)
    arrays = {"train": np.array(model.losses), "test": np.array(curve)}
    arrays |= {f"epoch_{epoch}": pictures for epoch, pictures in snapshots.items()}
    trial = Trial(arrays | _pictures(model, digits), _figures(model, digits, seen, bound))
    trial.save(place)
    return trial


def _pictures(model: ImageModel, digits: Digits) -> dict[str, NDArray[Any]]:
    """The arrays of a trial that come from the trained model."""
    latents = model.encode(digits.test[:MAPPED])
    return {
        "samples": model.sample(SIDE * SIDE),
        "grid": model.decode(between(latents[list(CORNERS)], SIDE)),
        "latents": latents,
        "digits": digits.test_labels[:MAPPED],
        "originals": digits.test[:SHOWN],
    }


def between(corners: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """``(side * side, latent)``: bilinear interpolation between four ``corners (4, latent)``, row by row."""
    down, right = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    shares = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
    return np.asarray(np.stack(shares, axis=-1).reshape(-1, 4) @ corners, np.float32)


def _figures(model: ImageModel, digits: Digits, seen: NDArray[np.float32], bound: tuple[int, int]) -> Figures:
    """The figures on the test images; ``seen`` are these as the model was trained, grey or binarised."""
    error = float(np.square(model.reconstruct(digits.test) - digits.test).mean())
    parts = model.elbo(seen)
    reconstruction, kl = float(parts.reconstruction.mean()), float(parts.kl.mean())
    figures: Figures = {
        "preset": model.config.preset,
        "latent": model.latent,
        "mse": error,
        "pca_mse": digits.pca_error(model.latent),
        "seconds": model.seconds,
        "cpu_seconds": model.cpu_seconds,
        "elbo_defined": model.has_elbo,
        "epochs": model.config.training.epochs,
        "binarised": model.config.training.binarise,
        "test_reconstruction": reconstruction,
        "test_kl": kl,
        "test_loss": reconstruction + kl,
    }
    # Zeros and ones have a probability under a Bernoulli likelihood alone; only then do others publish such figures.
    if model.config.network.likelihood == "bernoulli" and model.has_elbo:
        draws, images = bound
        binary = digits.binarised(BINARISED)
        bounds = model.importance_bound(binary[:images], draws)
        figures["binary_elbo"] = float(model.elbo(binary).score.mean())
        figures["iw_bound"] = float(bounds.mean())
        figures["iw_error"] = float(bounds.std() / np.sqrt(len(bounds)))
        figures["iw_draws"], figures["iw_images"] = draws, len(bounds)
    return figures
