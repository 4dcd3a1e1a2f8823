"""Neighbours in time of one place, the later given the earlier: the rate asked is about the rate that pairs not fitted show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specvae.ingest.options import IngestOptions
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

CLEAR = 0.6
"""Share of a date that is there, at least, for the date to make a pair."""


def pairs_of(scenes: Path, earlier: Path) -> list[Path]:
    """Later dates whose date before is there under their own name in ``earlier``, both of them clear."""
    dates = sorted(scenes.glob("S2_*.tif"))
    clear = []
    for path in dates:
        with rasterio.open(path) as raster:
            clear.append(float(np.mean((raster.read() > 0).all(axis=0))) > CLEAR)
    later = []
    for number in range(1, len(dates)):
        if clear[number - 1] and clear[number]:
            (earlier / dates[number].name).symlink_to(dates[number - 1].resolve())
            later.append(dates[number])
    return later


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_pairs_that_were_not_fitted_show_about_the_rate_asked(real_data: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    later = pairs_of(real_data / "scenes" / "rufiji_timeseries", earlier)
    assert len(later) == 12
    flagged, valid = {0.001: 0, 0.01: 0}, dict.fromkeys((0.001, 0.01), 0)
    for half in (0, 1):
        model, place = str(tmp_path / f"{half}.specvae"), tmp_path / str(half)
        ingest = IngestOptions(nodata=0, before=str(earlier / "{stem}.tif"))
        fit([str(path) for path in later[half::2]], FitRequest(model=model, ingest=ingest))
        for rate in flagged:
            out = place / str(rate)
            score(
                [str(path) for path in later[1 - half :: 2]],
                ScoreRequest(model=model, out=str(out), false_alarm_rate=rate, ingest=ingest),
            )
            for report in out.glob("*/report.json"):
                pixels = json.loads(report.read_text())["pixels"]
                flagged[rate] += pixels["anomalous"]
                valid[rate] += pixels["valid"]
    realised = {rate: flagged[rate] / valid[rate] / rate for rate in flagged}
    assert min(valid.values()) > 200_000
    assert 1 / 3 < realised[0.001] < 3, realised
    assert 1 / 2 < realised[0.01] < 2, realised
