"""SpectralVAE under PyOD's names, for code written against them; PyOD itself is not needed."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from specvae.api.spectral_vae import SpectralVAE

__all__ = ["PyODSpectralVAE"]


class PyODSpectralVAE:
    """PyOD's conventions: scores are higher for outliers, labels are 1 for outliers and 0 for inliers.

    The sign is the opposite of scikit-learn's: ``decision_function`` here is ``SpectralVAE.anomaly_score``, in nats.
    Parameters are those of :class:`specvae.SpectralVAE`.

    Attributes
    ----------
    decision_scores_ : ``(n,)`` nats of the training rows, higher = more anomalous
    threshold_ : the cut in nats
    labels_ : ``(n,)``: 1 where a training row scores above the cut, else 0

    Examples
    --------
    >>> import numpy as np
    >>> from specvae.api.pyod import PyODSpectralVAE
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> detector = PyODSpectralVAE(contamination=0.05).fit(X)
    >>> int(detector.labels_.sum())
    10
    """

    def __init__(self, contamination: float = 0.1, **parameters: Any) -> None:
        self.contamination = contamination
        self.estimator = SpectralVAE(contamination=contamination, **parameters)

    def fit(self, X: ArrayLike, y: object = None) -> PyODSpectralVAE:
        """Learn what is normal from rows ``(n, features)``; ``y`` is not looked at.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> PyODSpectralVAE(steps=20).fit(X).decision_scores_.shape
        (200,)
        """
        self.estimator.fit(X)
        self.decision_scores_ = self.decision_function(X)
        # PyOD's order, higher is odder, is the opposite of scikit-learn's, in which offset_ is.
        self.threshold_ = -self.estimator.offset_
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the score of each row, ``(n,)`` nats: the higher, the more anomalous.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> near, far = PyODSpectralVAE(steps=20).fit(X).decision_function([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]])
        >>> bool(far > near)
        True
        """
        return self.estimator.anomaly_score(X)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return 1 for outliers and 0 for inliers, ``(n,)``.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> PyODSpectralVAE(steps=20).fit(X).predict([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]]).tolist()
        [0, 1]
        """
        return np.asarray(self.decision_function(X) > self.threshold_, np.int64)

    def predict_proba(self, X: ArrayLike, method: Literal["linear", "unify"] = "linear") -> NDArray[np.float64]:
        """Return how normal and how outlying each row is, ``(n, 2)`` in 0..1; the two columns add up to 1.

        "Probability" has PyOD's meaning, a score rescaled to 0..1 by the training scores. It is not the chance that a row
        is an outlier, and no p-value: ``estimator.p_value`` gives the share of normal rows that score as high.

        Parameters
        ----------
        X : array-like ``(n, features)``
        method : "linear" or "unify", default "linear"
            linear: 0 at the lowest training score, 1 at the highest, cut beyond them. unify: the Gaussian error function
            of the score in standard deviations of the training scores above their mean, 0 below it (Kriegel et al.,
            *Interpreting and Unifying Outlier Scores*, 2011).

        Raises
        ------
        ValueError : another method.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> PyODSpectralVAE(steps=20).fit(X).predict_proba([[40.0, 0.0, 0.0]]).tolist()
        [[0.0, 1.0]]
        """
        scores, train = self.decision_function(X), self.decision_scores_
        if method == "linear":
            # One value for all training rows has no range: then only what scores higher than they is outlying.
            outlying = (scores - train.min()) / max(float(np.ptp(train)), np.finfo(float).tiny)
        elif method == "unify":
            outlying = erf((scores - train.mean()) / (max(float(train.std()), np.finfo(float).tiny) * np.sqrt(2.0)))
        else:
            raise ValueError(f"method={method!r} is no conversion to probabilities; expected 'linear' or 'unify'")
        outlying = np.clip(outlying, 0.0, 1.0)
        return np.column_stack([1.0 - outlying, outlying])
