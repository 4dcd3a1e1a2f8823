"""The trimmed tail fits the normal part of scores whose top may hold anomalies."""

from __future__ import annotations

import numpy as np
import pytest

from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.trimmed_tail import fit_trimmed_tail


def test_the_trimmed_tail_knows_the_rate_of_the_normal_part() -> None:
    """From data of which 2 % are anomalies, the cut for 1e-3 realises about that among the normal ones."""
    rng = np.random.default_rng(2)
    realised = []
    for _ in range(20):
        scores = rng.exponential(size=10_000)
        scores[:200] = 15 + rng.exponential(size=200)
        tail = fit_trimmed_tail(scores, BlockBootstrap.of(np.arange(10_000) % 100), 0.03)
        assert tail is not None
        value = tail.threshold(1e-3)
        realised.append(np.exp(-value))
        assert abs(tail.normal / 9800 - 1) < 0.02
    assert 0.2 < np.median(realised) / 1e-3 < 2.5


@pytest.mark.parametrize("n", [300, 700, 1500, 2001])
def test_small_sets_of_any_size_are_fitted(n: int) -> None:
    tail = fit_trimmed_tail(np.random.default_rng(n).exponential(size=n), BlockBootstrap.of(np.arange(n) % 30), 0.03)
    assert tail is not None
    assert np.isfinite([tail.shape, tail.scale, tail.share]).all()
