"""Patches of 16 x 16 pixels before and after a wildfire: the map, against the fire's perimeter, and what the model draws."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from pages import arguments, table, write
from PIL import Image

from specvae.files.atomic import atomic_file
from specvae.ingest.options import IngestOptions
from specvae.stages.fit import fit
from specvae.stages.latent.interpolate import interpolate
from specvae.stages.latent.reconstruct import reconstruct
from specvae.stages.latent.sample import sample
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

SIDE = 16
SCENE = "20160723_post_sr7"
STRAY, BURNT = "2,9", "5,6"
"""Patches, row and column of the map: a small cloud, and the middle of the fire."""


def keep(picture: Path, out: Path) -> None:
    """A copy in 256 colours."""
    with atomic_file(out) as beside:
        Image.open(picture).convert("RGB").quantize(256).save(beside, "PNG", optimize=True)


def run(data: Path, place: Path, seed: int) -> dict[str, Any]:
    """Fit the clear ground before, score the scene after; its report."""
    fires = data / "scenes" / "coldsprings"
    normal = IngestOptions(truth=str(fires / "burn_mask.tif"))
    model = str(place / "m.specvae")
    before, mask = str(fires / "20160707_pre_sr7.tif"), str(fires / "20160707_pre_clear.tif")
    fit([before], FitRequest(model=model, patch=SIDE, seed=seed, device="cpu", ingest=IngestOptions(normal=mask)))
    request = ScoreRequest(model=model, out=str(place / "reports"), ingest=normal, device="cpu")
    score([str(fires / f"{SCENE}.tif")], request)
    report: dict[str, Any] = json.loads((place / "reports" / SCENE / "report.json").read_text())
    return report


def draw(data: Path, place: Path, out: Path) -> dict[str, Any]:
    """The pictures of one model; what its reconstructions of the scene came to."""
    model, scene = str(place / "m.specvae"), str(data / "scenes" / "coldsprings" / f"{SCENE}.tif")
    keep(place / "reports" / SCENE / "quicklook.png", out / "patches_map.png")
    sample(model=model, out=str(place / "s"), count=100, device="cpu")
    keep(place / "s" / "samples.png", out / "patches_draws.png")
    interpolate(scene, start=STRAY, end=BURNT, steps=9, model=model, out=str(place / "i"), device="cpu")
    keep(place / "i" / "images.png", out / "patches_path.png")
    (outcome,) = reconstruct([scene], model=model, out=str(place / "r"), device="cpu").outcomes
    keep(place / "r" / SCENE / "images.png", out / "patches_rebuilt.png")
    return outcome.report or {}


def main() -> None:
    options = arguments(__doc__)
    seeds = 1 if options.quick else options.seeds
    reports = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            reports.append(run(options.data, Path(folder), seed))
            if seed == 0:
                kept = draw(options.data, Path(folder), options.out)
    first, metrics = reports[0], [report["metrics"] for report in reports]

    def line(name: str, found: list[dict[str, Any]]) -> list[object]:
        return [name, *(f"{fmean(one[key] for one in found):.4f}" for key in ("auroc", "average_precision"))]

    rows = [line("specvae", metrics)]
    rows += [line(name, [one["baselines"][name] for one in metrics]) for name in metrics[0]["baselines"]]
    cut = first["threshold"]
    write(
        options,
        "patches.md",
        "# A wildfire in patches",
        f"Cold Springs, Colorado: `specvae fit 20160707_pre_sr7.tif --normal 20160707_pre_clear.tif --patch {SIDE}` on the clear "
        f"ground before the fire ({first['calibration']['pixels']} patches held out), then `specvae score {SCENE}.tif`. A patch is "
        "anomalous by the truth if any of its pixels lies in the fire's perimeter.",
        "![The scene, the score by patch, and what was flagged](patches_map.png)",
        f"{first['pixels']['anomalous']} of {first['pixels']['valid']} patches are flagged at {cut['value']:.0f} nats, the cut "
        f"that stands for a false-alarm rate of {cut['false_alarm_rate']:.2g}, as fine as so few held-out patches tell. "
        "The fire is one object and its outline is the perimeter's, to the size of a patch. "
        "The patch alone in the north is a small cloud that the "
        "scene before did not have. Those in the south-west are the middle of the town, whose roofs are like nothing else that "
        "was trained on: false alarms.",
        f"Mean of {seeds} seed{'s' if seeds > 1 else ''}; the baselines see the mean of each patch:",
        table(["", "AUROC", "average precision"], rows),
        "## What the model draws and keeps",
        "A hundred draws from the prior (`specvae sample`); the way from the cloud to the middle of the fire (`specvae interpolate "
        f"--start {STRAY} --end {BURNT}`), the given patches first and last; twelve patches, rebuilt, and what is left "
        "(`specvae reconstruct`):",
        "![Draws from the prior](patches_draws.png)",
        "![From cloud to fire](patches_path.png)",
        "![Patches, rebuilt, and what is left](patches_rebuilt.png)",
        f"{kept['values']} values by {kept['active']} numbers, {kept['ratio']:.0f} : 1: mean squared error {kept['mse']:.3g} in "
        f"squared units of the data, by as many principal components of the training patches {kept['pca_mse']:.3g}. The median "
        f"patch is off by {kept['error_median']:.2f} standard deviations. Principal components are the best linear code in just "
        "this measure; the network was trained on whitened bands, where no bright one outweighs the others, and on patches "
        "turned and mirrored as well.",
        packages=("scikit-learn", "torch"),
    )


if __name__ == "__main__":
    main()
