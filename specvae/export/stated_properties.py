"""What the STAC item of a result states of it: all that a batch's summary and ``score --json`` need, without the report."""

from __future__ import annotations

from typing import Any

from specvae.export.report.sections import Report
from specvae.files.fingerprint import Fingerprint

__all__ = ["stated_properties"]


def stated_properties(report: Report, mark: Fingerprint, origin: str) -> dict[str, Any]:
    """The item's properties: what a batch's summary needs to know of a scene without opening its report."""
    return {
        "created": report["created"],
        "processing:software": {"specvae": report["version"]},
        "processing:lineage": "Anomaly score, reconstruction + KL of a variational autoencoder, against a calibrated cut",
        "specvae:datetime_from": origin,
        "specvae:key": report["scene"]["key"],
        "specvae:verdict": report["trust"]["verdict"],
        "specvae:reasons": report["trust"]["reasons"],
        "specvae:drift_verdict": report["drift"]["verdict"],
        "specvae:contaminated": report["calibration"]["contaminated"],
        "specvae:model_based": report["threshold"]["method"] == "model-based",
        "specvae:drift": report["drift"].get("score_distance"),
        "specvae:supported": report["threshold"].get("supported"),
        "specvae:cut": report["threshold"]["value"],
        "specvae:cut_method": report["threshold"]["method"],
        "specvae:asked_rate": report["threshold"]["asked_rate"],
        "specvae:rate": report["threshold"]["false_alarm_rate"],
        "specvae:rate_interval": report["threshold"]["interval"],
        "specvae:expected": report["trust"]["expected"],
        "specvae:warnings": report["warnings"],
        "specvae:total": report["pixels"]["total"],
        "specvae:invalid_by_reason": report["pixels"]["invalid_by_reason"],
        "specvae:valid": report["pixels"]["valid"],
        "specvae:anomalous": report["pixels"]["anomalous"],
        "specvae:pixel_area_m2": report["scene"].get("pixel_area_m2"),
        "specvae:objects": report["objects"].get("count"),
        "specvae:new_objects": report["objects"].get("new"),
        "specvae:fingerprint": mark.to_json(),
    }
