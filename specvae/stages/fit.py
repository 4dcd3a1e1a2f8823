"""The stage ``fit``: normal scenes or tables in, one model file out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.detector import Detector
from specvae.errors import InputError, ModelError, OutputError
from specvae.files.fingerprint import Fingerprint, identify, same
from specvae.files.replacement import Replacement, replacement
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import in_patches
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.scene.scene import Scene
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.ingest.table.reading import read_table
from specvae.model.config import ModelConfig
from specvae.model.device import pick_device
from specvae.model_file import load_model, save_model
from specvae.scoring.pooling import HALO
from specvae.spectra import Cube, Invalid, Window
from specvae.stages.requests import CalibrateRequest, FitRequest, call_of
from specvae.training.descent import Check
from specvae.training.sampling import Quota, Region, Role, Split, region_of_rows, regions_of, split_blocks
from specvae.version import __version__

__all__ = ["FitOutcome", "Gathered", "compare", "files_of", "fit", "gather", "stored_fingerprint"]


Read: TypeAlias = tuple[Cube, NDArray[np.bool_], Window]
"""A window that was read: its cube with halo, which of its pixels ``(rows, cols)`` are normal, and the window itself."""


@dataclass(frozen=True)
class FitOutcome:
    """What a fit or a calibration came to."""

    model: Path
    """The model file."""
    sha256: str
    """SHA-256 of the model file; empty in a dry run."""
    skipped: bool
    """Whether the model was there already, made from the same inputs and settings."""
    summary: dict[str, Any]
    """Counts of pixels, history and diagnostics of the fit; empty in a dry run."""
    warnings: tuple[str, ...]
    """What a user must know of the inputs and of the fit, a line each."""
    smallest_rate: float | None = None
    """The smallest false-alarm rate that the calibration tiles support; None where they support none, or in a dry run."""

    @property
    def supported_rates(self) -> str:
        """A phrase that says what false-alarm rates the calibration tiles support."""
        if not self.smallest_rate:
            return "too few for any false-alarm rate"
        return f"enough for false-alarm rates down to {self.smallest_rate:.2g}"

    @classmethod
    def done_already(cls, target: Path) -> FitOutcome:
        """The outcome where the model was made before, from the same inputs and settings."""
        stored = load_model(target)
        return cls.of(stored.detector, target, stored.sha256, (), skipped=True)

    @classmethod
    def of(
        cls, detector: Detector, target: Path, digest: str, warnings: tuple[str, ...], skipped: bool = False
    ) -> FitOutcome:
        """The outcome of a detector that is stored in the file ``target``."""
        rate = detector.calibration.summary()["smallest_rate"]
        return cls(target, digest, skipped, detector.provenance, warnings, rate)


@dataclass(frozen=True)
class Gathered:
    """What was read of all sources for a fit or a calibration."""

    regions: tuple[Region, ...]
    """Windows with the role of each pixel: training, validation, calibration or unused."""
    bands: BandSet
    """The bands that all sources have."""
    names: tuple[str, ...]
    """The sources' names, in the order of their numbers in ``regions``."""
    context: bool
    """Whether the model may look at what surrounds a pixel."""
    notes: tuple[str, ...]
    """What was assumed in reading the sources, a line each, none twice."""
    pixel_size: float | None
    """Side of a pixel in metres; None where no source has one."""
    invalid: dict[str, int]
    """How many of the pixels read were not usable, by reason."""


def fit(source: Sequence[str], request: FitRequest, progress: Callable[[Check], None] | None = None) -> FitOutcome:
    """Fit a model on normal data and write it.

    Where the model's file was made from the same inputs and settings, nothing is done. Raises OutputError where it was
    made otherwise, and neither ``overwrite`` nor ``renew`` is given. ``progress`` is called now and then in training.
    """
    config = request.configuration()
    sources, target = find_sources(source), Path(request.model)
    # Not the device and the threads: on another machine the model is the same model, and is not made anew.
    settings = {
        "config": config.model_dump(mode="json"),
        "ingest": request.ingest.to_json(),
        "source": sorted(source),
    }
    fingerprint, todo = compare(target, sources, "", settings, request)
    if request.dry_run:
        return FitOutcome(target, "", todo is Replacement.DONE, {}, ())
    if todo is Replacement.DONE:
        return FitOutcome.done_already(target)
    if todo is Replacement.REFUSE:
        raise OutputError(
            f"{target} stands already and was made from other inputs or settings; give --overwrite or --model"
        )
    gathered = gather(sources, request.ingest, config, None)
    detector = _detector(gathered, config, request, progress)
    return _save(detector, target, gathered, fingerprint, call_of("specvae.stages.fit.fit", tuple(source), request))


def _detector(
    gathered: Gathered, config: ModelConfig, request: FitRequest, progress: Callable[[Check], None] | None
) -> Detector:
    """Fit on what was read. Raises InputError that says why pixels were not valid, where too few are to train on."""
    try:
        return Detector.fit(
            gathered.regions,
            gathered.bands,
            config,
            gathered.names,
            gathered.context,
            pick_device(request.device),
            max(1, request.threads),
            progress,
        )
    except InputError as error:
        why = ", ".join(f"{n:,} {reason}" for reason, n in gathered.invalid.items() if n)
        raise InputError(f"{error} (not valid: {why})" if why else str(error)) from None


def _save(
    detector: Detector, target: Path, gathered: Gathered, fingerprint: Fingerprint, command: list[str]
) -> FitOutcome:
    provenance = {
        "fingerprint": fingerprint.to_json(),
        "command": command,
        "versions": {"specvae": __version__, **{name: version(name) for name in ("torch", "numpy", "rasterio")}},
        "notes": list(gathered.notes),
        "pixel_size": gathered.pixel_size,
        "invalid_by_reason": gathered.invalid,
    }
    # The bootstrap of the cuts takes seconds: once here, and not whenever the model is loaded.
    detector.calibration.prepare()
    if detector.evidence is not None:
        detector.evidence.prepare()
    digest = save_model(detector, target, provenance)
    warnings = (*gathered.notes, *detector.provenance["diagnostics"]["warnings"])
    return FitOutcome.of(detector, target, digest, warnings)


def compare(
    target: Path,
    sources: Sequence[Source],
    model: str,
    settings: dict[str, Any],
    request: FitRequest | CalibrateRequest,
) -> tuple[Fingerprint, Replacement]:
    """The fingerprint of what is to be made at ``target``, and what is to happen there.

    ``model`` is the SHA-256 of the model that is calibrated, or an empty string in a fit.
    """
    stored = stored_fingerprint(target, request.overwrite)
    # With the stored one at hand, a file of the same size and time is not hashed again.
    fingerprint = Fingerprint(identify(files_of(sources, request.ingest), stored), model, settings)
    todo = replacement(
        target.exists(), lambda: same(fingerprint, stored), overwrite=request.overwrite, renew=request.renew
    )
    return fingerprint, todo


def stored_fingerprint(target: Path, overwrite: bool) -> dict[str, Any] | None:
    """The fingerprint in the model file ``target``; None where there is none, or where it is overwritten anyway."""
    # Not read where it is overwritten anyway: it may be damaged, which must not stop that.
    if not target.exists() or overwrite:
        return None
    try:
        fingerprint: dict[str, Any] = load_model(target).metadata["provenance"]["fingerprint"]
    except (InputError, OutputError, KeyError):
        return None
    return fingerprint


def files_of(sources: Sequence[Source], options: IngestOptions) -> list[str]:
    """Every file whose bytes matter: sources, masks and vectors."""
    files = [file for source in sources for file in source.files]
    for source in sources:
        files += [str(p) for p in options.companions(source.stem)]
    return files


def gather(
    sources: Sequence[Source],
    options: IngestOptions,
    config: ModelConfig,
    match: BandSet | None,
    hold_all: bool = False,
) -> Gathered:
    """Read regions of all sources: an equal share each, split into training, validation and calibration blocks.

    ``hold_all``: everything calibrates (a calibration from other normal data). Raises ModelError where the bands of
    sources differ.
    """
    # One model has one kind of input: rows of a table have no surroundings, so with a table among them none is used.
    context = config.context.kind != "none" and not config.patch and not any(s.is_table for s in sources)
    buffer = config.context.outer // 2 if context else 0
    reading = _Gathering(options, config, buffer, hold_all, sources[0] if match is None else None, match)
    sampling = config.sampling.of_patches(config.patch)
    for number, source in enumerate(sources):
        quota = Quota.share(sampling, len(sources))
        (reading.add_table if source.is_table else reading.add_scene)(source, number, quota)
    if reading.bands is None:
        raise InputError("no source was given; expected a raster, a folder, a glob or a table")
    return Gathered(
        regions=tuple(reading.regions),
        bands=reading.bands,
        names=tuple(source.key for source in sources),
        context=context,
        notes=tuple(dict.fromkeys(reading.notes)),
        pixel_size=reading.pixel_size,
        invalid={kind.label: int(reading.counts[kind]) for kind in Invalid if kind != Invalid.VALID},
    )


@dataclass
class _Gathering:
    """What has been read so far, source by source, and the settings that hold for all of them."""

    options: IngestOptions
    config: ModelConfig
    buffer: int
    """Pixels around a window that the model's context needs; 0 without context."""
    hold_all: bool
    first: Source | None
    """The source whose bands the others must have; None where a model says which."""
    bands: BandSet | None
    regions: list[Region] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Invalid), np.int64))
    """Pixels that were read, by reason."""
    pixel_size: float | None = None

    def add_table(self, source: Source, number: int, quota: Quota) -> None:
        """Read the rows of a table."""
        table = read_table(source.path, self.options, self.bands)
        self.bands = self.bands or table.bands
        usable = table.normal & table.valid
        only = Role.CALIBRATION if self.hold_all else None
        if usable.any():
            sampling, seed = self.config.sampling, self.config.seed
            self.regions.append(region_of_rows(table.values, usable, sampling, seed, quota, number, only))
        self.notes += table.notes
        self.counts += np.bincount(table.reason, minlength=len(self.counts))

    def add_scene(self, source: Source, number: int, quota: Quota) -> None:
        """Read windows of a raster until the quota is full."""
        config = self.config
        with in_patches(_open_alike(source, self.options, self.bands, self.first), config.patch) as scene:
            self.bands = self.bands or scene.bands
            self.pixel_size = self.pixel_size or scene.pixel_size
            # Another seed for each source, so that scenes of one size do not all hold out the same corner.
            seed, shape = config.seed + number, (scene.rows, scene.cols)
            split = split_blocks(shape, self.buffer, config.sampling, seed, borders=not config.patch)
            reads = _reads(scene, split, quota, self.buffer, config, seed, self.hold_all)
            self.regions += _regions(split, number, reads, quota, self.hold_all, self.counts)
            self.notes += [f"{source.key}: {note}" for note in scene.notes]


def _open_alike(source: Source, options: IngestOptions, bands: BandSet | None, first: Source | None) -> PixelScene:
    """A scene with these bands. Raises InputError that names both where it has not those of the ``first`` of a fit."""
    try:
        return open_scene(source, options, match=bands)
    except ModelError as error:
        if first is None:
            raise
        difference = str(error).split(";")[0].replace("the model", first.key).replace("the scene", source.key)
        raise InputError(
            f"{source.path} cannot be fitted together with {first.path}: {difference}; "
            "leave masks and other bands out of what is fitted on, or choose with --bands"
        ) from None


def _reads(
    scene: Scene, split: Split, quota: Quota, buffer: int, config: ModelConfig, seed: int, hold_all: bool
) -> Iterator[Read]:
    """Cubes with halo and normal masks of the windows that are still wanted, in seeded order."""
    everything = Window(0, 0, scene.rows, scene.cols)
    # Lazily: `_regions` takes from the quota between two windows, so no more is read than is used.
    for window in regions_of(split, seed, config.patch or 1):
        if quota.full:
            return
        if not quota.wants(split.roles.ravel()[np.unique(split.block(window))]):
            continue
        # The evidence of a held-out pixel depends on the scores around it, and they on what is around them.
        holds = hold_all or Role.CALIBRATION in split.roles.ravel()[np.unique(split.block(window))]
        cube = scene.read(window.grow(buffer + HALO if holds else buffer).clip(everything))
        yield cube, scene.normal(window), window


def _regions(
    split: Split, source: int, reads: Iterator[Read], quota: Quota, hold_all: bool, counts: NDArray[np.int64]
) -> list[Region]:
    """What is used of what is read; its pixels are added to ``counts`` by their reason."""
    regions = []
    for cube, normal, window in reads:
        counts += np.bincount(cube.crop(window).reason.ravel(), minlength=len(counts))
        role = np.full(normal.shape, Role.CALIBRATION, np.uint8) if hold_all else split.role(window)
        usable = normal & cube.crop(window).valid
        role = quota.take(np.where(usable, role, np.uint8(Role.UNUSED)).astype(np.uint8))
        if not role.any():
            continue
        regions.append(Region(cube, window, role, split.block(window), source))
    return regions
