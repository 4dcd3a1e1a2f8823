"""The report's page, driven in a real browser: it opens clean, its numbers are numpy's, and hostile names stay text."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from specvae.cli.main import cli
from specvae.export.report.check_chart import check_words
from specvae.export.report.claim import count_words as _n
from tests.browser import opened

pytestmark = pytest.mark.browser

HOSTILE = "<script>alert(1)<img src=x onerror=alert(2)>"
ROWS, COLS = 150, 180


def write_scene(path: Path, seed: int, planted: bool = False) -> None:
    rng = np.random.default_rng(seed)
    shade = rng.gamma(30, 1 / 30, (1, ROWS, COLS))
    values = (np.array([0.1, 0.2, 0.3, 0.6])[:, None, None] * shade + rng.normal(0, 0.01, (4, ROWS, COLS))).astype("f4")
    if planted:
        values[3, 60:66, 90:100] -= 0.35
        values[0, 20, 30] += 0.3
    values[:, :4] = np.nan
    place = Affine(30, 0, 5e5, 0, -30, 4.4e6)
    profile = {"width": COLS, "height": ROWS, "count": 4, "dtype": "float32", "crs": "EPSG:32613", "transform": place}
    with rasterio.open(path, "w", driver="GTiff", nodata=np.nan, **profile) as out:
        out.write(values)
        for i, name in enumerate(("blue", "green", HOSTILE, "nir"), start=1):
            out.set_band_description(i, name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored scene with planted anomalies and hostile names, and a scored table."""
    place = tmp_path_factory.mktemp("page")
    write_scene(place / "normal.tif", 1)
    write_scene(place / f"{HOSTILE}.tif", 2, planted=True)
    model, out = str(place / "m.specvae"), str(place / "reports")
    cli(["fit", str(place / "normal.tif"), "--model", model, "--context", "none"], standalone_mode=False)
    cli(["score", str(place / f"{HOSTILE}.tif"), "--model", model, "--out", out], standalone_mode=False)
    (place / "scene.specvae").write_bytes((place / "m.specvae").read_bytes())
    rng = np.random.default_rng(3)
    rows = rng.normal([0.1, 0.2, 0.3], 0.02, (600, 3))
    head = "450,550,650,<b>site</b>\n"
    for name, odd in (("lab", 0.0), ("tonight", 0.5)):
        rows[7, 1] += odd
        lines = (",".join([*(f"{v:.5f}" for v in row), "<i>x</i>"]) for row in rows)
        (place / f"{name}.csv").write_text(head + "\n".join(lines) + "\n")
    cli(["fit", str(place / "lab.csv"), "--model", model, "--overwrite"], standalone_mode=False)
    cli(["score", str(place / "tonight.csv"), "--model", model, "--out", out, "--explain", "5"], standalone_mode=False)
    (place / "all.csv").write_text((place / "tonight.csv").read_text())
    cli(
        ["score", str(place / "all.csv"), "--model", model, "--out", out, "--false-alarm-rate", "0.1"],
        standalone_mode=False,
    )
    (place / "long.csv").write_text((place / "tonight.csv").read_text())
    cli(["score", str(place / "long.csv"), "--model", model, "--out", out, "--explain", "40"], standalone_mode=False)
    return place / "reports"


@pytest.fixture
def page(driver: Any, folder: Path) -> Any:
    return opened(driver, folder / HOSTILE / "report.html")


def score_of(folder: Path) -> Any:
    with rasterio.open(folder / HOSTILE / "score.tif") as source:
        return source.read(1)


def counted(driver: Any) -> int:
    return int(driver.execute_script("return document.querySelector('#counts b').textContent").replace(",", ""))


def cut(driver: Any, nats: float) -> None:
    driver.execute_script(
        "const n = document.getElementById('nats'); n.value = arguments[0]; n.dispatchEvent(new Event('change'))", nats
    )


def test_the_page_says_what_the_report_says(page: Any, folder: Path) -> None:
    report = json.loads((folder / HOSTILE / "report.json").read_text())
    assert f"{report['pixels']['anomalous']:,} of" in page.find_element("css selector", ".claim").text
    assert counted(page) == report["pixels"]["anomalous"]
    expected = f"about {_n(report['threshold']['false_alarm_rate'] * report['pixels']['valid'])} expected"
    assert expected in page.find_element("id", "counts").text
    assert expected.removesuffix(" expected") in page.find_element("css selector", ".claim").text
    assert page.find_element("css selector", ".verdict").text == report["trust"]["verdict"]
    flagged = page.execute_script("return map.flagged.length")
    assert flagged == report["pixels"]["anomalous"] == (score_of(folder) > report["threshold"]["value"]).sum()


def test_the_slider_changes_count_and_map_and_agrees_with_numpy(page: Any, folder: Path) -> None:
    score = score_of(folder)
    seen = []
    for place in (0, 200, 500, 900, 1000):
        page.execute_script(
            "const s = document.getElementById('slider'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
            place,
        )
        nats = page.execute_script("return cut")
        truth = int((score > nats).sum())
        slack = int(((score > nats * 0.99) & (score < nats * 1.01)).sum())
        assert abs(counted(page) - truth) <= slack + 1
        assert abs(page.execute_script("return map.flagged.length") - truth) <= slack + 1
        seen.append(counted(page))
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > 0.4 * np.isfinite(score).sum()
    assert seen[-1] <= 2
    page.find_element("id", "reset").click()
    assert counted(page) == json.loads((folder / HOSTILE / "report.json").read_text())["pixels"]["anomalous"]


def test_the_map_is_redrawn_by_the_threshold(page: Any) -> None:
    def picture() -> str:
        return str(page.execute_script("return document.getElementById('map').toDataURL()"))

    before = picture()
    cut(page, 5.0)
    assert picture() != before
    page.find_element("css selector", "input[value=score]").click()
    assert picture() != before


def test_hovering_tells_the_score_and_its_parts(page: Any, folder: Path) -> None:
    shown = page.execute_script("return map.description([70, 95])")
    score = score_of(folder)[70, 95]
    assert "row 70, column 95" in shown
    numbers = shown.split("score ")[1].replace("= reconstruction", "").replace("+ KL", "").replace("nats", "").split()
    assert float(numbers[0]) == pytest.approx(score, rel=1e-3)
    assert float(numbers[1]) + float(numbers[2]) == pytest.approx(score, rel=0.01)
    assert "left out" in page.execute_script("return map.description([1, 1])")
    lon, lat = (float(part.split()[1].rstrip(":")) for part in shown.split(", ")[2:4] for part in [part.split(":")[0]])
    assert (lon, lat) == pytest.approx((-104.9667, 39.7303), abs=5e-3)


def test_a_click_shows_the_pixels_spectrum(page: Any, folder: Path) -> None:
    from selenium.webdriver import ActionChains

    canvas = page.find_element("id", "map")
    ActionChains(page).move_to_element(canvas).click().perform()
    title = page.find_element("id", "which").text
    assert title.startswith("Pixel in row 7")
    lines = page.find_elements("css selector", "#spectrum path")
    assert len(lines) == 4  # envelope, median, reconstruction, observation
    assert all("NaN" not in line.get_attribute("d") for line in lines)
    row, col = (int(word) for word in title.replace(",", "").split() if word.isdigit())
    found = page.execute_script(
        "return Array.from(rowOf(shownPixels.observed, sampleAt.get(arguments[0] * data.cols + arguments[1])))",
        row,
        col,
    )
    with rasterio.open(folder.parent / f"{HOSTILE}.tif") as source:
        truth = source.read(window=((row, row + 1), (col, col + 1)))[:, 0, 0]
    assert found == pytest.approx(truth.tolist(), rel=1e-4)


def test_the_first_object_is_the_planted_one_and_the_table_sorts(page: Any) -> None:
    rows = page.find_elements("css selector", "#cases tbody tr")
    assert len(rows) >= 2
    page.find_element("css selector", "#cases tbody td button").click()
    assert "Object" in page.find_element("id", "which").text
    assert len(page.find_elements("css selector", "#drivers rect")) == 4
    names = [head.text for head in page.find_elements("css selector", "#cases th button")]
    column = names.index("pixels")
    head = page.find_elements("css selector", "#cases th button")[column]
    for order in ("descending", "ascending"):
        page.execute_script("arguments[0].click()", head)
        cells = page.execute_script(
            "return [...document.querySelectorAll('#cases tbody tr')].map((r) => Number(r.cells[arguments[0]].dataset.value))",
            column,
        )
        assert cells == sorted(cells, reverse=order == "descending")
        assert page.find_elements("css selector", "#cases th")[column].get_attribute("aria-sort") == order
    assert max(cells) >= 50


@pytest.mark.parametrize("size", [(1400, 1000), (390, 844)], ids=["desk", "phone"])
def test_choosing_an_object_brings_its_spectrum_into_view(driver: Any, folder: Path, size: tuple[int, int]) -> None:
    before = driver.get_window_size()
    driver.set_window_size(*size)
    page = opened(driver, folder / HOSTILE / "report.html")
    rows = page.find_elements("css selector", "#cases tbody tr")
    page.execute_script("arguments[0].scrollIntoView()", rows[1])
    page.execute_script("arguments[0].click()", rows[1].find_elements("tag name", "td")[2])
    assert page.find_element("id", "which").text.startswith("Object 2")
    top, bottom = page.execute_script(
        "const b = document.getElementById('spectrum').getBoundingClientRect(); return [b.top, b.bottom]"
    )
    assert 0 <= top < bottom <= page.execute_script("return window.innerHeight")
    driver.set_window_size(before["width"], before["height"])


@pytest.mark.parametrize(("name", "file"), [(HOSTILE, "tif"), ("tonight", "csv")], ids=["scene", "table"])
def test_the_command_beside_the_slider_gives_its_count(
    driver: Any, folder: Path, name: str, file: str, tmp_path: Path
) -> None:
    page = opened(driver, folder / name / "report.html")
    claim = page.find_element("css selector", ".claim").text
    assert not page.find_element("id", "again").is_displayed()
    for place in (300, 700):
        page.execute_script(
            "const s = document.getElementById('slider'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
            place,
        )
        count = counted(page)
        assert f"{count:,} of" in page.find_element("css selector", ".claim").text
        words = shlex.split(page.find_element("id", "command").text)
        assert words[:2] == ["specvae", "score"]
        words[words.index("--out") + 1] = str(tmp_path / str(place))
        if file == "csv":  # the folder's model was replaced by that of the table
            cli(words[1:], standalone_mode=False)
        else:
            words[words.index("--model") + 1] = str(folder.parent / "scene.specvae")
            cli(words[1:], standalone_mode=False)
        report = json.loads((tmp_path / str(place) / name / "report.json").read_text())
        assert report["pixels"]["anomalous"] == count
    page.find_element("id", "reset").click()
    assert page.find_element("css selector", ".claim").text == claim


def test_rows_below_the_cut_are_dimmed_and_what_to_do_is_said(driver: Any, folder: Path) -> None:
    page = opened(driver, folder / HOSTILE / "report.html")
    assert not page.find_element("id", "nothing").is_displayed()
    cut(page, 1e9)
    assert counted(page) == 0
    assert page.find_element("id", "nothing").is_displayed()
    assert len(page.find_elements("css selector", "#cases tr.below")) == len(
        page.find_elements("css selector", "#cases tbody tr")
    )
    target = page.find_element("css selector", "#nothing a").get_attribute("href").split("#")[1]
    assert page.find_element("id", target).text
    cut(page, -1e9)
    assert page.find_element("id", "everything").is_displayed()
    assert not page.find_element("id", "nothing").is_displayed()


def test_a_clicked_pixel_and_an_object_have_bars_that_add_up_to_what_is_written(page: Any) -> None:
    sums = """
    const add = ({ contribution }, i) => Array.from(rowOf(contribution, i)).reduce((a, b) => a + b, 0);
    return [data.cases.slice(0, shownCases.observed.length / bands).map((_, i) => [add(shownCases, i), data.caseSpectra.score[i]]),
      data.samples.score.slice(0, 300).map((v, i) => [add(shownPixels, i), v])]"""
    for pairs in page.execute_script(sums):
        assert pairs
        for total, score in pairs:  # of 8 bits a band
            assert total == pytest.approx(score, abs=0.05 * abs(score) + 0.1)


def test_the_page_names_every_decision_and_whether_it_was_guessed(folder: Path) -> None:
    for name in (HOSTILE, "tonight"):
        report = json.loads((folder / name / "report.json").read_text())
        text = (folder / name / "report.html").read_text()
        assert report["scene"]["decisions"]
        for decision in report["scene"]["decisions"]:
            assert f"<dt>{decision['about']}</dt>" in text
        assert text.count("<strong>guessed</strong>") == sum(d["guessed"] for d in report["scene"]["decisions"])


def test_a_page_of_a_table_opens_every_flagged_row(driver: Any, folder: Path) -> None:
    report = json.loads((folder / "all" / "report.json").read_text())
    page = opened(driver, folder / "all" / "report.html")
    assert len(page.find_elements("css selector", "#cases tbody tr")) == report["pixels"]["anomalous"] > 10
    text = page.find_element("tag name", "main").text
    assert "scene" not in text
    assert "km²" not in text


def test_hostile_names_stay_text(page: Any, folder: Path) -> None:
    assert HOSTILE in page.find_element("tag name", "h1").text
    assert page.title.startswith(HOSTILE)
    # Pictures of the page's own are bytes within it; one that a name brought in would be fetched.
    assert (
        page.execute_script("return [...document.images].filter((i) => !i.src.startsWith('data:image/')).length") == 0
    )
    assert page.execute_script("return document.scripts.length") < 12
    opened(page, folder / "tonight" / "report.html")
    assert "<b>site</b>" in page.find_element("css selector", "#cases thead").text
    assert page.find_element("css selector", "#cases tbody tr").text.count("<i>x</i>") == 1


def test_the_map_is_driven_by_keys(page: Any) -> None:
    from selenium.webdriver import Keys

    canvas = page.find_element("id", "map")
    before = page.execute_script("return map.zoom")
    canvas.send_keys("+")
    canvas.send_keys(Keys.ARROW_LEFT)
    assert page.execute_script("return map.zoom") > 1.4 * before
    canvas.send_keys(Keys.ENTER)
    assert page.find_element("id", "which").text.startswith(("Pixel", "Object"))
    canvas.send_keys("0")
    assert page.execute_script("return map.zoom") == pytest.approx(before)


def test_a_table_has_the_same_page(driver: Any, folder: Path) -> None:
    page = opened(driver, folder / "tonight" / "report.html")
    rows = page.find_elements("css selector", "#cases tbody tr")
    assert len(rows) == 5
    assert rows[0].find_element("tag name", "button").text == "7"
    assert "550" in rows[0].text
    rows[2].click()
    assert len(page.find_elements("css selector", "#spectrum path")) == 4
    assert len(page.find_elements("css selector", "#histogram rect")) > 5


@pytest.mark.parametrize(("name", "noun"), [("tonight", "rows"), (HOSTILE, "pixels")])
def test_a_page_has_one_word_for_what_it_counts(name: str, noun: str, folder: Path) -> None:
    text = (folder / name / "report.html").read_text()
    words = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.S).casefold()
    other = {"rows": "pixel", "pixels": "held-out rows"}[noun]
    assert f"valid {noun} are anomalous" in words
    assert f"held-out normal {noun}" in words
    assert other not in words
    assert "patch" not in words.replace("fit --patch 16", "")


def test_a_long_table_shows_its_first_rows_until_all_are_asked_for(driver: Any, folder: Path) -> None:
    page = opened(driver, folder / "long" / "report.html")
    rows, button = page.find_elements("css selector", "#cases tbody tr"), page.find_element("id", "all")
    assert [row.is_displayed() for row in rows] == [True] * 25 + [False] * 15
    assert button.text == "show all 40"
    page.find_elements("css selector", "#cases th button")[0].click()
    assert sum(row.is_displayed() for row in page.find_elements("css selector", "#cases tbody tr")) == 25
    button.click()
    assert all(row.is_displayed() for row in rows)
    assert not button.is_displayed()
    short = opened(driver, folder / "tonight" / "report.html")
    assert not short.find_element("id", "all").is_displayed()


def test_no_table_scrolls_at_a_usual_window(driver: Any, folder: Path) -> None:
    before = driver.get_window_size()
    driver.set_window_size(1400, 1000)
    for name in (HOSTILE, "tonight"):
        page = opened(driver, folder / name / "report.html")
        wide = page.execute_script(
            "return [...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth).length"
        )
        assert wide == 0
    driver.set_window_size(before["width"], before["height"])


def test_the_ends_of_the_colours_are_written_on_the_page(page: Any, folder: Path) -> None:
    score = score_of(folder)
    low, high = (page.find_element("id", name).text.split() for name in ("low", "high"))
    assert (low[0], high[0]) == ("≤", "≥")
    good = score[np.isfinite(score)]
    assert float(low[1]) == pytest.approx(np.quantile(good, 0.02), rel=0.03)
    cut = json.loads((folder / HOSTILE / "report.json").read_text())["threshold"]["value"]
    assert float(high[1]) == pytest.approx(max(np.quantile(good, 0.998), min(1.5 * cut, good.max())), rel=0.03)


@pytest.mark.parametrize(
    ("passed", "judged", "words"),
    [
        (True, [True, True], "passed"),
        (True, [True, False, False], "passed where it could be judged (1 of 3 rates)"),
        (False, [True, True, False], "did not pass where it could be judged (2 of 3 rates)"),
        (False, [True], "did not pass"),
        (None, [False, False], "had too few rows to judge by"),
        (None, [], "had too few rows to judge by"),
    ],
)
def test_a_check_says_of_how_many_rates_it_speaks(passed: bool | None, judged: list[bool], words: str) -> None:
    assert check_words({"passed": passed, "rates": [{"judged": j} for j in judged]}, "rows") == words


def test_every_control_has_a_name(page: Any) -> None:
    unnamed = page.execute_script(
        """return [...document.querySelectorAll('button, input, canvas[tabindex], svg[role=img]')].filter((e) =>
        !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label') ||
        document.querySelector(`label[for="${e.id}"]`))).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert unnamed == []


def test_the_page_asks_no_network(folder: Path) -> None:
    text = (folder / HOSTILE / "report.html").read_text()
    assert "default-src 'none'" in text
    assert 'src="http' not in text
    assert 'href="http' not in text


@pytest.mark.slow
def test_the_page_of_a_megapixel_scene_is_under_5_megabytes(driver: Any, tmp_path: Path) -> None:
    """And prints how soon it answers: `pytest -s -m slow tests/export/test_page.py`."""
    rng = np.random.default_rng(5)
    shade = rng.gamma(30, 1 / 30, (1, 1000, 1000))
    mean = np.linspace(500, 3000, 10)[:, None, None]
    values = (mean * shade + rng.normal(0, 20, (10, 1000, 1000))).astype("u2")
    values[8, 500:520, 500:520] += 900
    profile = {"width": 1000, "height": 1000, "count": 10, "dtype": "uint16", "crs": "EPSG:32613"}
    with rasterio.open(
        tmp_path / "s.tif", "w", driver="GTiff", transform=Affine(10, 0, 5e5, 0, -10, 4e6), **profile
    ) as o:
        o.write(values)
    model, out = str(tmp_path / "m.specvae"), str(tmp_path / "r")
    words = ["--set", "training.steps=60", "--set", "training.refits=0", "--max-pixels", "20000"]
    cli(["fit", str(tmp_path / "s.tif"), "--model", model, *words], standalone_mode=False)
    cli(["score", str(tmp_path / "s.tif"), "--model", model, "--out", out], standalone_mode=False)
    size = (tmp_path / "r" / "s" / "report.html").stat().st_size
    page = opened(driver, tmp_path / "r" / "s" / "report.html")
    ready = page.execute_script("return performance.getEntriesByName('ready')[0].startTime / 1000")
    print(f"\n{size / 1e6:.2f} MB, answers after {ready:.2f} s")
    assert 1e6 < size < 5e6
