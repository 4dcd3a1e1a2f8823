"""Folders of results: how one is made, and what a finished one holds."""

from __future__ import annotations

from pathlib import Path

from specvae.export.contents import ITEM, NAMES, ResultFile
from specvae.files.atomic import OutputFolder
from specvae.files.json_files import read_json
from specvae.files.places import output_place
from specvae.files.store_address import is_store

__all__ = ["holds", "result_folder"]


def result_folder(place: Path) -> OutputFolder:
    """A scene's folder on its way: ``item.json`` is moved last, and an older result's files are swept away."""
    return OutputFolder(place, ITEM.name, NAMES)


def holds(folder: str, file: ResultFile) -> bool:
    """Whether a finished result has a file; of one in object storage, as its item says."""
    place = output_place(folder)
    if not is_store(folder):
        return (place / file.name).is_file()
    assets = read_json(place / ITEM.name).get("assets", {})
    return any(asset.get("href", "").endswith(file.name) for asset in assets.values())
