"""The configuration of a model: what it is, how it is trained, what it samples. Stored in the model file.

Every field has a default, and the defaults are the product: ``specvae fit scene.tif`` uses them as they stand.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from specvae.errors import UsageError
from specvae.model.config_defaults import (
    BOUND,
    FOLDS,
    LARGEST_LINEAR,
    MANY_BANDS,
    MANY_BOUND,
    MANY_NOISE,
    MANY_RATE,
    MANY_REACH,
    MANY_SURPRISE,
    MARGINAL_NOISE,
    MARGINAL_STEPS,
    MOST_STEPS,
    REFITS,
    SCENE_NOISE,
)
from specvae.model.frozen import Frozen
from specvae.model.network_config import NetworkConfig
from specvae.model.units import PIXELS, SHARE, SPECTRA, STANDARD, STEPS, Unit

__all__ = [
    "ContextConfig",
    "ModelConfig",
    "NormaliserConfig",
    "SamplingConfig",
    "TrainingConfig",
]


class NormaliserConfig(Frozen):
    """How bands are brought to one scale.

    Examples
    --------
    >>> NormaliserConfig().kind
    'auto'
    """

    kind: Literal["auto", "zscore", "marginal", "fixed"] = Field(
        default="auto",
        description="By mean and deviation, by learned distributions, or by centre and scale; auto: marginal for tables.",
    )
    reach: Annotated[float, STANDARD] | None = Field(
        default=None, ge=1.0, le=100.0, description="Values beyond grow by their logarithm; none: from the bands."
    )
    kernels: int = Field(
        default=256, ge=8, le=1024, description="Kernels of each band's learned distribution, where marginal."
    )
    centre: float = Field(default=0.0, description="Taken from every band, where fixed, in its own unit.")
    scale: float = Field(default=1.0, gt=0.0, description="What every band is then divided by, where fixed.")
    smooth: Annotated[float, PIXELS] = Field(
        default=0.0, ge=0.0, le=8.0, description="Deviation of a Gaussian blur of images before, where fixed."
    )
    length: float = Field(
        default=0.0,
        ge=0.0,
        description="Euclidean length that each image is brought to, after the blur, where fixed; 0: as it came.",
    )


class ContextConfig(Frozen):
    """What surrounds a pixel: the mean over an outer window less a guard window, both centred on it.

    Examples
    --------
    >>> ring = ContextConfig(outer=21, guard=9)
    >>> ring.outer, ring.guard
    (21, 9)
    """

    kind: Literal["none", "ring", "auto"] = Field(
        default="auto",
        description="What of a pixel's surroundings is looked at; auto: a ring, and none of tables and patches.",
    )
    outer: Annotated[int, PIXELS] = Field(default=15, ge=3, le=49, description="Side of the outer window, odd.")
    guard: Annotated[int, PIXELS] = Field(default=7, ge=1, le=47, description="Side of the inner window left out, odd.")
    components: int | None = Field(
        default=None, ge=1, description="Principal components of the context; none: from the bands."
    )
    bound: Annotated[float, SHARE] | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="Normal pixels that count in full in their neighbours' rings; none: 0.999, or 1 from 64 bands on.",
    )
    surprise: Annotated[float, SHARE] | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Quantile of normal contexts whose own cost is not counted in the KL term; none: 0, or 1 from 64 bands on.",
    )

    @model_validator(mode="after")
    def _sides(self) -> ContextConfig:
        if self.outer % 2 == 0 or self.guard % 2 == 0 or self.guard >= self.outer:
            raise ValueError("outer and guard are odd, and guard is smaller than outer")
        return self


class TrainingConfig(Frozen):
    """How the network is trained.

    Examples
    --------
    >>> TrainingConfig(trim=0.02).trim
    0.02
    """

    optimiser: str = Field(default="AdamW", description="Name of an optimiser in torch.optim.")
    learning_rate: float | None = Field(
        default=None, gt=0, description="Learning rate at its peak; none: 4e-3, or 2e-3 from 64 bands on."
    )
    weight_decay: float = Field(
        default=1e-4, ge=0.0, description="Weight decay of optimisers that decouple it, such as AdamW."
    )
    batch: Annotated[int, SPECTRA] = Field(default=512, ge=1, description="Spectra of a step.")
    schedule: Literal["one-cycle", "constant", "cosine"] = Field(
        default="one-cycle", description="Course of the learning rate."
    )
    keep: Literal["best", "last"] = Field(
        default="best", description="Weights that remain: the best by validation, or the last."
    )
    binarise: bool = Field(default=False, description="Draw values in 0 to 1 as 0 or 1, anew in every batch.")
    warm: Annotated[float, SHARE] = Field(
        default=0.0, ge=0.0, lt=1.0, description="Part of the training in which the weight of the KL term grows."
    )
    steps: Annotated[int, STEPS] | None = Field(
        default=None,
        ge=1,
        description="Steps of the optimiser at most; early stopping may end before; none: 2000, and 1 for tables.",
    )
    epochs: Annotated[int, Unit("passes")] | None = Field(
        default=None,
        ge=1,
        description="Passes over the sample, all taken; none: 20, within steps and in 300 steps or more.",
    )
    patience: int = Field(
        default=6, ge=1, description="Checks, of 25 in a descent, without improvement before it stops."
    )
    refits: int | None = Field(
        default=None,
        ge=0,
        description="Times that the worst spectra are dropped anew; none: 4, and for tables where rows stand apart.",
    )
    trim: Annotated[float, SHARE] = Field(
        default=0.03, ge=0.0, lt=0.5, description="Part of the sample, the worst by score, that each refit drops."
    )


class SamplingConfig(Frozen):
    """What is sampled from the sources, and what is held out.

    Examples
    --------
    >>> SamplingConfig(max_pixels=1000).max_pixels
    1000
    """

    max_pixels: Annotated[int, PIXELS] = Field(
        default=500_000, ge=1, le=50_000_000, description="Pixels or rows to train on at most, over all sources."
    )
    calibration: Annotated[float, SHARE] = Field(
        default=0.12, gt=0.0, lt=0.9, description="Part held out for thresholds, with one fold."
    )
    folds: int | None = Field(
        default=None,
        ge=1,
        le=12,
        description="Folds of the cross-fitting; none: 6, fewer for large samples; 1: a part is held out instead.",
    )
    validation: Annotated[float, SHARE] = Field(
        default=0.03, gt=0.0, lt=0.9, description="Part held out for early stopping."
    )

    @property
    def fold_count(self) -> int:
        """Folds of the cross-fitting, before large samples have fewer; 1: a share is held out instead."""
        return self.folds or FOLDS

    def of_patches(self, side: int | None) -> SamplingConfig:
        """Counted in patches of ``side`` x ``side`` pixels: as many pixels, or 10,000 patches if these are more."""
        if side is None:
            return self
        return self.model_copy(update={"max_pixels": max(self.max_pixels // side**2, min(self.max_pixels, 10_000))})


class ModelConfig(Frozen):
    """The configuration of a model, as it is stored in the model file.

    Examples
    --------
    >>> ModelConfig.model_validate({"network": {"latent": 8}, "seed": 3}).network.latent
    8
    """

    preset: str = Field(default="default", description="Name of the preset that the settings began with.")
    normaliser: NormaliserConfig = NormaliserConfig()
    network: NetworkConfig = NetworkConfig()
    context: ContextConfig = ContextConfig()
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()
    patch: Annotated[int, PIXELS] | None = Field(
        default=None, ge=4, le=256, description="Side of square patches; none: single pixels or rows."
    )
    seed: int = Field(default=0, description="Seed of the sample, the split, the weights and the batches.")

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
