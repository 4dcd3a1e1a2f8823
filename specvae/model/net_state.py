"""A net as the arrays of its state, without torch: what a model file holds, and what can be known of it by looking at sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import ModelConfig
from specvae.model.sizes import Ring, default_latent

if TYPE_CHECKING:
    from specvae.model.spectral_net import SpectralNet

__all__ = ["NetState"]


@dataclass(frozen=True, eq=False)
class NetState:
    """Everything between physical units and nats, as numpy arrays by the names of torch's state.

    ``net`` is the torch module of the same state; it and torch are loaded when it is first asked for.
    """

    values: int
    """Numbers of a spectrum: its bands, or those of all pixels of a patch."""
    config: ModelConfig
    parts: Mapping[str, Any]
    """Which parts the net has, as :meth:`SpectralNet.state_shape` gives it, JSON-ready."""
    arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, net: SpectralNet, config: ModelConfig) -> NetState:
        """The state of a torch module, which becomes its ``net``."""
        state = cls(net.bands, config, net.state_shape(), net.state_arrays())
        state.__dict__["net"] = net  # what cached_property would have put there
        return state

    @cached_property
    def net(self) -> SpectralNet:
        """The torch module. Raises RuntimeError, KeyError or ValueError where the arrays do not hold together."""
        from specvae.model.spectral_net import SpectralNet

        return SpectralNet.restore(self.values, self.config, dict(self.parts), dict(self.arrays))

    @property
    def around(self) -> Ring | None:
        """What it looks at around a pixel; None without context."""
        if not self.parts["ring"]:
            return None
        ring = self.config.context
        return Ring(ring.outer, ring.guard, len(self.arrays["ring.projection"]))

    @property
    def earlier(self) -> int:
        """Bands of the earlier date that it is given behind its own; 0 for a model of one date."""
        return int(self.parts.get("earlier", 0))

    @property
    def components(self) -> int:
        """Numbers of a context, 0 without one."""
        return 0 if self.around is None else self.around.components

    @property
    def halo(self) -> int:
        """Pixels needed around a window."""
        return 0 if self.around is None else self.around.outer // 2

    @property
    def latent(self) -> int:
        """Latent dimensions."""
        return self.config.network.latent or default_latent(self.values)

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Channels, rows and columns where a spectrum is an image or a patch."""
        return self.config.network.shape

    @property
    def centre(self) -> NDArray[np.float32]:
        """``(values,)``: what normalising takes from each band, physical units."""
        return np.asarray(self.arrays["normaliser.centre"][:, 0])

    @property
    def scale(self) -> NDArray[np.float32]:
        """``(values,)``: what each band is then divided by, physical units."""
        return np.asarray(self.arrays["normaliser.scale"][:, 0])

    @property
    def parameters(self) -> int:
        """Weights that training fits or could fit: all of the VAE's but what was measured of contexts."""
        fitted = [name for name in self.arrays if name.startswith("vae.") and not name.startswith("vae.context_")]
        return sum(int(self.arrays[name].size) for name in fitted)
