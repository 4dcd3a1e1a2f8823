"""Landsat products: what the MTL file and the product's specification say about their bands."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specvae.errors import InputError
from specvae.ingest.formats.product_archive import read_member
from specvae.ingest.formats.sensors import SensorBand, landsat_bands, landsat_bands_of
from specvae.ingest.layer import Layer

__all__ = ["MTL", "Landsat", "landsat_rules", "read_mtl"]

MTL = re.compile(r"(?P<product>.*?)_?MTL\.(?:txt|json|xml)$", re.I)
"""Name of a product's metadata file."""
LARGEST_MTL = 4 << 20
"""Bytes of an MTL file that are read at most."""
DEEPEST_GROUP = 6
"""Depth to which groups inside groups are looked into."""
LOWEST_SUN = 5.0
"""Degrees of elevation below which counts are not divided by the sine of the sun's elevation, which nears 0."""
SURFACE_GROUPS = ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS",)
TOP_GROUPS = ("RADIOMETRIC_RESCALING", "LEVEL1_RADIOMETRIC_RESCALING")
"""Groups of an MTL file with the factors to top-of-atmosphere reflectance, of Collection 1 and 2."""
Groups = dict[str, dict[str, str]]
"""The keys and values of an MTL file by their group."""


@dataclass(frozen=True)
class Landsat:
    """One Landsat scene: its bands by the sensor, and its metadata file."""

    bands: dict[str, SensorBand]
    """The sensor's bands by name."""
    level: str | None
    """Processing level (``L1TP``, ``surface reflectance`` ...), where the names of the files say it."""
    mtl: Groups
    """The metadata file; empty without one."""

    def rule(self, path: str, name: str) -> Callable[[Layer], Layer]:
        """What the product adds to what the file ``path`` says of band ``name``: fill, saturation and reflectance."""

        def apply(layer: Layer) -> Layer:
            """The layer with what the product says of it."""
            known = self.bands.get(name)
            if known is None:
                return layer
            layer = replace(layer, left_out=layer.left_out or known.left_out)
            if not self._delivered(path, layer):
                return layer
            # Level 1 files declare neither: USGS fills with 0, and clips at the largest count.
            nodata = 0.0 if layer.nodata is None else layer.nodata
            layer = replace(layer, nodata=nodata, saturated=float(255 if layer.dtype == "uint8" else 65535))
            factors = self._factors(path, name.removeprefix("B")) if known.left_out is None else None
            # A file with a scale of its own was processed since it was delivered: the factors would be applied twice.
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
        for group in SURFACE_GROUPS if second else TOP_GROUPS:
            factors = self.mtl.get(group, {})
            scale = _float(factors.get(f"REFLECTANCE_MULT_BAND_{number}"))
            offset = _float(factors.get(f"REFLECTANCE_ADD_BAND_{number}"))
            if scale and offset is not None:
                # The factors of Level 1 are those of a sun in the zenith; Level 2 is corrected for the sun already.
                sun = 1.0 if second else self._sun()
                return (scale / sun, offset / sun) if sun else None
        return None

    def _sun(self) -> float | None:
        """Sine of the sun's elevation; None where that is unknown or the sun stands lower than 5 degrees."""
        stated = next((g["SUN_ELEVATION"] for g in self.mtl.values() if "SUN_ELEVATION" in g), None)
        elevation = _float(stated)
        return math.sin(math.radians(elevation)) if elevation and elevation > LOWEST_SUN else None

    @property
    def datetime(self) -> str | None:
        """Acquisition in the metadata file, ISO 8601, or None."""
        for group in self.mtl.values():
            day, time = group.get("DATE_ACQUIRED", ""), group.get("SCENE_CENTER_TIME", "")
            if re.fullmatch(r"\d{4}-\d\d-\d\d", day):
                clock = re.match(r"\d\d:\d\d:\d\d", time)
                return f"{day}T{clock.group() if clock else '00:00:00'}Z"
        return None

    def notes(self, layers: Sequence[Layer]) -> list[str]:
        """What a user should know about the values of these bands."""
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
        sensor = next((g["SENSOR_ID"] for g in groups.values() if "SENSOR_ID" in g), "")
        bands = landsat_bands_of(craft, sensor)  # the files were renamed
    if bands is None:
        return None
    hit = re.search(r"_(L[12][A-Z]{2})_", Path(paths[0]).name.upper())
    surface = any(re.search(r"sr_b", Path(p).name, re.I) for p in paths)
    return Landsat(bands, "surface reflectance" if surface else hit.group(1) if hit else None, groups)


def read_mtl(path: str) -> Groups:
    """The groups of an MTL file (text, JSON or XML). Raises InputError where it is none."""
    text = read_member(path, LARGEST_MTL).decode("utf-8", "replace")
    if path.casefold().endswith(".json"):
        return _json_groups(text, path)
    if path.casefold().endswith(".xml"):
        return _xml_groups(text)
    groups: Groups = {}
    current = ""
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        # Groups nest, but none has keys of its own behind an inner one: the last one opened is the one that counts.
        if key == "GROUP":
            current = value
        elif key and value and key != "END_GROUP":
            groups.setdefault(current, {})[key] = value.strip('"')
    if not groups:
        raise InputError(f'{path} is no MTL file; expected lines such as SPACECRAFT_ID = "LANDSAT_8"')
    return groups


def _xml_groups(text: str) -> Groups:
    """The groups of an MTL file in XML: every element that holds elements of text alone."""
    # By a pattern rather than a parser of XML, which expands entities: some lines of text could claim all memory.
    hits = re.finditer(r"<([A-Z0-9_]+)>((?:\s*<(\w+)>[^<]*</\3>)+)\s*</\1>", text)
    return {hit.group(1): dict(re.findall(r"<(\w+)>([^<]*)</\1>", hit.group(2))) for hit in hits}


def _json_groups(text: str, path: str) -> Groups:
    """The groups of an MTL file in JSON, however deep they lie in each other."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no MTL file: {error}") from error
    groups: Groups = {}

    def walk(name: str, node: object, depth: int) -> None:
        """Gather the keys of a group, and those of the groups in it."""
        if isinstance(node, dict) and depth < DEEPEST_GROUP:
            groups[name] = {k: str(v) for k, v in node.items() if not isinstance(v, dict | list)}
            for key, inner in node.items():
                walk(key, inner, depth + 1)

    walk("", tree, 0)
    return groups


def _float(text: str | None) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
