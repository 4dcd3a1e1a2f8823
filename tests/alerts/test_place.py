"""The life of an alert: what is planted is confirmed in two looks, what was always odd never is, and ids last."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from specvae.alerts.clear_looks import EDGE
from specvae.alerts.e_values import needed_evidence
from specvae.alerts.normal_scores import PValueCurve
from specvae.alerts.past import STEP, PastArray, learn, past_type
from specvae.alerts.pixels import Status
from specvae.alerts.place import Place, advance
from specvae.alerts.seen import Night

SHAPE = (64, 72)
NEEDED = needed_evidence(SHAPE[0] * SHAPE[1], 0.1)
Change = Callable[[int, NDArray[np.float32]], None]
IDENTITY = PValueCurve(np.array([-40.0, 40.0]), np.array([-40.0, 40.0]))
QUIET = 14
"""Nights before anything is planted."""


def nights(count: int, change: Change, seed: int = 0, shape: tuple[int, int] = SHAPE) -> Iterable[NDArray[np.float32]]:
    """Normal scores of each night at ground with a centre of its own, with what ``change`` does to them."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(0, 0.8, shape)
    centre[5:8, 5:9] = 6.0  # a roof
    for number in range(count):
        scores = (centre + 0.6 * rng.normal(size=shape)).astype(np.float32)
        change(number, scores)
        yield scores


def watched(count: int, change: Change, seed: int = 0, close_after: int = 2) -> list[Place]:
    """The place after each night, one every five days."""
    place, after = Place(PastArray(*SHAPE)), []
    for number, scores in enumerate(nights(count, change, seed)):
        night = Night(20_000 + 5 * number, lambda a, b, s=scores: s[a:b], IDENTITY)
        place = advance(place, night, PastArray(*SHAPE), NEEDED, close_after)
        after.append(place)
    return after


def nothing(number: int, scores: NDArray[np.float32]) -> None:
    """A night at normal ground."""


def test_a_fire_is_first_then_confirmed_then_closed_with_its_dates() -> None:
    def fire(number: int, scores: NDArray[np.float32]) -> None:
        if QUIET <= number < QUIET + 5:
            scores[20:30, 20:32] += 6

    places = watched(QUIET + 9, fire)
    inside = (slice(20, 30), slice(20, 32))
    share = [
        float((place.status(0, 64)[inside] == status).mean())
        for place, status in zip(
            places[QUIET:], [Status.FIRST] + [Status.CONFIRMED] * 5 + [Status.CLOSED] * 3, strict=True
        )
    ]
    assert min(share) > 0.97
    alert = next(a for a in places[-1].registry.alerts if a.confirmed_on is not None)
    day = 20_000 + 5 * QUIET
    assert (alert.status, alert.first_seen, alert.confirmed_on) == ("closed", day, day + 5)
    assert (alert.last_seen, alert.closed_on) == (day + 20, day + 30)
    assert alert.anomalous_looks == 5
    assert alert.pixels == pytest.approx(120, abs=3)


def test_a_roof_and_normal_ground_are_never_confirmed() -> None:
    places = watched(60, nothing, seed=4)
    assert not [a for a in places[-1].registry.alerts if a.confirmed_on is not None]


def test_one_night_is_not_enough() -> None:
    def ship(number: int, scores: NDArray[np.float32]) -> None:
        if number == QUIET:
            scores[40:43, 40:46] += 9

    places = watched(QUIET + 3, ship)
    assert (places[QUIET].status(40, 43)[:, 40:46] == Status.FIRST).all()
    assert not [a for place in places for a in place.registry.alerts if a.confirmed_on is not None]
    # Closed after two clear looks without it, and then forgotten.
    assert (places[-1].status(40, 43)[:, 40:46] == Status.NOTHING).mean() > 0.8


def test_a_pixel_alone_needs_a_look_more() -> None:
    def spot(number: int, scores: NDArray[np.float32]) -> None:
        if number >= QUIET:
            scores[50, 50] = 9

    status = [place.status(50, 51)[0, 50] for place in watched(QUIET + 4, spot)[QUIET:]]
    assert status == [Status.FIRST, Status.PROVISIONAL, Status.CONFIRMED, Status.CONFIRMED]


def test_a_night_that_scores_higher_as_a_whole_is_no_alert() -> None:
    def haze(number: int, scores: NDArray[np.float32]) -> None:
        if number >= QUIET:
            scores += 1.2

    places = watched(QUIET + 4, haze)
    assert not [a for a in places[-1].registry.alerts if a.confirmed_on is not None]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_a_fire_is_confirmed_however_much_of_the_scene_it_takes(share: float) -> None:
    rows = int(share * SHAPE[0])

    def fire(number: int, scores: NDArray[np.float32]) -> None:
        if number >= QUIET:
            scores[:rows] += 7

    places = watched(QUIET + 3, fire)
    burnt = np.ones((rows, SHAPE[1]), bool)
    burnt[4:9, 4:10] = False  # beside the roof
    assert (places[-1].status(0, rows)[burnt] == Status.CONFIRMED).mean() > 0.97
    assert (places[-1].status(rows, SHAPE[0]) == Status.CONFIRMED).mean() < 0.01


def test_a_cloud_that_no_mask_saw_and_a_weak_look_after_it_are_not_confirmed() -> None:
    """However strong one look is, the other one must be odd enough by itself."""

    def clouds(second: float) -> Change:
        def change(number: int, scores: NDArray[np.float32]) -> None:
            if number == QUIET:
                scores[40:46, 40:48] += 30
            if number == QUIET + 1:
                scores[40:46, 40:48] += np.float32(second)

        return change

    weak, strong = (watched(QUIET + 2, clouds(second))[-1].status(40, 46)[:, 40:48] for second in (0.4, 6.0))
    assert not (weak == Status.CONFIRMED).any()
    assert (strong == Status.CONFIRMED).mean() > 0.97


def test_an_edge_of_a_fire_seen_once_is_confirmed_with_the_rest_of_it() -> None:
    def fire(number: int, scores: NDArray[np.float32]) -> None:
        if number >= QUIET:
            scores[20:30, 20:32] += 7
        if number == QUIET:
            scores[20:30, 28:40] = np.nan  # a cloud over a part of it

    status = watched(QUIET + 2, fire)[-1].status(20, 30)[:, 20:32]
    # A third of it was seen twice. What stays provisional lies at its border, where neighbours lend less.
    assert (status[:, :3] == Status.CONFIRMED).mean() > 0.97
    assert 0.75 < (status == Status.CONFIRMED).mean() < 1


def test_clouds_and_their_edges_are_no_looks() -> None:
    def cloud(number: int, scores: NDArray[np.float32]) -> None:
        if number >= QUIET:
            scores[10:30, 30:60] += 7  # what of the cloud leaks beyond its mask
            scores[12:28, 32:58] = np.nan

    places = watched(QUIET + 3, cloud)
    before, after = (places[at].past.read(0, 64)["looks"] for at in (QUIET - 1, -1))
    wide = (slice(12 - EDGE, 28 + EDGE), slice(32 - EDGE, 58 + EDGE))
    assert (after[wide] == before[wide]).all()
    assert (after[40:] == before[40:] + 3).all()
    assert not [a for a in places[-1].registry.alerts if a.confirmed_on is not None]


def test_alerts_merge_under_the_older_id_and_split_under_the_same() -> None:
    def fires(number: int, scores: NDArray[np.float32]) -> None:
        if number >= QUIET:
            scores[20:26, 20:26] += 8
        if number >= QUIET + 1:
            scores[20:26, 30:36] += 8
        if number == QUIET + 3:
            scores[20:26, 26:30] += 8  # the two become one
        if number > QUIET + 3:
            scores[20:26, 26:30] -= 0

    places = watched(QUIET + 7, fires)
    ids = [[a.id for a in place.registry.alerts if a.pixels > 20] for place in places]
    one, two = ids[QUIET + 1]
    assert one < two
    assert ids[QUIET + 3] == [one]
    merged = next(a for a in places[QUIET + 3].registry.alerts if a.id == one)
    assert two in merged.merged
    # The bridge closed two looks later: both parts go on under the older id.
    assert ids[-1] == [one]
    final = places[-1]
    own = final.pixels[(final.pixels["id"] == one) & (final.pixels["status"] < Status.CLOSED)]
    assert {int(at) % SHAPE[1] // 30 for at in own["at"]} == {0, 1}


def test_rows_of_a_window_have_the_bits_of_the_place_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    def fire(number: int, scores: NDArray[np.float32]) -> None:
        if number >= QUIET:
            scores[28:36, 20:32] += 6
        if number % 3 == 0:
            scores[25:45, :20] = np.nan

    places = []
    for rows in (256, 16):
        monkeypatch.setattr("specvae.alerts.place.ROWS", rows)
        places.append(watched(QUIET + 3, fire)[-1])
    assert np.array_equal(places[0].past.read(0, 64), places[1].past.read(0, 64))
    assert np.array_equal(places[0].pixels, places[1].pixels)
    assert places[0].registry == places[1].registry


def test_the_past_in_steps_is_mean_and_variance_of_what_was_seen() -> None:
    rng = np.random.default_rng(0)
    past, everywhere = np.zeros(5, past_type(6)), np.ones((5, 6), bool)
    values = [rng.normal(1.2, 0.4, (5, 6)).astype(np.float32) for _ in range(9)]
    for at, scores in enumerate(values):
        learn(past, everywhere, everywhere, scores, scores, at + 1)
    assert (past["looks"] == 9).all()
    assert (past["last"] == 9).all()
    # Each look rounds by half a step, and later looks dilute what earlier ones were rounded by.
    assert past["centre_alone"] * STEP == pytest.approx(np.mean(values, axis=0), abs=4 * STEP)
    assert past["variance_around"] * STEP == pytest.approx(np.var(values, axis=0), abs=4 * STEP)
