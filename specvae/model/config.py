"""The configuration of a model: what it is, how it is trained, what it samples. Stored in the model file.

Every field has a default, and the defaults are the product: ``specvae fit scene.tif`` uses them as they stand.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from specvae.errors import UsageError

__all__ = [
    "MOST_STEPS",
    "ContextConfig",
    "ModelConfig",
    "NetworkConfig",
    "NormaliserConfig",
    "SamplingConfig",
    "TrainingConfig",
]


SCENE_NOISE = 1 / 800
"""Default of ``network.noise`` for scenes: a component with a smaller share of the residual's variance counts as noise."""
MANY_BANDS = 64
"""From so many bands on, a scene has other defaults: hundreds of bands repeat what one bright roof says, and would outweigh
an oddity in a few of them."""
MANY_NOISE, MANY_REACH, MANY_RATE = 1 / 400, 3.5, 2e-3
"""These defaults of ``network.noise``, ``normaliser.reach`` and ``training.learning_rate``."""
BOUND = 0.999
"""Default of ``context.bound``: pixels that hardly any normal one is like do not count in full in the rings around them."""
MANY_BOUND, MANY_SURPRISE = 1.0, 1.0
"""Defaults of ``context.bound`` and ``context.surprise`` for many bands: there, every roof is rare and has rare surroundings,
and only what is beyond all normal pixels, or all normal contexts, is treated as strange."""
MARGINAL_NOISE = 1 / 10
"""Default of ``network.noise`` times the bands where marginals are learned: a tenth of a band's variance, since the kernels
that its distribution is made of are about as wide."""
MOST_STEPS, REFITS = 2000, 4
"""Defaults of ``training.steps`` and ``training.refits``."""
MARGINAL_STEPS = 1
"""Default of ``training.steps`` where marginals are learned. On four tables 300 steps cost .01 of AUROC (tried.csv)."""
FOLDS = 6
"""Default of ``sampling.folds``: each model of a fold still sees five sixths of the blocks."""
LARGEST_LINEAR = 2048
"""Values of a patch up to which it has linear paths: beyond, their closed-form solution takes longer than training."""


class _Frozen(BaseModel):
    # A misspelt key would otherwise be ignored, and the fit run with the default in its place.
    model_config = ConfigDict(frozen=True, extra="forbid")


Width = Annotated[int, Field(ge=1, le=16_384)]
"""A width of a layer. Spectra have hundreds of bands, images some thousands of values: more is a mistake, or an attack."""
MOST_WEIGHTS = 1 << 28
"""Weights between hidden layers, a gigabyte of them: a training holds four times as much."""


class NetworkConfig(_Frozen):
    """The variational autoencoder.

    Examples
    --------
    >>> NetworkConfig(latent=8).likelihood
    'gaussian'
    """

    kind: Literal["mlp", "conv"] = "mlp"
    shape: tuple[int, int, int] | None = Field(
        default=None, description="channels, rows, cols of an image, whose values are the bands"
    )
    channels: tuple[Width, ...] = Field(default=(32, 64), description="of the 3 x 3 convolutions, for conv")
    strides: tuple[int, ...] = Field(default=(2, 2), description="of each convolution")
    hidden: tuple[Width, ...] | None = Field(default=None, description="hidden widths; none: from the number of bands")
    latent: Width | None = Field(default=None, description="latent dimensions; none: from the number of bands")
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    variance: Literal["learned", "fixed"] = "fixed"
    noise: float | None = Field(
        default=None, gt=0.0, lt=1.0, description="fixed variance of every band, as a share of the residual's total"
    )
    prior: Literal["auto", "normal", "mixture"] = Field(
        default="auto", description="of models without context; auto: a mixture for tables"
    )
    deviation: float | None = Field(
        default=None, gt=0.0, description="fixed standard deviation of every band, in place of noise; not with linear"
    )
    components: int | None = Field(default=None, ge=1, le=1024, description="of a mixture prior; none: from the sample")
    activation: Literal["relu", "silu"] = Field(default="relu", description="of hidden layers without linear paths")
    linear: bool = Field(default=True, description="linear paths beside the hidden layers, started in closed form")
    output: Literal["linear", "sigmoid", "tanh"] = "linear"
    kl_weight: float = Field(default=1.0, ge=0.0, description="weight of the KL term; 0: a plain autoencoder")

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


class NormaliserConfig(_Frozen):
    """How bands are brought to one scale.

    Examples
    --------
    >>> NormaliserConfig().kind
    'auto'
    """

    kind: Literal["auto", "zscore", "marginal", "fixed"] = Field(
        default="auto",
        description="marginal: each band's distribution is learned; auto: so for tables; fixed: by centre and scale",
    )
    reach: float | None = Field(
        default=None, ge=1.0, le=100.0, description="standard deviations beyond which values grow by their logarithm"
    )
    kernels: int = Field(default=256, ge=8, le=1024, description="of each band's learned distribution, where marginal")
    centre: float = Field(default=0.0, description="taken from every band, where fixed")
    scale: float = Field(default=1.0, gt=0.0, description="what every band is then divided by, where fixed")
    smooth: float = Field(
        default=0.0, ge=0.0, le=8.0, description="Gaussian blur of images before, pixels, where fixed"
    )
    length: float = Field(
        default=0.0,
        ge=0.0,
        description="Euclidean length that each image is brought to, after the blur, where fixed; 0: as it came",
    )


class ContextConfig(_Frozen):
    """What surrounds a pixel: the mean over an outer window less a guard window, both centred on it.

    Examples
    --------
    >>> ring = ContextConfig(outer=21, guard=9)
    >>> ring.outer, ring.guard
    (21, 9)
    """

    kind: Literal["none", "ring", "auto"] = "auto"
    outer: int = Field(default=15, ge=3, le=49, description="side of the outer window, pixels, odd")
    guard: int = Field(default=7, ge=1, le=47, description="side of the guard window left out, pixels, odd")
    components: int | None = Field(
        default=None, ge=1, description="principal components of the context; none: from bands"
    )
    bound: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="share of normal pixels that count in full in their neighbours' rings; none: .999, or 1 for many bands",
    )
    surprise: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="quantile of normal contexts whose own cost is not counted in the KL term; none: 0, or 1 for many bands",
    )

    @model_validator(mode="after")
    def _sides(self) -> ContextConfig:
        if self.outer % 2 == 0 or self.guard % 2 == 0 or self.guard >= self.outer:
            raise ValueError("outer and guard are odd, and guard is smaller than outer")
        return self


class TrainingConfig(_Frozen):
    """How the network is trained.

    Examples
    --------
    >>> TrainingConfig(trim=0.02).trim
    0.02
    """

    optimiser: str = Field(default="AdamW", description="a name in torch.optim")
    learning_rate: float | None = Field(default=None, gt=0, description="none: 4e-3, half of it for many bands")
    weight_decay: float = Field(default=1e-4, ge=0.0, description="for optimisers that decouple it, such as AdamW")
    batch: int = Field(default=512, ge=1)
    schedule: Literal["one-cycle", "constant", "cosine"] = Field(
        default="one-cycle", description="of the learning rate"
    )
    keep: Literal["best", "last"] = Field(default="best", description="weights kept: best by validation, or the last")
    binarise: bool = Field(default=False, description="draw values in 0..1 as 0 or 1, anew in every batch")
    warm: float = Field(default=0.0, ge=0.0, lt=1.0, description="share of the training in which the KL weight grows")
    steps: int | None = Field(
        default=None,
        ge=1,
        description="optimiser steps at most; early stopping may end before; none: 2000, 1 for tables",
    )
    epochs: int | None = Field(default=None, ge=1, description="passes over the sample; none: 20, in 300 steps or more")
    patience: int = Field(default=6, ge=1, description="checks without improvement before stopping")
    refits: int | None = Field(
        default=None,
        ge=0,
        description="times, evenly through the fit, that the worst share is dropped anew; none: 4; of tables if rows stand apart",
    )
    trim: float = Field(default=0.03, ge=0.0, lt=0.5, description="share of the sample dropped by its score")


class SamplingConfig(_Frozen):
    """What is sampled from the sources, and what is held out.

    Examples
    --------
    >>> SamplingConfig(max_pixels=1000).max_pixels
    1000
    """

    max_pixels: int = Field(default=500_000, ge=1, le=50_000_000)
    calibration: float = Field(default=0.12, gt=0.0, lt=0.9, description="share held out for thresholds, with one fold")
    folds: int | None = Field(
        default=None,
        ge=1,
        le=12,
        description="of cross-fitting; none: 6, fewer for large samples; 1: a share is held out",
    )
    validation: float = Field(default=0.03, gt=0.0, lt=0.9, description="share held out for early stopping")

    @property
    def fold_count(self) -> int:
        """Folds of the cross-fitting, before large samples have fewer; 1: a share is held out instead."""
        return self.folds or FOLDS

    def of_patches(self, side: int | None) -> SamplingConfig:
        """Counted in patches of ``side`` x ``side`` pixels: as many pixels, or 10,000 patches if these are more."""
        if side is None:
            return self
        return self.model_copy(update={"max_pixels": max(self.max_pixels // side**2, min(self.max_pixels, 10_000))})


class ModelConfig(_Frozen):
    """The configuration of a model, as it is stored in the model file.

    Examples
    --------
    >>> ModelConfig.model_validate({"network": {"latent": 8}, "seed": 3}).network.latent
    8
    """

    preset: str = "default"
    normaliser: NormaliserConfig = NormaliserConfig()
    network: NetworkConfig = NetworkConfig()
    context: ContextConfig = ContextConfig()
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()
    patch: int | None = Field(default=None, ge=4, le=256, description="side of square patches, for patch models")
    seed: int = 0

    def resolved(self, table: bool, bands: int) -> ModelConfig:
        """The configuration with every ``auto`` replaced by its meaning for a fit on tables, or on rasters, with this many bands.

        A table's rows are taken for normal and independent, so their distribution can be learned band by band, and
        clusters of them too. A scene is often fitted on itself: what is rare there must not become expected.
        """
        kind = self.normaliser.kind if self.normaliser.kind != "auto" else ("marginal" if table else "zscore")
        prior = self.network.prior if self.network.prior != "auto" else ("mixture" if table else "normal")
        many = kind == "zscore" and not table and self.patch is None and bands >= MANY_BANDS
        reach = self.normaliser.reach or (MANY_REACH if many else None)
        rate = self.training.learning_rate or (MANY_RATE if many else None)
        noise = MARGINAL_NOISE / bands if kind == "marginal" else MANY_NOISE if many else SCENE_NOISE
        network: dict[str, Any] = {"prior": prior, "noise": self.network.noise or noise}
        bound = self.context.bound or (MANY_BOUND if many else BOUND)
        training = {"learning_rate": rate, **self._length(kind == "marginal")}
        surprise = self.context.surprise if self.context.surprise is not None else (MANY_SURPRISE if many else 0.0)
        if self.patch is not None:
            if table:
                raise UsageError("--patch takes squares of pixels, and a table has none: leave it out, or give rasters")
            values = bands * self.patch**2
            linear = self.network.linear and values <= LARGEST_LINEAR
            network |= {"shape": (bands, self.patch, self.patch), "linear": linear}
        return self.model_copy(
            update={
                "normaliser": self.normaliser.model_copy(update={"kind": kind, "reach": reach}),
                "network": self.network.model_copy(update=network),
                "context": self.context.model_copy(update={"bound": bound, "surprise": surprise}),
                "training": self.training.model_copy(update=training),
            }
        )

    def _length(self, marginal: bool) -> dict[str, int | None]:
        """Steps and refits, where they are not configured; whether rows are dropped, the rows themselves decide.

        Where every band's distribution is learned and clusters of rows too, the closed form is all but the optimum, and
        descent fits its Gaussians to single rows.
        """
        steps = self.training.steps or (MARGINAL_STEPS if marginal else MOST_STEPS)
        refits = self.training.refits if self.training.refits is not None or marginal else REFITS
        return {"steps": steps, "refits": refits}
