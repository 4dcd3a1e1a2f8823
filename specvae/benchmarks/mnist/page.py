"""The rows and the page of the MNIST benchmark: presets beside published figures, densities, and digits as anomalies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal

from specvae.benchmarks.goals import Goal, goals_table
from specvae.benchmarks.mnist import published
from specvae.benchmarks.mnist.anomalies import ANOMALOUS, DETECTOR, NORMAL, dataset_name
from specvae.benchmarks.mnist.data import ImageSet
from specvae.benchmarks.mnist.figures import draw_figures
from specvae.benchmarks.mnist.trial import Figures, Trial
from specvae.benchmarks.report import Environment, Report, Row, table, tried

__all__ = ["rows_of", "write_page"]

PIXELS = 784
Metric = Literal["test_loss", "test_reconstruction", "test_kl", "mse", "pca_mse", "binary_elbo", "iw_bound"]
METRICS: tuple[Metric, ...] = (
    "test_loss",
    "test_reconstruction",
    "test_kl",
    "mse",
    "pca_mse",
    "binary_elbo",
    "iw_bound",
)

Trials = Mapping[str, Trial]
"""The trial of each preset, by the preset's name."""


def rows_of(trials: Trials, images: ImageSet) -> list[Row]:
    """The presets' rows of ``metrics.json``: nats an image, and mean squared errors of pixels in 0..1."""
    rows = []
    for preset, trial in trials.items():
        seconds = trial.figures["cpu_seconds"]
        rows += [Row(images.name, preset, m, trial.figures[m], 1, seconds) for m in METRICS if m in trial.figures]
    return rows


def write_page(
    out: Path,
    images: ImageSet,
    trials: Trials,
    anomalies: Sequence[Row],
    missing: Sequence[str],
    made_with: Environment,
) -> None:
    """Write ``report.md`` and its figures into ``out``; ``missing`` are the presets that were not asked for."""
    quick = "A quick run, whose figures mean little: " if made_with["quick"] else ""
    report = Report(f"{quick}{images.title}: five classic systems, ours, and digits as anomalies")
    if quick:
        report.text(
            "Few images, few epochs and two digits show that every part works. Without `--quick` the same command makes the "
            "figures that are to be put beside published ones."
        )
    seeds = f"{made_with['seeds']} seed{'' if made_with['seeds'] == 1 else 's'}"
    report.text(
        f"{made_with['train']:,} training and {made_with['test']:,} test images, grey levels scaled to 0..1. Each preset is "
        f"trained once; figures of digits as anomalies are the mean of {seeds}. "
        "Seconds are the processor's, all threads together, of training alone; "
        "on two cores the clock shows between half of them and all. Every preset is a TOML file in the package and "
        f"is trained by `specvae benchmark {images.name} --presets NAME`."
    )
    if missing:
        report.text(f"Not in this run: {', '.join(f'`{name}`' for name in missing)}; without `--presets` all are.")
    if trials:
        report.section("Presets").text(_presets(trials)).text(_remarks(trials))
        report.section("Compression").text(_compression(trials))
        report.section("Density").text(_density(trials))
        report.section("Pictures")
        for path, caption in draw_figures(list(trials.values()), out):
            report.figure(path, caption)
    if anomalies:
        _add_anomalies(report, images, anomalies)
    report.made_with(made_with).write(out)


def _presets(trials: Trials) -> str:
    """The table of losses, a line a preset."""
    body: list[list[object]] = []
    for preset, trial in trials.items():
        figures = trial.figures
        loss, epochs = figures["test_loss"], figures["epochs"]
        nats = (float(trial.arrays["train"][-1]), loss, figures["test_reconstruction"], figures["test_kl"])
        line = [preset, epochs, *(f"{value:.2f}" for value in nats), _target(preset, loss, epochs)]
        body.append([*line, f"{figures['cpu_seconds']:.0f}", published.TRAINING.get(preset)])
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


def _target(preset: str, loss: float, epochs: int | None) -> str | None:
    """The loss that a preset must reach after so many epochs, and whether it does; None without a target."""
    # A target was published for one number of epochs and says nothing of another.
    if preset not in published.TARGETS or published.TARGETS[preset][1] != epochs:
        return None
    most = published.TARGETS[preset][0]
    return f"{most:g}, {'kept' if loss <= most else f'missed by {loss - most:.2f}'}"


def _remarks(trials: Trials) -> str:
    """What a reader must know of the table: its units, and the presets without an ELBO."""
    remarks = [
        "Losses are nats an image, one draw of z an image; squared errors of `mlp-gaussian-tanh` are of pixels in -1..1."
    ]
    remarks += [
        f"`{preset}`: its KL is 0 and no ELBO is defined: it is a plain autoencoder, and its loss is a squared error "
        f"in units of its fixed deviation. Test MSE {trial.figures['mse']:.5f}; principal components of the same size "
        f"({trial.figures['latent']}) {trial.figures['pca_mse']:.5f}."
        for preset, trial in trials.items()
        if not trial.figures["elbo_defined"]
    ]
    return "\n".join(f"- {line}" for line in remarks)


def _compression(trials: Trials) -> str:
    """The table of compression: numbers an image against the error of what they rebuild."""
    body: list[list[object]] = []
    for preset, trial in trials.items():
        latent, errors = trial.figures["latent"], (trial.figures["mse"], trial.figures["pca_mse"])
        body.append([preset, latent, f"{PIXELS / latent:.1f}", *(f"{error:.5f}" for error in errors)])
    introduction = (
        f"Numbers kept for the {PIXELS} pixels of an image, at the posterior mean, and the mean squared error of test "
        "images."
    )
    return introduction + "\n\n" + table(["preset", "numbers", "ratio", "test MSE", "PCA of that size"], body)


def _density(trials: Trials) -> str:
    """The tables of densities, of grey levels and of binarised images: the two are never comparable."""
    grey = [[name, f"{trial.figures['test_loss']:.2f}"] for name, trial in trials.items() if _is_grey(trial)]
    grey += [[f"{name} (published)", f"{value:.2f}"] for name, value in published.GREY.items()]
    binary = [_binarised(name, trial.figures) for name, trial in trials.items() if "iw_bound" in trial.figures]
    others = [[f"{name} (published)", f"{value:.2f}"] for name, value in published.BINARISED_NLL.items()]
    paragraphs = [
        "Binary cross-entropy + KL of grey levels, nats an image. A grey image has no Bernoulli likelihood, so these are never "
        "to be put beside the next table.",
        table(["grey levels", "ELBO, negative"], grey),
        "Test images drawn once as 0 or 1, each pixel with its grey level for probability (dynamic binarisation): the negative "
        "ELBO, and the importance-weighted bound of -log p(x) (Burda et al., 2015) with k draws an image; lower is better, ± is "
        "the standard error over the images.",
        table(["binarised", "ELBO, negative", "importance-weighted", "k", "images", "trained on such"], binary),
        table(["published", "-log p(x) or its bound"], others),
    ]
    return "\n\n".join(paragraphs)


def _binarised(name: str, figures: Figures) -> list[str]:
    """A preset's line in the table of binarised images."""
    bound = f"{figures['iw_bound']:.2f} ± {figures['iw_error']:.2f}"
    counts = [f"{figures['iw_draws']:,}", f"{figures['iw_images']:,}"]
    trained = "yes" if figures.get("binarised") else "no, on grey levels"
    return [name, f"{figures['binary_elbo']:.2f}", bound, *counts, trained]


def _is_grey(trial: Trial) -> bool:
    """Whether a trial belongs in the table of grey levels: a Bernoulli model that was trained on grey levels."""
    return "binary_elbo" in trial.figures and not trial.figures.get("binarised")


def _add_anomalies(report: Report, images: ImageSet, rows: Sequence[Row]) -> None:
    """Add the sections on digits as anomalies."""
    seconds = fmean(r.seconds for r in rows if r.method == DETECTOR)
    report.section("One digit is normal, AUROC").text(
        "Trained on that digit's training images, tested on all test images; no label is used but to choose what is normal. "
        f"One preset, `{DETECTOR}`, for all, its score reconstruction + KL; {seconds:.0f} s of processor time a model on average. "
        "PCA: squared residual beyond 30 components. kNN: distance to the nearest training image. Both run here."
    ).text(_by_digit(images, rows, NORMAL, published.NORMAL))
    report.section("One digit is the anomaly, AUROC").text(
        "Trained on the training images of the nine others. Digit 1 is the anomaly that everyone misses, published .09 to .73."
    ).text(_by_digit(images, rows, ANOMALOUS, {})).text(_means_without(images, rows, 1)).text(_goal(rows))
    others = [[f"{name} (published, mean)", f"{value:.3f}"] for name, value in published.ANOMALOUS.items()]
    report.text(table(["", "AUROC"], others))
    report.section("What was tried to find odd digits").text(
        f"AUROC, one seed, means over a few digits: those that are hard. The lines stand in the order of the work; `{DETECTOR}` "
        "is the last that was kept. The nearest neighbour is no VAE: it shows what there was to be won."
    ).text(tried("specvae.benchmarks.mnist"))


def _goal(rows: Sequence[Row]) -> str:
    """What is asked where one digit is the anomaly, and what the preset reached; empty where it was not run."""
    areas = [r.value for r in rows if r.method == DETECTOR and f"-{ANOMALOUS}-" in r.dataset]
    if not areas:
        return ""
    goal = Goal("mean AUROC, one digit anomalous", published.ASKED_ANOMALOUS, None, fmean(areas))
    return "Asked and reached; the ideas that were tried for it stand below.\n\n" + goals_table([goal])


def _by_digit(images: ImageSet, rows: Sequence[Row], kind: str, others: Mapping[str, Sequence[float]]) -> str:
    """A table of AUROC: a line a method, ours and published, and a column a digit."""
    methods = list(dict.fromkeys(r.method for r in rows))
    areas = {(r.dataset, r.method): r.value for r in rows}
    digits = [d for d in range(10) if (dataset_name(images, kind, d), methods[0]) in areas]
    body = [_line(m, [areas[dataset_name(images, kind, d), m] for d in digits]) for m in methods]
    body += [_line(f"{name} (published)", [values[d] for d in digits]) for name, values in others.items()]
    return table(["", *map(str, digits), "mean"], body)


def _line(name: str, values: Iterable[float]) -> list[str]:
    values = list(values)
    return [name, *(f"{v:.3f}" for v in values), f"{fmean(values):.4f}"]


def _means_without(images: ImageSet, rows: Sequence[Row], digit: int) -> str:
    """A table of means without one digit, and that digit's own figure."""
    body = []
    for method in dict.fromkeys(r.method for r in rows):
        areas = {r.dataset: r.value for r in rows if r.method == method and f"-{ANOMALOUS}-" in r.dataset}
        apart = areas.pop(dataset_name(images, ANOMALOUS, digit), None)
        if apart is not None and areas:
            body.append([method, f"{fmean(areas.values()):.4f}", f"{apart:.3f}"])
    return table(["", f"mean without {digit}", f"digit {digit}"], body) if body else ""
