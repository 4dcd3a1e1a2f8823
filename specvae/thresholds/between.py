"""Between the score of a model that saw a pixel and that of one that saw neither it nor what lies around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["between"]


def between(held_out: NDArray[np.floating], seen: NDArray[np.floating], weight: float) -> NDArray[np.float32]:
    """Scores of any shape, nats: ``weight`` of the way from ``held_out`` to ``seen``, on a logarithmic scale.

    The rule of .632 (Efron, Journal of the American Statistical Association 78, 1983): a model that was fitted to a share f of
    the sample errs too much on what it did not see, and the model of all of it too little on what it saw. What a model of
    all of it does to new data lies between, f of the way towards the former: .632 where the sample is a bootstrap's. Here f
    is what the rings around held-out blocks leave of all that lies outside these, and ``weight`` is 1 - f. The scale is
    logarithmic from a nat on, as scores of rare ground differ by factors, and linear below.

    Examples
    --------
    >>> between(np.array([99.0, 0.5]), np.array([9.0, 0.5]), 0.5).astype(float).round(3).tolist()
    [30.623, 0.5]
    """
    low, high = _scaled(seen), _scaled(held_out)
    mixed = high + weight * (low - high)
    return np.asarray(np.sign(mixed) * np.expm1(np.abs(mixed)), np.float32)


def _scaled(nats: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scores on a scale that is logarithmic for large ones, linear for small ones, and rises everywhere."""
    values = np.asarray(nats, np.float64)
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
