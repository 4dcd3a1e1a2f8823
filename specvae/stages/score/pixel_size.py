"""Whether a scene has pixels of the size that its model was fitted on."""

from __future__ import annotations

from specvae.ingest.scene.scene import Scene
from specvae.model_file import StoredModel

__all__ = ["other_pixels"]

SAME = 1.2
"""Ratio of the sides of two pixels up to which they count as of one size: resampling moves it by a few percent."""
OTHER_UNIT = 1000.0
"""Ratio from which the sides are in other units, degrees against metres, and say nothing of each other."""


def other_pixels(scene: Scene, model: StoredModel) -> list[str]:
    """A sentence where the scene's pixels are larger or smaller than those of the fit; none where either is unknown."""
    fitted, own = model.metadata.get("provenance", {}).get("pixel_size"), scene.pixel_size
    if not fitted or not own:
        return []
    ratio = max(own / fitted, fitted / own)
    if not SAME < ratio < OTHER_UNIT:
        return []
    return [
        f"its pixels are {own:g} units of the CRS wide, the model was fitted on pixels of {fitted:g}: fit on its own size"
    ]
