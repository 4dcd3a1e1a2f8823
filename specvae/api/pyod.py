"""SpectralVAE under PyOD's names, for code written against them; PyOD itself is not needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        self.threshold_ = -self.estimator.offset_
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """``(n,)`` nats, higher = more anomalous.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> near, far = PyODSpectralVAE(steps=20).fit(X).decision_function([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]])
        >>> bool(far > near)
        True
        """
        return self.estimator.anomaly_score(X)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """``(n,)``: 1 for outliers, 0 for inliers.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> PyODSpectralVAE(steps=20).fit(X).predict([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]]).tolist()
        [0, 1]
        """
        return np.asarray(self.decision_function(X) > self.threshold_, np.int64)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """``(n, 2)``: held-out p-value and its complement, probabilities as PyOD's callers expect columns.

        Examples
        --------
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> PyODSpectralVAE(steps=20).fit(X).predict_proba([[40.0, 0.0, 0.0]]).sum().item()
        1.0
        """
        p = self.estimator.p_value(X)
        return np.column_stack([p, 1.0 - p])
