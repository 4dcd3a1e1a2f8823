"""Benchmark ``scale``: thousands of small scenes, some of them broken, and how speed grows with processes."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from specvae.benchmarks.report import Environment, environment, write_metrics
from specvae.benchmarks.scale.many import Many, run_many
from specvae.benchmarks.scale.page import rows_of, write_page
from specvae.benchmarks.scale.speed import Rate, measure
from specvae.benchmarks.settings import Settings
from specvae.errors import UsageError

__all__ = ["Trials", "run", "write_report"]

SCENES, QUICK_SCENES = 2000, 24
"""Scenes of the part ``many``."""
TIMED, QUICK_TIMED = 32, 4
"""Scenes of the part ``speed``."""
TRIALS = "trials.json"
"""File of what was measured, so that one part can be run again beside the other's figures."""
PARTS = ("speed", "many")


@dataclass
class Trials:
    """What was measured: the content of ``trials.json``."""

    rates: list[Rate] = field(default_factory=list)
    """Rates that the part ``speed`` measured."""
    many: Many | None = None

    @classmethod
    def load(cls, path: Path) -> Trials:
        """Read what an earlier run measured; nothing where there was none."""
        if not path.is_file():
            return cls()
        tree = json.loads(path.read_text(encoding="utf-8"))
        return cls([Rate(**rate) for rate in tree.get("rates", [])], Many(**tree["many"]) if "many" in tree else None)

    def to_json(self) -> dict[str, object]:
        """The content of ``trials.json``; a part that was never run has no key."""
        rates = {"rates": [asdict(rate) for rate in self.rates]} if self.rates else {}
        return {**rates, **({"many": asdict(self.many)} if self.many else {})}


def run(settings: Settings) -> Path:
    """Run both parts, or those named as presets beside the stored figures of the other, and write the report; its folder.

    The first of ``sizes`` is the number of scenes of the part ``many``.
    """
    out = settings.place("scale")
    parts = settings.presets or PARTS
    if not set(parts) <= set(PARTS):
        raise UsageError(f"--presets {','.join(parts)}: the parts of this benchmark are {', '.join(PARTS)}")
    trials = Trials.load(out / TRIALS)
    with tempfile.TemporaryDirectory(prefix="specvae-scale-") as place:
        if "speed" in parts:
            trials.rates = measure(Path(place) / "speed", QUICK_TIMED if settings.quick else TIMED, settings)
        if "many" in parts:
            count = settings.sizes[0] if settings.sizes else QUICK_SCENES if settings.quick else SCENES
            trials.many = run_many(Path(place) / "many", count, settings)
    write_report(out, trials, environment(device=settings.device))
    return out


def write_report(out: Path, trials: Trials, made_with: Environment) -> None:
    """Write ``metrics.json``, ``trials.json`` and ``report.md`` of what was measured."""
    write_metrics(out, "scale", rows_of(trials.many, trials.rates), made_with)
    (out / TRIALS).write_text(json.dumps(trials.to_json(), indent=1) + "\n", encoding="utf-8")
    write_page(out, trials.many, trials.rates, made_with)
