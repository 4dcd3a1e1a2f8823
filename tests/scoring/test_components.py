"""Objects are what scipy labels on the whole array, however the scene was cut into windows and shards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from specvae.scoring.gathered.joining import Components
from specvae.scoring.gathered.object_table import JoinedObjects
from specvae.scoring.gathered.window_objects import AT_ONCE, MANY_PIXELS, ONE_IN, chosen_pixels
from specvae.spectra import Cube, Explanation, Parts, ScoredWindow, Window

BANDS = 3
EIGHT_CONNECTED = np.ones((3, 3), int)


class Scene:
    """A random scene with its parts and explanations."""

    def __init__(self, mask: NDArray[np.bool_], seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.mask = mask
        self.values = rng.normal(size=(BANDS, *mask.shape)).astype(np.float32)
        self.contribution = rng.gamma(1, size=(BANDS, *mask.shape)).astype(np.float32)
        self.deviation = rng.normal(size=(BANDS, *mask.shape)).astype(np.float32)
        self.reconstruction = self.contribution.sum(axis=0, dtype=np.float32)
        self.kl = rng.integers(1, 4, mask.shape).astype(np.float32)
        self.score = self.reconstruction + self.kl

    def piece(self, window: Window, explained: bool = True) -> ScoredWindow:
        at = window.slices
        mask = self.mask[at]

        def explain(rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Explanation:
            here = (slice(None), rows + window.row, cols + window.col)
            contribution, values = self.contribution[here], self.values[here]
            none = np.zeros_like(values)
            return Explanation(contribution, self.deviation[here], -values, 2 * contribution, none, none)

        cube = Cube(self.values[:, *at], np.zeros(mask.shape, np.uint8), window)
        parts = Parts(self.score[at], self.reconstruction[at], self.kl[at])
        return ScoredWindow(cube, parts, mask, explain if explained else None)


def cut(total: int, cuts: list[int]) -> list[tuple[int, int]]:
    edges = sorted({0, total, *(c % total for c in cuts)})
    return list(zip(edges[:-1], edges[1:], strict=True))


def windows_of(scene: Scene, row_cuts: list[int], col_cuts: list[int]) -> list[Window]:
    rows, cols = scene.mask.shape
    return [Window(a, c, b - a, d - c) for a, b in cut(rows, row_cuts) for c, d in cut(cols, col_cuts)]


def gathered(scene: Scene, windows: list[Window], shards: int = 1, **options: int) -> JoinedObjects:
    parts = [Components(**options) for _ in range(shards)]
    for i, window in enumerate(windows):
        parts[i % shards].update(scene.piece(window))
    for other in parts[1:]:
        parts[0].merge(other)
    return parts[0].finish()


def check_against_scipy(scene: Scene, found: JoinedObjects) -> None:
    labels, count = ndimage.label(scene.mask, EIGHT_CONNECTED)
    assert len(found.table) == count
    t = found.table
    for i in range(count):
        inside = labels == labels[t.peak_row[i], t.peak_col[i]]
        rows, cols = np.nonzero(inside)
        assert t.pixels[i] == inside.sum()
        box = (rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)
        assert (t.row[i], t.col[i], t.bottom[i], t.right[i]) == box
        assert t.peak[i] == scene.score[inside].max() == scene.score[t.peak_row[i], t.peak_col[i]]
        assert t.mean[i] == pytest.approx(scene.score[inside].mean(dtype=np.float64), rel=1e-6)
        assert t.reconstruction[i] + t.kl[i] == pytest.approx(t.score[i], rel=1e-6)
        assert t.contribution[:, i].sum() == pytest.approx(t.reconstruction[i], rel=1e-5)
        assert t.deviation[:, i] == pytest.approx(scene.deviation[:, inside].sum(axis=1, dtype=np.float64), abs=1e-4)
        assert (t.centroid[0][i], t.centroid[1][i]) == pytest.approx((rows.mean() + 0.5, cols.mean() + 0.5))
        peak = scene.values[:, t.peak_row[i], t.peak_col[i]]
        assert np.array_equal(t.spectrum[:, i], peak)
        assert np.array_equal(t.expected[:, i], -peak)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(1, 40),
    cols=st.integers(1, 40),
    density=st.floats(0, 1),
    row_cuts=st.lists(st.integers(0, 60), max_size=6),
    col_cuts=st.lists(st.integers(0, 60), max_size=6),
    shards=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_windows_in_any_order_and_shards_give_what_scipy_gives_on_the_scene(
    rows: int, cols: int, density: float, row_cuts: list[int], col_cuts: list[int], shards: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng.random((rows, cols)) < density, seed)
    windows = windows_of(scene, row_cuts, col_cuts)
    shuffled = [windows[i] for i in rng.permutation(len(windows))]
    check_against_scipy(scene, gathered(scene, shuffled, shards))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.02, 0.6), st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_a_cap_keeps_the_most_evidence_and_counts_the_rest(
    density: float, cap: int, least: int, shards: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scene = Scene(rng.random((48, 52)) < density, seed)
    windows = windows_of(scene, list(range(0, 48, 6)), list(range(0, 52, 9)))
    everything = gathered(scene, [Window(0, 0, 48, 52)]).table
    found = gathered(scene, [windows[i] for i in rng.permutation(len(windows))], shards, cap=cap, min_pixels=least)
    big = everything.take(everything.pixels >= least)
    assert np.array_equal(found.table.peak, big.peak[:cap])
    assert np.array_equal(found.table.pixels, big.pixels[:cap])
    assert found.count == len(big)
    assert found.beyond_cap.pixels == big.pixels[cap:].sum()
    assert found.too_small.objects == len(everything) - len(big)
    assert found.beyond_cap.peak == (big.peak[cap:].max() if len(big) > cap else None)


def test_an_anomaly_that_crosses_four_windows_is_one_object() -> None:
    mask = np.zeros((128, 128), bool)
    mask[60:70, 58:72] = True
    scene = Scene(mask)
    found = gathered(scene, windows_of(scene, [64], [64]))
    assert len(found.table) == 1
    assert found.table.pixels[0] == 140


def test_two_pixels_that_touch_only_at_a_corner_of_windows_are_one_object() -> None:
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = mask[2, 1] = True
    found = gathered(Scene(mask), windows_of(Scene(mask), [2], [2]))
    assert found.table.pixels.tolist() == [2]


def test_nothing_anomalous_gives_an_empty_table() -> None:
    scene = Scene(np.zeros((5, 5), bool))
    found = gathered(scene, [scene_window := Window(0, 0, 5, 5)])
    assert scene_window.size == 25
    assert len(found.table) == 0
    assert found.count == 0
    assert len(Components().finish().table) == 0


def test_a_noisy_mask_keeps_memory_bounded() -> None:
    rng = np.random.default_rng(1)
    scene = Scene(rng.random((1024, 512)) < 0.12)
    components = Components(cap=100)
    most = 0
    for window in windows_of(scene, list(range(0, 1024, 64)), list(range(0, 512, 64))):
        components.update(scene.piece(window))
        assert components._table is not None
        most = max(most, len(components._table))
    found = components.finish()
    assert found.count == ndimage.label(scene.mask, EIGHT_CONNECTED)[1] > 20_000
    assert most < found.count / 5
    assert len(found.table) == 100


def test_objects_without_explanation_have_no_bands() -> None:
    scene = Scene(np.eye(6, dtype=bool))
    components = Components()
    components.update(scene.piece(Window(0, 0, 6, 6), explained=False))
    table = components.finish().table
    assert table.deviation.shape == (0, 1)
    assert table.pixels[0] == 6


class Counted:
    """A scene's pieces, with the pixels counted that were explained, and the most at once."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.pixels, self.most = scene, 0, 0

    def piece(self, window: Window) -> ScoredWindow:
        piece = self.scene.piece(window)
        assert piece.explain is not None
        explainer = piece.explain

        def explain(rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Explanation:
            self.pixels += rows.size
            self.most = max(self.most, rows.size)
            return explainer(rows, cols)

        return replace(piece, explain=explain)


def test_objects_too_weak_for_the_cap_are_not_explained() -> None:
    mask = np.zeros((1024, 1024), bool)
    mask[1::4, 1::4] = True
    scene = Scene(mask)
    counted, components = Counted(scene), Components(cap=100)
    rng = np.random.default_rng(2)
    windows = windows_of(scene, list(range(0, 1024, 64)), list(range(0, 1024, 64)))
    held = []
    for i in rng.permutation(len(windows)):
        components.update(counted.piece(windows[i]))
        assert components._table is not None
        held.append(len(components._table))
    found = components.finish()
    strongest = np.sort(scene.score[mask])[::-1]
    assert np.array_equal(found.table.peak, strongest[:100])
    assert found.beyond_cap.objects == found.beyond_cap.pixels == mask.sum() - 100
    assert found.beyond_cap.peak == strongest[100]
    # Of 256 objects a window no more than the cap are held from the first one on, and hardly any once a cut is known.
    assert max(held) <= 3 * 100
    assert counted.pixels < 4_000 < mask.sum() / 10


def test_a_scene_that_is_anomalous_throughout_is_explained_by_a_part_of_its_pixels() -> None:
    scene = Scene(np.ones((512, 640), bool))
    scene.contribution[1, 200:] += 2  # a gradient that a part of the pixels must show as all do
    scene.reconstruction[:] = scene.score[:] = scene.contribution.sum(axis=0)
    counted, components = Counted(scene), Components()
    for window in reversed(windows_of(scene, [128, 256, 384], [320])):
        components.update(counted.piece(window))
    table = components.finish().table
    assert table.pixels.tolist() == [512 * 640]
    assert counted.pixels == pytest.approx(512 * 640 / ONE_IN, rel=0.01)
    assert counted.most <= AT_ONCE
    assert table.contribution[:, 0].sum() == pytest.approx(table.score[0], rel=1e-9)
    truth = scene.contribution.sum(axis=(1, 2), dtype=np.float64)
    assert table.contribution[:, 0] == pytest.approx(truth, rel=0.02)
    assert table.alone[:, 0] == pytest.approx(2 * truth, rel=0.02)
    assert table.observed[:, 0] == pytest.approx(scene.values.sum(axis=(1, 2), dtype=np.float64), abs=3000)
    mean = table.deviation[:, 0] / table.pixels[0]
    assert mean == pytest.approx(scene.deviation.mean(axis=(1, 2), dtype=np.float64), abs=0.03)


def test_a_window_that_is_anomalous_throughout_is_explained_by_hundreds_of_its_pixels() -> None:
    scene = Scene(np.ones((512, 640), bool))
    scene.contribution[1, 200:] += 2
    scene.reconstruction[:] = scene.score[:] = scene.contribution.sum(axis=0)
    counted, components = Counted(scene), Components()
    components.update(counted.piece(Window(0, 0, 512, 640)))
    table = components.finish().table
    assert counted.pixels == pytest.approx(512 * 640 / ONE_IN**2, rel=0.02)
    truth = scene.contribution.sum(axis=(1, 2), dtype=np.float64)
    assert table.contribution[:, 0] == pytest.approx(truth, rel=0.05)
    assert table.contribution[:, 0].sum() == pytest.approx(table.score[0], rel=1e-9)
    chosen, fewer = (chosen_pixels(Window(64, 128, 300, 500), n) for n in (ONE_IN, ONE_IN**2))
    assert not (fewer & ~chosen).any()


def test_what_fills_a_large_window_is_explained_by_hundreds_of_its_pixels_too() -> None:
    scene = Scene(np.ones((512, 1200), bool))
    scene.contribution[1, 200:] += 2
    scene.reconstruction[:] = scene.score[:] = scene.contribution.sum(axis=0)
    counted, components = Counted(scene), Components()
    components.update(counted.piece(Window(0, 0, 512, 1200)))
    table = components.finish().table
    assert counted.pixels == pytest.approx(512 * 1200 / ONE_IN**3, rel=0.1)
    truth = scene.contribution.sum(axis=(1, 2), dtype=np.float64)
    assert table.contribution[:, 0] == pytest.approx(truth, rel=0.1)
    assert table.contribution[:, 0].sum() == pytest.approx(table.score[0], rel=1e-9)


def test_every_line_of_pixels_has_its_share_of_the_explained_ones_in_whatever_window() -> None:
    side = 40 * ONE_IN
    chosen = chosen_pixels(Window(64, 128, side, side))
    assert np.array_equal(chosen[5:60, 7:90], chosen_pixels(Window(69, 135, 55, 83)))
    assert (chosen.sum(axis=0) == side // ONE_IN).all()
    assert (chosen.sum(axis=1) == side // ONE_IN).all()
    for square in (chosen, chosen[::-1]):
        for offset in range(-100, 100, 7):
            diagonal = np.diagonal(square, offset)
            assert diagonal.sum() == pytest.approx(diagonal.size / ONE_IN, abs=1)


def test_a_failed_detector_has_the_reasons_of_its_pixels() -> None:
    mask = np.zeros((3, MANY_PIXELS + 500), bool)
    mask[1] = True
    scene = Scene(mask)
    scene.contribution[2] += 5
    scene.reconstruction[:] = scene.contribution.sum(axis=0)
    scene.score[:] = scene.reconstruction  # so that the contributions add up to it
    table = gathered(scene, [Window(0, 0, *mask.shape)]).table
    assert table.contribution[:, 0] / table.pixels[0] == pytest.approx(
        scene.contribution[:, mask].mean(axis=1, dtype=np.float64), rel=0.2
    )
