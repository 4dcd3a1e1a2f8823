"""Faults put into ground of known kinds: each is named as what it is, and normal ground has none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from specvae.thresholds.drift.comparison import GroundReference
from specvae.thresholds.drift.ground_verdict import judge_by_ground
from specvae.thresholds.drift.squares import Squares
from specvae.thresholds.drift.verdict import BandDrift, Drift

BANDS, SIDE = 6, 32
KINDS = np.array(
    [[400, 600, 500, 2500, 1500, 900], [900, 1100, 1300, 1800, 2400, 2100], [300, 350, 200, 150, 100, 80]], float
)
FALLING = np.arange(BANDS)[:, None, None] / (BANDS - 1)
Change = Callable[[NDArray[np.floating]], NDArray[np.floating]]


def ground(seed: int, squares: int = 12, change: Change | None = None) -> Squares:
    """Squares of three kinds of ground in patches of eight pixels, bands alike up to noise, changed or not."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(len(KINDS), size=(squares, SIDE // 8, SIDE // 8)).repeat(8, axis=1).repeat(8, axis=2)
    light = 1 + 0.08 * rng.standard_normal((squares, 1, SIDE, SIDE))
    values = KINDS[kind].transpose(0, 3, 1, 2) * light * (1 + 0.04 * rng.standard_normal((squares, BANDS, SIDE, SIDE)))
    values = values if change is None else np.stack([change(square) for square in values])
    everywhere = np.ones((squares, SIDE, SIDE), bool)
    score = rng.gamma(3, 2, everywhere.shape).astype(np.float32)
    return Squares(values.astype(np.float32), everywhere, score, everywhere)


@pytest.fixture(scope="module")
def reference() -> GroundReference:
    pieces = [ground(seed, 4) for seed in range(12)]
    spectra = np.concatenate([piece.pixels.spectra for piece in pieces], axis=1)
    made = GroundReference.fit(spectra, pieces)
    assert made is not None
    return made


def verdict(reference: GroundReference, squares: Squares) -> Drift:
    bands = tuple(BandDrift(f"b{i}", 0.0, 0.0, 0.0) for i in range(BANDS))
    bare = Drift("ok", (), squares.usable.size, None, None, None, None, None, bands)
    return judge_by_ground(bare, reference, reference.compare(squares), ())


def hazy(slope: float) -> Change:
    return lambda square: square * 0.9 + 260 * np.exp(-slope * FALLING)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (hazy(3.0), "haze"),
        (hazy(1.5), "haze"),
        (lambda square: square * 1.4, "gain"),
        (lambda square: square + 1000, "offset"),
        (lambda square: square[[0, 1, 3, 2, 4, 5]], "swap"),
        (lambda square: square * np.where(np.arange(SIDE) % 8 == 3, 1.1, 1.0), "stripes"),
        (lambda square: np.concatenate([square[:2], np.roll(square[2:3], 1, axis=2), square[3:]]), "shift"),
    ],
    ids=["steep haze", "gentle haze", "gain", "offset", "swap", "stripes", "shift"],
)
def test_a_fault_is_named(reference: GroundReference, change: Change, name: str) -> None:
    for seed in (100, 101):
        judged = verdict(reference, ground(seed, change=change))
        assert judged.verdict != "ok"
        assert judged.fault == name, judged.reasons


def test_normal_ground_of_any_mixture_has_no_fault(reference: GroundReference) -> None:
    for seed in range(200, 208):
        squares = ground(seed, squares=int(5 + seed % 8))
        judged = verdict(reference, squares)
        assert (judged.verdict, judged.fault) == ("ok", None), judged.reasons


def test_a_model_of_before_has_one_limit_of_moving_a_band_for_all_steps(reference: GroundReference) -> None:
    arrays = reference.to_arrays()
    assert arrays["registration"].shape == (len(reference.kinds.bands), 4)
    before = {**arrays, "registration": np.arange(len(reference.kinds.bands), dtype=np.float32)}
    read = GroundReference.from_arrays(before).registration
    np.testing.assert_array_equal(read, np.arange(len(reference.kinds.bands))[:, None] * np.ones(4))
