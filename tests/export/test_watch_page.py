"""The page of a watched place, driven in a real browser: slider, list, filter, zoom, history, and hostile names stay text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specvae.export.watch.report_page import colour_of, lessened, spectra_of
from specvae.stages.watch.request import WatchRequest
from specvae.stages.watch.run import watch
from tests.browser import opened
from tests.score_folders import day_of, normal_ground, write_date

SHAPE = (60, 80)
COUNT, FIRE = 14, 8
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A watched place: a fire that stays, another that closes, a cloud on the last date but one."""
    reports = tmp_path_factory.mktemp("page") / HOSTILE
    centre, spread = normal_ground(np.random.default_rng(0), SHAPE)
    for number in range(COUNT):
        scores = centre + spread * np.random.default_rng(number + 50).normal(size=SHAPE)
        if number >= FIRE:
            scores[10:20, 50:64] += 6
        if FIRE <= number < FIRE + 3:
            scores[40:46, 10:18] += 6
        if number == COUNT - 2:
            scores[:35, 40:] = np.nan
        write_date(reports, day_of(number), scores)
    watch([str(reports)], WatchRequest())
    return reports


@pytest.fixture
def page(driver: Any, place: Path) -> Any:
    driver.set_window_size(1280, 1400)
    return opened(driver, place / "watch" / "index.html")


def rows(page: Any) -> list[int]:
    ids: list[int] = page.execute_script(
        "return [...document.querySelectorAll('#alerts tbody tr')].map((row) => Number(row.dataset.alert))"
    )
    return ids


def alerts(place: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads((place / "watch" / "alerts.json").read_text())["alerts"]
    return listed


@pytest.mark.browser
def test_the_page_says_the_line_and_lists_the_alerts_by_status(page: Any, place: Path) -> None:
    assert page.find_element("css selector", ".claim").text.startswith(HOSTILE)
    sure = {alert["id"] for alert in alerts(place) if alert["status"] in ("confirmed", "provisional")}
    assert set(rows(page)) == sure
    page.execute_script("const f = $('filter'); f.value = 'closed'; f.dispatchEvent(new Event('change'))")
    assert rows(page) == [alert["id"] for alert in alerts(place) if alert["status"] == "closed"] != []
    page.execute_script("const f = $('filter'); f.value = ''; f.dispatchEvent(new Event('change'))")
    assert len(rows(page)) == len(alerts(place))
    for key in ("pixels", "id"):
        page.execute_script(f"document.querySelector('th [data-key={key}]').click()")
        values = {alert["id"]: alert[key] for alert in alerts(place)}
        shown = [values[number] for number in rows(page)]
        assert shown == sorted(shown, reverse=True)


@pytest.mark.browser
def test_the_slider_shows_each_date_by_mouse_and_by_key(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    readout = page.find_element("id", "shown")
    assert day_of(COUNT - 1) in readout.text
    page.find_element("id", "date").send_keys(Keys.ARROW_LEFT)
    assert day_of(COUNT - 2) in readout.text
    page.find_element("id", "before").click()
    assert day_of(COUNT - 3) in readout.text
    before = page.execute_script("return [$('base').src, $('status').src]")
    page.execute_script("const d = $('date'); d.value = 0; d.dispatchEvent(new Event('input'))")
    assert readout.text.startswith(f"{day_of(0)}: 0 confirmed")
    assert page.execute_script("return [$('base').src, $('status').src]") != before
    # The frames are pictures of the place's size, which the browser could read.
    assert page.execute_script("return [$('base').naturalHeight, $('base').naturalWidth]") == list(SHAPE)


@pytest.mark.browser
def test_an_alert_is_zoomed_to_and_its_history_is_drawn(page: Any, place: Path) -> None:
    fire = max(alerts(place), key=lambda alert: alert["pixels"])
    page.execute_script(f"document.querySelector('tr[data-alert=\"{fire['id']}\"]').click()")
    assert page.find_element("id", "title").text == f"Alert {fire['id']}, confirmed"
    assert "scale(" in page.execute_script("return $('sheet').style.transform")
    clear = page.execute_script("return document.querySelectorAll('#history circle').length")
    cloudy = page.execute_script("return document.querySelectorAll('#history .cloudy').length")
    assert (clear, cloudy) == (COUNT - 1, 1)
    odd = page.execute_script("return document.querySelectorAll('#history .odd').length")
    assert odd == COUNT - FIRE - 1
    assert f"first seen {fire['first_seen']}" in page.find_element("id", "words").text
    page.find_element("id", "out").click()
    assert page.execute_script("return $('sheet').style.transform") == ""


@pytest.mark.browser
def test_a_click_on_the_map_chooses_the_alert_there(page: Any, place: Path) -> None:
    fire = max(alerts(place), key=lambda alert: alert["pixels"])
    page.execute_script(
        "const box = $('sheet').getBoundingClientRect();"
        "$('map').dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: box.left + box.width * arguments[0],"
        " clientY: box.top + box.height * arguments[1]}))",
        57 / SHAPE[1],
        15 / SHAPE[0],
    )
    assert page.find_element("id", "title").text.startswith(f"Alert {fire['id']},")


@pytest.mark.browser
def test_it_fits_a_phone_and_a_dark_screen(page: Any, place: Path) -> None:
    page.set_window_size(500, 900)
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    light = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert light == "rgb(255, 255, 255)" != dark


def test_it_stays_below_eight_megabytes() -> None:
    from specvae.alerts.past import PastArray
    from specvae.alerts.place import Place
    from specvae.export.watch.page import PageDate, WatchPage, render_watch_page
    from specvae.stages.watch.frames import Frames
    from specvae.stages.watch.page import COLOUR_BYTES

    rng = np.random.default_rng(0)
    # A million pixels and 60 dates: scores as noisy as they come, at the frames' size, with a colour picture each.
    status = np.where(rng.uniform(size=(60, 500, 500)) < 0.02, 1, 0).astype(np.uint8)
    score = rng.normal(50, 25, (60, 500, 500)).clip(0, 254).astype(np.uint8)
    frames = Frames(status, score).for_page()
    colour = rng.integers(0, 256, COLOUR_BYTES // 60).astype(np.uint8).tobytes()
    dates = [PageDate(day_of(n), True, frames.status[n], frames.score[n], colour) for n in range(60)]
    page = WatchPage((1000, 1000), dates)
    tree = _empty(Place(PastArray(4, 4)))
    assert 2e6 < len(render_watch_page(tree, page, "coast: nothing").encode()) < 8e6


def _empty(place: Any) -> Any:
    from specvae.export.watch.alert_rows import alert_rows
    from specvae.export.watch.alerts_json import alerts_json
    from specvae.ingest.grid import Grid

    dates: Any = {"newest": day_of(59), "before": day_of(58), "count": 60, "left_out": [], "warped": []}
    settings = WatchRequest().settings()
    return alerts_json("coast", place, alert_rows(place, Grid(4, 4)), dates, settings, 17.0)


def test_a_date_without_a_page_has_no_colour_and_no_spectrum(tmp_path: Path) -> None:
    assert colour_of(tmp_path / "report.html") is None
    assert lessened(b"", 100) is None
    assert spectra_of(tmp_path / "report.html", [(3, 4)]) == [None]
