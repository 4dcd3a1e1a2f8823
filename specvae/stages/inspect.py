"""The stage ``inspect``: what a model is, or how a scene or table will be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from specvae.errors import InputError, ModelError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.describe import description
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.scene import Scene
from specvae.ingest.sources import find_sources
from specvae.ingest.table.reading import read_table
from specvae.model_file import load_model
from specvae.spectra import Invalid

__all__ = ["inspect"]


def inspect(path: str, options: IngestOptions | None = None) -> dict[str, Any]:
    """A JSON-ready description. Raises InputError or ModelError for what can be neither read nor understood."""
    target = Path(path)
    if target.suffix == ".specvae" or _is_model(target):
        return _model(path)
    found = find_sources([path])
    if len(found) != 1:
        raise InputError(f"{path} holds {len(found)} sources; inspect one of them, for instance {found[0].path}")
    source = found[0]
    if source.is_table:
        table = read_table(source.path, options)
        counts = np.bincount(table.reason, minlength=len(Invalid))
        return {
            "kind": "table",
            "path": source.path,
            "rows": len(table.values),
            "valid": int(counts[0]),
            "invalid_by_reason": _reasons(counts),
            "bands": list(table.bands.labels),
            "wavelengths_nm": table.bands.wavelengths,
            "other_columns": [name for name in table.others.column_names if name not in set(table.bands.names)],
            "notes": table.notes,
        }
    with open_scene(source, options) as scene:
        told = description(scene)
        return {**told, "format": told["kind"], "kind": "raster", **_validity(scene)}


def _is_model(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError:
        return False
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def _validity(scene: Scene) -> dict[str, Any]:
    """Counts by reason over the scene, or over windows spread across a large one."""
    windows = scene.windows(1 << 18)
    step = max(1, len(windows) // 64)
    counts = np.zeros(len(Invalid), np.int64)
    for window in windows[::step]:
        counts += np.bincount(scene.read(window).reason.ravel(), minlength=len(Invalid))
    total = int(counts.sum())
    return {
        "pixels_looked_at": total,
        "valid_share": float(counts[0] / total) if total else 0.0,
        "invalid_by_reason": _reasons(counts),
    }


def _reasons(counts: Any) -> dict[str, int]:
    return {kind.label: int(counts[kind]) for kind in Invalid if kind != Invalid.VALID}


def _model(path: str) -> dict[str, Any]:
    stored = load_model(path)
    detector = stored.detector
    normaliser = detector.net.normaliser
    ring = detector.net.ring
    step = detector.stride**2
    if not detector.bands:
        raise ModelError(f"the model {path} has no band; fit it again")
    return {
        "kind": "model",
        "path": path,
        "sha256": stored.sha256,
        "created": stored.created,
        "format_version": stored.metadata["format_version"],
        "bands": [
            {
                "label": label, "name": band.name, "wavelength_nm": band.wavelength, "centre": float(centre), "scale": float(scale),
            }
            for label, band, centre, scale in zip(
                detector.bands.labels, detector.bands, normaliser.centre[::step, 0], normaliser.scale[::step, 0], strict=True
            )
        ],
        "context": None if ring is None else {"outer": ring.outer, "guard": ring.guard, "components": ring.components},
        "halo": detector.halo,
        "patch": detector.config.patch,
        "latent": detector.net.vae.latent,
        "parameters": sum(p.numel() for p in detector.net.parameters()),
        "pixels": detector.provenance.get("pixels", {}),
        "diagnostics": detector.provenance.get("diagnostics", {}),
        "thresholds": [t.summary() for t in detector.calibration.table()],
        "calibration": detector.calibration.summary(),
        "config": stored.metadata["config"],
        "provenance": stored.metadata["provenance"],
    }  # fmt: skip
