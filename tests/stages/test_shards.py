"""A scene scored in shards: its report says the time that the shards took."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from specvae.ingest.sources import find_sources
from specvae.model_file import load_model
from specvae.stages.demo.scenes import write_scene
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score_one
from specvae.stages.score.shards import Shards, count_shards, score_shard

ROWS = 128


def test_the_report_of_a_scene_in_shards_says_the_time_of_the_shards(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.gamma(20, 5, (3, 300, 120)).astype(np.float32)
    values[:, 40:46, 40:46] *= 4
    write_scene(tmp_path / "scene.tif", values, ("B1", "B2", "B3"))
    fit(
        [str(tmp_path / "scene.tif")],
        FitRequest(model=str(tmp_path / "m.specvae"), device="cpu", set=("training.steps=20",)),
    )
    model, (source,) = load_model(tmp_path / "m.specvae"), find_sources([str(tmp_path / "scene.tif")])
    request = ScoreRequest(model=str(tmp_path / "m.specvae"), out=str(tmp_path / "out"), device="cpu")
    count = count_shards(source, model, request, ROWS)
    assert count > 1
    place = tmp_path / "shards"
    parts = tuple(score_shard(source, model, request, ROWS, number, place) for number in range(count))
    spent = [part.gathered.seconds for part in parts]
    assert all(seconds > 0 for shard in spent for seconds in shard.values())
    outcome = score_one(source, model, request, shards=Shards(str(place), parts))
    assert outcome.status == "done", outcome.message
    assert outcome.report is not None
    timing = outcome.report["timing"]
    for step in ("read", "compute"):
        assert abs(timing[step] - sum(shard[step] for shard in spent)) < 2e-3, step
    assert timing["write"] >= sum(shard["write"] for shard in spent) - 2e-3
