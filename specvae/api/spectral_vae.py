"""The scikit-learn face: a detector of odd spectra in rows, an outlier estimator and a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin, _fit_context
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from specvae.api.explaining import ExplainingEstimator
from specvae.api.rows import Rows, region_to_fit, seed_of, unmasked
from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.files.html_facts import html_facts
from specvae.ingest.table.families import wavelength_of
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.torch_threads import undisturbed

__all__ = ["SpectralVAE"]


class SpectralVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, ExplainingEstimator):  # type: ignore[misc]
    """Outlier detection with a variational autoencoder, for rows that are spectra (or any numeric features).

    The score of a row is the negative evidence lower bound at the posterior mean, in nats (Kingma and Welling, 2013,
    equation 3): ``reconstruction + KL``, where a row that is perfectly explained is cheap. ``anomaly_score`` gives it as
    it is, higher = more anomalous; ``score_samples`` and ``decision_function`` give its negative, since in
    scikit-learn the higher is the more normal.

    ``predict`` cuts at ``offset_``, after scikit-learn's custom a quantile of the training scores. A cut whose
    false-alarm rate was measured on rows that were not trained on comes by :meth:`calibrate`.

    Parameters
    ----------
    contamination : float in (0, 0.5], default 0.1
        Share of the training rows that ``predict`` calls outliers.
    latent : int, optional
        Latent dimensions; by default as many as features, at most 32.
    hidden : tuple of int, optional
        Widths of the hidden layers; by default from the number of features.
    steps : int, optional
        Optimiser steps at most; by default one, since the closed form that training starts from is all but the optimum.
    trim : float in [0, 0.5), default 0.03
        Share of the training rows, the worst by score, that is dropped while fitting where some stand apart from all others.
    folds : int, optional
        Folds of the cross-fitting, by default 6, as of `specvae fit`: all rows train, and each calibrates by the score of a
        model that was fitted without its fold, in the same 50 runs of rows as on the command line. Of fewer than 50 rows
        none calibrates.
    held_out : float in [0, 0.9), optional
        In place of folds, the share of the rows that is not trained on, so that ``p_value`` and ``calibrate`` have something
        to measure with; 0.12 is `specvae fit --folds 1`.
    settings : mapping, optional
        Any other setting of a model by its dotted key, such as ``{"network.prior": "normal"}``.
    device : str, default "cpu"
        Where to compute: "auto", "cpu" or "cuda".
    random_state : int, RandomState instance or None, default 0
        Seed of the split, the initial weights and the batches. Scoring is not random.

    Attributes
    ----------
    offset_ : float
        The cut: ``decision_function`` is ``score_samples`` less this.
    threshold_ : Threshold or None
        After :meth:`calibrate`: the held-out cut, its rate and their intervals.
    detector_ : Detector
        The fitted model, as the command line uses it.
    n_features_in_, feature_names_in_
        As in every scikit-learn estimator. Frames of pandas and polars give the names, which are checked from then on.

    Examples
    --------
    >>> import numpy as np
    >>> from specvae import SpectralVAE
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + 0.05 * rng.normal(size=(400, 6))
    >>> odd = X[:1] + np.array([[0, 0, 3.0, 0, 0, 0]])
    >>> model = SpectralVAE(contamination=0.02).fit(X)
    >>> model.predict(odd)
    array([-1])
    >>> bool(model.anomaly_score(odd)[0] > model.anomaly_score(X).max())
    True
    >>> int(model.explain(odd).contribution.argmax())
    2
    """

    # scikit-learn's decorator of fit checks the parameters against these and raises its own InvalidParameterError.
    _parameter_constraints: ClassVar[dict[str, list[object]]] = {
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "latent": [Interval(Integral, 1, None, closed="left"), None],
        "hidden": ["array-like", None],
        "steps": [Interval(Integral, 1, None, closed="left"), None],
        "trim": [Interval(Real, 0, 0.5, closed="left")],
        "folds": [Interval(Integral, 1, 12, closed="both"), None],
        "held_out": [Interval(Real, 0, 0.9, closed="left"), None],
        "settings": [Mapping, None],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        contamination: float = 0.1,
        *,
        latent: int | None = None,
        hidden: tuple[int, ...] | None = None,
        steps: int | None = None,
        trim: float = 0.03,
        folds: int | None = None,
        held_out: float | None = None,
        settings: Mapping[str, object] | None = None,
        device: Literal["auto", "cpu", "cuda"] | str = "cpu",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        # Only stored, as they came: clone() compares them by identity, so checks and conversions wait for fit.
        self.contamination = contamination
        self.latent = latent
        self.hidden = hidden
        self.steps = steps
        self.trim = trim
        self.folds = folds
        self.held_out = held_out
        self.settings = settings
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: object = None) -> SpectralVAE:
        """Learn what is normal from rows ``(n, features)``; ``y`` is not looked at.

        Raises ValueError for fewer than two rows, and for what is not a table of finite numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> SpectralVAE(steps=50).fit(X).n_features_in_
        4
        """
        rows = np.asarray(validate_data(self, unmasked(X), dtype=np.float64, ensure_min_samples=2))
        config = self._config()
        regions = [region_to_fit(rows, config, self.held_out)]
        # Inside, arrays are numpy's and torch's own: a user's array_api_dispatch would send them through array-API checks.
        with undisturbed(), config_context(array_api_dispatch=False):
            self.detector_ = Detector.fit(
                regions, self._bands(), config, ("fit",), context=False, device=self.device, least=2
            )
        # A refit must not keep the cut that calibrate() measured for the model before.
        self.threshold_ = None
        # Read by get_feature_names_out: spectralvae0, spectralvae1, ...
        self._n_features_out = self.detector_.state.latent
        self.offset_ = float(np.percentile(-self._scores(rows), 100.0 * self.contamination))
        return self

    def score_samples(self, X: ArrayLike) -> Rows:
        """Return the negative of :meth:`anomaly_score`, ``(n,)`` nats: the lower, the more anomalous.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> model = SpectralVAE(steps=50).fit(X)
        >>> bool((model.score_samples(X) == -model.anomaly_score(X)).all())
        True
        """
        return -self.anomaly_score(X)

    def decision_function(self, X: ArrayLike) -> Rows:
        """Return ``score_samples`` less ``offset_``, ``(n,)`` nats: negative for outliers.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> model = SpectralVAE(contamination=0.1, steps=50).fit(X)
        >>> int((model.decision_function(X) < 0).sum())
        30
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return -1 for outliers and 1 for inliers, ``(n,)``.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> SpectralVAE(steps=50).fit(X).predict([[0.0, 0.0, 0.0, 0.0], [0.0, 99.0, 0.0, 0.0]])
        array([ 1, -1])
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def anomaly_score(self, X: ArrayLike) -> Rows:
        """Return the nats that it costs to explain each row, ``(n,)``: reconstruction + KL; the higher, the more anomalous.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> near, far, farther = SpectralVAE(steps=50).fit(X).anomaly_score([[0] * 4, [9] * 4, [99] * 4])
        >>> bool(near < far < farther)
        True
        """
        return self._scores(self._checked(X))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # transform gives float64 whatever comes: X is checked in float64, and float32 would not come back as such.
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags

    def _html_repr(self) -> str:
        """What notebooks show: scikit-learn's diagram, and behind it what a fitted model knows of itself."""
        diagram = str(super()._html_repr())
        return (
            diagram if not hasattr(self, "detector_") else diagram + html_facts("fitted model", self.detector_.facts())
        )

    def _config(self) -> ModelConfig:
        overrides = {
            "network.latent": self.latent,
            "network.hidden": None if self.hidden is None else tuple(self.hidden),
            "training.steps": self.steps,
            "training.trim": float(self.trim),
            "context.kind": "none",  # rows of a table have no surroundings
            "sampling.folds": self.folds,
            "seed": seed_of(self.random_state),
        }
        # `settings` come last: they may set what the parameters above set as well.
        return load_config(overrides={**overrides, **(self.settings or {})})

    def _bands(self) -> BandSet:
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            return BandSet((Band(),) * self.n_features_in_)
        return BandSet(tuple(Band(str(name), wavelength_of(str(name))) for name in names))
