"""Contamination is found where anomalies were planted, and rarely where tails are just heavy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from specvae.thresholds.contamination import (
    contamination_warning,
    few_places_warning,
    find_contamination,
    find_gap,
    with_objects,
)
from specvae.thresholds.tiles import CalibrationTiles, Tile

LAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "chi-square": lambda rng, n: rng.chisquare(13, n) / 2,
    "multivariate t, 6": lambda rng, n: rng.f(13, 6, n) * 6.5,
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: np.exp(0.8 * rng.standard_normal(n)),
}


@pytest.mark.parametrize("law", LAWS)
def test_clean_heavy_tails_are_rarely_found_contaminated(law: str) -> None:
    rng = np.random.default_rng(0)
    findings = [find_contamination(LAWS[law](rng, 10_000), 0.03).found for _ in range(10)]
    assert sum(findings) <= 1


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("share", [0.007, 0.02])
def test_planted_anomalies_are_found_with_their_share(law: str, share: float) -> None:
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(8):
        scores = LAWS[law](rng, 10_000)
        count = int(share * 10_000)
        scores[:count] = 3 * np.quantile(scores, 0.999) + rng.exponential(5, count)
        shares.append(find_contamination(rng.permutation(scores), 0.03).share)
    assert sum(s > 0 for s in shares) >= 7
    assert 0.5 * share < np.median(shares) < 1.3 * share


@pytest.mark.parametrize("law", LAWS)
def test_training_scores_of_clean_heavy_tails_leave_no_gap(law: str) -> None:
    rng = np.random.default_rng(3)
    assert not any(find_gap(LAWS[law](rng, 10_000), 0.03).found for _ in range(10))


@pytest.mark.parametrize("law", ["chi-square", "exponential"])
def test_what_a_fit_trimmed_and_never_learned_is_no_gap(law: str) -> None:
    """The top 3 % of a clean scene score twice as high as they would had they been learned."""
    scores = LAWS[law](np.random.default_rng(4), 20_000)
    stop = np.quantile(scores, 0.97)
    scores[scores > stop] *= 2
    assert not find_gap(scores, 0.03).found


@pytest.mark.parametrize("law", LAWS)
def test_a_hundredth_of_anomalies_among_training_scores_is_a_gap(law: str) -> None:
    scores = LAWS[law](np.random.default_rng(5), 20_000)
    scores[:200] = 8 * np.quantile(scores, 0.97) * np.random.default_rng(6).uniform(0.7, 1.5, 200)
    finding = find_gap(scores, 0.03)
    assert finding.found
    assert 0.004 < finding.share <= 0.011


@pytest.mark.parametrize(("n", "trim"), [(30, 0.03), (10_000, 0.0), (0, 0.03)])
def test_too_few_training_pixels_or_no_trimming_leave_no_gap(n: int, trim: float) -> None:
    finding = find_gap(np.random.default_rng(0).random(n), trim)
    assert not finding.found
    assert "too few" in finding.reason


def test_equal_training_scores_leave_no_gap() -> None:
    assert "one score" in find_gap(np.ones(5000), 0.03).reason


@pytest.mark.parametrize(("n", "trim"), [(30, 0.03), (10_000, 0.0), (0, 0.03)])
def test_too_few_pixels_or_no_trimming_decide_nothing(n: int, trim: float) -> None:
    finding = find_contamination(np.random.default_rng(0).random(n), trim)
    assert not finding.found
    assert finding.level is None
    assert "too few" in finding.reason


def test_equal_scores_decide_nothing() -> None:
    assert not find_contamination(np.ones(5000), 0.03).found


@pytest.mark.parametrize("shape", [0.5, 0.8])
def test_the_tail_of_a_city_is_heavy_and_not_contaminated(shape: float) -> None:
    """Scores over many blocks that go on smoothly, up to a hundred times the median."""
    rng = np.random.default_rng(8)
    findings = [find_contamination(5 + rng.pareto(1 / shape, 20_000), 0.03).found for _ in range(10)]
    assert sum(findings) <= 1


def planted_map(objects: int, side: int) -> CalibrationTiles:
    """A map of 256 x 256 pixels with square objects that score apart from all others."""
    rng = np.random.default_rng(2)
    score = rng.gamma(5, 2, (256, 256))
    for number in range(objects):
        row, col = 30 * (number // 8) + 3, 30 * (number % 8) + 3
        score[row : row + side, col : col + side] = 150 + 20 * rng.random((side, side))
    return CalibrationTiles((Tile(score.astype(np.float32), 0, 0),), ("scene",))


def test_planted_objects_are_counted_and_said_once_in_words_to_act_on() -> None:
    tiles = planted_map(10, 8)
    finding = with_objects(find_contamination(tiles.scores, 0.03), tiles)
    assert finding.found
    assert finding.share == pytest.approx(640 / 65536, rel=0.02)
    assert finding.objects == 5
    said = contamination_warning(finding)
    assert "640 pixels" in said
    assert "5 compact object(s)" in said
    assert "--mask or --normal" in said


def test_one_object_is_rare_ground_unless_the_gap_is_empty() -> None:
    tiles = planted_map(1, 26)
    finding = with_objects(find_contamination(tiles.scores, 0.03), tiles)
    assert (finding.found, finding.objects) == (True, 1)
    score = tiles.tiles[0].score.copy()
    # A shore between the lake and the rest of the scene, scattered over it: its scores lie evenly in their logarithm.
    shore = np.random.default_rng(3).choice(np.flatnonzero(score < 100), 1352, replace=False)
    score.flat[shore] = 10 + np.geomspace(6, 140, 1352)
    scene = CalibrationTiles((Tile(score, 0, 0),), ("scene",))
    finding = with_objects(find_contamination(scene.scores, 0.03), scene)
    assert (finding.found, finding.objects) == (False, 1)
    assert "rare ground and an anomaly look alike" in finding.reason


def test_a_cut_that_rests_on_few_places_is_said() -> None:
    tiles = planted_map(2, 8)
    said = few_places_warning(tiles, 100.0)
    assert said is not None
    assert "half of the 128 held-out pixels above the default cut lie in 1 compact object(s)" in said
    assert few_places_warning(planted_map(12, 4), 100.0) is None
    assert few_places_warning(tiles, 1e6) is None
