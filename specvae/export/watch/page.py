"""``index.html`` of a watched place: one self-contained page with a slider over dates, the alerts and their histories."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from specvae.alerts.pixels import Status
from specvae.export.colours import css_variables, rgb, viridis
from specvae.export.watch.alerts_json import AlertsJson
from specvae.export.watch.maps import COLOURS
from specvae.files.json_files import json_line
from specvae.version import __version__

__all__ = ["MOST_ALERTS", "AlertDetail", "PageDate", "WatchPage", "render_watch_page"]

MOST_ALERTS = 500
"""Alerts on the page, the strongest first."""
COLUMNS = (
    ("id", "alert"),
    ("status", "status"),
    ("first_seen", "first seen"),
    ("last_seen", "last seen"),
    ("confirmed_on", "confirmed"),
    ("closed_on", "closed"),
    ("anomalous_looks", "odd looks"),
    ("pixels", "pixels"),
    ("area_m2", "area, m²"),
    ("peak", "peak, nats"),
    ("evidence", "evidence, nats"),
    ("lat", "latitude"),
    ("lon", "longitude"),
)


@dataclass(frozen=True, eq=False)
class PageDate:
    """A date of the slider."""

    date: str
    """``YYYY-MM-DD``."""
    used: bool
    status: NDArray[np.uint8]
    """``(rows, cols)`` of a small map."""
    score: NDArray[np.uint8]
    """``(rows, cols)``: normal scores as bytes, 255 where there was no look."""
    colour: bytes | None = None
    """A JPEG of the scene; None where its report page is not there."""


@dataclass(frozen=True)
class AlertDetail:
    """What the page shows of an alert beside its row."""

    box: tuple[int, int, int, int]
    """First row and column, and the row and column after the last."""
    p_values: Sequence[float | None]
    """Of its strongest pixel at each date, by the model; None where there was no clear look."""
    scores: Sequence[float | None]
    """Nats."""
    spectra: Sequence[dict[str, Any]] = ()
    """``date``, ``observed`` and ``expected`` of the first look and the last, physical units."""


@dataclass(frozen=True, eq=False)
class WatchPage:
    """What the page shows beside alerts.json."""

    shape: tuple[int, int]
    """Rows and columns of the place."""
    dates: Sequence[PageDate]
    details: dict[int, AlertDetail] = field(default_factory=dict)
    """By the alert's id; of the strongest ones."""
    bands: Sequence[str] = ()
    """Names of the bands of the spectra."""
    wavelengths: Sequence[float] | None = None
    """Theirs, nm; None where one is unknown."""


def render_watch_page(alerts: AlertsJson, page: WatchPage, line: str) -> str:
    """The page. All text from outside is escaped; a policy in the page allows its one script alone."""
    script = resources.files("specvae.export.watch").joinpath("page.js").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = resources.files("specvae.export.watch").joinpath("page.html").read_text(encoding="utf-8")
    return environment.from_string(text).render(
        alerts=alerts,
        claim=line,
        checked=_checked(alerts),
        changes={word: alerts[word] for word in ("new", "confirmed", "closed")},
        dates=page.dates,
        columns=COLUMNS,
        colours={status.name.lower(): colour for status, colour in COLOURS.items()},
        version=__version__,
        style=Markup(_style()),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        payload=Markup(_payload(alerts, page)),
    )


def _checked(alerts: AlertsJson) -> str:
    """How the assumption came out, in words."""
    known = alerts["assumption"]
    pairs = [(f"{level:g}", share) for level, share in zip(known["levels"], known["realised"], strict=True) if share]
    if not pairs:
        return ""
    shares = ", ".join(f"{share:.1e} of them had a p-value of at most {level}" for level, share in pairs[1:3])
    return f"over {known['looks']:,} looks at ground without an alert, {shares}" if shares else ""


def _style() -> str:
    """The style sheet: that of the reports, and what this page adds."""
    report = resources.files("specvae.export.report").joinpath("page.css").read_text(encoding="utf-8")
    own = resources.files("specvae.export.watch").joinpath("page.css").read_text(encoding="utf-8")
    return css_variables() + report + own


def _payload(alerts: AlertsJson, page: WatchPage) -> str:
    """What the script needs, as JSON that cannot end its element."""
    strongest = sorted(alerts["alerts"], key=lambda alert: (alert["status"] == "first", -alert["evidence"]))
    tree = {
        "rows": page.shape[0],
        "cols": page.shape[1],
        "total": len(alerts["alerts"]),
        "columns": [key for key, _ in COLUMNS],
        "bands": list(page.bands),
        "wavelengths": page.wavelengths,
        "dates": [_date(date) for date in page.dates],
        "alerts": [_alert(alert, page.details) for alert in strongest[:MOST_ALERTS] if alert["id"] in page.details],
    }
    return json_line(tree).replace("<", "\\u003c")


def _alert(alert: dict[str, Any], details: dict[int, AlertDetail]) -> dict[str, Any]:
    detail = details[alert["id"]]
    history = {"p": list(detail.p_values), "score": list(detail.scores)} if detail.p_values else None
    return alert | {"box": list(detail.box), "history": history, "spectra": list(detail.spectra)}


def _date(date: PageDate) -> dict[str, Any]:
    return {
        "date": date.date,
        "used": date.used,
        "confirmed": int((date.status == Status.CONFIRMED).sum()),
        "status": _png(date.status, _STATUS_PALETTE, _STATUS_ALPHA),
        "score": _png(date.score, _SCORE_PALETTE, _SCORE_ALPHA),
        "colour": None if date.colour is None else base64.b64encode(date.colour).decode(),
    }


def _png(values: NDArray[np.uint8], palette: bytes, alpha: bytes) -> str:
    """A palette PNG in base64: a byte a pixel, whose colours the browser looks up."""
    image = Image.fromarray(values, "P")
    image.putpalette(palette)
    file = io.BytesIO()
    # Runs of equal bytes alone: of noise this is smaller than zlib's best level, in a fortieth of its time.
    image.save(file, "PNG", transparency=alpha, compress_type=zlib.Z_RLE)
    return base64.b64encode(file.getvalue()).decode()


def _status_palette() -> tuple[bytes, bytes]:
    colours, alpha = np.zeros((256, 3), np.uint8), bytearray(256)
    for status, colour in COLOURS.items():
        colours[status], alpha[status] = rgb(colour), 255
    return colours.tobytes(), bytes(alpha)


_STATUS_PALETTE, _STATUS_ALPHA = _status_palette()
_SCORE_PALETTE = np.concatenate([viridis(np.linspace(0, 1, 255)), np.zeros((1, 3), np.uint8)]).tobytes()
_SCORE_ALPHA = bytes([255] * 255 + [0])
