"""STAC items that a file lists: an item, a collection of items, a static catalogue or STAC GeoParquet, each a source."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from specvae.errors import InputError
from specvae.ingest.formats.references import is_remote
from specvae.ingest.source import Source

__all__ = ["Item", "assets_of", "item_of", "items_among", "listed_scenes", "local_path"]

Item = dict[str, Any]
"""A STAC item, as JSON has it."""
JSON_ENDINGS = (".json", ".geojson")
PARQUET_ENDINGS = (".parquet", ".geoparquet")
LARGEST = 256 << 20
"""Bytes of a JSON file that are read at most."""
LARGEST_BESIDE = 4 << 20
"""Bytes of a JSON file in a folder that is looked into unasked."""
DEEPEST = 8
"""Depth to which catalogues inside catalogues are looked into."""
MOST = 100_000
"""Items that are listed at most."""


def listed_scenes(path: str) -> list[Source]:
    """A source for each STAC item that a file lists, in its order; none where the file is no STAC.

    Raises InputError for a catalogue whose items are not on this machine, and for an item of a result of specvae.
    """
    if path.casefold().endswith(PARQUET_ENDINGS):
        return [Source(name, path, files=(path,), part=name) for name in _ids_in_parquet(path)]
    tree = _tree(path)
    if _is_item(tree):
        _refuse_own(path, tree)
        return [Source(str(tree.get("id") or "item"), path, files=_files(path, tree))]
    if tree.get("type") == "FeatureCollection":
        items = [item for item in tree.get("features") or () if isinstance(item, dict) and _is_item(item)]
        return [
            Source(str(item.get("id")), path, files=_files(path, item), part=str(item.get("id")))
            for item in items[:MOST]
        ]
    if not (tree.get("stac_version") and tree.get("type") in ("Collection", "Catalog")):
        return []
    # Named by its own file, the item's folder is where its assets are looked for; the catalogue's folder bounds them.
    sources = []
    for place in _linked(path, tree, 0):
        item = _tree(place)
        _refuse_own(place, item)
        sources.append(Source(str(item.get("id") or Path(place).stem), place, files=_files(place, item)))
    if not sources:
        raise InputError(
            f"{path} is a STAC {tree['type'].casefold()} without an item on this machine; download its items"
        )
    return sources


def items_among(paths: Iterable[str]) -> list[Source]:
    """A source for each STAC item among the files of a folder that has an asset beside it; none for results of specvae."""
    sources = []
    for path in paths:
        if not path.casefold().endswith(JSON_ENDINGS) or os.path.getsize(path) > LARGEST_BESIDE:
            continue
        tree = _tree(path)
        properties = tree.get("properties")
        own = isinstance(properties, dict) and any(str(key).startswith("specvae:") for key in properties)
        if _is_item(tree) and not own and len(files := _files(path, tree)) > 1:
            sources.append(Source(str(tree.get("id") or Path(path).stem), path, files=files))
    return sources


def item_of(source: Source) -> Item | None:
    """The STAC item behind a source; None where it is none. Raises InputError where the file no longer has it."""
    if os.path.isdir(source.path):
        return None
    if source.path.casefold().endswith(PARQUET_ENDINGS):
        return _row(source.path, source.part) if source.part else None
    if not source.path.casefold().endswith(JSON_ENDINGS):
        return None
    tree = _tree(source.path)
    if not source.part:
        return tree if _is_item(tree) else None
    for item in tree.get("features") or ():
        if isinstance(item, dict) and str(item.get("id")) == source.part:
            return item
    raise InputError(f"{source.path} has no item {source.part}")


def assets_of(item: Item) -> dict[str, dict[str, Any]]:
    """The assets of an item by their keys, as far as each has an address."""
    assets = item.get("assets")
    pairs = assets.items() if isinstance(assets, dict) else ()
    return {str(key): a for key, a in pairs if isinstance(a, dict) and isinstance(a.get("href"), str)}


def local_path(href: str, beside: str) -> str:
    """The path of an asset's address: relative ones are beside the item; a remote one stays as it is."""
    if href.startswith("file:"):
        return unquote(urlparse(href).path)
    if is_remote(href):
        return href
    return href if os.path.isabs(href) else os.path.normpath(os.path.join(os.path.dirname(beside), href))


def _files(path: str, item: Item) -> tuple[str, ...]:
    """The file of an item and its assets on this machine: all that a result made of it depends on."""
    places = [local_path(asset["href"], path) for asset in assets_of(item).values()]
    return tuple(dict.fromkeys([path, *(p for p in places if not is_remote(p) and os.path.isfile(p))]))


def _is_item(tree: Item) -> bool:
    """Whether an object is a STAC item."""
    return (
        tree.get("type") == "Feature"
        and "assets" in tree
        and bool(tree.get("stac_version") or tree.get("stac_extensions"))
    )


def _refuse_own(path: str, item: Item) -> None:
    """Raise InputError for the item of a result of specvae, which is no scene."""
    properties = item.get("properties")
    if isinstance(properties, dict) and any(str(key).startswith("specvae:") for key in properties):
        raise InputError(f"{path} is the item of a result of specvae, which is no scene; give the scene's own item")


def _tree(path: str) -> Item:
    """The object in a JSON file; an empty one where the file is none, or too large."""
    if not path.casefold().endswith(JSON_ENDINGS):
        return {}
    try:
        if os.path.getsize(path) > LARGEST:
            raise InputError(f"{path} has more than {LARGEST >> 20} MiB; give STAC GeoParquet, or fewer items")
        tree = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _linked(path: str, tree: Item, depth: int) -> Iterator[str]:
    """Paths of the items that a catalogue on this machine links to, and of those of its children."""
    links = tree.get("links")
    for link in links if isinstance(links, list) else ():
        href, rel = (link.get("href"), link.get("rel")) if isinstance(link, dict) else (None, None)
        if not isinstance(href, str) or rel not in ("item", "child"):
            continue
        place = local_path(href, path)
        if is_remote(place) or not os.path.isfile(place):
            continue
        if rel == "item":
            yield place
        elif depth < DEEPEST:
            yield from _linked(place, _tree(place), depth + 1)


def _ids_in_parquet(path: str) -> list[str]:
    """The identifiers of the items in STAC GeoParquet; none where a Parquet file is something else."""
    import pyarrow  # a tenth of a second that other files need not pay
    import pyarrow.parquet

    try:
        names = pyarrow.parquet.read_schema(path).names
        if not {"id", "assets", "geometry"} <= {*names}:
            return []
        table = pyarrow.parquet.read_table(path, columns=["id"])
    except (OSError, pyarrow.ArrowException):
        return []
    return [str(name) for name in table.column("id").to_pylist()[:MOST]]


def _row(path: str, name: str) -> Item:
    """The item of this name in STAC GeoParquet, its columns as properties. Raises InputError where there is none."""
    import pyarrow
    import pyarrow.parquet

    try:
        # The geometry is bytes, and the place comes from the assets themselves.
        columns = [n for n in pyarrow.parquet.read_schema(path).names if n != "geometry"]
        rows = pyarrow.parquet.read_table(path, columns=columns, filters=[("id", "=", name)]).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path} cannot be read as STAC GeoParquet: {error}") from error
    if not rows:
        raise InputError(f"{path} has no item {name}")
    row = _without_none(rows[0])
    top = ("id", "assets", "bbox", "links", "collection", "stac_version", "stac_extensions", "type")
    item: Item = {key: row[key] for key in top if key in row}
    times = {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}
    return {**item, "properties": {key: value for key, value in times.items() if key not in top}}


def _without_none(tree: Any) -> Any:
    """Nested objects without members that are null: a column has a value in each row, also where an item has none."""
    if isinstance(tree, dict):
        return {key: _without_none(value) for key, value in tree.items() if value is not None}
    return [_without_none(value) for value in tree] if isinstance(tree, list) else tree
