"""What a score is asked to do, and whether it was done before: light to import, for those who only plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specvae.export.contents import ITEM, REPORT
from specvae.files.fingerprint import Fingerprint, identify
from specvae.files.json_files import read_json
from specvae.ingest.options import IngestOptions
from specvae.ingest.source import Source

if TYPE_CHECKING:
    from specvae.model_file import StoredModel
    from specvae.thresholds.threshold import Threshold

__all__ = ["DEFAULT_RATE", "ScoreRequest", "fingerprint_of", "stored_item", "stored_report"]

DEFAULT_RATE = 1e-3


@dataclass(frozen=True)
class ScoreRequest:
    """What a score was asked to do, alike for every scene."""

    model: str = "model.specvae"
    out: str = "reports"
    false_alarm_rate: float | None = None
    threshold: float | None = None
    parts: bool = False
    pool: bool = False
    fdr: float | None = None
    explain: int = 10
    known: str | None = None
    objects: tuple[str, ...] = ("gpkg",)
    strict: bool = False
    ingest: IngestOptions = field(default_factory=IngestOptions)
    device: str = "auto"
    max_memory: str | None = None
    overwrite: bool = False
    renew: bool = False
    """Replace a result that was made otherwise; the same one is still nothing to do."""
    threads: int = 2

    def settings(self) -> dict[str, Any]:
        """What the outputs' content depends on, JSON-ready."""
        names = ("false_alarm_rate", "threshold", "parts", "pool", "fdr", "explain", "known", "objects")
        return {name: getattr(self, name) for name in names} | {"ingest": self.ingest.to_json()}

    def cut(self, model: StoredModel) -> Threshold:
        """The threshold that applies."""
        calibration = model.detector.calibration
        if self.threshold is None:
            explicit = self.false_alarm_rate is not None
            return calibration.threshold(self.false_alarm_rate or DEFAULT_RATE, explicit)
        return calibration.given(self.threshold)


def fingerprint_of(source: Source, model: str, request: ScoreRequest, stored: dict[str, Any] | None) -> Fingerprint:
    """What the result of one scene depends on; ``model`` is the model file's SHA-256."""
    files: list[str | Path] = [*source.files, *request.ingest.companions(source.stem)]
    files += [Path(request.known.replace("{stem}", source.stem))] if request.known else []
    before = stored["item"]["properties"].get("specvae:fingerprint") if stored else None
    return Fingerprint(identify(files, before), model, request.settings())


def stored_item(folder: Path) -> dict[str, Any] | None:
    """The ``item.json`` of a finished folder, or None where it is not whole."""
    item = read_json(folder / ITEM.name)
    return item if isinstance(item.get("properties"), dict) else None


def stored_report(folder: Path) -> dict[str, Any] | None:
    """``item`` and ``report`` of a finished folder, or None where it is not whole."""
    item, report = stored_item(folder), read_json(folder / REPORT.name)
    return {"item": item, "report": report} if item and report else None
