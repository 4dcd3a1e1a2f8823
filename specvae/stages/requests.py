"""Requests: what a fit and a calibration are asked to do; light to import, for a command's help and for plans.

A field made by ``option`` is an option of the command and a key of the stage in a pipeline's TOML; both are derived from
it. The other fields are for the callers of the stage alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from specvae.errors import UsageError
from specvae.ingest.options import IngestOptions
from specvae.option import LEARNED, MAIN, RUNNING, Option, check_options, option

if TYPE_CHECKING:
    from specvae.model.config import ModelConfig

__all__ = ["CalibrateRequest", "FitRequest", "call_of"]

MODEL = Option("Write or read the model in this file.", metavar="PATH", is_path=True, heading=MAIN)
DEVICE = Option(
    "Compute on the processor or on a GPU; auto takes a GPU where there is one.",
    metavar="auto|cpu|cuda",
    heading=RUNNING,
)
OVERWRITE = Option("Replace an output that was made from other inputs or settings.", in_toml=False, heading=RUNNING)


@dataclass(frozen=True)
class FitRequest:
    """What a fit is asked to do. Raises UsageError where options exclude each other or a value is outside its range."""

    model: str = option("model.specvae", MODEL)
    """The model file to write."""
    ingest: IngestOptions = field(default_factory=IngestOptions)
    """How the sources are read, and which of their pixels are normal."""
    preset: str | None = option(
        None,
        Option(
            "Begin with a configuration in the package; `specvae presets` lists them.", metavar="NAME", heading=LEARNED
        ),
    )
    """Name of a configuration in the package; None: the default, ``patches`` with ``patch``, ``change`` with ``before``."""
    patch: int | None = option(None, Option("Fit on patches of P x P pixels.", metavar="P", heading=LEARNED))
    """Side of a patch in pixels; None: as the configuration says, by default single spectra."""
    context: str | None = option(
        None,
        Option(
            "Compare a pixel with a ring around it, or with nothing; auto is a ring for rasters. [default: auto]",
            choices=("none", "ring", "auto"),
            heading=LEARNED,
        ),
    )
    """What the model sees of a pixel's surroundings; None: as the configuration says."""
    trim: float | None = option(
        None,
        Option(
            "Drop this share of the sample, the worst by score, before each refit. [default: 0.03]",
            metavar="SHARE",
            heading=LEARNED,
        ),
    )
    """Share of the sample, in 0..1, with the highest scores that each refit drops; None: as the configuration says."""
    config: str | None = option(
        None, Option("Take settings from a TOML file.", metavar="FILE.toml", is_path=True, heading=LEARNED)
    )
    """A TOML file whose settings come after those of the preset."""
    set: tuple[str, ...] = option(
        (),
        Option(
            "Change one setting; may be repeated. Used most: training.steps, network.latent, context.outer, context.guard, "
            "normaliser.kind; docs/reference/configuration.md lists all.",
            metavar="KEY=VALUE",
            heading=LEARNED,
        ),
    )
    """Single settings, ``key=value`` with dotted keys, which come after those of the file."""
    device: str = option("auto", DEVICE)
    """Where the network is trained: ``cpu``, ``cuda``, or ``auto``, a GPU where there is one."""
    seed: int | None = option(
        None, Option("Use this seed for the sample, the split and the training. [default: 0]", heading=LEARNED)
    )
    """Seed of the sample, the split, the initial weights and the batches; None: as the configuration says."""
    folds: int | None = option(
        None,
        Option(
            "Calibrate by the models of so many folds; with 1 a share is held out instead. [default: 6]",
            metavar="N",
            heading=LEARNED,
        ),
    )
    """Folds of the cross-fitting; None: as the configuration says, by default 6, and fewer for large samples; 1: a share of
    the blocks is held out and does not train."""
    max_pixels: int | None = option(
        None, Option("Train on at most so many pixels or rows. [default: 500000]", heading=LEARNED)
    )
    """Most pixels in the sample, over all sources; None: as the configuration says."""
    keep_interrupted: bool = option(
        False,
        Option(
            "On Ctrl-C, write the model as far as it is, marked as interrupted; the same command resumes it.",
            in_toml=False,
            heading=RUNNING,
        ),
    )
    """Whether a fit that is interrupted by Ctrl-C or SIGTERM writes what it came to; by default it writes nothing."""
    overwrite: bool = option(False, OVERWRITE)
    """Fit in any case, and replace whatever is at the model's path."""
    renew: bool = False
    """Replace a model that was made otherwise; one made from the same inputs and settings stays."""
    dry_run: bool = False
    """Only say whether the model is there already, made from the same inputs and settings."""
    threads: int = 0
    """Threads of the scoring of held-out data; 0 = one."""
    command: tuple[str, ...] = ()
    """The words of the command line, for the model's provenance; () = the call in Python is recorded."""

    def __post_init__(self) -> None:
        check_options(self)
        if self.patch and self.ingest.before:
            raise UsageError("--patch and --before do not go together: two dates are compared pixel by pixel")
        if self.patch and self.context == "ring":
            raise UsageError("--patch and --context ring do not go together: a patch has its surroundings inside")

    def configuration(self) -> ModelConfig:
        """The model's configuration that the request comes to. Raises UsageError for a setting that is wrong."""
        from specvae.model.config_file import load_config  # pydantic comes with it, which --help can do without

        overrides = {
            "context.kind": self.context,
            "training.trim": self.trim,
            "seed": self.seed,
            "sampling.max_pixels": self.max_pixels,
            "sampling.folds": self.folds,
            "patch": self.patch,
        }
        # A network for patches has other sizes than one for spectra, and two dates are trimmed more: each means its preset.
        preset = self.preset or ("patches" if self.patch else "change" if self.ingest.before else None)
        return load_config(preset, self.config, self.set, overrides)


@dataclass(frozen=True)
class CalibrateRequest:
    """What a calibration is asked to do."""

    model: str = option("model.specvae", MODEL)
    """The model file whose thresholds are to be renewed; it is not changed."""
    out: str | None = option(
        None,
        Option(
            "Write the calibrated model to this file. [default: MODEL.calibrated.specvae]",
            metavar="PATH",
            is_path=True,
            heading=MAIN,
        ),
    )
    """The model file to write; None: ``<model>.calibrated.specvae``."""
    ingest: IngestOptions = field(default_factory=IngestOptions)
    """How the sources are read, and which of their pixels are normal."""
    overwrite: bool = option(False, OVERWRITE)
    """Calibrate in any case, and replace whatever is at the new model's path."""
    renew: bool = False
    """Replace a model that was made otherwise; one made from the same inputs and settings stays."""
    dry_run: bool = False
    """Only say whether the model is there already, made from the same inputs and settings."""
    command: tuple[str, ...] = ()
    """The words of the command line, for the model's provenance; () = the call in Python is recorded."""

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def target(self) -> str:
        """The model file to write."""
        return self.out or str(Path(self.model).with_suffix(".calibrated.specvae"))


def call_of(function: str, source: tuple[str, ...], request: FitRequest | CalibrateRequest) -> list[str]:
    """Provenance of a model: the command that made it, else the call in Python with what differs from the defaults.

    Examples
    --------
    >>> call_of("specvae.stages.fit.fit", ("a.tif",), FitRequest(seed=3))
    ['specvae.stages.fit.fit', "source=('a.tif',)", 'seed=3']
    """
    if request.command:
        return list(request.command)
    # Only what differs from the defaults: the call as a person would write it.
    usual = type(request)()
    given = {item.name: getattr(request, item.name) for item in fields(request)}
    changed = {name: value for name, value in given.items() if value != getattr(usual, name)}
    return [function, f"source={source!r}", *(f"{name}={value!r}" for name, value in changed.items())]
