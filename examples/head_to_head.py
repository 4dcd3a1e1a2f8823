"""PyOD's VAE, scikit-learn's isolation forest and SpectralVAE on the same data, ten lines of code each."""

from __future__ import annotations

import inspect
import time
import warnings
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from pages import arguments, strawberry, table, write
from sklearn.metrics import roc_auc_score

Rows = NDArray[np.float64]
SETS = ("30_satellite", "28_pendigits", "38_thyroid", "6_cardio")


def spectral_vae(train: Rows, test: Rows, seed: int) -> Rows:
    from specvae import SpectralVAE

    model = SpectralVAE(random_state=seed)
    model.fit(train)
    return model.anomaly_score(test)


def pyod_vae(train: Rows, test: Rows, seed: int) -> Rows:
    from pyod.models.vae import VAE

    model = VAE(random_state=seed, verbose=0)
    model.fit(train)
    return model.decision_function(test)


def isolation_forest(train: Rows, test: Rows, seed: int) -> Rows:
    from sklearn.ensemble import IsolationForest

    model = IsolationForest(random_state=seed)
    model.fit(train)
    return -model.score_samples(test)


def split(path: Path) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """The first half of the normal rows in file order to train on; the other half and every anomaly to test."""
    with np.load(path) as stored:
        rows, odd = stored["X"].astype(float), stored["y"].astype(bool)
    normal = rows[~odd]
    half = len(normal) // 2
    test = np.vstack([normal[half:], rows[odd]])
    return normal[:half], test, np.arange(len(test)) >= len(normal) - half


def main() -> None:
    options = arguments(__doc__)
    sets = {
        name.split("_")[1]: split(options.data / "adbench" / f"{name}.npz")
        for name in SETS[-1 if options.quick else 0 :]
    }
    sets["strawberry"] = strawberry(options.data)
    seeds = range(1 if options.quick else options.seeds)
    rows, areas = [], {}
    for method in (spectral_vae, pyod_vae, isolation_forest):
        line: list[object] = [f"`{method.__name__}`"]
        for name, (train, test, odd) in sets.items():
            started = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = [roc_auc_score(odd, method(train, test, seed)) for seed in seeds]
            seconds = (time.process_time() - started) / len(seeds)
            areas[method.__name__, name] = fmean(found)
            line.append(f"{fmean(found):.4f} ({seconds:.0f} s)")
            print(method.__name__, name, line[-1], flush=True)
        rows.append([*line, f"{fmean(areas[method.__name__, name] for name in sets):.4f}"])
    sizes = ", ".join(
        f"{name} {len(train):,} x {train.shape[1]} to train on and {len(test):,} to test"
        for name, (train, test, _) in sets.items()
    )
    code = "\n\n".join(f"```python\n{inspect.getsource(f)}```" for f in (spectral_vae, pyod_vae, isolation_forest))
    write(
        options,
        "head_to_head.md",
        "# Head to head",
        "AUROC of three detectors as they stand, no option set, with the processor seconds of one fit and score in brackets; "
        f"seeds: {len(seeds)}. Fitted on normal rows alone: of the four ADBench sets the first half of the normal rows in file "
        "order, of the strawberry purees (infrared spectra) the pure ones of the training split. Tested on the rest and "
        "every anomaly.",
        table(["", *sets, "mean"], rows),
        f"Rows: {sizes}.",
        "## The code",
        code,
        packages=("scikit-learn", "pyod", "torch"),
    )


if __name__ == "__main__":
    main()
