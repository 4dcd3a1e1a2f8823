"""Everything between physical units and nats as one network: normaliser, context and VAE."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from specvae.model.config import ModelConfig
from specvae.model.context import RingContext
from specvae.model.normaliser import Normaliser
from specvae.model.vae import VAE
from specvae.spectra import CELL, IMAGE_CELL

__all__ = ["SpectralNet"]


class SpectralNet(nn.Module):
    """Normaliser, context and VAE: everything between physical units and nats, as one state."""

    def __init__(self, normaliser: Normaliser, ring: RingContext | None, vae: VAE) -> None:
        super().__init__()
        self.normaliser, self.ring, self.vae = normaliser, ring, vae

    @property
    def halo(self) -> int:
        """Pixels needed around a window."""
        return self.ring.halo if self.ring is not None else 0

    @property
    def cell(self) -> int:
        """Side of the cells that it scores in, pixels: smaller for images and patches, each of which is hundreds of values."""
        return CELL if self.vae.shape is None else IMAGE_CELL

    def state_shape(self) -> dict[str, Any]:
        """What :meth:`restore` needs beside the arrays, JSON-ready."""
        mixture = self.vae.mixture
        return {
            "ring": self.ring is not None,
            "marginals": self.normaliser.marginals is not None,
            "smooth": bool(len(self.normaliser.blur)),
            "mixed": len(self.normaliser.mix),
            "components": 0 if mixture is None else len(mixture.centre),
        }

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The whole state as numpy arrays."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.state_dict().items()}

    @classmethod
    def restore(
        cls, bands: int, config: ModelConfig, shape: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> SpectralNet:
        """The net of a stored state; RuntimeError or KeyError where it does not hold together."""
        ring = RingContext(bands, config.context) if shape["ring"] else None
        vae = VAE(bands, ring.components if ring else 0, config.network, int(shape.get("components", 0)))
        normaliser = Normaliser(
            bands, bool(shape.get("marginals", False)), bool(shape.get("smooth", False)), int(shape.get("mixed", 0))
        )
        normaliser.reach = config.normaliser.reach or normaliser.reach
        normaliser.length = config.normaliser.length if config.normaliser.kind == "fixed" else 0.0
        net = cls(normaliser, ring, vae)
        net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
        return net.eval()
