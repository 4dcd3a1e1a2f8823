"""What a fit or a calibration came to, and what ``--json`` says of it; ``fit.schema.json`` is its schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from specvae.detector import Detector
from specvae.export.report.trust import INTERRUPTED, rate_reasons
from specvae.model_file import load_model
from specvae.thresholds.threshold import Threshold

__all__ = ["FitJson", "FitOutcome"]

HELD = "the default false-alarm rate held on data that were held out"
NOTHING_HELD_OUT = "the model holds no held-out scores, so that no false-alarm rate stands behind a cut"


class FitJson(TypedDict):
    """One fitted or calibrated model."""

    model: str
    """Path of the model file."""
    sha256: str
    status: str
    """``written``, ``already`` (made before from the same inputs and settings) or ``interrupted`` (written as far as it is)."""
    counts: dict[str, int]
    """Pixels, rows or patches by what they were for: ``train``, ``validation``, ``calibration``."""
    invalid_by_reason: dict[str, int]
    """Of what was read, how much was not usable, by why."""
    cut: float | None
    """Nats at the default false-alarm rate; None where no held-out score carries one."""
    cut_method: str | None
    asked_rate: float | None
    rate: float | None
    """The false-alarm rate that the cut stands for: the default one, or the nearest that is supported."""
    rate_interval: list[float] | None
    """90 % interval of that rate."""
    smallest_rate: float | None
    """The smallest false-alarm rate that the held-out scores support."""
    verdict: str
    """``ok``, or ``caution`` where something speaks against the rate or the fit was interrupted."""
    reasons: list[str]
    warnings: list[str]
    files: dict[str, str]
    folds: dict[str, Any]
    contamination: dict[str, Any]
    diagnostics: dict[str, Any]
    history: list[dict[str, Any]]
    """The checks of the training."""


@dataclass(frozen=True)
class FitOutcome:
    """What a fit or a calibration came to."""

    model: Path
    """The model file."""
    sha256: str = ""
    """SHA-256 of the model file; empty in a dry run."""
    skipped: bool = False
    """Whether the model was there already, made from the same inputs and settings."""
    summary: dict[str, Any] = field(default_factory=dict)
    """Counts of pixels, history and diagnostics of the fit; empty in a dry run."""
    invalid: Mapping[str, int] = field(default_factory=dict)
    """How many of the pixels read were not usable, by reason."""
    warnings: tuple[str, ...] = ()
    """What a user must know of the inputs and of the fit, a line each."""
    smallest_rate: float | None = None
    """The smallest false-alarm rate that the calibration tiles support; None where they support none, or in a dry run."""
    cut: Threshold | None = None
    """The cut at the default false-alarm rate; None without calibration tiles, or in a dry run."""
    doubts: tuple[str, ...] = ()
    """What speaks against the false-alarm rate or the fit."""

    @property
    def interrupted(self) -> bool:
        """Whether the fit was interrupted, so that the model is not what its settings ask for."""
        return bool(self.summary.get("interrupted"))

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
        invalid = stored.metadata["provenance"].get("invalid_by_reason", {})
        return cls.of(stored.detector, target, stored.sha256, invalid, (), skipped=True)

    @classmethod
    def of(
        cls,
        detector: Detector,
        target: Path,
        digest: str,
        invalid: Mapping[str, int],
        warnings: tuple[str, ...],
        skipped: bool = False,
    ) -> FitOutcome:
        """The outcome of a detector that is stored in the file ``target``."""
        rate = detector.calibration.summary()["smallest_rate"]
        cut = detector.calibration.threshold() if detector.calibration.size else None
        doubts = [INTERRUPTED] if detector.interrupted else []
        if cut is None:
            doubts.append(NOTHING_HELD_OUT)
        else:
            doubts += rate_reasons(cut.summary(), detector.calibration.summary(), "spectra")[1]
        return cls(
            target, digest, skipped, detector.provenance, invalid, warnings, rate, cut, tuple(dict.fromkeys(doubts))
        )

    def to_json(self) -> FitJson:
        """The outcome as JSON values."""
        cut, about = self.cut, self.summary
        return {
            "model": str(self.model),
            "sha256": self.sha256,
            "status": "interrupted" if self.interrupted else "already" if self.skipped else "written",
            "counts": dict(about["pixels"]),
            "invalid_by_reason": dict(self.invalid),
            "cut": None if cut is None else cut.value,
            "cut_method": None if cut is None else cut.method,
            "asked_rate": None if cut is None else cut.asked_rate,
            "rate": None if cut is None else cut.false_alarm_rate,
            "rate_interval": list(cut.interval) if cut is not None and cut.interval else None,
            "smallest_rate": self.smallest_rate,
            "verdict": "caution" if self.doubts else "ok",
            "reasons": list(self.doubts) or [HELD],
            "warnings": list(self.warnings),
            "files": {"model": str(self.model)},
            "folds": about.get("folds", {"count": 1}),
            "contamination": about.get("contamination", {}),
            "diagnostics": about.get("diagnostics", {}),
            "history": about.get("history", []),
        }
