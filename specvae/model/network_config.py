"""The configuration of the network: a section of that of a model."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from specvae.model.frozen import Frozen
from specvae.model.units import SHARE, STANDARD

__all__ = ["NetworkConfig"]

Width = Annotated[int, Field(ge=1, le=16_384)]
"""A width of a layer. Spectra have hundreds of bands, images some thousands of values: more is a mistake, or an attack."""
MOST_WEIGHTS = 1 << 28
"""Weights between hidden layers, a gigabyte of them: a training holds four times as much."""


class NetworkConfig(Frozen):
    """The variational autoencoder.

    Examples
    --------
    >>> NetworkConfig(latent=8).likelihood
    'gaussian'
    """

    kind: Literal["mlp", "conv"] = Field(
        default="mlp", description="Layers: fully connected, or convolutions for images."
    )
    shape: tuple[int, int, int] | None = Field(
        default=None, description="Channels, rows and columns of an image, whose values are the bands; none: spectra."
    )
    channels: tuple[Width, ...] = Field(default=(32, 64), description="Channels of the 3 x 3 convolutions, for conv.")
    strides: tuple[int, ...] = Field(default=(2, 2), description="Stride of each convolution.")
    hidden: tuple[Width, ...] | None = Field(
        default=None, description="Widths of the hidden layers; none: from the bands."
    )
    latent: Width | None = Field(default=None, description="Latent dimensions; none: from the bands.")
    likelihood: Literal["gaussian", "bernoulli"] = Field(
        default="gaussian", description="Form of p(x | z): Gaussian, or Bernoulli for values in 0 to 1."
    )
    variance: Literal["learned", "fixed"] = Field(
        default="fixed", description="Whether a band's variance is one number, or depends on z."
    )
    noise: Annotated[float, SHARE] | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="Fixed variance of every band, as a share of the residual's total; none: from the kind of data.",
    )
    prior: Literal["auto", "normal", "mixture"] = Field(
        default="auto",
        description="Prior of models without context; auto: a mixture of Gaussians for tables, else normal.",
    )
    deviation: Annotated[float, STANDARD] | None = Field(
        default=None,
        gt=0.0,
        description="Fixed standard deviation of every band, in place of noise; not with linear paths.",
    )
    components: int | None = Field(
        default=None, ge=1, le=1024, description="Gaussians of a mixture prior; none: from the sample."
    )
    activation: Literal["relu", "silu"] = Field(
        default="relu", description="Activation of hidden layers without linear paths."
    )
    linear: bool = Field(default=True, description="Linear paths beside the hidden layers, started in closed form.")
    output: Literal["linear", "sigmoid", "tanh"] = Field(
        default="linear", description="What bounds the decoder's output."
    )
    kl_weight: float = Field(default=1.0, ge=0.0, description="Weight of the KL term; 0: a plain autoencoder.")

    @model_validator(mode="after")
    def _together(self) -> NetworkConfig:
        if len(self.channels) != len(self.strides) or not all(n > 0 for n in (*self.channels, *self.strides)):
            raise ValueError("channels and strides are as many, and positive")
        if self.likelihood == "bernoulli" and (self.output != "sigmoid" or self.linear or self.variance == "learned"):
            raise ValueError("a bernoulli likelihood goes with output = sigmoid, linear = false and variance = fixed")
        widths = (*(self.hidden or ()), self.latent or 1)
        if len(widths) > 65 or sum(a * b for a, b in pairwise(widths)) > MOST_WEIGHTS:
            raise ValueError(
                f"hidden and latent make more than 64 layers or {MOST_WEIGHTS:,} weights; give smaller ones"
            )
        if self.linear and (self.output != "linear" or self.deviation is not None):
            raise ValueError("linear paths go with output = linear and without deviation")
        return self
