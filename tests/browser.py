"""Pages opened in a browser, ready to be driven, without a complaint in its log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


def opened(driver: Any, page: Path) -> Any:
    driver.get(page.as_uri())
    until = time.monotonic() + 30
    while driver.execute_script("return document.body.dataset.ready") != "yes":
        assert time.monotonic() < until, driver.get_log("browser")
        time.sleep(0.05)
    assert driver.get_log("browser") == []
    return driver
