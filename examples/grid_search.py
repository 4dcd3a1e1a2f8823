"""GridSearchCV over the latent size on infrared spectra of strawberry purees, without a label."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from pages import arguments, strawberry, table, write
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold

from specvae import SpectralVAE


def main() -> None:
    options = arguments(__doc__)
    pure, test, odd = strawberry(options.data)
    sizes = [2, 8] if options.quick else [2, 4, 8, 16, 32]
    folds = KFold(2 if options.quick else 3, shuffle=True, random_state=0)
    search = GridSearchCV(SpectralVAE(), {"latent": sizes}, cv=folds, verbose=3).fit(pure)
    bounds, spread = (search.cv_results_[key] for key in ("mean_test_score", "std_test_score"))
    best = search.best_params_["latent"]
    models = [search.best_estimator_ if size == best else SpectralVAE(latent=size).fit(pure) for size in sizes]
    areas = [roc_auc_score(odd, model.anomaly_score(test)) for model in models]
    rows = [
        [f"**{size}**" if size == best else size, f"{bound:.1f} ± {deviation:.1f}", f"{area:.4f}"]
        for size, bound, deviation, area in zip(sizes, bounds, spread, areas, strict=True)
    ]
    figure, axes = plt.subplots(figsize=(6, 3.2))
    label = f"mean and standard deviation of {folds.n_splits} folds"
    axes.errorbar(sizes, bounds, spread, marker="o", capsize=3, label=label)
    axes.axvline(best, ls=":", color="0.4", label=f"the choice, {best}")
    axes.legend(loc="lower right", fontsize=8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xlabel("latent dimensions")
    axes.set_ylabel("held-out bound of log p(x), nats")
    figure.savefig(options.out / "grid_search.png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    write(
        options,
        "grid_search.md",
        "# Choosing the latent size without a label",
        f"`GridSearchCV(SpectralVAE(), {{'latent': {sizes}}}, cv={folds.n_splits})` on {len(pure)} pure strawberry purees of "
        f"{pure.shape[1]} wavenumbers each. What it compares is `SpectralVAE.score`, the mean lower bound of log p(x) of "
        f"rows that were not fitted on; no label is looked at. It chooses **{best}**.",
        table(["latent", "held-out bound, nats", "AUROC of adulterated purees"], rows),
        "![Held-out bound by latent size](grid_search.png)",
        f"The last column was not used for the choice: {int(odd.sum())} adulterated and {int((~odd).sum())} pure purees of "
        "the test split, scored by a model of that size. The likeliest model of pure puree need not be the best detector "
        f"of adulterated one: the best of the column is {sizes[int(np.argmax(areas))]}, "
        f"{max(areas) - areas[sizes.index(best)]:.4f} above the choice.",
        packages=("scikit-learn", "torch"),
    )


if __name__ == "__main__":
    main()
