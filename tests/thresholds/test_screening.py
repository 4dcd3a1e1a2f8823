"""Faults that are tried in one pass gain what each gains alone; medians of lines are numpy's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from specvae.thresholds.drift.faults import _radiometric, _screened
from specvae.thresholds.drift.ground_kinds import GroundKinds
from specvae.thresholds.drift.striping import _medians


@pytest.fixture(scope="module")
def kinds() -> GroundKinds:
    found = GroundKinds.fit(ground(4000))
    assert found is not None
    return found


def ground(count: int, seed: int = 0) -> np.ndarray:
    """Spectra of three kinds of ground in five bands: ``(5, count)``."""
    rng = np.random.default_rng(seed)
    means = np.array([[300, 400, 500, 2000, 900], [800, 900, 1000, 1200, 1400], [500, 400, 200, 100, 50]], float)
    kind = rng.integers(0, 3, count)
    return (means[kind] * rng.gamma(40, 1 / 40, (count, 1)) + rng.normal(0, 20, (count, 5))).T


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.6])
def test_faults_in_one_pass_gain_what_each_gains_alone(kinds: GroundKinds, factor: float) -> None:
    spectra = factor * ground(150, 1)
    remedies = [*_radiometric(kinds, np.linspace(0, 1, 5))]
    before = kinds.membership(spectra).log_density
    each = [remedy.tried(kinds, spectra, before).gain_of_fit for remedy in remedies]
    np.testing.assert_allclose(_screened(kinds, remedies, spectra, before), each, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 7, 16])
def test_medians_of_lines_are_those_of_numpy(rows: int) -> None:
    rng = np.random.default_rng(rows)
    lines = rng.normal(size=(5, 3, rows, 9))
    lines[rng.random(lines.shape) < 0.3] = np.nan
    lines[0, 0, :, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(lines, axis=2)
    np.testing.assert_array_equal(_medians(lines, np.isfinite(lines).sum(axis=2)), expected)
