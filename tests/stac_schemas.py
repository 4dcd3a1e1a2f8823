"""The rules of the STAC extensions used here, written out from their specifications, so that validation needs no network."""

from __future__ import annotations

from typing import Any

SITE = "https://stac-extensions.github.io"
TEXT, NUMBER, WHOLE = {"type": "string", "minLength": 1}, {"type": "number"}, {"type": "integer"}
DATA_TYPE = {"enum": ["int8", "int16", "int32", "uint8", "uint16", "uint32", "float16", "float32", "float64", "other"]}


def _schema(prefix: str, version: str, fields: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """Fields of the prefix in properties, assets, links and bands; any other name with that prefix is wrong."""
    uri = f"{SITE}/{prefix}/v{version}/schema.json"
    short = {"projection": "proj"}.get(prefix, prefix)
    allowed = {
        "type": "object",
        "properties": {f"{short}:{name}": rule for name, rule in fields.items()},
        "patternProperties": {f"^(?!{short}:)": {}},
        "additionalProperties": False,
    }
    with_bands = {
        "allOf": [allowed, {"properties": {"bands": {"type": "array", "items": allowed}}}],
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": uri,
        "type": "object",
        "required": ["type", "stac_extensions", "properties", "assets"],
        "properties": {
            "type": {"const": "Feature"},
            "stac_extensions": {"type": "array", "contains": {"const": uri}},
            "properties": {"allOf": [with_bands, {"required": [f"{short}:{name}" for name in required or []]}]},
            "assets": {"type": "object", "additionalProperties": {"allOf": [with_bands]}},
            "links": {"type": "array", "items": allowed},
        },
    }


TENSOR = {
    "type": "object",
    "required": ["shape", "dim_order", "data_type"],
    "properties": {
        "shape": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": -1}},
        "dim_order": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"pattern": "^[a-z-_]+$"}},
        "data_type": DATA_TYPE,
    },
}
TASKS = {
    "type": "array",
    "uniqueItems": True,
    "items": {"enum": ["regression", "classification", "detection", "segmentation", "similarity-search", "generative"]},
}
MLM = _schema(
    "mlm",
    "1.4.0",
    {
        "name": {"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9_.-]+[a-zA-Z0-9]$"},
        "architecture": TEXT,
        "tasks": TASKS,
        "framework": TEXT,
        "framework_version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"},
        "total_parameters": {"type": "integer", "minimum": 0},
        "pretrained": {"type": "boolean"},
        "pretrained_source": {"type": ["string", "null"]},
        "artifact_type": TEXT,
        "input": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "bands", "input"],
                "properties": {
                    "name": TEXT,
                    "bands": {"type": "array", "items": TEXT},
                    "input": TENSOR,
                    "value_scaling": {"type": ["array", "null"]},
                    "resize_type": {"type": ["string", "null"]},
                },
            },
        },
        "output": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "tasks", "result"],
                "properties": {"name": TEXT, "tasks": TASKS, "result": TENSOR},
            },
        },
    },
    ["name", "architecture", "framework", "tasks", "input", "output"],
)
MLM["properties"]["assets"]["minProperties"] = 1
MLM["properties"]["assets"]["additionalProperties"]["allOf"].append(
    {"required": ["roles"], "properties": {"roles": {"type": "array", "contains": {"const": "mlm:model"}}}}
)
"""Simplified: every asset here, not only one, holds the model."""

SCHEMAS = {
    schema["$id"]: schema
    for schema in (
        MLM,
        _schema("file", "2.1.0", {
            "size": {"type": "integer", "minimum": 0},
            "checksum": {"type": "string", "pattern": "^1220[0-9a-f]{64}$"},
        }),
        _schema("processing", "1.2.0", {
            "software": {"type": "object", "additionalProperties": {"type": "string"}},
            "lineage": TEXT, "level": TEXT, "facility": TEXT, "version": TEXT,
            "datetime": {"type": "string", "format": "date-time"},
        }),
        _schema("projection", "2.0.0", {
            "code": {"type": ["string", "null"], "pattern": "^[A-Z]+:[0-9A-Za-z]+$"},
            "wkt2": {"type": ["string", "null"]},
            "bbox": {"type": "array", "items": NUMBER},
            "shape": {"type": "array", "minItems": 2, "maxItems": 2, "items": WHOLE},
            "transform": {"type": "array", "minItems": 6, "maxItems": 9, "items": NUMBER},
        }),
        _schema("raster", "2.0.0", {
            "bits_per_sample": WHOLE, "sampling": {"enum": ["area", "point"]}, "scale": NUMBER, "offset": NUMBER,
            "spatial_resolution": NUMBER, "histogram": {"type": "object"},
        }),
    )
}  # fmt: skip
