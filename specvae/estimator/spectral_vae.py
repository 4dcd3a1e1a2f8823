"""The scikit-learn face: a detector of odd spectra in rows, an outlier estimator and a transformer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from specvae.config import ModelConfig, load_config
from specvae.detector import Detector
from specvae.errors import ModelError
from specvae.estimator.rows import RowExplanation, Rows, region_of, roles_of, seed_of, to_float32
from specvae.estimator.storing import StoredEstimator
from specvae.latent import draw_spectra, latent_means
from specvae.process import undisturbed
from specvae.sampling import Role
from specvae.spectra import Band, BandSet, Parts
from specvae.table.headers import wavelength_of
from specvae.thresholds.calibration import DEFAULT_RATE

__all__ = ["SpectralVAE"]


class SpectralVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, StoredEstimator):  # type: ignore[misc]
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
    steps : int, default 2000
        Optimiser steps at most; training ends earlier when the validation rows say so.
    trim : float in [0, 0.5), default 0.03
        Share of the training rows, the worst by score, that is dropped while fitting.
    held_out : float in [0, 0.9), default 0.12
        Share of the rows that is not trained on, so that ``p_value`` and ``calibrate`` have something to measure
        with. Of fewer than 50 rows none is held out.
    settings : mapping, optional
        Any other setting of a model by its dotted key, such as ``{"network.prior": "normal"}``.
    device : {"auto", "cpu", "cuda"}, default "cpu"
        Where to compute.
    random_state : int, RandomState instance or None, default 0
        Of the split, the start and the batches. Scoring is not random.

    Attributes
    ----------
    offset_ : float
        ``decision_function`` is ``score_samples`` less this.
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "latent": [Interval(Integral, 1, None, closed="left"), None],
        "hidden": ["array-like", None],
        "steps": [Interval(Integral, 1, None, closed="left")],
        "trim": [Interval(Real, 0, 0.5, closed="left")],
        "held_out": [Interval(Real, 0, 0.9, closed="left")],
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
        steps: int = 2000,
        trim: float = 0.03,
        held_out: float = 0.12,
        settings: Mapping[str, Any] | None = None,
        device: Literal["auto", "cpu", "cuda"] | str = "cpu",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.contamination = contamination
        self.latent = latent
        self.hidden = hidden
        self.steps = steps
        self.trim = trim
        self.held_out = held_out
        self.settings = settings
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: object = None) -> SpectralVAE:
        """Learn what is normal from rows ``(n, features)``; ``y`` is not looked at.

        Raises ValueError for fewer than two rows, and for what is not a table of finite numbers.
        """
        rows = np.asarray(validate_data(self, X, dtype=np.float64, ensure_min_samples=2))
        config = self._config()
        regions = [region_of(rows, roles_of(len(rows), config, self.held_out))]
        with undisturbed(), config_context(array_api_dispatch=False):
            self.detector_ = Detector.fit(
                regions, self._bands(), config, ("fit",), context=False, device=self.device, least=2
            )
        self.threshold_ = None
        self._n_features_out = self.detector_.net.vae.latent
        self.offset_ = float(np.percentile(-self._scores(rows), 100.0 * self.contamination))
        return self

    def score_samples(self, X: ArrayLike) -> Rows:
        """``(n,)`` nats, the negative of :meth:`anomaly_score`: the lower, the more anomalous."""
        return -self.anomaly_score(X)

    def decision_function(self, X: ArrayLike) -> Rows:
        """``(n,)`` nats, ``score_samples`` less ``offset_``: negative = outlier."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """``(n,)``: -1 for outliers, 1 for inliers."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def anomaly_score(self, X: ArrayLike) -> Rows:
        """``(n,)`` nats it costs to explain each row: reconstruction + KL, the higher, the more anomalous."""
        return self._scores(self._checked(X))

    def score_parts(self, X: ArrayLike) -> Parts:
        """Score, reconstruction and KL, ``(n,)`` nats each, in float32 as files have them: they add up exactly.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(100, 4))
        >>> parts = SpectralVAE().fit(X).score_parts(X)
        >>> bool(np.all(parts.score == parts.reconstruction + parts.kl))
        True
        """
        return self._parts(self._checked(X))

    def p_value(self, X: ArrayLike) -> Rows:
        """``(n,)``: the probability that a normal row scores as high, from held-out rows (conformal; a Pareto tail beyond).

        Raises ModelError where no row was held out: fewer than 50 were fitted and :meth:`calibrate` was given none.
        """
        rows = self._checked(X)
        self._need_held_out()
        return np.asarray(self.detector_.calibration.p_values(self._scores(rows)), np.float64)

    def calibrate(self, X: ArrayLike | None = None, false_alarm_rate: float | None = None) -> SpectralVAE:
        """Set ``threshold_`` and ``offset_`` from held-out normal rows, so that ``predict`` has a known false-alarm rate.

        Parameters
        ----------
        X : array-like ``(n, features)``, optional
            Normal rows that were not fitted on; without them, those that ``fit`` held out.
        false_alarm_rate : float in (0, 1), optional
            Share of normal rows that may be called outliers. By default 1e-3, or the nearest that the rows support.

        A rate that is given and not supported is kept, with a warning. Raises ModelError without held-out rows.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> rng = np.random.default_rng(0)
        >>> model = SpectralVAE().fit(rng.normal(size=(300, 4)))
        >>> model = model.calibrate(rng.normal(size=(3000, 4)), false_alarm_rate=0.01)
        >>> fresh = model.predict(rng.normal(size=(5000, 4)))
        >>> bool(0.003 < np.mean(fresh == -1) < 0.02)
        True
        """
        check_is_fitted(self)
        if X is not None:
            rows = self._checked(X)
            region = region_of(rows, np.full(len(rows), Role.CALIBRATION, np.uint8))
            self.detector_ = self.detector_.calibrate([region], ("calibrate",))
        self._need_held_out()
        rate = DEFAULT_RATE if false_alarm_rate is None else false_alarm_rate
        threshold = self.detector_.calibration.threshold(rate, explicit=false_alarm_rate is not None)
        if threshold.warning:
            warnings.warn(threshold.warning, UserWarning, stacklevel=2)
        self.threshold_, self.offset_ = threshold, -float(threshold.value)
        return self

    def explain(self, X: ArrayLike) -> RowExplanation:
        """Which features drive the score of each row, which way, and what was expected, ``(n, features)`` each."""
        rows = self._checked(X)
        told = self.detector_.explain(np.ascontiguousarray(to_float32(rows).T))
        return RowExplanation(
            *(part.T.astype(np.float64) for part in (told.contribution, told.deviation, told.expected))
        )

    def transform(self, X: ArrayLike) -> Rows:
        """``(n, latent)`` posterior means of the latent variables."""
        rows = self._checked(X)
        return np.asarray(latent_means(self.detector_.net, to_float32(rows).T).T, np.float64)

    def sample(self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None) -> Rows:
        """``(n_samples, features)`` rows drawn from the model; ``random_state`` as in the constructor by default.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(5.0, 2.0, size=(500, 3))
        >>> SpectralVAE().fit(X).sample(4).shape
        (4, 3)
        """
        check_is_fitted(self)
        seed = seed_of(self.random_state if random_state is None else random_state)
        return np.asarray(draw_spectra(self.detector_.net, n_samples, seed).T, np.float64)

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Mean log-likelihood bound of the rows, nats, the higher the better: what a grid search without labels can use.

        The evidence lower bound at the posterior mean, up to what is alike for all models of the same training rows.
        """
        rows = self._checked(X)
        volume = float(self.detector_.net.vae.log_volume().detach())
        return -float(self._scores(rows).mean()) - volume

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags

    def _config(self) -> ModelConfig:
        overrides = {
            "network.latent": self.latent,
            "network.hidden": None if self.hidden is None else tuple(self.hidden),
            "training.steps": self.steps,
            "training.trim": float(self.trim),
            "context.kind": "none",
            "seed": seed_of(self.random_state),
        }
        return load_config(overrides={**overrides, **(self.settings or {})})

    def _bands(self) -> BandSet:
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            return BandSet((Band(),) * self.n_features_in_)
        return BandSet(tuple(Band(str(name), wavelength_of(str(name))) for name in names))

    def _checked(self, X: ArrayLike) -> Rows:
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, dtype=np.float64, reset=False))

    def _parts(self, rows: Rows) -> Parts:
        return self.detector_.score_rows(to_float32(rows), np.ones(len(rows), bool))

    def _scores(self, rows: Rows) -> Rows:
        return self._parts(rows).score.astype(np.float64)

    def _need_held_out(self) -> None:
        if not self.detector_.calibration.size:
            raise ModelError("no normal row was held out; give calibrate() normal rows that were not fitted on")
