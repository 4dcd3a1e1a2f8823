"""One preset trained on MNIST, and everything its report shows; kept as one file, so that a report can be made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.mnist.data import Digits
from specvae.benchmarks.mnist.image_model import ImageModel
from specvae.files.atomic import atomic_file
from specvae.model.config import ModelConfig

__all__ = ["OURS", "PRESETS", "Trial", "run_trial"]

PRESETS = ("conv-bernoulli", "mlp-gaussian-tanh", "mlp-bernoulli", "deep-autoencoder", "spectral-64", "mlp")
OURS = "binary-mixture"
SNAPSHOTS = (1, 2, 5, 10, 20, 50, 100)
"""Epochs after which test images are reconstructed for the report."""
SHOWN, SIDE, MAPPED = 10, 8, 3000
BINARISED = 12345
"""Seed of the test images' one binarisation, alike for all presets."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What came of one preset and seed."""

    arrays: dict[str, NDArray[Any]]
    """Curves, pictures and latents; see :func:`run_trial`."""
    figures: dict[str, Any]
    """Numbers by name."""

    @classmethod
    def load(cls, path: Path) -> Trial:
        """One kept before."""
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files if name != "figures"}
            return cls(arrays, json.loads(str(stored["figures"])))

    def save(self, path: Path) -> None:
        """Keep it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, figures=json.dumps(self.figures), **self.arrays)  # type: ignore[arg-type]


def trial_name(config: ModelConfig, digits: Digits) -> str:
    """A file name that tells settings, seed and data size apart."""
    # What is left at its default is no part of the name: settings added later leave it as it is.
    told = config.model_dump_json(exclude_defaults=True) + f"{len(digits.train)} {len(digits.test)}"
    return f"{config.preset}-{config.seed}-{hashlib.sha256(told.encode()).hexdigest()[:10]}.npz"


def run_trial(
    config: ModelConfig,
    digits: Digits,
    work: Path,
    device: str,
    bound: tuple[int, int],
    tell: Callable[[str], None] = lambda line: None,
) -> Trial:
    """Train a preset, or take the trial of the same settings from ``work``; ``bound``: draws and images of the IW bound."""
    place = work / trial_name(config, digits)
    if place.is_file():
        return Trial.load(place)
    curve: list[tuple[float, float]] = []
    snapshots: dict[int, NDArray[np.float32]] = {}

    seen = digits.binarised(BINARISED) if config.training.binarise else digits.test

    def watch(epoch: int, model: ImageModel) -> None:
        parts = model.elbo(seen)
        curve.append((float(parts.reconstruction.mean()), float(parts.kl.mean())))
        tell(f"{config.preset}, epoch {epoch}: training {model.losses[-1]:.2f}, test {sum(curve[-1]):.2f} nats")
        if epoch in SNAPSHOTS or epoch == config.training.epochs:
            snapshots[epoch] = model.reconstruct(digits.test[:SHOWN])

    model = ImageModel.fit(digits.train, config, digits.test, device, watch)
    arrays = {"train": np.array(model.losses), "test": np.array(curve)}
    arrays |= {f"epoch_{epoch}": pictures for epoch, pictures in snapshots.items()}
    trial = Trial(arrays | _pictures(model, digits), _figures(model, digits, seen, bound))
    trial.save(place)
    return trial


def _pictures(model: ImageModel, digits: Digits) -> dict[str, NDArray[Any]]:
    latents = model.encode(digits.test[:MAPPED])
    return {
        "samples": model.sample(SIDE * SIDE),
        "grid": model.decode(between(latents[[0, 1, 2, 4]], SIDE)),
        "latents": latents,
        "digits": digits.test_labels[:MAPPED],
        "originals": digits.test[:SHOWN],
    }


def between(corners: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """``(side * side, latent)``: bilinear between four corners."""
    a, b = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    shares = np.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b], axis=-1).reshape(-1, 4)
    return np.asarray(shares @ corners, np.float32)


def _figures(model: ImageModel, digits: Digits, seen: NDArray[np.float32], bound: tuple[int, int]) -> dict[str, Any]:
    """Errors and bounds on the test images; ``seen`` are these as the model was trained on them, grey or binarised."""
    error = float(np.square(model.reconstruct(digits.test) - digits.test).mean())
    told: dict[str, Any] = {
        "preset": model.config.preset,
        "latent": model.latent,
        "mse": error,
        "pca_mse": digits.pca_error(model.latent),
        "seconds": model.seconds,
        "cpu_seconds": model.cpu_seconds,
        "elbo_defined": model.has_elbo,
        "epochs": model.config.training.epochs,
        "binarised": model.config.training.binarise,
    }
    parts = model.elbo(seen)
    told |= {"test_reconstruction": float(parts.reconstruction.mean()), "test_kl": float(parts.kl.mean())}
    told["test_loss"] = told["test_reconstruction"] + told["test_kl"]
    if model.config.network.likelihood == "bernoulli" and model.has_elbo:
        told |= _bounds(model, digits.binarised(BINARISED), bound)
    return told


def _bounds(model: ImageModel, binary: NDArray[np.float32], bound: tuple[int, int]) -> dict[str, Any]:
    draws, images = bound
    values = model.importance_bound(binary[:images], draws)
    return {
        "binary_elbo": float(model.elbo(binary).score.mean()),
        "iw_bound": float(values.mean()),
        "iw_error": float(values.std() / np.sqrt(len(values))),
        "iw_draws": draws,
        "iw_images": len(values),
    }
