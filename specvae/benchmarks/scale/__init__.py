"""``specvae benchmark scale``: thousands of small scenes, some of them broken, and how speed grows with processes."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from specvae.benchmarks.report import environment, write_metrics
from specvae.benchmarks.scale.many import Many, run_many
from specvae.benchmarks.scale.page import page_of, rows_of
from specvae.benchmarks.scale.speed import Rate, measure
from specvae.benchmarks.settings import Settings
from specvae.errors import UsageError

__all__ = ["run", "write_report"]

SCENES, QUICK_SCENES = 2000, 24
TIMED, QUICK_TIMED = 32, 4
TRIALS = "trials.json"
PARTS = ("speed", "many")


def run(settings: Settings) -> Path:
    """Run both parts, or those named as presets (the other's figures stay), and write the report; its folder.

    ``sizes`` gives the number of scenes of the part ``many``.
    """
    out = settings.place("scale")
    parts = settings.presets or PARTS
    if not set(parts) <= set(PARTS):
        raise UsageError(f"--presets {','.join(parts)}: the parts of this benchmark are {', '.join(PARTS)}")
    told: dict[str, Any] = _stored(out)
    with tempfile.TemporaryDirectory(prefix="specvae-scale-") as place:
        if "speed" in parts:
            rates = measure(Path(place) / "speed", QUICK_TIMED if settings.quick else TIMED, settings)
            told["rates"] = [asdict(rate) for rate in rates]
        if "many" in parts:
            count = settings.sizes[0] if settings.sizes else QUICK_SCENES if settings.quick else SCENES
            told["many"] = asdict(run_many(Path(place) / "many", count, settings))
    write_report(out, told, environment(device=settings.device))
    return out


def _stored(out: Path) -> dict[str, Any]:
    path = out / TRIALS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def write_report(out: Path, told: dict[str, Any], made_with: dict[str, Any]) -> None:
    """Write trials.json, metrics.json and report.md of what was measured."""
    many = Many(**told["many"]) if "many" in told else None
    rates = [Rate(**rate) for rate in told.get("rates", [])]
    write_metrics(out, "scale", rows_of(many, rates), made_with)
    (out / TRIALS).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    page_of(many, rates, made_with).write(out)
