"""The compiled night against the reference in numpy: the same bits of every variant, at edges, under clouds and beside roofs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy.special import ndtr

from specvae.alerts import past, seen
from specvae.alerts.kernel.library import FIELDS, Planes, Variant, variants
from specvae.alerts.normal_scores import PValueCurve
from specvae.alerts.past import learn, past_type
from specvae.alerts.seen import PLANES, looked, standing_out

pytestmark = pytest.mark.skipif(not variants(), reason="the install has no compiled night")
NODES = np.linspace(-4, 8, 241)
CURVE = PValueCurve.of({"score": (10 + NODES).tolist(), "p_value": np.clip(1 - ndtr(NODES), 1e-12, 1).tolist()})
BOUND = np.float32(2.25)
Use = Callable[[Variant | None], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Have a variant compute, or with None numpy."""

    def chosen(variant: Variant | None) -> None:
        for module in (past, seen):
            monkeypatch.setattr(module, "best_variant", lambda: variant)

    return chosen


def night(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Scores with single specks, clouds and fires, some far beyond the curve."""
    scores = (10 + rng.normal(size=shape)).astype(np.float32)
    scores[rng.random(shape) < 0.01] = np.nan
    scores[rng.random(shape) < 0.01] += 60
    for _ in range(3):
        row, col = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        scores[row : row + rng.integers(1, 9), col : col + rng.integers(1, 30)] = rng.choice([np.nan, 14, -np.inf])
    return scores


def watched(shape: tuple[int, int], seed: int, nights: int = 9) -> list[np.ndarray]:
    """All that comes out of some nights: planes, what stands out, and the past in the end."""
    rng, records, came = np.random.default_rng(seed), np.zeros(shape[0], past_type(shape[1])), []
    for number in range(nights):
        planes = Planes(*(np.empty(shape, kind) for kind in PLANES.values()))
        looked(records, night(rng, shape), CURVE, number == 0, planes)
        margin = slice(shape[0] // 5, shape[0])
        came += [*planes, standing_out(records, planes, margin, BOUND)]
        learning = planes.clear & (rng.random(shape) < 0.9)
        learn(records, planes.clear, learning, planes.normal, planes.around, 20_000 + number)
    return [*came, *(records[name] for name in FIELDS)]


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (9, 17), (23, 131), (40, 1)])
@pytest.mark.parametrize("variant", variants(), ids=lambda variant: variant.name)
def test_every_variant_has_the_bits_of_numpy(use: Use, variant: Variant, shape: tuple[int, int]) -> None:
    for seed in range(3):
        use(None)
        expected = watched(shape, seed)
        use(variant)
        for one, other in zip(watched(shape, seed), expected, strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def test_the_nights_have_what_can_go_wrong() -> None:
    """Clouds that hide their neighbours, always odd ground and looks that stand out are all there to be compared."""
    came = watched((23, 131), 0)
    normal, usual, clear, places = (came[at:-7:5] for at in (0, 2, 3, 4))
    assert any((~there & np.isfinite(own)).any() for own, there in zip(normal, clear, strict=True))
    assert any(at.size for at in places)
    assert any((own > past.ALWAYS_ODD).any() for own in usual)


def test_more_places_than_there_is_room_for_are_asked_for_again(use: Use) -> None:
    shape = (160, 128)
    records = np.zeros(shape[0], past_type(shape[1]))
    ground, everywhere = np.zeros(shape, np.float32), np.ones(shape, bool)
    for day in range(6):
        learn(records, everywhere, everywhere, ground, ground, day + 1)
    planes = Planes(np.full(shape, 9, np.float32), ground, np.zeros(shape, np.int16), everywhere)
    assert standing_out(records, planes, slice(0, 160), BOUND).tolist() == list(range(160 * 128))


def test_arrays_of_another_size_or_type_are_refused() -> None:
    variant, records = variants()[0], np.zeros(4, past_type(6))
    good, mask = np.zeros((4, 6), np.float32), np.ones((4, 6), bool)
    numbers = (1.0, 1.0, 1.0, 1.0, 1.0)
    for wrong in (np.zeros((4, 5), np.float32), np.zeros((4, 12), np.float32)[:, ::2], np.zeros((4, 6))):
        with pytest.raises(ValueError, match="array"):
            variant.learn(records, (good, wrong), (mask, mask), (1, 5, 40), numbers)
    with pytest.raises(ValueError, match="records"):
        variant.learn(np.zeros(8, past_type(6))[::2], (good, good), (mask, mask), (1, 5, 40), numbers)
    planes = Planes(good, good, np.zeros((4, 6), np.int16), mask)
    with pytest.raises(ValueError, match="rows"):
        variant.stand_out(records, planes, slice(0, 5), 5, (1.0, 4.0, 1.0, 2.7))
