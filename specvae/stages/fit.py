"""The stage ``fit``: normal scenes or tables in, one model file out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

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
from specvae.model.context import RingContext
from specvae.model.device import pick_device
from specvae.model_file import load_model, save_model
from specvae.scoring.pooling import HALO
from specvae.spectra import Invalid, Window
from specvae.stages.requests import CalibrateRequest, FitRequest, call_of
from specvae.training.descent import Check
from specvae.training.sampling import Quota, Region, Role, Split, region_of_rows, regions_of, split_blocks
from specvae.version import __version__

__all__ = ["FitOutcome", "Gathered", "compare", "files_of", "fit", "gather", "stored_fingerprint"]


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
    def reach(self) -> str:
        """A phrase that says what false-alarm rates the calibration tiles support."""
        if not self.smallest_rate:
            return "too few for any false-alarm rate"
        return f"enough for false-alarm rates down to {self.smallest_rate:.2g}"

    @classmethod
    def standing(cls, target: Path) -> FitOutcome:
        """The outcome of finding that the model was made already from the same inputs and settings."""
        there = load_model(target)
        return cls.of(there.detector, target, there.sha256, (), skipped=True)

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
    """What was guessed in reading, a line each, each once."""
    pixel_size: float | None
    """Side of a pixel in metres; None where no source has one."""
    invalid: dict[str, int]
    """Pixels read and not usable, by reason."""


def fit(source: Sequence[str], request: FitRequest, progress: Callable[[Check], None] | None = None) -> FitOutcome:
    """Fit a model on normal data and write it.

    Where the model's file was made from the same inputs and settings, nothing is done. Raises OutputError where it was
    made otherwise, and neither ``overwrite`` nor ``renew`` is given. ``progress`` is called now and then in training.
    """
    config = request.configuration()
    sources, target = find_sources(source), Path(request.model)
    settings = {
        "config": config.model_dump(mode="json"), "ingest": request.ingest.to_json(), "source": sorted(source),
    }  # fmt: skip
    mark, todo = compare(target, sources, "", settings, request)
    if request.dry_run:
        return FitOutcome(target, "", todo is Replacement.DONE, {}, ())
    if todo is Replacement.DONE:
        return FitOutcome.standing(target)
    if todo is Replacement.REFUSE:
        raise OutputError(
            f"{target} stands already and was made from other inputs or settings; give --overwrite or --model"
        )
    gathered = gather(sources, request.ingest, config, None)
    try:
        detector = Detector.fit(
            gathered.regions, gathered.bands, config, gathered.names, gathered.context, pick_device(request.device),
            max(1, request.threads), progress,
        )  # fmt: skip
    except InputError as error:
        why = ", ".join(f"{n:,} {reason}" for reason, n in gathered.invalid.items() if n)
        raise InputError(f"{error} (not valid: {why})" if why else str(error)) from None
    return _save(detector, target, gathered, mark, call_of("specvae.stages.fit.fit", tuple(source), request))


def _save(detector: Detector, target: Path, gathered: Gathered, mark: Fingerprint, command: list[str]) -> FitOutcome:
    provenance = {
        "fingerprint": mark.to_json(),
        "command": command,
        "versions": {"specvae": __version__, **{name: version(name) for name in ("torch", "numpy", "rasterio")}},
        "notes": list(gathered.notes),
        "pixel_size": gathered.pixel_size,
        "invalid_by_reason": gathered.invalid,
    }
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
    mark = Fingerprint(identify(files_of(sources, request.ingest), stored), model, settings)
    todo = replacement(target.exists(), lambda: same(mark, stored), overwrite=request.overwrite, renew=request.renew)
    return mark, todo


def stored_fingerprint(target: Path, overwrite: bool) -> dict[str, Any] | None:
    """The fingerprint in the model file ``target``; None where there is none, or where it is overwritten anyway."""
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
    context = config.context.kind != "none" and not config.patch and not any(s.is_table for s in sources)
    sampling = config.sampling.of_patches(config.patch)
    buffer = RingContext(1, config.context).halo if context else 0
    regions: list[Region] = []
    notes: list[str] = []
    counts = np.zeros(len(Invalid), np.int64)
    bands, pixel_size = match, None
    for number, source in enumerate(sources):
        quota = Quota.share(sampling, len(sources))
        if source.is_table:
            table = read_table(source.path, options, bands)
            bands = bands or table.bands
            usable = table.normal & table.valid
            only = Role.CALIBRATION if hold_all else None
            if usable.any():
                regions.append(region_of_rows(table.values, usable, config.sampling, config.seed, quota, number, only))
            notes += table.notes
            counts += np.bincount(table.reason, minlength=len(counts))
            continue
        first = sources[0] if match is None else None
        with in_patches(_open_alike(source, options, bands, first), config.patch) as scene:
            bands = bands or scene.bands
            pixel_size = pixel_size or scene.pixel_size
            whole = not config.patch
            split = split_blocks((scene.rows, scene.cols), buffer, config.sampling, config.seed + number, whole)
            reads = _reads(scene, split, quota, buffer, config, config.seed + number, hold_all)
            regions += _regions(split, number, reads, quota, hold_all, counts)
            notes += [f"{source.key}: {note}" for note in scene.notes]
    if bands is None:
        raise InputError("no source was given; expected a raster, a folder, a glob or a table")
    invalid = {kind.label: int(counts[kind]) for kind in Invalid if kind != Invalid.VALID}
    names = tuple(source.key for source in sources)
    return Gathered(tuple(regions), bands, names, context, tuple(dict.fromkeys(notes)), pixel_size, invalid)


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
) -> Any:
    """Cubes with halo and normal masks of the windows that are still wanted, in seeded order."""
    whole = Window(0, 0, scene.rows, scene.cols)
    for window in regions_of(split, seed, config.patch or 1):
        if quota.full:
            return
        if not quota.wants(split.roles.ravel()[np.unique(split.block(window))]):
            continue
        # The evidence of a held-out pixel depends on the scores around it, and they on what is around them.
        holds = hold_all or Role.CALIBRATION in split.roles.ravel()[np.unique(split.block(window))]
        cube = scene.read(window.grow(buffer + HALO if holds else buffer).clip(whole))
        yield cube, scene.normal(window), window


def _regions(
    split: Split, source: int, reads: Any, quota: Quota, hold_all: bool, counts: NDArray[np.int64]
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
        # Only what the context needs is kept around the window.
        regions.append(Region(cube, window, role, split.block(window), source))
    return regions
