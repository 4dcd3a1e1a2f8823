"""The README's two pictures, drawn anew: ``python -m tests.pictures``.

A wildfire in Landsat 8 surface reflectance (``scenes/coldsprings`` in the folder that ``SPECVAE_DATA`` names) is scored against
the scene before it. ``docs/pictures/wildfire.png`` is the score's own ``quicklook.png``; ``docs/pictures/report.png`` is a
photograph of its ``report.html`` in Chromium, with the first object chosen. Needs the extra ``test``, Chromium and its driver.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SCENE = "20160723_post_sr7"
FIRST_OBJECT = """
document.querySelector("#cases tbody tr").cells[1].click();
window.scrollTo(0, 0);
"""
"""Chooses the object with most evidence, the first of the page's table, which shows its spectrum."""


def main() -> None:
    """Fit, score and photograph in a temporary folder, and put both pictures into ``docs/pictures``."""
    data = Path(os.environ.get("SPECVAE_DATA", ROOT.parent / "shared" / "data")) / "scenes" / "coldsprings"
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(data, place, dirs_exist_ok=True)
        specvae(place, "fit", "20160707_pre_sr7.tif", "--mask", "20160707_pre_clear.tif", "--model", "fire.specvae")
        specvae(place, "score", f"{SCENE}.tif", "--model", "fire.specvae")
        report = place / "reports" / SCENE
        keep(report / "quicklook.png", PICTURES / "wildfire.png")
        photograph(report / "report.html", place / "report.png")
        keep(place / "report.png", PICTURES / "report.png")


def specvae(folder: Path, *words: str) -> None:
    """Run this checkout's command in ``folder``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "specvae", *words], cwd=folder, env=environment, check=True)


def photograph(page: Path, out: Path) -> None:
    """The upper part of a report page, 1400 x 1000 pixels."""
    options = webdriver.ChromeOptions()
    for word in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "hide-scrollbars"):
        options.add_argument(f"--{word}")
    options.add_argument("--window-size=1400,1000")
    browser = next(name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name))
    options.binary_location = str(shutil.which(browser))
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(page.as_uri())
        time.sleep(2.0)  # the page unpacks its picture and spectra without saying when it has
        driver.execute_script(FIRST_OBJECT)
        time.sleep(0.5)
        driver.save_screenshot(str(out))
    finally:
        driver.quit()


def keep(picture: Path, out: Path) -> None:
    """A copy, compressed as far as PNG goes."""
    Image.open(picture).convert("RGB").save(out, "PNG", optimize=True)
    print(out)


if __name__ == "__main__":
    main()
