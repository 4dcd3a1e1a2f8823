"""Attack: a GeoPackage with a trigger or a view that would change or read more than its features."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import geopandas
import shapely

from tests.attacks.conftest import Attack


def area(path: Path) -> Path:
    box = shapely.box(400_050, 4_999_700, 400_250, 4_999_950)
    geopandas.GeoDataFrame({"name": ["a"]}, geometry=[box], crs="EPSG:32633").to_file(path, driver="GPKG", layer="area")
    return path


def test_a_mask_with_triggers_and_views_changes_nothing(tmp_path: Path, scene: Path, attack: Attack) -> None:
    """The file is opened to be read: not one of its bytes changes, and no file is attached."""
    path = area(tmp_path / "area.gpkg")
    other = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("create table log (word text)")
        for event in ("insert", "update", "delete"):
            database.execute(
                f"create trigger on_{event} after {event} on area begin insert into log values ('{event}'); end"
            )
        database.execute("create view spy as select load_extension('/nowhere.so') as word")
    before = path.read_bytes()
    ended = attack("fit", scene, "--aoi", path, "--set", "training.steps=10")
    assert ended.status == 0, ended.text
    assert path.read_bytes() == before
    assert not other.exists()


def test_known_objects_with_triggers_are_only_read(tmp_path: Path, scene: Path, attack: Attack) -> None:
    assert attack("fit", scene, "--set", "training.steps=10").status == 0
    path = area(tmp_path / "known.gpkg")
    with sqlite3.connect(path) as database:
        database.execute("create table log (word text)")
        database.execute("create trigger t after insert on area begin insert into log values ('x'); end")
    before = path.read_bytes()
    ended = attack("score", scene, "--known", path)
    assert ended.status == 0, ended.text
    assert path.read_bytes() == before
