"""The MNIST report's page: presets beside their published figures, density, pictures, and digits as anomalies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from specvae.benchmarks.mnist import published
from specvae.benchmarks.mnist.anomalies import ANOMALOUS, DETECTOR, NORMAL, dataset_name
from specvae.benchmarks.mnist.figures import draw_figures
from specvae.benchmarks.mnist.trials import Trial
from specvae.benchmarks.report import Report, Row, table, tried

__all__ = ["trial_rows", "write_page"]

PIXELS = 784
METRICS = ("test_loss", "test_reconstruction", "test_kl", "mse", "pca_mse", "binary_elbo", "iw_bound")

Trials = Mapping[str, Trial]
"""By preset."""


def trial_rows(trials: Trials) -> list[Row]:
    """Rows of metrics.json: nats an image, and mean squared errors of pixels in 0..1."""
    rows = []
    for preset, trial in trials.items():
        seconds = trial.figures["cpu_seconds"]
        rows += [Row("mnist", preset, m, trial.figures[m], 1, seconds) for m in METRICS if m in trial.figures]
    return rows


def write_page(
    trials: Trials, anomalies: Sequence[Row], left_out: Sequence[str], told: Mapping[str, Any], out: Path
) -> None:
    """Write ``report.md`` and its pictures; ``left_out`` are the presets that were not asked for."""
    report = Report("MNIST: five classic systems, ours, and digits as anomalies")
    report.text(
        f"{told['train']:,} training and {told['test']:,} test images, grey levels scaled to 0..1. Each preset is "
        f"trained once; figures of digits as anomalies are the mean of {told['seeds']} seed{'s' if told['seeds'] > 1 else ''}. "
        "Seconds are the processor's, all threads together, of training alone; "
        "on two cores the clock shows between half of them and all. Every preset is a TOML file in the package and "
        "is trained by `specvae benchmark mnist --presets NAME`."
    )
    if left_out:
        report.text(f"Not in this run: {', '.join(f'`{name}`' for name in left_out)}; without `--presets` all are.")
    if trials:
        report.section("Presets").text(_presets(trials)).text(_remarks(trials))
        report.section("Compression").text(_compression(trials))
        report.section("Density").text(_density(trials))
        report.section("Pictures")
        for path, caption in draw_figures(list(trials.values()), out):
            report.figure(path, caption)
    if anomalies:
        _add_anomalies(report, anomalies)
    report.made_with(told).write(out)


def _presets(trials: Trials) -> str:
    body = []
    for preset, trial in trials.items():
        loss, epochs = trial.figures["test_loss"], trial.figures["epochs"]
        last = float(trial.arrays["train"][-1])
        body.append([
            preset, epochs, f"{last:.2f}", f"{loss:.2f}", f"{trial.figures['test_reconstruction']:.2f}",
            f"{trial.figures['test_kl']:.2f}", _held(preset, loss, epochs), f"{trial.figures['cpu_seconds']:.0f}",
            published.TRAINING.get(preset),
        ])  # fmt: skip
    header = [
        "preset",
        "epochs",
        "last training loss",
        "test loss",
        "reconstruction",
        "KL",
        "held to",
        "seconds",
        "published",
    ]
    return table(header, body)


def _held(preset: str, loss: float, epochs: int) -> str | None:
    """The loss a preset is held to, and whether it is kept."""
    if preset not in published.TARGETS or published.TARGETS[preset][1] != epochs:
        return None
    most = published.TARGETS[preset][0]
    return f"{most:g}, {'kept' if loss <= most else f'missed by {loss - most:.2f}'}"


def _remarks(trials: Trials) -> str:
    said = [
        "Losses are nats an image, one draw of z an image; squared errors of `mlp-gaussian-tanh` are of pixels in -1..1."
    ]
    said += [
        f"`{preset}`: its KL is 0 and no ELBO is defined: it is a plain autoencoder, and its loss is a squared error "
        f"in units of its fixed deviation. Test MSE {trial.figures['mse']:.5f}; principal components of the same size "
        f"({trial.figures['latent']}) {trial.figures['pca_mse']:.5f}."
        for preset, trial in trials.items()
        if not trial.figures["elbo_defined"]
    ]
    return "\n".join(f"- {line}" for line in said)


def _compression(trials: Trials) -> str:
    body = [
        [preset, trial.figures["latent"], f"{PIXELS / trial.figures['latent']:.1f}", f"{trial.figures['mse']:.5f}",
         f"{trial.figures['pca_mse']:.5f}"]
        for preset, trial in trials.items()
    ]  # fmt: skip
    said = f"Numbers kept for the {PIXELS} pixels of an image, at the posterior mean, and the mean squared error of test images."
    return said + "\n\n" + table(["preset", "numbers", "ratio", "test MSE", "PCA of that size"], body)


def _density(trials: Trials) -> str:
    grey = [[name, f"{trial.figures['test_loss']:.2f}"] for name, trial in trials.items() if _is_grey(trial)]
    grey += [[f"{name} (published)", f"{value:.2f}"] for name, value in published.GREY.items()]
    binary = [
        [name, f"{trial.figures['binary_elbo']:.2f}", f"{trial.figures['iw_bound']:.2f} ± {trial.figures['iw_error']:.2f}",
         f"{trial.figures['iw_draws']:,}", f"{trial.figures['iw_images']:,}",
         "yes" if trial.figures.get("binarised") else "no, on grey levels"]
        for name, trial in trials.items() if "iw_bound" in trial.figures
    ]  # fmt: skip
    others = [[f"{name} (published)", f"{value:.2f}"] for name, value in published.BINARISED_NLL.items()]
    return "\n\n".join([
        "Binary cross-entropy + KL of grey levels, nats an image. A grey image has no Bernoulli likelihood, so these are never "
        "to be put beside the next table.",
        table(["grey levels", "ELBO, negative"], grey),
        "Test images drawn once as 0 or 1, each pixel with its grey level for probability (dynamic binarisation): the negative "
        "ELBO, and the importance-weighted bound of -log p(x) (Burda et al., 2015) with k draws an image; lower is better, ± is "
        "the standard error over the images.",
        table(["binarised", "ELBO, negative", "importance-weighted", "k", "images", "trained on such"], binary),
        table(["published", "-log p(x) or its bound"], others),
    ])  # fmt: skip


def _is_grey(trial: Trial) -> bool:
    return "binary_elbo" in trial.figures and not trial.figures.get("binarised")


def _add_anomalies(report: Report, rows: Sequence[Row]) -> None:
    seconds = fmean(r.seconds for r in rows if r.method == DETECTOR)
    report.section("One digit is normal, AUROC").text(
        "Trained on that digit's training images, tested on all test images; no label is used but to choose what is normal. "
        f"One preset, `{DETECTOR}`, for all, its score reconstruction + KL; {seconds:.0f} s of processor time a model on average. "
        "PCA: squared residual beyond 30 components. kNN: distance to the nearest training image. Both run here."
    ).text(_by_digit(rows, NORMAL, published.NORMAL))
    report.section("One digit is the anomaly, AUROC").text(
        "Trained on the training images of the nine others. Digit 1 is the anomaly that everyone misses, published .09 to .73."
    ).text(_by_digit(rows, ANOMALOUS, {})).text(_means_without(rows, 1))
    others = [[f"{name} (published, mean)", f"{value:.3f}"] for name, value in published.ANOMALOUS.items()]
    report.text(table(["", "AUROC"], others))
    report.section("What was tried to find odd digits").text(
        f"AUROC, one seed, means over a few digits: those that are hard. The lines stand in the order of the work; `{DETECTOR}` "
        "is the last that was kept. The nearest neighbour is no VAE: it shows what there was to be won."
    ).text(tried("specvae.benchmarks.mnist"))


def _by_digit(rows: Sequence[Row], kind: str, others: Mapping[str, Sequence[float]]) -> str:
    """Methods down, digits across."""
    methods = list(dict.fromkeys(r.method for r in rows))
    found = {(r.dataset, r.method): r.value for r in rows}
    digits = [d for d in range(10) if (dataset_name(kind, d), methods[0]) in found]
    body = [_line(m, [found[dataset_name(kind, d), m] for d in digits]) for m in methods]
    body += [_line(f"{name} (published)", [values[d] for d in digits]) for name, values in others.items()]
    return table(["", *map(str, digits), "mean"], body)


def _line(name: str, values: Iterable[float]) -> list[str]:
    values = list(values)
    return [name, *(f"{v:.3f}" for v in values), f"{fmean(values):.4f}"]


def _means_without(rows: Sequence[Row], digit: int) -> str:
    """Means with one digit left out, and that digit apart."""
    body = []
    for method in dict.fromkeys(r.method for r in rows):
        mine = {r.dataset: r.value for r in rows if r.method == method and f"-{ANOMALOUS}-" in r.dataset}
        apart = mine.pop(dataset_name(ANOMALOUS, digit), None)
        if apart is not None and mine:
            body.append([method, f"{fmean(mine.values()):.4f}", f"{apart:.3f}"])
    return table(["", f"mean without {digit}", f"digit {digit}"], body) if body else ""
