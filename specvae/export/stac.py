"""STAC: an item for each scored scene or table, one for the model (MLM extension), and a collection for a batch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac

from specvae.detector import Detector
from specvae.export.contents import COLLECTION, ITEM, MODEL_ITEM, ResultFile, result_file
from specvae.export.maps import AssetBands
from specvae.export.report.sections import Report
from specvae.export.stated_properties import stated_properties
from specvae.export.watch.contents import ITEM as WATCH_ITEM
from specvae.files.atomic import atomic_file
from specvae.files.fingerprint import Fingerprint, sha256_of
from specvae.files.json_files import json_text, read_json
from specvae.ingest.grid import Grid
from specvae.ingest.scene.footprint import box_around, footprint
from specvae.model_file import StoredModel

__all__ = [
    "COLLECTION",
    "FILE",
    "RASTER",
    "FolderFiles",
    "add_projection",
    "asset_of",
    "model_item",
    "scene_item",
    "time_of",
    "tree_of",
    "write_collection",
]

SITE = "https://stac-extensions.github.io"
FILE, PROCESSING = f"{SITE}/file/v2.1.0/schema.json", f"{SITE}/processing/v1.2.0/schema.json"
PROJECTION, RASTER = f"{SITE}/projection/v2.0.0/schema.json", f"{SITE}/raster/v2.0.0/schema.json"
MLM = f"{SITE}/mlm/v1.4.0/schema.json"


@dataclass(frozen=True)
class FolderFiles:
    """The files of one scene's folder, as far as the item needs more than their names."""

    path: Path
    """The folder."""
    maps: Mapping[str, AssetBands]
    """The bands of each raster in the folder, by the name of its file."""
    sums: Mapping[str, str]
    """SHA-256 of the files that were hashed already, by name; the others are hashed for the item."""


def scene_item(report: Report, mark: Fingerprint, files: FolderFiles, grid: Grid | None) -> dict[str, Any]:
    """The item of a finished folder; ``grid`` is that of a raster, None for a table.

    Its time is the acquisition where it is known, else the processing, and ``specvae:datetime_from`` says which.
    """
    geometry, box = (None, None) if grid is None else footprint(grid)
    taken = time_of(report["scene"].get("datetime"))
    # An item must have a time. Where the acquisition is unknown, the time of processing takes its place, and a property
    # says so: a series over dates must not be sorted by the moment at which somebody scored it.
    when = taken or time_of(report["created"])
    properties = stated_properties(report, mark, "scene" if taken else "processing")
    # A table has no raster bands, which are all that the raster extension describes.
    extensions = [FILE, PROCESSING, RASTER] if grid else [FILE, PROCESSING]
    item = pystac.Item(_name(report["scene"]["key"]), geometry, box, when, properties, stac_extensions=extensions)
    if grid is not None:
        add_projection(item, grid)
    for key, file in _assets(files.path).items():
        item.add_asset(key, asset_of(files.path, file, files.maps.get(file.name), files.sums.get(file.name)))
    item.add_links(_origins(report, mark, files.path))
    return tree_of(item)


def _origins(report: Report, mark: Fingerprint, folder: Path) -> list[pystac.Link]:
    """Links to what the result was made from: the inputs, the model's file, and the model's own item."""
    model = report["model"]
    links = [_link("derived_from", made_from.path, folder, made_from.sha256) for made_from in mark.inputs]
    links.append(_link("derived_from", model["path"], folder, model["sha256"], "the model"))
    if (folder / MODEL_ITEM.name).exists():
        links.append(
            pystac.Link("derived_from", f"./{MODEL_ITEM.name}", "application/geo+json", "the model's own item")
        )
    return links


def tree_of(item: pystac.Item) -> dict[str, Any]:
    """The item as JSON. Without a link to itself and with links as they are, the folder can be moved anywhere."""
    tree: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    return tree


def time_of(text: str | None) -> datetime | None:
    """The time that a text in ISO 8601 states; None where it states none."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    # STAC wants times with a zone; a product's acquisition that is stated without one is in UTC.
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _name(key: str) -> str:
    """An item's name, which may not hold the slashes that a key of a scene in a subfolder has."""
    return key.replace("/", "_") or "scene"


def add_projection(item: pystac.Item, grid: Grid) -> None:
    """State the raster's shape, transform and reference system, as far as it has them."""
    item.stac_extensions.append(PROJECTION)
    item.properties["proj:shape"] = [grid.rows, grid.cols]
    if grid.placed:
        item.properties["proj:transform"] = [float(v) for v in list(grid.transform)[:6]]
    if grid.crs is not None:
        # The extension wants ``proj:code`` to be null, rather than absent, where no authority numbers the system.
        code = grid.crs.to_epsg()
        item.properties["proj:code"] = f"EPSG:{code}" if code else None
        if not code:
            item.properties["proj:wkt2"] = grid.crs.to_wkt(version="WKT2_2019")


def _assets(folder: Path) -> dict[str, ResultFile]:
    """The files of a folder that are assets, by key: the stem, or the name where several share a stem."""
    there = [file for path in sorted(folder.iterdir()) if (file := result_file(path.name)) and file.role]
    stems = Counter(file.stem for file in there)
    return {file.stem if stems[file.stem] == 1 else file.name: file for file in there}


def asset_of(folder: Path, file: ResultFile, bands: AssetBands | None, sha256: str | None) -> pystac.Asset:
    """One file with its size and checksum; a file without a known ``sha256`` is hashed."""
    path = folder / file.name
    extra: dict[str, Any] = {"file:size": path.stat().st_size, "file:checksum": _multihash(sha256 or sha256_of(path))}
    if bands:
        extra["bands"] = bands
    roles = [file.role.value] if file.role else []
    return pystac.Asset(f"./{file.name}", file.title, None, file.media_type, roles, extra)


def _multihash(sha256: str) -> str:
    """The hash as the file extension wants it, a multihash: code 12, length 20 and digest, all hexadecimal."""
    return f"1220{sha256}"


def _link(rel: str, path: str, folder: Path, sha256: str, title: str | None = None) -> pystac.Link:
    """A link to a file on disk by its path from ``folder``, to anything else by its address."""
    # A path that GDAL reads through its virtual file systems, such as /vsis3/, is absolute but no path on this disk.
    remote = "://" in path or path.startswith("/vsi")
    href = path if remote else Path(os.path.relpath(path, folder)).as_posix()
    extra = {"file:checksum": _multihash(sha256)} if sha256 else None
    return pystac.Link(rel, href, title=title, extra_fields=extra)


def model_item(model: StoredModel, folder: Path) -> dict[str, Any]:
    """The model's own item (MLM extension), for a file in ``folder``."""
    properties = _model_properties(model.detector, model.sha256)
    torch = model.metadata.get("provenance", {}).get("versions", {}).get("torch")
    if torch:
        properties["mlm:framework_version"] = torch
    # A model lies nowhere on Earth, which STAC allows: a geometry of null, and then no bounding box.
    when = time_of(model.created) or datetime.now(UTC)
    item = pystac.Item(_model_name(model.sha256), None, None, when, properties, stac_extensions=[FILE, MLM])
    item.add_asset("model", _model_asset(model, folder))
    return tree_of(item)


def _model_name(sha256: str) -> str:
    """The model's name: twelve digits of its hash tell any two models apart, and stay readable."""
    return f"specvae-{sha256[:12]}"


def _model_properties(detector: Detector, sha256: str) -> dict[str, Any]:
    """What the model is, in the terms of the MLM extension."""
    return {
        "mlm:name": _model_name(sha256),
        "mlm:architecture": "variational autoencoder" + (" with ring context" if detector.has_context else ""),
        # The extension's list of tasks has no anomaly detection; these two are the nearest that it knows.
        "mlm:tasks": ["regression", "generative"],
        "mlm:framework": "PyTorch",
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:total_parameters": detector.state.parameters,
        "mlm:input": [_model_input(detector)],
        "mlm:output": [MODEL_OUTPUT],
        "specvae:halo": detector.halo,
    }


def _model_input(detector: Detector) -> dict[str, Any]:
    """The tensor that the model reads. No scaling is stated, for the model takes physical units."""
    labels = detector.bands.labels
    return {
        "name": "spectra",
        "bands": list(labels),
        "input": _tensor(len(labels), "bands"),
        "value_scaling": None,
        "resize_type": None,
        "description": f"Physical units, with {detector.halo} pixels around; normalisation is inside the model.",
    }


def _model_asset(model: StoredModel, folder: Path) -> pystac.Asset:
    """The model's file, by its path from ``folder``."""
    extra = {
        "mlm:artifact_type": "safetensors",
        "file:checksum": _multihash(model.sha256),
        "bands": [{"name": label} for label in model.detector.bands.labels],
    }
    href = Path(os.path.relpath(model.path, folder)).as_posix()
    return pystac.Asset(href, "Model file", None, "application/octet-stream", ["mlm:model"], extra)


def _tensor(depth: int, axis: str) -> dict[str, Any]:
    """Shape and type of a tensor; -1 is a size that may be any, as the MLM extension writes it."""
    order = ["batch", axis, "height", "width"]
    return {"shape": [-1, depth, -1, -1], "dim_order": order, "data_type": "float32"}


MODEL_OUTPUT = {
    "name": "score",
    "tasks": ["regression"],
    "result": _tensor(1, "channel"),
    "classification:classes": [],
    "description": "reconstruction + KL, nats; higher is more anomalous",
}
"""The tensor that the model gives; the list of classes is empty, but the extension wants it there."""


def write_collection(out: Path, name: str = "specvae") -> Path | None:
    """Write ``collection.json`` over every finished folder below ``out``, watched places too; None where there is none."""
    paths = sorted({*out.rglob(ITEM.name), *out.rglob(WATCH_ITEM.name)})
    items = [(path, tree) for path in paths if (tree := _read(path, out))]
    if not items:
        return None
    times = sorted(t for _, tree in items if (t := time_of(tree["properties"].get("datetime"))))
    interval: list[datetime | None] = [times[0], times[-1]] if times else [None, None]
    boxes = [tree["bbox"] for _, tree in items if tree.get("bbox")]
    collection = pystac.Collection(
        _name(name),
        "Scenes scored against a model of what is normal",
        pystac.Extent(pystac.SpatialExtent([box_around(boxes)]), pystac.TemporalExtent([interval])),
        license="other",
    )
    for path, tree in items:
        href = f"./{path.relative_to(out).as_posix()}"
        collection.add_link(pystac.Link("item", href, "application/geo+json", tree["id"]))
    tree = collection.to_dict(include_self_link=False, transform_hrefs=False)
    text, target = json_text(tree), out / COLLECTION
    # An unchanged collection is not written again: what watches the folder would take it for news.
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        with atomic_file(target) as beside:
            beside.write_text(text, encoding="utf-8")
    return target


def _read(path: Path, out: Path) -> dict[str, Any] | None:
    """A finished folder's item; None for what is being written or was not made by specvae."""
    # Folders whose names begin with a dot are results that are being written, or that a killed process has abandoned.
    if any(part.startswith(".") for part in path.relative_to(out).parts):
        return None
    tree = read_json(path)
    return tree if "specvae:fingerprint" in tree.get("properties", {}) else None
