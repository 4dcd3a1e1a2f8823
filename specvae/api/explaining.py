"""What a fitted estimator answers beyond scikit-learn's contract: parts, probabilities, reasons, codes, draws."""

from __future__ import annotations

import warnings
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted, validate_data

from specvae.api.rows import RowExplanation, Rows, region_to_calibrate, seed_of, to_float32, unmasked
from specvae.api.storing import StoredEstimator
from specvae.errors import ModelError
from specvae.export.reasons_in_words import wording_of
from specvae.scoring.latent import draw_spectra, latent_means, log_evidence
from specvae.spectra import Parts
from specvae.thresholds.calibration import DEFAULT_RATE

__all__ = ["ExplainingEstimator"]


class ExplainingEstimator(StoredEstimator):
    """A stored estimator that says how sure it is, and why."""

    def score_parts(self, X: ArrayLike) -> Parts:
        """Return score, reconstruction and KL, ``(n,)`` nats each, in float32 as files have them: they add up exactly.

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
        """Return the probability that a normal row scores as high as each of these, ``(n,)``.

        It comes from held-out rows: conformal among their scores, a Pareto tail beyond them.

        Raises ModelError where no row was held out: fewer than 50 were fitted and :meth:`calibrate` was given none.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> model = SpectralVAE(steps=50).fit(X)
        >>> normal, odd = np.zeros((1, 4)), np.full((1, 4), 9.0)
        >>> bool(model.p_value(normal)[0] > 0.2), bool(model.p_value(odd)[0] < 0.03)
        (True, True)
        """
        rows = self._checked(X)  # first, so that a wrong X is named before the lack of held-out rows
        self._need_held_out()
        return np.asarray(self.detector_.calibration.p_values(self._scores(rows)), np.float64)

    def calibrate(self, X: ArrayLike | None = None, false_alarm_rate: float | None = None) -> Self:
        """Set ``threshold_`` and ``offset_`` from held-out normal rows, so that ``predict`` has a known false-alarm rate.

        A rate that is given and not supported is used all the same, with a warning. Raises ModelError without held-out rows.

        Parameters
        ----------
        X : array-like ``(n, features)``, optional
            Normal rows that were not fitted on, taken at their word; without them, those that ``fit`` held out.
        false_alarm_rate : float in (0, 1), optional
            Share of normal rows that may be called outliers. By default 1e-3, or the nearest that the rows support.

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
            region = region_to_calibrate(rows, self.detector_.config)
            # Trusted: the user says that these rows are normal, so the highest scores among them are normal too.
            self.detector_ = self.detector_.calibrate([region], ("calibrate",), trusted=True)
        self._need_held_out()
        # Only a rate that the user gave is held to although the rows do not support it.
        rate = DEFAULT_RATE if false_alarm_rate is None else false_alarm_rate
        threshold = self.detector_.calibration.threshold(rate, explicit=false_alarm_rate is not None)
        if threshold.warning:
            warnings.warn(threshold.warning, UserWarning, stacklevel=2)
        self.threshold_, self.offset_ = threshold, -float(threshold.value)
        return self

    def explain(self, X: ArrayLike) -> RowExplanation:
        """Return which features drive the score of each row, which way, and what was expected, ``(n, features)`` each.

        The contributions of a row add up to its score.

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> why = SpectralVAE(steps=50).fit(X).explain([[0.0, 0.0, -50.0, 0.0]])
        >>> int(why.contribution[0].argmax()), bool(why.deviation[0, 2] < 0)
        (2, True)
        """
        rows = self._checked(X)
        why = self.detector_.explain(np.ascontiguousarray(to_float32(rows).T))
        parts = (why.contribution, why.deviation, why.expected, why.alone, why.by_itself)
        return RowExplanation(
            *(part.T.astype(np.float64) for part in parts),
            observed=rows,
            score=self._scores(rows),
            wording=wording_of(self.detector_, rows=True),
        )

    def transform(self, X: ArrayLike) -> Rows:
        """Return the posterior means of the latent variables, ``(n, latent)``: mu in q(z | x) = N(mu, s^2).

        Examples
        --------
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> SpectralVAE(latent=2, steps=50).fit(X).transform(X).shape
        (300, 2)
        """
        rows = self._checked(X)
        return np.asarray(latent_means(self.detector_.net, to_float32(rows).T).T, np.float64)

    def sample(self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None) -> Rows:
        """Draw rows from the model, ``(n_samples, features)``; ``random_state`` is by default that of the constructor.

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
        """Return the mean lower bound of log p(x), nats, the higher the better: what a grid search without labels can use.

        The density is that of the normalised rows, so that models of the same training rows compare. The bound is
        importance-weighted (Burda, Grosse and Salakhutdinov, 2015, equation 8) and its draws are seeded.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.model_selection import GridSearchCV
        >>> from specvae import SpectralVAE
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6)) + 0.05 * rng.normal(size=(300, 6))
        >>> GridSearchCV(SpectralVAE(steps=60), {"latent": [1, 2]}, cv=2).fit(X).best_params_
        {'latent': 2}
        """
        return float(log_evidence(self.detector_.net, to_float32(self._checked(X)).T).mean())

    def _checked(self, X: ArrayLike) -> Rows:
        check_is_fitted(self)
        # reset=False: compare the number of features and their names with those of fit, instead of learning them.
        return np.asarray(validate_data(self, unmasked(X), dtype=np.float64, reset=False))

    def _parts(self, rows: Rows) -> Parts:
        return self.detector_.score_rows(to_float32(rows), np.ones(len(rows), bool))

    def _scores(self, rows: Rows) -> Rows:
        return self._parts(rows).score.astype(np.float64)

    def _need_held_out(self) -> None:
        if not self.detector_.calibration.size:
            raise ModelError("no normal row was held out; give calibrate() normal rows that were not fitted on")
