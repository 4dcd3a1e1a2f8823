"""What a quicklook says in words: where, what and when the first object is, and how sure its flag is."""

from __future__ import annotations

from specvae.export.report.sections import LeadingObject, Report
from specvae.export.report.trust import expected_words
from specvae.thresholds.threshold import Threshold

__all__ = ["notes_of", "place_words"]


def notes_of(report: Report, place: tuple[int, int] | None) -> list[tuple[str, str]]:
    """Pairs of what is asked and its answer; ``place``: row and column in the middle of the first object, where there is one."""
    leading = report["objects"].get("leading") or []
    notes = [("when", _date(report["scene"].get("datetime")))]
    if leading and place is not None:
        count, first = report["objects"]["count"] or 0, leading[0]
        of = f"object {first['id']} of {count:,}, circled" if count > 1 else "the one object, circled"
        notes.append(("where", f"{of}: {_size(first, report)} {place_words(first['lon'], first['lat'], place)}"))
        notes.append(("what", first["bands"] or "no band by itself"))
    else:
        notes.append(
            ("where", "nothing is flagged" if not report["pixels"]["anomalous"] else "no object was looked for")
        )
    return [*notes, ("how sure", _certainty(report)), ("to be trusted?", _verdict(report))]


def place_words(lon: float | None, lat: float | None, place: tuple[int, int]) -> str:
    """A place on Earth, or where nothing says it, in the raster.

    Examples
    --------
    >>> place_words(-105.5, 39.98, (3, 4)), place_words(None, None, (3, 4))
    ('at 39.98000° N, 105.50000° W', 'at row 3, column 4')
    """
    if lon is None or lat is None:
        return f"at row {place[0]}, column {place[1]}"
    return f"at {abs(lat):.5f}° {'S' if lat < 0 else 'N'}, {abs(lon):.5f}° {'W' if lon < 0 else 'E'}"


def _date(taken: str | None) -> str:
    return taken.replace("T00:00:00Z", "") if taken else "the input does not say when it was taken"


def _size(first: LeadingObject, report: Report) -> str:
    """Pixels or patches, and the area where it is known."""
    one = "patch" if report["model"].get("patch") else "pixel"
    many = {"patch": "patches", "pixel": "pixels"}[one]
    area = first["area_m2"]
    on_ground = "" if area is None else f" ({area / 1e6:,.2f} km²)" if area >= 1e6 else f" ({area:,.0f} m²)"
    return f"{first['pixels']:,} {one if first['pixels'] == 1 else many}{on_ground}"


def _certainty(report: Report) -> str:
    """The cut with its rate and interval, and how many flags normal ground would give."""
    expected = expected_words(report["trust"]["expected"])
    many = "patches" if report["model"].get("patch") else "pixels"
    chance = (
        f"; {expected} of {report['pixels']['valid']:,} {many} would be flagged if all were normal" if expected else ""
    )
    return f"flagged above {Threshold.from_summary(report['threshold']).words}{chance}"


def _verdict(report: Report) -> str:
    return f"{report['trust']['verdict']}: {'; '.join(report['trust']['reasons'])}"
