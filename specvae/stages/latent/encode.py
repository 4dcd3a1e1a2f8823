"""The stage ``encode``: scenes or tables in, latent means out: rows of a table, or a raster of latent bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import UsageError
from specvae.export.maps import MapBand, MapWriter
from specvae.export.table_writing import ScoresWriter, other_columns
from specvae.files.fingerprint import Fingerprint, identify
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import in_patches
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.ingest.table.arrow_files import is_columnar
from specvae.model.device import pick_device
from specvae.model_file import load_model
from specvae.scoring.compression import ACTIVE
from specvae.scoring.latent import latent_means, map_cells
from specvae.spectra import Window
from specvae.stages.latent.folder import LatentResult, for_each, make_folder
from specvae.stages.latent.images import kind_of
from specvae.stages.latent.windows import Piece, each_window, table_chunks
from specvae.stages.outcome import SceneOutcome, ScoreRun

__all__ = ["encode"]

Floats = NDArray[np.float32]


def encode(
    source: Sequence[str],
    *,
    model: str = "model.specvae",
    out: str = "reports/encode",
    format: str | None = None,
    ingest: IngestOptions | None = None,
    device: str = "auto",
    max_memory: str | None = None,
    overwrite: bool = False,
    done: Callable[[SceneOutcome], None] | None = None,
) -> ScoreRun:
    """``latent.tif``, ``latent.csv`` or ``latent.parquet`` of every source, in its folder below ``out``.

    By default as the source is: a raster of latent bands for a raster, NaN where invalid, of patches on their coarse grid;
    rows for a table.
    """
    stored = load_model(model, pick_device(device), threads=2)
    stored.detector.require_one_date("encode")
    ingest = ingest or IngestOptions()

    def work(one: Source, folder: Path) -> LatentResult:
        kind = _format(one, format)
        settings = {"command": "encode", "format": kind, "ingest": ingest.to_json()}
        fingerprint = Fingerprint(identify([*one.files, *ingest.companions(one.stem)]), stored.sha256, settings)
        write = _table if one.is_table else _map if kind == "tif" else _pixels

        def make(place: Path) -> dict[str, object]:
            codes = write(one, stored.detector, ingest, place / f"latent.{kind}", max_memory)
            return {"command": "encode", "kind": kind_of(stored.detector), "source": one.path, **codes.to_json()}

        return make_folder(folder, fingerprint, overwrite, make)

    return for_each(find_sources(source), out, work, _message, done)


def _format(source: Source, format: str | None) -> str:
    if source.is_table and format == "tif":
        raise UsageError(f"{source.path} is a table and cannot be written as a raster; give --format csv or parquet")
    if format is not None:
        return format
    return "tif" if not source.is_table else "parquet" if is_columnar(source.path) else "csv"


def _message(summary: dict[str, Any]) -> str:
    return f"{summary['valid']:,} {summary['kind']}, {summary['active']} of {summary['latent']} latent dimensions vary here"


@dataclass
class _Codes:
    """Counts and moments of the latent means that were written."""

    latent: int
    """Latent dimensions."""
    count: int = 0
    """Encoded spectra, images or patches."""
    totals: NDArray[np.float64] = field(init=False)
    """``(latent,)``: sums of the means."""
    squares: NDArray[np.float64] = field(init=False)
    """``(latent,)``: sums of their squares."""

    def __post_init__(self) -> None:
        self.totals, self.squares = np.zeros(self.latent), np.zeros(self.latent)

    def add(self, z: Floats) -> None:
        """Add the means ``(latent, n)`` of more spectra."""
        self.count += z.shape[1]
        # float64: sums of float32 over a scene of a hundred million pixels lose the variance.
        self.totals += z.sum(axis=1, dtype=np.float64)
        self.squares += np.square(z, dtype=np.float64).sum(axis=1)

    def to_json(self) -> dict[str, object]:
        """The part of ``summary.json`` about the latent values: counts, mean and variance of each dimension."""
        mean = self.totals / max(1, self.count)
        # E[z^2] - E[z]^2 is a little below 0 by rounding where a dimension does not vary.
        variance = np.maximum(self.squares / max(1, self.count) - mean**2, 0)
        return {
            "valid": self.count,
            "latent": self.latent,
            "active": int((variance > ACTIVE).sum()),
            "mean": mean.tolist(),
            "variance": variance.tolist(),
        }


def _names(detector: Detector) -> list[str]:
    return [f"z{i + 1}" for i in range(detector.net.latent)]


def _encoded(detector: Detector, piece: Piece) -> Floats:
    """Latent means ``(latent, rows, cols)`` of a window, NaN where invalid."""
    net = detector.net

    def means(values: Floats, context: Floats | None) -> Floats:
        return latent_means(net, values, context)

    return map_cells(piece.cube, piece.window, piece.context, net.latent, means, net.cell)


def _map(source: Source, detector: Detector, ingest: IngestOptions, path: Path, max_memory: str | None) -> _Codes:
    codes = _Codes(detector.net.latent)
    bands = [MapBand(name, f"posterior mean of latent dimension {name[1:]}", "1") for name in _names(detector)]
    with (
        in_patches(open_scene(source, ingest, match=detector.bands), detector.config.patch) as scene,
        MapWriter(path, scene.grid, bands, "float32", float("nan"), {}, 2, highest=False) as file,
    ):

        def write(window: Window, z: Floats) -> None:
            codes.add(z[:, np.isfinite(z[0])])  # an invalid pixel is NaN in all dimensions
            file.write(window, z)

        each_window(scene, detector, max_memory, 3 * codes.latent, lambda p: _encoded(detector, p), write)
        # Before the summary: the COG with its overviews is made now, and may fail.
        file.close()
    return codes


def _pixels(source: Source, detector: Detector, ingest: IngestOptions, path: Path, max_memory: str | None) -> _Codes:
    """Write a raster's valid pixels as the rows of a table: row, col, latent means."""
    codes = _Codes(detector.net.latent)
    names = _names(detector)
    opened = in_patches(open_scene(source, ingest, match=detector.bands), detector.config.patch)
    with opened as scene, ScoresWriter(path) as file:

        def write(window: Window, z: Floats) -> None:
            rows, cols = np.nonzero(np.isfinite(z[0]))
            here = z[:, rows, cols]
            codes.add(here)
            place = {"row": rows + window.row, "col": cols + window.col}
            file.write_columns(place | dict(zip(names, here, strict=True)))

        each_window(scene, detector, max_memory, 3 * codes.latent, lambda p: _encoded(detector, p), write)
    return codes


def _table(source: Source, detector: Detector, ingest: IngestOptions, path: Path, max_memory: str | None) -> _Codes:
    codes = _Codes(detector.net.latent)
    with ScoresWriter(path) as file:
        for table in table_chunks(source, detector, ingest):
            # Invalid rows stay in the file, as NaN, so that its rows are those of the source.
            z = np.full((codes.latent, len(table)), np.nan, np.float32)
            z[:, table.valid] = latent_means(detector.net, np.ascontiguousarray(table.values[table.valid].T))
            codes.add(z[:, table.valid])
            file.write(other_columns(table), dict(zip(_names(detector), z, strict=True)))
    return codes
