"""What a score is asked to do, and whether it was done before: light to import, for those who only plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from specvae.errors import UsageError
from specvae.export.contents import EVIDENCE, ITEM, OBJECTS_GEOPACKAGE, PRODUCTS, REPORT, SCORE
from specvae.export.products import Products
from specvae.files.fingerprint import Fingerprint, identify
from specvae.files.json_files import read_json
from specvae.ingest.options import IngestOptions
from specvae.ingest.source import Source
from specvae.option import MAIN, RESULTS, RUNNING, Option, Range, check_options, option
from specvae.stages.requests import DEVICE, MODEL, OVERWRITE

if TYPE_CHECKING:
    from specvae.model_file import StoredModel
    from specvae.thresholds.threshold import Threshold

__all__ = ["DEFAULT_RATE", "ScoreRequest", "StoredResult", "fingerprint_of", "stored_item", "stored_report"]

DEFAULT_RATE = 1e-3


@dataclass(frozen=True)
class ScoreRequest:
    """What a score is asked to do, alike for every scene. Raises UsageError where options exclude each other.

    A field made by ``option`` is an option of the command and a key of the stage in a pipeline's TOML.
    """

    model: str = option("model.specvae", MODEL)
    """The model file to score with."""
    out: str = option(
        "reports", Option("Write a folder for each scene below this one.", metavar="DIR", is_path=True, heading=MAIN)
    )
    """The folder that holds a folder of results for each scene."""
    false_alarm_rate: float | None = option(
        None,
        Option(
            "Cut the map where so large a share of normal pixels would be flagged. [default: 1e-3]",
            metavar="R",
            range=Range(0, 1, low_open=True, high_open=True),
            heading=MAIN,
        ),
    )
    """Share of normal pixels above the cut, in 0..1; None: the nearest to 1e-3 that the calibration supports."""
    threshold: float | None = option(
        None, Option("Flag what scores above so many nats, in place of a rate.", metavar="NATS", heading=MAIN)
    )
    """The cut itself, in nats; excludes ``false_alarm_rate``."""
    ingest: IngestOptions = field(default_factory=IngestOptions)
    """How the scenes are read, and where their truth is."""
    parts: bool = option(False, Option("Write reconstruction, kl, p-value and dominant band as well.", heading=RESULTS))
    """Whether ``score.tif`` has the two terms in nats, the p-value and the dominant band as bands of their own."""
    pool: bool = option(
        False, Option("Write evidence.tif: the score pooled over space, with its own threshold.", heading=RESULTS)
    )
    """Whether the score is also pooled over space; a table has no space and is refused."""
    fdr: float | None = option(
        None,
        Option(
            "Keep objects at this false-discovery rate.", metavar="Q", range=Range(0, 1, low_open=True), heading=RESULTS
        ),
    )
    """Expected share of false objects among those that are kept, in 0..1; None: all are kept."""
    min_pixels: int = option(
        1,
        Option(
            "Leave objects of fewer pixels out of the files of objects.", metavar="N", range=Range(1), heading=RESULTS
        ),
    )
    """The least pixels of an object that is written; smaller ones are counted, and stay in anomaly.tif."""
    explain: int | None = option(
        None,
        Option(
            "Explain so many rows of a table. [default: those flagged, up to 500]",
            metavar="N",
            range=Range(0),
            heading=RESULTS,
        ),
    )
    """How many rows of a table, the most anomalous first, are explained; None: those above the cut, and 10 at least."""
    known: str | None = option(
        None,
        Option(
            "Mark objects that are not in this file of known ones as new.",
            metavar="OBJECTS",
            is_path=True,
            heading=RESULTS,
        ),
    )
    """A file of objects known from before; ``{stem}`` stands for the scene's name."""
    objects: tuple[str, ...] = option(
        ("gpkg",),
        Option(
            "Write objects as GeoPackage, GeoJSON or GeoParquet; may be repeated.",
            choices=("gpkg", "geojson", "parquet"),
            heading=RESULTS,
        ),
    )
    """The formats that anomalous objects are written in."""
    products: tuple[str, ...] = option(
        (),
        Option(
            f"Write these alone, of {', '.join(PRODUCTS)}; report is always written. [default: all]",
            metavar="LIST",
            heading=RESULTS,
        ),
    )
    """The products to write, each entry one name or several with commas between them; (): all."""
    strict: bool = option(
        False, Option("Exit 5 where a verdict is do-not-use or a rate is unsupported.", heading=RUNNING)
    )
    """Whether a result that is not to be trusted changes the exit status."""
    device: str = option("auto", DEVICE)
    """Where to compute: ``cpu``, ``cuda``, or ``auto``, a GPU where there is one."""
    max_memory: str | None = option(
        None, Option("Keep working memory below this size, such as 400M or 2G.", metavar="SIZE", heading=RUNNING)
    )
    """Bound of the working buffers, such as ``400M``; None: a tenth of the memory, 256 MiB at most."""
    overwrite: bool = option(False, OVERWRITE)
    """Score in any case, and replace whatever stands in a scene's folder."""
    renew: bool = False
    """Replace a result that was made otherwise; the same one is still nothing to do."""
    threads: int = 2
    """Threads that one scene is scored in."""

    def __post_init__(self) -> None:
        check_options(self)
        if self.threshold is not None and self.false_alarm_rate is not None:
            raise UsageError("threshold and false_alarm_rate exclude each other; give one")
        # Asked for in any case: the names of products are checked here.
        written = self.written
        if self.pool and EVIDENCE not in written:
            raise UsageError(
                "pool makes the product evidence, which products leaves out; add it there or leave pool out"
            )

    @property
    def written(self) -> Products:
        """The products that are written."""
        return Products.of(self.products)

    @property
    def outlines(self) -> bool:
        """Whether objects are outlined: to be written, or to be compared with known ones."""
        return OBJECTS_GEOPACKAGE in self.written or self.known is not None

    @property
    def score_parts(self) -> bool:
        """Whether score.tif has the bands of ``parts``, for which every pixel is explained."""
        return self.parts and SCORE in self.written

    def settings(self) -> dict[str, Any]:
        """What the outputs' content depends on, JSON-ready."""
        names = ("false_alarm_rate", "threshold", "parts", "pool", "fdr", "explain", "known", "objects")
        settings = {name: getattr(self, name) for name in names} | {"ingest": self.ingest.to_json()}
        if self.explain is None:  # as it was before all flagged rows were explained: older results stay done
            settings["explain"] = 10
        if self.min_pixels > 1:  # named only where it is used, so that older results stay done
            settings["min_pixels"] = self.min_pixels
        # Where all is written nothing is said of it, as before there was a choice: older results stay done.
        return settings if self.written == Products() else settings | {"products": list(self.written.names)}

    def cut(self, model: StoredModel) -> Threshold:
        """The threshold that applies."""
        calibration = model.detector.calibration
        if self.threshold is None:
            explicit = self.false_alarm_rate is not None
            return calibration.threshold(self.false_alarm_rate or DEFAULT_RATE, explicit)
        return calibration.given(self.threshold)


class StoredResult(TypedDict):
    """What a finished folder holds."""

    item: dict[str, Any]
    """The STAC item, ``item.json``."""
    report: dict[str, Any]
    """``report.json``, possibly of an earlier version."""


def fingerprint_of(source: Source, model: str, request: ScoreRequest, before: dict[str, Any] | None) -> Fingerprint:
    """What the result of one scene depends on; ``model`` is the model file's SHA-256.

    ``before``: the fingerprint of an earlier result, whose files are not hashed again where size and time are the same.
    """
    files: list[str | Path] = [*source.files, *request.ingest.companions(source.stem)]
    files += [Path(request.known.replace("{stem}", source.stem))] if request.known else []
    return Fingerprint(identify(files, before), model, request.settings())


def stored_item(folder: Path) -> dict[str, Any] | None:
    """The ``item.json`` of a finished folder, or None where it is incomplete."""
    item = read_json(folder / ITEM.name)
    return item if isinstance(item.get("properties"), dict) else None


def stored_report(folder: Path) -> StoredResult | None:
    """The ``item.json`` and ``report.json`` of a finished folder, or None where it is incomplete."""
    # The item is written last: where it is missing, the other files are those of a score that never ended.
    item, report = stored_item(folder), read_json(folder / REPORT.name)
    return {"item": item, "report": report} if item and report else None
