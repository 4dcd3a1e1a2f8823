"""The preset spectral-64 on synthetic and real spectra: what it finds, draws and keeps, and where its latent space collapses."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pages import arguments, table, write
from scipy.io import loadmat
from sklearn.metrics import roc_auc_score

from specvae.benchmarks.report import write_figure
from specvae.model_file import load_model
from specvae.scoring.latent import reconstructions
from specvae.stages.demo.synthetic import make_scene
from specvae.stages.fit import fit
from specvae.stages.latent.sample import sample
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score
from specvae.training.diagnostics import bernoulli_spread

Rows = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra in 0..1 ``(n, bands)`` to train on, and to test where some are known to be odd."""

    name: str
    source: str
    bands: NDArray[np.float64]
    train: Rows
    test: Rows
    odd: NDArray[np.bool_]
    axis: str = "wavelength, nm"
    """What ``bands`` are, for the figure."""


def synthetic() -> Spectra:
    """Two synthetic nights of 64 bands; in the second every tenth spectrum is mixed with cloud, 7 parts to 3."""
    wavelengths = np.linspace(450, 2400, 64)
    nights = []
    for seed in (0, 1):
        night = make_scene(90, 100, seed, wavelengths=wavelengths)
        nights.append(np.clip(night.values[:, night.truth != 255].T / 10_000, 0, 1).astype(float))
    train, test = nights[0][:: len(nights[0]) // 1000][:1000], nights[1][::3].copy()
    odd = np.arange(len(test)) % 10 == 0
    test[odd] = 0.3 * test[odd] + 0.7 * 0.9
    source = "Reflectances of two synthetic nights, in the second every tenth mixed with cloud:"
    return Spectra("synthetic", source, wavelengths, train, test, odd)


def scene(data: Path, name: str) -> Spectra:
    """A hyperspectral scene, scaled by its highest value: every ninth normal pixel to train on, all others to test."""
    stored = loadmat(data / "had" / f"{name}.mat")
    values = np.clip(stored["data"].reshape(-1, stored["data"].shape[2]) / stored["data"].max(), 0, 1)
    odd = stored["map"].ravel() > 0
    chosen = np.zeros(len(values), bool)
    chosen[np.flatnonzero(~odd)[::9]] = True
    bands = np.arange(1.0, values.shape[1] + 1)
    source = "Radiance of a hyperspectral scene, over its highest value:"
    return Spectra(name, source, bands, values[chosen], values[~chosen], odd[~chosen], "number of the band")


def soil(data: Path) -> Spectra:
    """Reflectances of one bare soil, wet and dry."""
    frame = pd.read_csv(data / "spectra" / "soilmoisture_dataset.csv")
    bands = [name for name in frame if name.isdigit()]
    rows = frame[bands].to_numpy(float)
    source = "Reflectances of one bare soil, wet and dry:"
    return Spectra("soil", source, np.array(bands, float), rows, rows[:0], np.zeros(0, bool))


def found(spectra: Spectra, place: Path, longer: int) -> tuple[list[list[object]], dict[str, Rows]]:
    """Lines of the table, and spectra for the figure; everything by the commands' own stages."""
    names = [f"{at:g}" for at in spectra.bands]
    pd.DataFrame(spectra.train, columns=names).to_csv(place / "train.csv", index=False)
    pd.DataFrame(spectra.test, columns=names).to_csv(place / "test.csv", index=False)
    lines: list[list[object]] = []
    kinds: dict[str, Rows] = {"original": spectra.train}
    fits: dict[str, tuple[str | None, tuple[str, ...]]] = {
        "published": ("spectral-64", ()),
        f"{longer} epochs": ("spectral-64", (f"training.epochs={longer}",)),
        "default preset": (None, ()),
    }
    for name, (preset, settings) in fits.items():
        model = place / f"{name.replace(' ', '-')}.specvae"
        fit([str(place / "train.csv")], FitRequest(model=str(model), preset=preset, set=settings, device="cpu"))
        detector = load_model(model).detector
        made = reconstructions(detector.net, spectra.train.T.astype(np.float32)).T
        state: dict[str, Any] = detector.provenance["diagnostics"]
        kept = f"{state['active_latent']} of {state['latent']}"
        error = f"{rms(made - spectra.train):.4f}"
        lines.append([name, kept, f"{state['mean_kl']:.2f}", error, auroc(spectra, place, model)])
        if preset:
            sample(model=str(model), out=str(place / name), count=500, device="cpu")
            kinds[f"rebuilt, {name}"] = made
            kinds[f"drawn, {name}"] = pd.read_csv(place / name / "samples.csv").to_numpy()
    return lines, kinds


def rms(values: Rows) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.square(values).mean()))


def auroc(spectra: Spectra, place: Path, model: Path) -> str:
    """Of the test spectra's scores."""
    if not len(spectra.test):
        return ""
    out = place / "scores" / model.stem
    score([str(place / "test.csv")], ScoreRequest(model=str(model), out=str(out), device="cpu"))
    return f"{roc_auc_score(spectra.odd, pd.read_csv(out / 'test' / 'scores.csv')['score']):.4f}"


def draw(out: Path, sets: list[tuple[Spectra, dict[str, Rows]]]) -> None:
    """Originals, the same rebuilt, and draws side by side, a row for each set."""
    size = (13, 2.3 * len(sets))
    figure, axes = plt.subplots(len(sets), 5, figsize=size, sharey="row", squeeze=False, layout="constrained")
    for (spectra, kinds), line in zip(sets, axes, strict=True):
        for axis, (name, rows) in zip(line, kinds.items(), strict=True):
            step = max(1, len(rows) // 40)
            axis.plot(spectra.bands, rows[::step][:40].T, color="#3e63dd", alpha=0.3, lw=0.7)
            axis.set_title(f"{spectra.name}: {name}", fontsize=8)
            axis.tick_params(labelsize=7)
            axis.set_xlabel(spectra.axis, fontsize=7)
        line[0].set_ylabel("scaled to 0..1", fontsize=7)
    handle = plt.Line2D([], [], color="#3e63dd", alpha=0.6, lw=0.9, label="one spectrum, of up to 40 shown in a panel")
    figure.legend(handles=[handle], loc="outside lower center", fontsize=8, frameon=False)
    write_figure(out, "spectral_64", figure)


def section(spectra: Spectra, lines: list[list[object]]) -> list[str]:
    """What the page says of one set."""
    spread = bernoulli_spread(torch.from_numpy(spectra.train.T))
    tested = f"; {int(spectra.odd.sum()):,} odd ones among {len(spectra.odd):,} to test" if len(spectra.odd) else ""
    return [
        f"## {spectra.name.capitalize()}",
        f"{spectra.source} {len(spectra.train):,} spectra of {len(spectra.bands)} bands to train on{tested}. Spread "
        f"**{spread:.2f}**; they deviate from their mean by {rms(spectra.train - spectra.train.mean(axis=0)):.4f}.",
        table(["", "active latent", "KL, nats", "RMSE", "AUROC"], lines),
    ]


def main() -> None:
    options = arguments(__doc__)
    longer = 60 if options.quick else 300
    sets = [synthetic()]
    if not options.quick:
        sets += [scene(options.data, "abu-urban-3"), scene(options.data, "abu-airport-1"), soil(options.data)]
    pieces, shown = [], []
    for spectra in sets:
        with tempfile.TemporaryDirectory() as folder:
            lines, kinds = found(spectra, Path(folder), longer)
        shown.append((spectra, kinds))
        pieces += section(spectra, lines)
        print(*pieces[-3:], sep="\n", flush=True)
    draw(options.out, shown)
    write(
        options,
        "spectral_64.md",
        "# The preset spectral-64",
        "`specvae fit spectra.csv --preset spectral-64`: a VAE for spectra scaled to 0..1, of any number of bands, with a "
        "Bernoulli likelihood, trained as published: Adam, batches of 32, 50 epochs of about a thousand spectra. Beside it "
        f"the same for {longer} epochs (`--set training.epochs={longer}`), and `specvae fit` without a preset. *RMSE* is that "
        "of the reconstructions of the training spectra; no label is looked at in training.",
        *pieces,
        "![Originals, reconstructions and draws](spectral_64.png)",
        "## What suits it",
        "*Spread* is the variance of the spectra along their strongest axis, in units of a Bernoulli value's own variance, "
        "p (1 - p). A Bernoulli likelihood takes a reflectance of .2 for a coin that falls heads one time in five, and what "
        "varies less than such coins do is noise to it: with a linear encoder and decoder an axis is coded only where its "
        "spread is above 1 (Lucas et al., *Don't Blame the ELBO!*, 2019, section 4). So spectra that are much alike, of one "
        "soil for instance, have a KL next to 0 at the optimum of the published loss, however long the descent; `fit` then "
        "warns that the latent space collapsed, and says why. Where the spread is larger, the published 50 epochs of a "
        "thousand spectra end before the optimum; more epochs bring the reconstructions nearer.",
        "The score has the binary cross-entropy for its reconstruction, of which a grey value costs its own entropy however "
        "well it is explained, so that what is merely dark scores low. For finding odd spectra the default preset, whose "
        "Gaussian noise is scaled to the data, is the better choice wherever the last column says so.",
        packages=("scikit-learn", "torch"),
    )


if __name__ == "__main__":
    main()
