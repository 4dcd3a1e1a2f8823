"""What a batch's summary needs to know of a scored scene, from its STAC item alone."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["facts_of"]

DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?!\d)")
NAMES = ("verdict", "valid", "anomalous", "objects", "new_objects", "drift", "pixel_area_m2", "supported")


def facts_of(item: dict[str, Any]) -> dict[str, Any]:
    """Verdict, counts, drift and date (``YYYY-MM-DD``, of the acquisition, or as the name has it); None where unknown."""
    properties = item.get("properties", {})
    facts = {name: properties.get(f"specvae:{name}") for name in NAMES}
    return facts | {"date": _date(properties)}


def _date(properties: dict[str, Any]) -> str | None:
    if properties.get("specvae:datetime_from") == "scene" and properties.get("datetime"):
        return str(properties["datetime"])[:10]
    hit = DATE.search(str(properties.get("specvae:key", "")))
    return "-".join(hit.groups()) if hit else None
