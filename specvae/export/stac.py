"""STAC: an item for each scored scene or table, one for the model (MLM extension), and a collection for a batch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac

from specvae.export.contents import ITEM, MODEL_ITEM, ResultFile, result_file
from specvae.export.maps import AssetBands
from specvae.export.report.sections import Report
from specvae.files.atomic import atomic_file
from specvae.files.fingerprint import Fingerprint, sha256_of
from specvae.files.json_files import json_text, read_json
from specvae.ingest.grid import Grid
from specvae.model_file import StoredModel

__all__ = ["COLLECTION", "model_item", "scene_item", "write_collection"]

COLLECTION = "collection.json"
SITE = "https://stac-extensions.github.io"
FILE, PROCESSING = f"{SITE}/file/v2.1.0/schema.json", f"{SITE}/processing/v1.2.0/schema.json"
PROJECTION, RASTER = f"{SITE}/projection/v2.0.0/schema.json", f"{SITE}/raster/v2.0.0/schema.json"
MLM = f"{SITE}/mlm/v1.4.0/schema.json"


def scene_item(
    report: Report,
    mark: Fingerprint,
    folder: Path,
    grid: Grid | None,
    footprint: tuple[dict[str, Any] | None, list[float] | None],
    maps: Mapping[str, AssetBands],
    sums: Mapping[str, str],
) -> dict[str, Any]:
    """The item of a finished folder; ``maps`` gives the ``bands`` of each raster in it, ``sums`` the SHA-256 of some files.

    Its time is the acquisition where it is known, else the processing, and ``specvae:datetime_from`` says which.
    """
    geometry, box = footprint
    taken, created = _time(report["scene"].get("datetime")), _time(report["created"])
    properties: dict[str, Any] = {
        "created": report["created"],
        "processing:software": {"specvae": report["version"]},
        "processing:lineage": "Anomaly score, reconstruction + KL of a variational autoencoder, against a calibrated cut",
        "specvae:datetime_from": "scene" if taken else "processing",
        "specvae:key": report["scene"]["key"],
        "specvae:verdict": report["drift"]["verdict"],
        "specvae:drift": report["drift"].get("score_distance"),
        "specvae:supported": report["threshold"].get("supported"),
        "specvae:valid": report["pixels"]["valid"],
        "specvae:anomalous": report["pixels"]["anomalous"],
        "specvae:pixel_area_m2": report["scene"].get("pixel_area_m2"),
        "specvae:objects": report["objects"].get("count"),
        "specvae:new_objects": report["objects"].get("new"),
        "specvae:fingerprint": mark.to_json(),
    }
    item = pystac.Item(
        _name(report["scene"]["key"]),
        geometry,
        box,
        taken or created,
        properties,
        stac_extensions=[FILE, PROCESSING, RASTER] if grid else [FILE, PROCESSING],
    )
    if grid is not None:
        _add_projection(item, grid)
    for key, file in _assets(folder).items():
        item.add_asset(key, _asset(folder, file, maps.get(file.name), sums.get(file.name)))
    for made_from in mark.inputs:
        item.add_link(_link("derived_from", made_from.path, folder, made_from.sha256))
    item.add_link(_link("derived_from", report["model"]["path"], folder, report["model"]["sha256"], "the model"))
    if (folder / MODEL_ITEM.name).exists():
        item.add_link(
            pystac.Link("derived_from", f"./{MODEL_ITEM.name}", "application/geo+json", "the model's own item")
        )
    tree: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    return tree


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _name(key: str) -> str:
    return key.replace("/", "_") or "scene"


def _add_projection(item: pystac.Item, grid: Grid) -> None:
    item.stac_extensions.append(PROJECTION)
    item.properties["proj:shape"] = [grid.rows, grid.cols]
    if grid.placed:
        item.properties["proj:transform"] = [float(v) for v in list(grid.transform)[:6]]
    if grid.crs is not None:
        code = grid.crs.to_epsg()
        item.properties["proj:code"] = f"EPSG:{code}" if code else None
        if not code:
            item.properties["proj:wkt2"] = grid.crs.to_wkt(version="WKT2_2019")


def _assets(folder: Path) -> dict[str, ResultFile]:
    """The files of a folder that are assets, by key: the stem, or the name where several share a stem."""
    there = [file for path in sorted(folder.iterdir()) if (file := result_file(path.name)) and file.role]
    stems = Counter(file.stem for file in there)
    return {file.stem if stems[file.stem] == 1 else file.name: file for file in there}


def _asset(folder: Path, file: ResultFile, bands: AssetBands | None, sha256: str | None) -> pystac.Asset:
    path = folder / file.name
    extra: dict[str, Any] = {"file:size": path.stat().st_size, "file:checksum": _multihash(sha256 or sha256_of(path))}
    if bands:
        extra["bands"] = bands
    roles = [file.role.value] if file.role else []
    return pystac.Asset(f"./{file.name}", file.title, None, file.media_type, roles, extra)


def _multihash(sha256: str) -> str:
    """As the file extension writes SHA-256: code 12, length 20, digest, all hexadecimal."""
    return f"1220{sha256}"


def _link(rel: str, path: str, folder: Path, sha256: str, title: str | None = None) -> pystac.Link:
    remote = "://" in path or path.startswith("/vsi")
    href = path if remote else Path(os.path.relpath(path, folder)).as_posix()
    extra = {"file:checksum": _multihash(sha256)} if sha256 else None
    return pystac.Link(rel, href, title=title, extra_fields=extra)


def model_item(model: StoredModel, folder: Path) -> dict[str, Any]:
    """The model's own item (MLM extension), for a file in ``folder``."""
    detector, labels = model.detector, model.detector.bands.labels
    versions = model.metadata.get("provenance", {}).get("versions", {})
    properties: dict[str, Any] = {
        "mlm:name": f"specvae-{model.sha256[:12]}",
        "mlm:architecture": "variational autoencoder" + (" with ring context" if detector.has_context else ""),
        "mlm:tasks": ["regression", "generative"],
        "mlm:framework": "PyTorch",
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:total_parameters": sum(p.numel() for p in detector.net.parameters()),
        "mlm:input": [
            {
                "name": "spectra",
                "bands": list(labels),
                "input": _tensor(len(labels), "bands"),
                "value_scaling": None,
                "resize_type": None,
                "description": f"Physical units, with {detector.halo} pixels around; normalisation is inside the model.",
            }
        ],
        "mlm:output": [
            {
                "name": "score",
                "tasks": ["regression"],
                "result": _tensor(1, "channel"),
                "classification:classes": [],
                "description": "reconstruction + KL, nats; higher is more anomalous",
            }
        ],
        "specvae:halo": detector.halo,
    }
    if versions.get("torch"):
        properties["mlm:framework_version"] = versions["torch"]
    item = pystac.Item(
        f"specvae-{model.sha256[:12]}",
        None,
        None,
        _time(model.created) or datetime.now(UTC),
        properties,
        stac_extensions=[FILE, MLM],
    )
    extra = {
        "mlm:artifact_type": "safetensors",
        "file:checksum": _multihash(model.sha256),
        "bands": [{"name": label} for label in labels],
    }
    href = Path(os.path.relpath(model.path, folder)).as_posix()
    item.add_asset("model", pystac.Asset(href, "Model file", None, "application/octet-stream", ["mlm:model"], extra))
    tree: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    return tree


def _tensor(depth: int, axis: str) -> dict[str, Any]:
    order = ["batch", axis, "height", "width"]
    return {"shape": [-1, depth, -1, -1], "dim_order": order, "data_type": "float32"}


def write_collection(out: Path, name: str = "specvae") -> Path | None:
    """Write ``collection.json`` over every finished folder below ``out``; None where there is none."""
    items = [(path, tree) for path in sorted(out.rglob(ITEM.name)) if (tree := _read(path, out))]
    if not items:
        return None
    times = sorted(t for _, tree in items if (t := _time(tree["properties"].get("datetime"))))
    interval: list[datetime | None] = [times[0], times[-1]] if times else [None, None]
    collection = pystac.Collection(
        _name(name),
        "Scenes scored against a model of what is normal",
        pystac.Extent(pystac.SpatialExtent([_hull([tree for _, tree in items])]), pystac.TemporalExtent([interval])),
        license="other",
    )
    for path, tree in items:
        href = f"./{path.relative_to(out).as_posix()}"
        collection.add_link(pystac.Link("item", href, "application/geo+json", tree["id"]))
    tree = collection.to_dict(include_self_link=False, transform_hrefs=False)
    text, target = json_text(tree), out / COLLECTION
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        with atomic_file(target) as beside:
            beside.write_text(text, encoding="utf-8")
    return target


def _hull(items: list[dict[str, Any]]) -> list[float]:
    """The box around all items that have one; the whole Earth where none has."""
    boxes = [item["bbox"] for item in items if item.get("bbox")] or [[-180.0, -90.0, 180.0, 90.0]]
    west, south, east, north = zip(*boxes, strict=True)
    return [min(west), min(south), max(east), max(north)]


def _read(path: Path, out: Path) -> dict[str, Any] | None:
    """A finished folder's item; None for what is being written or was not made by specvae."""
    if any(part.startswith(".") for part in path.relative_to(out).parts):
        return None
    tree = read_json(path)
    return tree if "specvae:fingerprint" in tree.get("properties", {}) else None
