"""What became of a batch: a record for every stage and scene, their counts, alerts, exit status and ``run.json``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from specvae.export.contents import REPORT
from specvae.export.watch.contents import ALERTS
from specvae.files.json_files import read_json
from specvae.files.places import output_place
from specvae.pipeline.summary.facts import SceneFacts, WatchFacts
from specvae.pipeline.summary.run_json import SCHEMA_VERSION, AlertJson, RunJson, SceneJson, StageJson
from specvae.stages.outcome import is_untrusted
from specvae.version import __version__

__all__ = ["Batch", "SceneRecord", "StageRecord"]

MOST_DETAILED = 100
"""Alerts whose strongest objects are listed; each costs the reading of a report."""
MOST_LEADING = 5
"""Alerts of a watched place that are listed."""
CAUTIONS = {"caution": "its map calls for caution", "do-not-use": "its map is not to be used"}
"""Verdict -> the reason that an alert gives for it."""
STATES = ("done", "already", "invalid", "failed")
"""Every status that a scene can end with, in the order that ``counts`` lists them."""


@dataclass(frozen=True)
class SceneRecord:
    """One scene of a stage: where it is, what became of it, and the facts of its result."""

    key: str
    """Name of the scene's folder below the stage's ``out``."""
    scene: str
    folder: str
    status: str
    """``done`` by this run, ``already`` done before, ``invalid`` (recorded, and tried again when it changes) or
    ``failed``; in a dry run also ``todo``."""
    message: str = ""
    seconds: float = 0.0
    attempts: int = 0
    """How often a worker tried it in this run; 0 where there was nothing to do."""
    facts: SceneFacts = field(default_factory=SceneFacts)

    def to_json(self) -> SceneJson:
        """The scene's entry in ``run.json``."""
        return {
            "key": self.key,
            "scene": self.scene,
            "folder": self.folder,
            "status": self.status,
            "message": self.message,
            "seconds": round(self.seconds, 3),
            "attempts": self.attempts,
            **self.facts,
        }


@dataclass
class StageRecord:
    """One stage of the batch: what it was to make, how it ended, and its scenes where it scores."""

    number: int
    run: str
    """``fit``, ``calibrate``, ``score`` or ``benchmark``."""
    target: str
    """The file or folder that the stage makes."""
    status: str = "todo"
    """``done``, ``already``, ``failed``, or ``skipped`` where the model that it needs was not made."""
    message: str = ""
    seconds: float = 0.0
    strict: bool = False
    scenes: list[SceneRecord] = field(default_factory=list)
    watched: WatchFacts | None = None
    """Of a stage that watches."""

    def to_json(self) -> StageJson:
        """The stage's entry in ``run.json``."""
        stage: StageJson = {
            "number": self.number,
            "run": self.run,
            "target": self.target,
            "status": self.status,
            "message": self.message,
            "seconds": round(self.seconds, 3),
            "scenes": [scene.to_json() for scene in self.scenes],
        }
        return stage if self.watched is None else {**stage, "watched": self.watched}


@dataclass
class Batch:
    """All that a run did or, in a dry run, would do."""

    name: str
    pipeline: str
    """Path of the TOML file."""
    out: str
    """Folder of the run's own files."""
    started: datetime
    dry_run: bool = False
    stages: list[StageRecord] = field(default_factory=list)
    seconds: float = 0.0
    complaint: str = ""
    """Why the run's own files could not be written; empty where they were."""

    @property
    def scenes(self) -> list[SceneRecord]:
        """The scenes of all stages, in the order of the stages."""
        return [scene for stage in self.stages for scene in stage.scenes]

    @property
    def counts(self) -> dict[str, int]:
        """Number of scenes by status, after their ``total``."""
        by_status = Counter(scene.status for scene in self.scenes)
        states = STATES if not self.dry_run else ("todo", *STATES)
        # Every status, zeros too, so that a reader of run.json need not ask whether a key is there.
        return {"total": sum(by_status.values())} | {state: by_status[state] for state in states}

    @property
    def exit_status(self) -> int:
        """0: all done; 3: some scenes or stages failed; 4: a stage failed and nothing was done; 5: all done, but a stage
        with ``strict`` has a scene whose map is not to be trusted."""
        lost = any(stage.status in ("failed", "skipped") for stage in self.stages)
        if lost and not any(stage.status in ("done", "already") for stage in self.stages):
            return 4
        if self.dry_run:
            return 3 if lost else 0
        if lost or self.complaint or any(scene.status in ("invalid", "failed") for scene in self.scenes):
            return 3
        if any(stage.strict and stage.watched and stage.watched["untrusted"] for stage in self.stages):
            return 5
        strict = [scene for stage in self.stages if stage.strict for scene in stage.scenes]
        return 5 if any(is_untrusted(s.facts.get("verdict"), s.facts.get("supported")) for s in strict) else 0

    def alerts(self) -> list[AlertJson]:
        """Scenes that a person should look at: those without a result first, then those with most (new) objects."""
        alerts = [alert for scene in self._looked_at() if (alert := _alert(scene))]
        alerts += [alert for stage in self.stages for alert in _watched(stage)]
        # The sort is stable: scenes of equal weight stay in the order of the stages.
        alerts.sort(key=lambda alert: (alert["status"] not in ("invalid", "failed"), -(alert["objects"] or 0)))
        for alert in alerts[:MOST_DETAILED]:
            if alert["status"] in ("done", "already") and "leading" not in alert:
                section = read_json(output_place(alert["folder"]) / REPORT.name).get("objects", {})
                alert["leading"] = section.get("leading", [])
        return alerts

    def _looked_at(self) -> list[SceneRecord]:
        """The scenes that may call for a person: of a watched place those alone that have no result or one not to be trusted."""
        places = [output_place(stage.target).parent for stage in self.stages if stage.watched]
        return [
            scene
            for scene in self.scenes
            if scene.status in ("invalid", "failed")
            or scene.facts.get("verdict") in CAUTIONS
            or not any(output_place(scene.folder).is_relative_to(place) for place in places)
        ]

    def to_json(self) -> RunJson:
        """The content of ``run.json``."""
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


def _watched(stage: StageRecord) -> list[AlertJson]:
    """The alerts over nights of a watched place that are more than one look, as one entry with the strongest first."""
    tree = read_json(output_place(stage.target) / ALERTS.name) if stage.watched else {}
    chosen = [alert for alert in tree.get("alerts", []) if alert["status"] in ("provisional", "confirmed")]
    if not chosen or stage.watched is None:
        return []
    chosen.sort(
        key=lambda alert: (alert["status"] != "confirmed", alert["id"] not in tree["confirmed"], -alert["evidence"])
    )
    sure = sum(alert["status"] == "confirmed" for alert in chosen)
    why = f"{sure} confirmed alerts, {len(chosen) - sure} provisional"
    why += f", {len(tree['confirmed'])} confirmed on {tree['dates']['newest'][:10]}"
    return [
        {
            "key": stage.watched["place"],
            "scene": stage.target,
            "folder": stage.target,
            "status": stage.status,
            "objects": len(chosen),
            "why": why,
            "date": tree["dates"]["newest"][:10],
            "leading": chosen[:MOST_LEADING],
        }
    ]


def _alert(scene: SceneRecord) -> AlertJson | None:
    """The alert that a scene calls for, or None: it failed, holds (new) objects, or its verdict calls for care."""
    alert: AlertJson = {
        "key": scene.key,
        "scene": scene.scene,
        "folder": scene.folder,
        "status": scene.status,
        "objects": None,
        "why": scene.message,
    }
    if scene.status in ("invalid", "failed"):
        return alert
    facts = scene.facts
    # Where a list of known objects was given, only new ones count, and none of them is 0; None says that no list was.
    new = facts.get("new_objects")
    count = facts.get("objects") if new is None else new
    reasons = [f"{count} {'new ' if new is not None else ''}objects"] if count else []
    caution = CAUTIONS.get(facts.get("verdict") or "")
    reasons += [caution] if caution else []
    return {**alert, "why": ", ".join(reasons), "objects": count, "date": facts.get("date")} if reasons else None
