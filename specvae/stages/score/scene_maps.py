"""The maps of a scene while it is scored: score.tif and anomaly.tif, each only where something needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.export.contents import ANOMALY, SCORE
from specvae.export.maps import AssetBands, MapWriter
from specvae.ingest.grid import Grid
from specvae.spectra import Window
from specvae.stages.score.job import Job
from specvae.stages.score.window import FLAG_BAND, score_bands

__all__ = ["SceneMaps", "open_maps"]


@dataclass(frozen=True, eq=False)
class SceneMaps:
    """The writers of both maps."""

    folder: Path
    scores: MapWriter | None
    """None where score.tif is no product and nothing is pooled from it."""
    anomalies: MapWriter | None
    """None where anomaly.tif is no product and no object is outlined from it."""

    def write(self, window: Window, score_rows: NDArray[np.float32], flag_rows: NDArray[np.uint8]) -> None:
        """Write a window's bands ``(bands, rows, cols)`` of score.tif and its band ``(1, rows, cols)`` of anomaly.tif."""
        if self.scores is not None:
            self.scores.write(window, score_rows)
        if self.anomalies is not None:
            self.anomalies.write(window, flag_rows)

    def close_scores(self) -> None:
        """Make score.tif."""
        if self.scores is not None:
            self.scores.close()

    def close_anomalies(self) -> None:
        """Make anomaly.tif."""
        if self.anomalies is not None:
            self.anomalies.close()

    def finish(self, job: Job) -> dict[str, AssetBands]:
        """The bands of the maps that are products; one that only served others is removed."""
        writers = {SCORE: self.scores, ANOMALY: self.anomalies}
        for file in writers:
            if file not in job.request.written:
                (self.folder / file.name).unlink(missing_ok=True)
        return {
            file.name: writer.asset_bands
            for file, writer in writers.items()
            if writer is not None and file in job.request.written
        }


@contextmanager
def open_maps(folder: Path, grid: Grid, job: Job) -> Iterator[SceneMaps]:
    """The writers of the maps of a scene, as far as they are products or others are made from them."""
    request, nan = job.request, float("nan")
    tags = {"specvae_model_sha256": job.model.sha256, "direction": "higher is more anomalous", "unit": "nat"}
    # ``repr`` gives the shortest digits that read back as the very same float, so that the flags can be made again.
    cut = tags | {"threshold_nats": repr(job.threshold.value)}
    bands, threads, scores, anomalies = score_bands(request.score_parts), request.threads, None, None
    with ExitStack() as stack:
        if SCORE in request.written or request.pool:
            writer = MapWriter(folder / SCORE.name, grid, bands, "float32", nan, tags, threads)
            scores = stack.enter_context(writer)
        if ANOMALY in request.written or request.outlines:
            writer = MapWriter(folder / ANOMALY.name, grid, [FLAG_BAND], "uint8", 255, cut, threads)
            anomalies = stack.enter_context(writer)
        yield SceneMaps(folder, scores, anomalies)
