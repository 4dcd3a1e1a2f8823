"""The registry of result files: every file that a score may leave in a scene's folder, and what each one is.

The products that ``--products`` takes, the sweep of an older result, the assets of the STAC item, the names of
the QGIS styles and the table in the documentation follow from this list; ``python -m specvae.export.contents`` prints that table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

__all__ = [
    "COLLECTION",
    "CONTENTS",
    "NAMES",
    "PRODUCTS",
    "ResultFile",
    "Role",
    "When",
    "result_file",
    "result_table",
]


class When(Enum):
    """When a file is written, in the words of the documentation's table."""

    ALWAYS = "always"
    RASTER = "of a raster"
    POOL = "of a raster, with `--pool`"
    PATCH_PARTS = "of a raster scored by a model of patches, with `--parts`"
    GEOPACKAGE = "of a raster, unless `--objects` names other formats"
    GEOJSON = "of a raster, with `--objects geojson`"
    GEOPARQUET = "of a raster, with `--objects parquet`"
    CSV = "of a table that is no Parquet file"
    PARQUET = "of a table that is a Parquet file"
    EXPLAINED = "where an object or a row is explained"
    UNUSABLE = "by `specvae run`, alone, for a scene that cannot be used"


class Role(Enum):
    """The role of an asset in a STAC item."""

    DATA = "data"
    METADATA = "metadata"
    OVERVIEW = "overview"


COG = "image/tiff; application=geotiff; profile=cloud-optimized"
GEOJSON, JSON, CSV, PARQUET = "application/geo+json", "application/json", "text/csv", "application/vnd.apache.parquet"


@dataclass(frozen=True)
class ResultFile:
    """One file of a result."""

    name: str
    product: str | None
    """The word by which ``--products`` chooses it; None for a file that is no choice."""
    media_type: str
    role: Role | None
    """Its role as an asset of the STAC item; None for a file that is no asset."""
    title: str
    """A few words, which the STAC item repeats."""
    when: When
    holds: str
    """What the documentation's table says of it."""

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return PurePath(self.name).stem


def _style(raster: ResultFile) -> ResultFile:
    """The style that QGIS takes up by itself, because it has the raster's name."""
    title = f"Style of {raster.name}"
    return ResultFile(
        f"{raster.stem}.qml", raster.product, "text/xml", None, title, raster.when, f"style of `{raster.name}` for QGIS"
    )


SCORE = ResultFile(
    "score.tif",
    "score",
    COG,
    Role.DATA,
    "Anomaly score, nats; higher is more anomalous",
    When.RASTER,
    "cloud-optimised GeoTIFF, float32, NaN where invalid; with `--parts` also reconstruction, KL, p-value and dominant band",
)
ANOMALY = ResultFile(
    "anomaly.tif",
    "anomaly",
    COG,
    Role.DATA,
    "1 anomalous, 0 normal, 255 invalid",
    When.RASTER,
    "1 anomalous, 0 normal, 255 invalid",
)
SCORE_STYLE, ANOMALY_STYLE = _style(SCORE), _style(ANOMALY)
PIXELS = ResultFile(
    "pixels.tif",
    "pixels",
    COG,
    Role.DATA,
    "Each pixel's share of its patch's reconstruction term, nats",
    When.PATCH_PARTS,
    "each pixel's share of its patch's reconstruction term, nats",
)
EVIDENCE = ResultFile(
    "evidence.tif",
    "evidence",
    COG,
    Role.DATA,
    "Evidence pooled over space",
    When.POOL,
    "how far the log score stands above that of the ground around",
)
EVIDENCE_ANOMALY = ResultFile(
    "evidence_anomaly.tif",
    "evidence",
    COG,
    Role.DATA,
    "Anomalous pixels by the evidence",
    When.POOL,
    "the flags of `evidence.tif`, by its own measured cut",
)
EVIDENCE_STYLE = _style(EVIDENCE)
OBJECTS_GEOPACKAGE = ResultFile(
    "objects.gpkg",
    "objects",
    "application/geopackage+sqlite3",
    Role.DATA,
    "Anomalous objects",
    When.GEOPACKAGE,
    "an outline and a point an anomalous object: scene, date, cut, verdict, rank, event, size, what drives it",
)
OBJECTS_GEOJSON = ResultFile(
    "objects.geojson",
    "objects",
    GEOJSON,
    Role.DATA,
    "Anomalous objects",
    When.GEOJSON,
    "the objects in longitude and latitude",
)
OBJECTS_GEOPARQUET = ResultFile(
    "objects.parquet",
    "objects",
    PARQUET,
    Role.DATA,
    "Anomalous objects",
    When.GEOPARQUET,
    "the objects as GeoParquet",
)
SCORES_CSV = ResultFile(
    "scores.csv",
    "score",
    CSV,
    Role.DATA,
    "Scored rows",
    When.CSV,
    "a row's score, terms, p-value and flag, beside the other columns of the table",
)
SCORES_PARQUET = ResultFile(
    "scores.parquet",
    "score",
    PARQUET,
    Role.DATA,
    "Scored rows",
    When.PARQUET,
    "the rows as Parquet",
)
EXPLANATIONS = ResultFile(
    "explanations.csv",
    "explanations",
    CSV,
    Role.METADATA,
    "What each band contributes",
    When.EXPLAINED,
    "each band's share of an object's or a row's score in nats, which add up to it; observed and expected values",
)
THRESHOLDS = ResultFile(
    "thresholds.csv",
    "thresholds",
    CSV,
    Role.METADATA,
    "Thresholds and their false-alarm rates",
    When.ALWAYS,
    "rates 1e-1 to 1e-6: threshold, intervals, method, expected false alarms here",
)
QUICKLOOK = ResultFile(
    "quicklook.png",
    "quicklook",
    "image/png",
    Role.OVERVIEW,
    "Quicklook",
    When.ALWAYS,
    "the scene, its score, what was flagged; of a table, the distribution of its scores",
)
PAGE = ResultFile(
    "report.html",
    "page",
    "text/html",
    Role.OVERVIEW,
    "Report to read",
    When.ALWAYS,
    "one self-contained page: the claim, the verdict, a map with a live threshold, spectra against what was expected, objects",
)
REPORT = ResultFile(
    "report.json",
    "report",
    JSON,
    Role.METADATA,
    "Report for machines",
    When.ALWAYS,
    "the same for programs, with its schema in the package: counts, threshold, calibration, drift, timing",
)
MODEL_ITEM = ResultFile(
    "model.json",
    "model",
    GEOJSON,
    None,
    "STAC item of the model",
    When.ALWAYS,
    "a STAC item of the model, which `item.json` links to",
)
ITEM = ResultFile(
    "item.json",
    "report",
    GEOJSON,
    None,
    "STAC item",
    When.ALWAYS,
    "a STAC item, written last: where it stands, the folder is whole",
)
INVALID = ResultFile(
    "invalid.json",
    None,
    JSON,
    None,
    "Why the scene cannot be used",
    When.UNUSABLE,
    "why the scene cannot be used, so that it is not tried again before something changes",
)

CONTENTS = (
    SCORE,
    ANOMALY,
    SCORE_STYLE,
    ANOMALY_STYLE,
    PIXELS,
    EVIDENCE,
    EVIDENCE_ANOMALY,
    EVIDENCE_STYLE,
    OBJECTS_GEOPACKAGE,
    OBJECTS_GEOJSON,
    OBJECTS_GEOPARQUET,
    SCORES_CSV,
    SCORES_PARQUET,
    EXPLANATIONS,
    THRESHOLDS,
    QUICKLOOK,
    PAGE,
    REPORT,
    MODEL_ITEM,
    ITEM,
    INVALID,
)
"""All result files, in the order of the documentation's table."""
PRODUCTS = tuple(dict.fromkeys(file.product for file in CONTENTS if file.product))
"""The words that ``--products`` takes. A product is one file or a few that belong together."""
COLLECTION = "collection.json"
"""The STAC collection beside the folders of results."""
NAMES = frozenset(file.name for file in CONTENTS)
HEADER = ("file", "product", "what it holds", "written")


def result_file(name: str) -> ResultFile | None:
    """The entry of a file of this name; None where it is no result file."""
    return next((file for file in CONTENTS if file.name == name), None)


def result_table() -> str:
    """The table of the documentation, in Markdown."""
    rows = [
        HEADER,
        ("---",) * len(HEADER),
        *((f"`{file.name}`", file.product or "", file.holds, file.when.value) for file in CONTENTS),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    print(result_table())
