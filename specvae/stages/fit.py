"""The stage ``fit``: normal scenes or tables in, one model file out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from specvae.detector import Detector
from specvae.errors import InputError, OutputError
from specvae.files.fingerprint import Fingerprint, identify, same
from specvae.files.replacement import Replacement, replacement
from specvae.ingest.options import IngestOptions
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.model.config import ModelConfig
from specvae.model.device import pick_device
from specvae.model_file import load_model, save_model
from specvae.stages.fit_outcome import FitOutcome
from specvae.stages.gathering import Gathered, gather
from specvae.stages.requests import CalibrateRequest, FitRequest, call_of
from specvae.thresholds.contamination import Contamination, contamination_warning
from specvae.training.course import Check, Course, Phase, Stopped
from specvae.version import __version__

__all__ = ["calibration_notes", "compare", "files_of", "fit", "stored_fingerprint"]


def fit(source: Sequence[str], request: FitRequest, course: Course | None = None) -> FitOutcome:
    """Fit a model on normal data and write it.

    Where the model's file was made from the same inputs and settings, nothing is done; where that fit was interrupted, it
    goes on. ``course`` is told how far the fit is, and may end it early. Raises OutputError where the file was made
    otherwise, and neither ``overwrite`` nor ``renew`` is given; KeyboardInterrupt where the fit is to stop and has nothing
    yet.
    """
    course = course or Course()
    course.tell(Phase("looking at the sources"))
    config = request.configuration()
    sources, target = find_sources(source), Path(request.model)
    # Not the device and the threads: on another machine the model is the same model, and is not made anew.
    settings = {
        "config": config.model_dump(mode="json"),
        "ingest": request.ingest.to_json(),
        "source": sorted(source),
    }
    fingerprint, todo = compare(target, sources, "", settings, request)
    resumed = _stopped(target) if todo is Replacement.DONE else None
    if request.dry_run:
        return FitOutcome(target, skipped=todo is Replacement.DONE and resumed is None)
    if todo is Replacement.DONE and resumed is None:
        return FitOutcome.done_already(target)
    if todo is Replacement.REFUSE:
        raise OutputError(
            f"{target} stands already and was made from other inputs or settings; give --overwrite or --model"
        )
    gathered = gather(sources, request.ingest, config, None, tell=_telling_or_ending(course))
    detector = _detector(gathered, config, request, replace(course, resumed=resumed))
    return _save(detector, target, gathered, fingerprint, call_of("specvae.stages.fit.fit", tuple(source), request))


def _stopped(target: Path) -> Stopped | None:
    """Where the fit of the model in ``target`` was interrupted; None where it was not."""
    stored = load_model(target)
    about = stored.metadata["fit"]
    if not about.get("interrupted"):
        return None
    checks = tuple(Check(**row) for row in about["history"])
    # Models of version 0.1.0 and before do not say at which step they were interrupted.
    step = about.get("stopped_at", checks[-1].step if checks else 0)
    return Stopped(stored.detector.state, step, checks)


def _telling_or_ending(course: Course) -> Callable[[Phase], None]:
    """The progress of reading: as long as nothing is trained, an end leaves nothing to be written."""

    def tell(phase: Phase) -> None:
        if course.stopped():
            raise KeyboardInterrupt
        course.tell(phase)

    return tell


def _detector(gathered: Gathered, config: ModelConfig, request: FitRequest, course: Course) -> Detector:
    """Fit on what was read. Raises InputError that says why pixels were not valid, where too few are to train on."""
    course.tell(Phase("loading torch"))
    try:
        return Detector.fit(
            gathered.regions,
            gathered.bands,
            config,
            gathered.names,
            gathered.context,
            pick_device(request.device),
            max(1, request.threads),
            course,
            before=gathered.before,
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
        "decisions": list(gathered.decisions),
        "pixel_size": gathered.pixel_size,
        "invalid_by_reason": gathered.invalid,
    }
    # The bootstrap of the cuts takes seconds: once here, and not whenever the model is loaded.
    detector.calibration.prepare()
    if detector.evidence is not None:
        detector.evidence.prepare()
    digest = save_model(detector, target, provenance)
    warnings = (*gathered.notes, *detector.provenance["diagnostics"]["warnings"], *calibration_notes(detector))
    return FitOutcome.of(detector, target, digest, gathered.invalid, warnings)


def calibration_notes(detector: Detector) -> tuple[str, ...]:
    """What a user must know of the cuts: that they are made without the edges of masks, or of data that hold anomalies."""
    buffer = detector.provenance.get("mask_buffer")
    notes = (str(buffer["said"]),) if buffer else ()
    if not detector.calibration.contaminated:
        return notes
    return (*notes, contamination_warning(Contamination(**detector.provenance["contamination"])))


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
