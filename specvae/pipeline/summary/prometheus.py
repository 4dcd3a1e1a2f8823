"""``metrics.prom``: a batch in Prometheus' text format, for the node exporter's textfile collector."""

from __future__ import annotations

import time

from specvae.pipeline.summary.run_json import RunJson, SceneJson

__all__ = ["exposition"]

Sample = tuple[dict[str, str], float]
"""Labels of a sample beside the batch's name, and its value."""


def exposition(run: RunJson) -> str:
    """The metrics of a run: each has its help and type, and every sample has the batch's name as a label."""
    batch = {"batch": run["name"]}
    lines: list[str] = []
    for name, text, samples in _gauges(run):
        lines.extend([f"# HELP specvae_{name} {text}", f"# TYPE specvae_{name} gauge"])
        # Ten digits: a time in Unix seconds has as many before its point.
        lines.extend(f"specvae_{name}{{{_labels(batch | labels)}}} {value:.10g}" for labels, value in samples)
    return "\n".join(lines) + "\n"


def _gauges(run: RunJson) -> list[tuple[str, str, list[Sample]]]:
    """Name, help and samples of each metric."""
    scored = [s for stage in run["stages"] for s in stage["scenes"] if s.get("valid") is not None]
    states: list[Sample] = [({"status": state}, float(n)) for state, n in run["counts"].items() if state != "total"]
    stages: list[Sample] = [({"stage": str(s["number"]), "run": s["run"]}, s["seconds"]) for s in run["stages"]]
    return [
        ("batch_scenes", "Scenes of the last run by what became of them.", states),
        ("batch_verdicts", "Scored scenes by whether their map is to be trusted.", _verdicts(scored)),
        (
            "batch_anomalous_pixels",
            "Anomalous pixels of all scored scenes.",
            _one(sum(s["anomalous"] or 0 for s in scored)),
        ),
        ("batch_valid_pixels", "Valid pixels of all scored scenes.", _one(sum(s["valid"] or 0 for s in scored))),
        ("batch_alerts", "Scenes that a person should look at.", _one(len(run["alerts"]))),
        ("watch_alerts", "Alerts over nights: open, and new, confirmed and closed on the newest date.", _watched(run)),
        ("batch_seconds", "Duration of the last run.", _one(run["seconds"])),
        ("batch_exit_status", "Exit status of the last run.", _one(run["exit_status"])),
        ("batch_finished_timestamp_seconds", "When the last run ended, Unix time.", _one(round(time.time()))),
        ("stage_seconds", "Duration of each stage.", stages),
    ]


def _watched(run: RunJson) -> list[Sample]:
    """A sample for each count of each watched place."""
    places = [stage["watched"] for stage in run["stages"] if "watched" in stage]
    return [({"place": w["place"], "status": word}, float(n)) for w in places for word, n in w["alerts"].items()]


def _verdicts(scored: list[SceneJson]) -> list[Sample]:
    """A sample a verdict, those that no scene has too: a series that disappears raises false alarms in monitoring."""
    return [
        ({"verdict": verdict}, float(sum(scene.get("verdict") == verdict for scene in scored)))
        for verdict in ("ok", "caution", "do-not-use")
    ]


def _one(value: float) -> list[Sample]:
    return [({}, value)]


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
