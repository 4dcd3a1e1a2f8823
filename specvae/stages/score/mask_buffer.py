"""Whether a scene's mask is widened as those of the fit were."""

from __future__ import annotations

from specvae.ingest.scene.scene import Scene
from specvae.model_file import StoredModel

__all__ = ["other_buffer"]


def other_buffer(scene: Scene, model: StoredModel) -> list[str]:
    """A sentence where the fit left out more pixels around its masks than the scene does around its own; else none.

    The rate of the cuts then does not hold along the edges of the scene's mask.
    """
    fitted, own = _of_fit(model), scene.plan.options.widening
    if not scene.plan.options.mask or own >= fitted:
        return []
    return [
        f"the model was fitted without {fitted} pixels around its masks, and here {own} are left out: its false-alarm rate does "
        f"not hold along the edges of --mask; give --mask-buffer {fitted}"
    ]


def _of_fit(model: StoredModel) -> int:
    """The pixels that the fit, or the calibration after it, left out around its masks: as given, or as it decided."""
    settings = model.metadata.get("provenance", {}).get("fingerprint", {}).get("settings", {})
    decided = model.detector.provenance.get("mask_buffer") or {}
    return int(settings.get("ingest", {}).get("mask_buffer") or decided.get("pixels", 0))
