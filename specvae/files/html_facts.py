"""Facts as a small table in HTML, as notebooks show a value in place of its text."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

__all__ = ["html_facts"]


def html_facts(title: str, facts: Mapping[str, object], below: str = "") -> str:
    """A table with a caption, a row for each fact that is not None; every text is escaped but ``below``, which is HTML.

    Examples
    --------
    >>> html_facts("a model", {"bands": "red, nir", "patch": None})[:52]
    '<table><caption>a model</caption><tr><th style="text'
    """
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
        if value is not None
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>{below}"
