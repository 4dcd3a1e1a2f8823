"""The page, the metrics and the alerts of a batch say what run.json says, and let nothing through unescaped."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest

from specvae.export.colours import css_variables
from specvae.pipeline.summary.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, charts_of
from specvae.pipeline.summary.facts import facts_of
from specvae.pipeline.summary.index import render_index
from specvae.pipeline.summary.outcome import Batch, SceneRecord, StageRecord
from specvae.pipeline.summary.prometheus import exposition

FACTS: dict[str, Any] = {
    "verdict": "ok", "valid": 1000, "anomalous": 10, "objects": 2, "new_objects": None, "drift": 0.1,
    "pixel_area_m2": 100.0, "supported": True, "date": "2024-01-01",
}  # fmt: skip


def scene(key: str, status: str = "done", message: str = "", **facts: Any) -> SceneRecord:
    known = FACTS | facts if status in ("done", "already") else {}
    return SceneRecord(key, f"/in/{key}.tif", f"/out/{key}", status, message, 1.5, 1, known)


def batch(*scenes: SceneRecord, **stage: Any) -> Batch:
    record = StageRecord(1, "score", "/out", "done", scenes=list(scenes), **stage)
    return Batch("coast <b>", "x.toml", "/out", datetime(2024, 5, 1, tzinfo=UTC), stages=[record], seconds=3.0)


def page(run: Batch) -> str:
    return render_index(run, run.to_json())


def test_the_page_names_every_scene_its_state_and_reason_and_escapes_them(tmp_path: Path) -> None:
    records = scene("a"), scene("<script>x", "invalid", "no <i>band</i>"), scene("c", "already")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "report.html").touch()
    made = (dataclasses.replace(record, folder=str(tmp_path / record.key)) for record in records)
    html = page(dataclasses.replace(batch(*made), out=str(tmp_path)))
    assert "2 of 3 scenes are scored, 1 of them now; 1 could not be scored" in html
    assert 'href="a/report.html"' in html
    assert "c/report.html" not in html  # its products have no page
    assert "<script>x" not in html
    assert "no &lt;i&gt;band&lt;/i&gt;" in html
    assert "coast &lt;b&gt;" in html


def test_the_page_needs_nothing_from_elsewhere() -> None:
    html = page(batch(scene("a"), scene("b", date="2024-02-01")))
    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", html)
    assert "<script" not in html


def test_the_page_has_the_colours_of_a_scene_s_own_report_page() -> None:
    html = page(batch(scene("a")))
    assert css_variables() in html
    defined = set(re.findall(r"--([a-z]+):", css_variables()))
    assert set(re.findall(r"var\(--([a-z]+)\)", html)) <= defined


def test_a_chart_places_dates_and_areas_linearly() -> None:
    days = ("2024-01-01", "2024-01-11", "2024-01-31")
    scenes = [
        scene(f"s{i}", date=day, anomalous=a).to_json() | {"href": f"s{i}/report.html"}
        for i, (day, a) in enumerate(zip(days, (0, 5000, 20000), strict=True))
    ]
    area, drift = charts_of(scenes[::-1])
    assert area.title == "Anomalous area, km²"
    assert [p.x for p in area.points] == pytest.approx(
        [LEFT, LEFT + (WIDTH - LEFT - RIGHT) / 3, WIDTH - RIGHT], abs=0.1
    )
    # 20,000 pixels of 100 m2 are 2 km2, which is the top of the axis.
    assert [p.y for p in area.points] == pytest.approx(
        [HEIGHT - BOTTOM, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) / 4, TOP], abs=0.1
    )
    assert [label for _, label in area.rows] == ["0", "0.5", "1", "1.5", "2"]
    assert len(drift.points) == 3
    svg = re.search(r"<svg.*?</svg>", page(batch(*(scene(f"s{i}", date=d) for i, d in enumerate(days)))), re.DOTALL)
    assert svg
    assert len(list(xml.fromstring(svg.group()).iter("circle"))) == 3


@pytest.mark.parametrize(
    ("drifts", "labels", "heights"),
    [
        ((-0.2, -0.1), ["-0.2", "-0.15", "-0.1", "-0.05", "0"], (0, 0.5)),
        ((-0.1, 0.3), ["-0.1", "0.05", "0.2", "0.35", "0.5"], (0, 2 / 3)),
        ((0.0, 0.0), ["0", "0.25", "0.5", "0.75", "1"], (0, 0)),
    ],
)
def test_drift_downwards_is_drawn_below_zero(
    drifts: tuple[float, float], labels: list[str], heights: tuple[float, float]
) -> None:
    days = ("2024-01-01", "2024-01-11")
    records = [scene(d, date=d, drift=v).to_json() | {"href": ""} for d, v in zip(days, drifts, strict=True)]
    drift = charts_of(records)[1]
    assert [label for _, label in drift.rows] == labels
    tall = HEIGHT - TOP - BOTTOM
    assert [(HEIGHT - BOTTOM - p.y) / tall for p in drift.points] == pytest.approx(heights, abs=0.01)


def test_one_date_makes_no_chart_and_no_area_makes_a_share() -> None:
    records = [scene("a").to_json() | {"href": ""}, scene("b").to_json() | {"href": ""}]
    assert charts_of(records) == []
    records[1] |= {"date": "2024-03-01", "pixel_area_m2": None}
    assert charts_of(records)[0].title == "Anomalous share, %"


def test_the_metrics_are_prometheus_text_with_every_count() -> None:
    run = batch(scene("a"), scene("b", "invalid", "x"), scene("c", "failed", "y"), scene("d", verdict="do-not-use"))
    text = exposition(run.to_json())
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples['specvae_batch_scenes{batch="coast <b>",status="done"}'] == "2"
    assert samples['specvae_batch_scenes{batch="coast <b>",status="invalid"}'] == "1"
    assert samples['specvae_batch_verdicts{batch="coast <b>",verdict="do-not-use"}'] == "1"
    assert samples['specvae_batch_anomalous_pixels{batch="coast <b>"}'] == "20"
    assert samples['specvae_batch_exit_status{batch="coast <b>"}'] == "3"
    line = re.compile(r'[a-z_]+\{[a-z]+="(?:[^"\\\n]|\\.)*"(?:,[a-z]+="(?:[^"\\\n]|\\.)*")*\} -?[0-9.e+-]+')
    for sample in text.splitlines():
        assert sample.startswith(("# HELP ", "# TYPE ")) or line.fullmatch(sample), sample


def test_alerts_are_what_failed_then_what_is_new_and_nothing_else() -> None:
    run = batch(
        scene("quiet", objects=0), scene("known", objects=9, new_objects=0), scene("some", objects=3),
        scene("many", objects=5, new_objects=4), scene("odd", objects=0, verdict="do-not-use"), scene("bad", "invalid", "why"),
    )  # fmt: skip
    assert [(a["key"], a["why"]) for a in run.alerts()] == [
        ("bad", "why"), ("many", "4 new objects"), ("some", "3 objects"), ("odd", "its map is not to be used"),
    ]  # fmt: skip


@pytest.mark.parametrize(("area", "size"), [(1600.0, "object 7: 1,600 m²"), (None, "object 7: 4 px")])
def test_an_alert_tells_an_object_s_area_where_it_is_known(area: float | None, size: str, tmp_path: Path) -> None:
    leading = {"id": 7, "pixels": 4, "area_m2": area, "peak": 99.5, "lat": 52.25, "lon": 9.5}
    (tmp_path / "report.json").write_text(json.dumps({"objects": {"leading": [leading]}}))
    run = batch(dataclasses.replace(scene("a"), folder=str(tmp_path)))
    assert f"{size}, peak 99.5 nats at 52.25000, 9.50000." in page(run)


@pytest.mark.parametrize(
    ("statuses", "strict", "expected"),
    [
        (["done"], False, 0),
        (["already"], True, 0),
        (["done", "failed"], True, 3),
        (["invalid"], False, 3),
        ([], False, 0),
    ],
)
def test_the_exit_status_follows_the_scenes(statuses: list[str], strict: bool, expected: int) -> None:
    scenes = [scene(f"s{i}", status) for i, status in enumerate(statuses)]
    assert batch(*scenes, strict=strict).exit_status == expected


@pytest.mark.parametrize(
    ("key", "date"),
    [("S2_20160312", "2016-03-12"), ("a/2019-08-09_x", "2019-08-09"), ("scene123456789", None), ("x_20161345", None)],
)
def test_a_date_is_read_from_the_name_where_the_scene_has_none(key: str, date: str | None) -> None:
    assert facts_of({"properties": {"specvae:key": key}})["date"] == date
    properties = {"specvae:key": key, "specvae:datetime_from": "scene", "datetime": "2020-05-06T10:00:00Z"}
    assert facts_of({"properties": properties})["date"] == "2020-05-06"


def test_the_template_is_shipped() -> None:
    import specvae.pipeline.summary.index as module

    assert (Path(module.__file__).parent / "index.html").is_file()
