"""Landsat products: what the MTL file and the product's specification say about their bands."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats.product_archive import read_member
from specvae.ingest.formats.sensors import SensorBand, landsat_bands
from specvae.ingest.layer import Layer

__all__ = ["Landsat", "landsat_rules", "read_mtl"]

LARGEST = 4 << 20
Groups = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Landsat:
    """What is known of one Landsat scene."""

    bands: dict[str, SensorBand]
    level: str | None
    mtl: Groups

    def band(self, name: str) -> Band:
        """A band with its wavelength."""
        known = self.bands.get(name)
        return Band(name, known.wavelength, known.width) if known else Band(name)

    def rule(self, path: str, name: str) -> Callable[[Layer], Layer]:
        """What the product adds to what the file ``path`` says of band ``name``."""

        def apply(layer: Layer) -> Layer:
            known = self.bands.get(name)
            if known is None:
                return layer
            layer = replace(layer, left_out=layer.left_out or known.left_out)
            if not self._delivered(path, layer):
                return layer
            nodata = 0.0 if layer.nodata is None else layer.nodata
            layer = replace(layer, nodata=nodata, saturated=float(255 if layer.dtype == "uint8" else 65535))
            factors = self._factors(path, name.removeprefix("B")) if known.left_out is None else None
            if factors is None or layer.scale != 1.0 or layer.offset != 0.0:
                return layer
            band = replace(layer.band, unit="reflectance")
            return replace(layer, scale=factors[0], offset=factors[1], band=band)

        return apply

    def _delivered(self, path: str, layer: Layer) -> bool:
        """Whether a file holds the numbers as USGS delivers them: Level 1 counts, or Collection 2 Level 2."""
        name = Path(path).name.upper()
        counts = "_L1" in name and "SR_" not in name and "TOA" not in name
        return layer.dtype in ("uint16", "uint8") and (counts or "_SR_B" in name or "_ST_B" in name)

    def _factors(self, path: str, number: str) -> tuple[float, float] | None:
        """(scale, offset) to reflectance by the MTL: surface for Level 2, top of atmosphere by the sun for Level 1."""
        second = "_SR_B" in Path(path).name.upper()
        wanted = ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS",) if second else ("RADIOMETRIC_RESCALING",
                                                                          "LEVEL1_RADIOMETRIC_RESCALING")  # fmt: skip
        for group in wanted:
            told = self.mtl.get(group, {})
            scale, offset = (
                _float(told.get(f"REFLECTANCE_MULT_BAND_{number}")),
                _float(told.get(f"REFLECTANCE_ADD_BAND_{number}")),
            )
            if scale and offset is not None:
                sun = 1.0 if second else self._sun()
                return (scale / sun, offset / sun) if sun else None
        return None

    def _sun(self) -> float | None:
        """Sine of the sun's elevation, None where unknown or below 5 degrees."""
        told = next((g["SUN_ELEVATION"] for g in self.mtl.values() if "SUN_ELEVATION" in g), None)
        elevation = _float(told)
        return math.sin(math.radians(elevation)) if elevation and elevation > 5 else None

    @property
    def datetime(self) -> str | None:
        """Acquisition by the MTL."""
        for group in self.mtl.values():
            day, time = group.get("DATE_ACQUIRED", ""), group.get("SCENE_CENTER_TIME", "")
            if re.fullmatch(r"\d{4}-\d\d-\d\d", day):
                clock = re.match(r"\d\d:\d\d:\d\d", time)
                return f"{day}T{clock.group() if clock else '00:00:00'}Z"
        return None

    def notes(self, layers: Sequence[Layer]) -> list[str]:
        """What a user should know."""
        notes = []
        used = [layer for layer in layers if layer.left_out is None]
        if any(layer.scale != 1.0 for layer in used):
            level = "surface" if any("_SR_B" in layer.path.upper() for layer in used) else "top-of-atmosphere"
            notes.append(f"values are {level} reflectance by the factors in the MTL file")
        if any(layer.saturated is not None for layer in used):
            notes.append("0 is fill and the highest count saturated, as the Landsat specification says")
        return notes


def landsat_rules(paths: Sequence[str], mtl: str | None) -> Landsat | None:
    """What is known of these files as Landsat's, by their names and the MTL; None where they are not."""
    bands = landsat_bands(Path(paths[0]).name) if paths else None
    groups = read_mtl(mtl) if mtl else {}
    if bands is None and groups:
        craft = next((g["SPACECRAFT_ID"] for g in groups.values() if "SPACECRAFT_ID" in g), "")
        bands = landsat_bands(f"LC0{craft[-1:]}_")
    if bands is None:
        return None
    hit = re.search(r"_(L[12][A-Z]{2})_", Path(paths[0]).name.upper())
    surface = any(re.search(r"sr_b", Path(p).name, re.I) for p in paths)
    return Landsat(bands, "surface reflectance" if surface else hit.group(1) if hit else None, groups)


def read_mtl(path: str) -> Groups:
    """The groups of an MTL file (text, JSON or XML). Raises InputError where it is none."""
    text = read_member(path, LARGEST).decode("utf-8", "replace")
    if path.casefold().endswith(".json"):
        return _json_groups(text, path)
    if path.casefold().endswith(".xml"):
        return {hit.group(1): dict(re.findall(r"<(\w+)>([^<]*)</\1>", hit.group(2)))
                for hit in re.finditer(r"<([A-Z0-9_]+)>((?:\s*<(\w+)>[^<]*</\3>)+)\s*</\1>", text)}  # fmt: skip
    groups: Groups = {}
    current = ""
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            current = value
        elif key and value and key != "END_GROUP":
            groups.setdefault(current, {})[key] = value.strip('"')
    if not groups:
        raise InputError(f'{path} is no MTL file; expected lines such as SPACECRAFT_ID = "LANDSAT_8"')
    return groups


def _json_groups(text: str, path: str) -> Groups:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no MTL file: {error}") from error
    groups: Groups = {}

    def walk(name: str, node: Any, depth: int) -> None:
        if isinstance(node, dict) and depth < 6:
            groups[name] = {k: str(v) for k, v in node.items() if not isinstance(v, dict | list)}
            for key, inner in node.items():
                walk(key, inner, depth + 1)

    walk("", tree, 0)
    return groups


def _float(text: str | None) -> float | None:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
