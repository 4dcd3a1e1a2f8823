"""``metrics.prom``: a batch in Prometheus' text format, for the node exporter's textfile collector."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["exposition"]


def exposition(told: dict[str, Any]) -> str:
    """The metrics of ``run.json``; each has its help and type, every sample the batch's name as a label."""
    counts = told["counts"]
    scored = [s for stage in told["stages"] for s in stage["scenes"] if s.get("valid") is not None]
    batch = {"batch": told["name"]}
    verdicts = {v: sum(s.get("verdict") == v for s in scored) for v in ("ok", "caution", "do-not-use")}
    lines: list[str] = []

    def gauge(name: str, text: str, *samples: tuple[dict[str, str], float]) -> None:
        lines.extend([f"# HELP specvae_{name} {text}", f"# TYPE specvae_{name} gauge"])
        lines.extend(f"specvae_{name}{{{_labels(batch | labels)}}} {value:.10g}" for labels, value in samples)

    states = [({"status": state}, float(n)) for state, n in counts.items() if state != "total"]
    gauge("batch_scenes", "Scenes of the last run by what became of them.", *states)
    gauge("batch_verdicts", "Scored scenes by whether their map is to be trusted.",
          *(({"verdict": verdict}, float(n)) for verdict, n in verdicts.items()))  # fmt: skip
    gauge("batch_anomalous_pixels", "Anomalous pixels of all scored scenes.", ({}, sum(s["anomalous"] for s in scored)))
    gauge("batch_valid_pixels", "Valid pixels of all scored scenes.", ({}, sum(s["valid"] for s in scored)))
    gauge("batch_alerts", "Scenes that a person should look at.", ({}, len(told["alerts"])))
    gauge("batch_seconds", "Duration of the last run.", ({}, told["seconds"]))
    gauge("batch_exit_status", "Exit status of the last run.", ({}, told["exit_status"]))
    gauge("batch_finished_timestamp_seconds", "When the last run ended, Unix time.", ({}, round(time.time())))
    gauge("stage_seconds", "Duration of each stage.",
          *(({"stage": str(s["number"]), "run": s["run"]}, s["seconds"]) for s in told["stages"]))  # fmt: skip
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
