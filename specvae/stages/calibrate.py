"""The stage ``calibrate``: a model and other normal data in, the same model with new thresholds out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from specvae.detector import Detector
from specvae.errors import InputError, OutputError
from specvae.files.fingerprint import Fingerprint
from specvae.files.replacement import Replacement
from specvae.ingest.options import IngestOptions
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.model_file import load_model, save_model
from specvae.stages.fit import calibration_notes, compare
from specvae.stages.fit_outcome import FitOutcome
from specvae.stages.gathering import Gathered, gather
from specvae.stages.requests import CalibrateRequest, call_of

__all__ = ["calibrate"]


def calibrate(source: Sequence[str], request: CalibrateRequest) -> FitOutcome:
    """Score other normal data and take thresholds from it; the network stays as it is.

    Where the new model's file was made from the same inputs, nothing is done. Raises OutputError where it was made
    otherwise, and neither ``overwrite`` nor ``renew`` is given.
    """
    loaded = load_model(request.model, threads=2)
    sources, target = find_sources(source), Path(request.target)
    settings = {"ingest": request.ingest.to_json(), "source": sorted(source)}
    fingerprint, todo = compare(target, sources, loaded.sha256, settings, request)
    # Before any pixel is read: a plan of a batch asks this of every stage.
    if request.dry_run:
        return FitOutcome(target, skipped=todo is Replacement.DONE)
    if todo is Replacement.DONE:
        return FitOutcome.done_already(target)
    if todo is Replacement.REFUSE:
        raise OutputError(
            f"{target} stands already and was made from other inputs or settings; give --overwrite or --out"
        )
    fresh, gathered = _calibrated(loaded.detector, sources, request.ingest)
    # The fit's provenance goes on: the network is still that of its inputs, settings and command.
    provenance: dict[str, Any] = {
        **loaded.metadata["provenance"],
        "fingerprint": fingerprint.to_json(),
        "calibrated_from": loaded.sha256,
        "calibrate_decisions": list(gathered.decisions),
        "calibrate_command": call_of("specvae.stages.calibrate.calibrate", tuple(source), request),
    }
    digest = save_model(fresh, target, provenance)
    again = _trained_on(fingerprint, loaded.metadata["provenance"].get("fingerprint"))
    warnings = (*gathered.notes, *again, *calibration_notes(fresh))
    return FitOutcome.of(fresh, target, digest, gathered.invalid, warnings)


def _calibrated(detector: Detector, sources: Sequence[Source], ingest: IngestOptions) -> tuple[Detector, Gathered]:
    """The detector with the thresholds of the sources, and what was read of them."""
    if detector.has_context and any(s.is_table for s in sources):
        raise InputError(
            "the model looks at what surrounds a pixel; a table has no surroundings: calibrate it on rasters"
        )
    # The model's bands, matched by name or wavelength, and nothing of it trains: all pixels are held out.
    gathered = gather(sources, ingest, detector.config, detector.bands, hold_all=True, before=detector.before)
    fresh = detector.calibrate(gathered.regions, gathered.names)
    if not fresh.calibration.size:
        raise InputError("no valid normal pixel was found to calibrate on; check masks with `specvae inspect`")
    fresh.provenance["pixels"] = {**fresh.provenance["pixels"], "calibration": fresh.calibration.size}
    fresh.calibration.prepare()  # stored with the model, so that loading computes no bootstrap
    return fresh, gathered


def _trained_on(fingerprint: Fingerprint, fit: dict[str, Any] | None) -> list[str]:
    """A warning where files are among those that the model was fitted on."""
    # By their bytes and not their paths: a copy under another name is the same data.
    before = {file["sha256"] for file in (fit or {}).get("inputs", []) if file["sha256"]}
    again = [Path(file.path).name for file in fingerprint.inputs if file.sha256 in before]
    if not again:
        return []
    shown = ", ".join(again[:3]) + (", ..." if len(again) > 3 else "")
    return [
        f"the model was fitted on {shown} too: what it has seen scores lower, so these cuts are too low; take other data"
    ]
