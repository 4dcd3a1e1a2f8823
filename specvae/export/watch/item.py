"""``watch.json``: the STAC item of a watched place, written last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pystac

from specvae.export.maps import AssetBands
from specvae.export.stac import FILE, RASTER, add_projection, asset_of, time_of, tree_of
from specvae.export.watch.alerts_json import AlertsJson
from specvae.export.watch.contents import CONTENTS
from specvae.ingest.grid import Grid
from specvae.ingest.scene.footprint import footprint
from specvae.version import __version__

__all__ = ["watch_item"]


def watch_item(
    folder: Path, alerts: AlertsJson, grid: Grid, maps: Mapping[str, AssetBands], more: Mapping[str, Any]
) -> dict[str, Any]:
    """The item of a folder whose other files are all there; its time is that of the newest date.

    ``more``: further properties, such as the dates and what a later run needs to know to go on from here.
    """
    geometry, box = footprint(grid)
    properties = {
        "specvae:place": alerts["place"],
        **{f"specvae:{word}_alerts": count for word, count in alerts["counts"].items()},
        "specvae:watched": alerts["dates"],
        "specvae:assumption": alerts["assumption"],
        "specvae:version": __version__,
        **more,
    }
    name = f"{alerts['place']}-alerts".replace("/", "_")
    item = pystac.Item(
        name, geometry, box, time_of(alerts["dates"]["newest"]), properties, stac_extensions=[FILE, RASTER]
    )
    add_projection(item, grid)
    for file in CONTENTS:
        if file.role is not None and (folder / file.name).is_file():
            item.add_asset(file.name, asset_of(folder, file, maps.get(file.name), None))
    return tree_of(item)
