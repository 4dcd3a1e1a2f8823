"""Commands leave the rims of clouds out of calibration by themselves, say so with numbers, and do not where a user says 0."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter

from specvae.ingest.options import IngestOptions
from specvae.model_file import load_model
from specvae.stages.calibrate import calibrate
from specvae.stages.fit import fit
from specvae.stages.inspect import inspect
from specvae.stages.requests import CalibrateRequest, FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score
from tests.raster_files import write

SIDE = 128
SHORT = ("training.steps=40", "training.refits=0")


@pytest.fixture(scope="module")
def clouded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two dates of smooth ground, on the later one clouds with rims, and a mask that has no rim."""
    folder, rng = tmp_path_factory.mktemp("clouded"), np.random.default_rng(0)
    ground = np.stack([gaussian_filter(rng.normal(size=(SIDE, SIDE)), 4) for _ in range(4)]) * 3000 + 3000
    values = ground + rng.normal(0, 20, ground.shape)
    masked = np.zeros((SIDE, SIDE), bool)
    for row, col in ((20, 20), (20, 100), (60, 60), (100, 24), (104, 104), (64, 110)):
        masked[row - 3 : row + 4, col - 3 : col + 4] = True
    rim = binary_dilation(masked, np.ones((3, 3))) & ~masked
    values[:, masked] = 9000
    # Some pixels of each rim alone, each of another strength: what is few and unlike is what no model learns.
    hot = rim & (rng.random(rim.shape) < 0.15)
    values[:, hot] += rng.uniform(2000, 4000, (4, int(hot.sum()))) * np.array([[1], [-1], [1], [1]])
    write(folder / "scene.tif", values.astype("int16"))
    write(folder / "earlier.tif", (ground + rng.normal(0, 20, ground.shape)).astype("int16"))
    write(folder / "clear.tif", (~masked).astype("uint8")[None])
    return folder


def fitted(folder: Path, name: str, **read: str | int) -> tuple[Path, str]:
    """A model, and what its fit says of the edges of masks."""
    model = folder / name
    outcome = fit(
        [str(folder / "scene.tif")],
        FitRequest(model=str(model), set=SHORT, device="cpu", ingest=IngestOptions(**read)),
    )
    return model, "; ".join(warning for warning in outcome.warnings if "mask-buffer" in warning)


@pytest.fixture(scope="module")
def by_default(clouded: Path) -> tuple[Path, str]:
    """The model of a fit behind the mask, and what the fit says of its edges."""
    return fitted(clouded, "auto.specvae", mask=str(clouded / "clear.tif"))


def test_rims_set_no_cut_unless_a_user_says_so(clouded: Path, by_default: tuple[Path, str]) -> None:
    mask = str(clouded / "clear.tif")
    model, said = by_default
    assert "these 2 pixels set no cut" in said
    assert "--mask-buffer 0 makes cuts of them too" in said
    description = inspect(str(model))
    assert description["kind"] == "model"
    counted, calibration = description["mask_buffer"], load_model(model).detector.calibration
    assert counted["said"] == said
    assert load_model(model).detector.facts()["edges of masks"] == said
    assert counted["along"] >= 8
    # Six clouds of 7 x 7 pixels: 32 around each, and 72 within two pixels.
    assert calibration.size == SIDE * SIDE - 6 * (49 + 72) == sum(description["folds"]["pixels"])
    assert calibration.threshold().value == pytest.approx(counted["cut_without"])
    with_rims, said = fitted(clouded, "zero.specvae", mask=mask, mask_buffer=0)
    assert "set no cut" not in said
    cut = load_model(with_rims).detector.calibration.threshold().value
    assert cut == pytest.approx(counted["cut"])
    assert cut > 1.2 * counted["cut_without"]
    assert inspect(str(with_rims))["mask_buffer"] is None


def test_a_score_behind_a_mask_says_where_the_rate_does_not_hold(clouded: Path, by_default: tuple[Path, str]) -> None:
    mask = str(clouded / "clear.tif")
    model, _ = by_default
    for options, says in ((IngestOptions(mask=mask), True), (IngestOptions(mask=mask, mask_buffer=2), False)):
        request = ScoreRequest(model=str(model), out=str(clouded / f"out{says}"), device="cpu", ingest=options)
        done = score([str(clouded / "scene.tif")], request)
        report = json.loads((Path(done.outcomes[0].folder) / "report.json").read_text())
        assert any("give --mask-buffer 2" in warning for warning in report["warnings"]) is says


def test_a_calibration_decides_for_itself(clouded: Path) -> None:
    model, said = fitted(clouded, "plain.specvae", mask=str(clouded / "clear.tif"), mask_buffer=2)
    assert said == ""
    for buffer, expected in (("auto", True), (0, False)):
        masked = IngestOptions(mask=str(clouded / "clear.tif"), mask_buffer=buffer)
        request = CalibrateRequest(model=str(model), out=str(clouded / f"calibrated_{buffer}.specvae"), ingest=masked)
        outcome = calibrate([str(clouded / "scene.tif")], request)
        assert any("these 2 pixels set no cut" in warning for warning in outcome.warnings) is expected
        assert (inspect(request.target)["mask_buffer"] is not None) is expected


def test_the_mask_of_an_earlier_date_has_edges_too(clouded: Path) -> None:
    read = {"before": str(clouded / "earlier.tif"), "before_mask": str(clouded / "clear.tif")}
    assert "these 2 pixels set no cut" in fitted(clouded, "two.specvae", **read)[1]
