"""What a batch came to: a record for every stage and scene, counts, alerts, the exit status, and run.json."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from specvae.files.json_files import read_json
from specvae.stages.outcome import is_untrusted
from specvae.version import __version__

__all__ = ["SCHEMA_VERSION", "Batch", "SceneRecord", "StageRecord"]

SCHEMA_VERSION = 1
MOST_DETAILED = 100
"""Alerts whose objects are listed."""
CAUTIONS = {"caution": "its map calls for caution", "do-not-use": "its map is not to be used"}
STATES = ("done", "already", "invalid", "failed")


@dataclass(frozen=True)
class SceneRecord:
    """One scene of the batch."""

    key: str
    scene: str
    folder: str
    status: str
    """``done`` now, ``already`` before, ``invalid`` (recorded, tried again when it changes), ``failed``; in a dry
    run also ``todo``."""
    message: str = ""
    seconds: float = 0.0
    attempts: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        told = {"key": self.key, "scene": self.scene, "folder": self.folder, "status": self.status}
        return (
            told | {"message": self.message, "seconds": round(self.seconds, 3), "attempts": self.attempts} | self.facts
        )


@dataclass
class StageRecord:
    """One stage of the batch."""

    number: int
    run: str
    target: str
    status: str = "todo"
    """``done``, ``already``, ``failed``, or ``skipped`` where what it needs failed."""
    message: str = ""
    seconds: float = 0.0
    strict: bool = False
    scenes: list[SceneRecord] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        names = ("number", "run", "target", "status", "message")
        told: dict[str, Any] = {name: getattr(self, name) for name in names}
        return told | {"seconds": round(self.seconds, 3), "scenes": [scene.to_json() for scene in self.scenes]}


@dataclass
class Batch:
    """The whole."""

    name: str
    pipeline: str
    out: str
    started: datetime
    dry_run: bool = False
    stages: list[StageRecord] = field(default_factory=list)
    seconds: float = 0.0
    complaint: str = ""
    """Why the run's own files could not be written."""

    @property
    def scenes(self) -> list[SceneRecord]:
        """Of all stages."""
        return [scene for stage in self.stages for scene in stage.scenes]

    @property
    def counts(self) -> dict[str, int]:
        """Scenes by status, and ``total``."""
        found = Counter(scene.status for scene in self.scenes)
        named = STATES if not self.dry_run else ("todo", *STATES)
        return {"total": sum(found.values())} | {state: found[state] for state in named}

    @property
    def exit_status(self) -> int:
        """0 done; 3 some scenes or stages failed; 4 a stage failed and nothing was done; 5 strict, and not to be trusted."""
        lost = any(stage.status in ("failed", "skipped") for stage in self.stages)
        if lost and not any(stage.status in ("done", "already") for stage in self.stages):
            return 4
        if self.dry_run:
            return 3 if lost else 0
        if lost or self.complaint or any(scene.status in ("invalid", "failed") for scene in self.scenes):
            return 3
        strict = [scene for stage in self.stages if stage.strict for scene in stage.scenes]
        return 5 if any(is_untrusted(s.facts.get("verdict"), s.facts.get("supported")) for s in strict) else 0

    def alerts(self) -> list[dict[str, Any]]:
        """Scenes that a person should look at, those without a result first, then by new objects; the latter listed."""
        found = [alert for scene in self.scenes if (alert := _alert(scene))]
        found.sort(key=lambda alert: (alert["status"] not in ("invalid", "failed"), -(alert["objects"] or 0)))
        for alert in found[:MOST_DETAILED]:
            if alert["status"] in ("done", "already"):
                section = read_json(Path(alert["folder"]) / "report.json").get("objects", {})
                alert["leading"] = section.get("leading", [])
        return found

    def to_json(self) -> dict[str, Any]:
        """``run.json``."""
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "pipeline": self.pipeline,
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
            "version": __version__,
            "dry_run": self.dry_run,
            "exit_status": self.exit_status,
            "counts": self.counts,
            "alerts": [] if self.dry_run else self.alerts(),
            "stages": [stage.to_json() for stage in self.stages],
        }


def _alert(scene: SceneRecord) -> dict[str, Any] | None:
    told = {"key": scene.key, "scene": scene.scene, "folder": scene.folder, "status": scene.status, "objects": None}
    if scene.status in ("invalid", "failed"):
        return told | {"why": scene.message}
    facts = scene.facts
    new = facts.get("new_objects")
    count = facts.get("objects") if new is None else new
    why = [f"{count} {'new ' if new is not None else ''}objects"] if count else []
    why += [CAUTIONS[facts["verdict"]]] if facts.get("verdict") in CAUTIONS else []
    return told | {"why": ", ".join(why), "objects": count, "date": facts.get("date")} if why else None
