"""Two models compared: bands, configuration, each tensor, and the cuts that follow."""

from __future__ import annotations

from pathlib import Path

from safetensors.numpy import load_file

from specvae.export.comparison.finding import Finding, State, values
from specvae.export.comparison.trees import compare_trees
from specvae.model_file import StoredModel, load_model

__all__ = ["compare_models"]

TREES = ("format_version", "config", "bands", "sources", "fit")
"""Parts of a model's JSON that say what it is; its provenance says how it came to be, and is not compared."""


def compare_models(a: Path, b: Path, tolerance: float) -> list[Finding]:
    """Findings of all parts of two model files. Raises ModelError where one is no model."""
    first, second = load_model(a), load_model(b)
    if first.sha256 == second.sha256:
        return [Finding("file", State.EQUAL, where=f"one SHA-256, {first.sha256[:12]}...")]
    trees = [compare_trees(key, first.metadata.get(key), second.metadata.get(key), tolerance) for key in TREES]
    cuts = compare_trees("thresholds", _cuts(first), _cuts(second), tolerance)
    return [*trees, cuts, *_tensors(a, b, tolerance)]


def _cuts(stored: StoredModel) -> dict[str, float]:
    """Cuts in nats by false-alarm rate, as the model would apply them."""
    return {f"{cut.false_alarm_rate:g}": cut.value for cut in stored.detector.calibration.table()}


def _tensors(a: Path, b: Path, tolerance: float) -> list[Finding]:
    # Both files were loaded before, which checks their digests.
    first, second = load_file(a), load_file(b)
    findings = [values(name, first[name], second[name], tolerance) for name in sorted(first.keys() & second.keys())]
    for name in sorted(first.keys() ^ second.keys()):
        findings.append(Finding(name, State.DIFFERS, where=f"only in {'A' if name in first else 'B'}"))
    return findings
