"""The real place of the watch benchmark: its masks, its reference and its page, on scenes whose truth is planted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from specvae.benchmarks.report import environment
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.watch import run
from specvae.benchmarks.watch.clouds import BESIDE_CLOUD, BESIDE_SHADOW, usable_ground, write_usable_ground
from specvae.benchmarks.watch.page import Measured, rows_of, write_page
from specvae.benchmarks.watch.real_place import RealPlace
from specvae.benchmarks.watch.vegetation_loss import vegetation_loss
from specvae.errors import InputError

NAMES = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
FOREST = np.array([25, 35, 22, 50, 110, 130, 135, 140, 70, 35], float)
FIELD = np.array([45, 60, 80, 95, 105, 110, 110, 115, 130, 100], float)
CLOUD, SHADOW = np.full(10, 180.0), FOREST * 0.42
SIDE = 40


def scene(seed: int, **painted: tuple[slice, slice]) -> NDArray[np.float64]:
    """Forest ``(10, SIDE, SIDE)`` of a night, with squares of other ground."""
    kinds = {"field": FIELD, "cloud": CLOUD, "shadow": SHADOW, "nothing": np.zeros(10)}
    values = np.broadcast_to(FOREST[:, None, None], (10, SIDE, SIDE)).copy()
    for kind, (rows, cols) in painted.items():
        values[:, rows, cols] = kinds[kind][:, None, None]
    noise = np.random.default_rng(seed).normal(1, 0.03, values.shape)
    return np.asarray(np.rint(values * noise))


def write(path: Path, values: NDArray[np.float64]) -> Path:
    grid = rasterio.transform.from_origin(5e5, 9e6, 20, 20)
    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=10, dtype="uint16", crs="EPSG:32737", transform=grid
    ) as file:
        file.write(values.astype(np.uint16))
        file.descriptions = NAMES
    return path


def test_clouds_and_shadows_are_masked_with_a_border_and_bare_fields_are_not() -> None:
    values = scene(
        0,
        cloud=(slice(8, 12), slice(8, 12)),
        shadow=(slice(25, 29), slice(8, 12)),
        field=(slice(8, 14), slice(28, 34)),
        nothing=(slice(38, 40), slice(0, 40)),
    )
    usable = usable_ground(values, NAMES)
    assert not usable[8 - BESIDE_CLOUD : 12, 10].any()
    assert not usable[25 - BESIDE_SHADOW : 29 + BESIDE_SHADOW, 10].any()
    assert not usable[38:].any()
    assert usable[:38, 20:].all()


def test_a_cleared_patch_is_a_loss_and_what_was_bare_or_clouded_is_none(tmp_path: Path) -> None:
    bare, cleared = (slice(2, 8), slice(2, 8)), (slice(20, 25), slice(20, 24))
    dates = [scene(seed, field=bare) for seed in range(5)]
    for values in dates[3:]:
        values[:, cleared[0], cleared[1]] = FIELD[:, None, None]
    dates[4][:, 33:37, 5:9] = CLOUD[:, None, None]
    paths = [write(tmp_path / f"S2_{number}.tif", values) for number, values in enumerate(dates)]
    masks = [tmp_path / f"mask_{path.name}" for path in paths]
    for path, mask in zip(paths, masks, strict=True):
        write_usable_ground(path, mask)
    loss = vegetation_loss(paths, masks, [True, True, True, False, False])
    expected = np.zeros((SIDE, SIDE), bool)
    expected[cleared] = True
    np.testing.assert_array_equal(loss.any, expected)
    assert [len(patch.at) for patch in loss.patches] == [20]


def real_place() -> RealPlace:
    alert: dict[str, Any] = {
        "id": 7,
        "status": "confirmed",
        "row": 135,
        "col": 54,
        "first_seen": "2019-06-05",
        "pixels": 16,
    }
    alert |= {"confirmed_on": "2019-06-20", "anomalous_looks": 4, "looks": 5, "evidence": 13.74, "on_loss": True}
    other = alert | {"id": 8, "row": 5, "col": 5, "status": "first", "confirmed_on": None, "on_loss": False}
    patch = {
        "row": 134,
        "col": 54,
        "pixels": 32,
        "confirmed": 15,
        "status": "confirmed",
        "nats_before": 9.6,
        "nats_after": 90.2,
    }
    missed = patch | {"row": 92, "col": 4, "confirmed": 0, "status": "nothing"}
    shares = [0.03, 0.0013, 0.0003, 0.0001]
    return RealPlace(21, 14, ["S2_20160829"], 12.37, [alert, other], 16, 12, [patch, missed], shares, 80.0)


def test_the_page_has_each_alert_with_what_a_person_saw_and_what_was_missed(tmp_path: Path) -> None:
    measured = Measured(real=(real_place(),))
    write_page(tmp_path, measured, environment(quick=True))
    text = (tmp_path / "report.md").read_text()
    assert "| 7 | confirmed | 135, 54 | 2019-06-05 | 2019-06-20 | 4 of 5 | 16 | 13.7 | yes | forest until 2018" in text
    assert "| 8 | first | 5, 5 | 2019-06-05 |  | 4 of 5 | 16 | 13.7 | no | not looked at |" in text
    assert "2 patches of 64 pixels; 1 of them are confirmed. Of 16 confirmed pixels 12 are on one" in text
    assert "| 92, 4 | 32 | 0 | nothing | 10 | 90 |" in text
    values = {row.metric: row.value for row in rows_of(measured)}
    assert values == {"confirmed_alerts": 1, "confirmed_on_vegetation_loss": 0.75}
    assert RealPlace(**asdict(real_place())) == real_place()


def test_scenes_that_are_not_there_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rufiji_timeseries; give --data"):
        run(Settings(data=tmp_path, out=tmp_path / "out", presets=("rufiji",)))
