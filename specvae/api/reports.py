"""A result that the command line wrote, as Python reads it and a notebook shows it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from specvae.errors import InputError
from specvae.export.contents import ITEM, QUICKLOOK, REPORT
from specvae.export.report.trust import expected_words
from specvae.files.html_facts import html_facts
from specvae.files.json_files import read_json

__all__ = ["ScoreReport", "load_report"]


class ScoreReport(Mapping[str, Any]):
    """What ``report.json`` of a score holds, by its keys, and the folder that it lies in.

    Examples
    --------
    >>> ScoreReport(Path("reports/scene"), {"schema_version": 1})["schema_version"]
    1
    """

    def __init__(self, folder: Path, content: Mapping[str, Any]) -> None:
        self.folder, self._content = folder, content

    def __getitem__(self, key: str) -> Any:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __repr__(self) -> str:
        return f"<ScoreReport of {self['scene']['key']}: {self['pixels']['anomalous']:,} anomalous, {self.verdict}>"

    @property
    def verdict(self) -> str:
        """``ok``, ``caution`` or ``do-not-use``."""
        return str(self["trust"]["verdict"])

    def _repr_html_(self) -> str:
        """What notebooks show: the picture, the counts, the cut, the verdict with its reasons, and the strongest objects."""
        pixels, trust, objects = self["pixels"], self["trust"], self["objects"]
        chance = expected_words(trust["expected"])
        cut = self["threshold"]
        facts = {
            "anomalous": f"{pixels['anomalous']:,} of {pixels['valid']:,}"
            + (f"; {chance} would be by chance" if chance else ""),
            "cut": None if cut["value"] is None else f"{cut['value']:.4g} nats, {cut['method']}",
            "verdict": f"{self.verdict}: {'; '.join(trust['reasons'])}",
            "objects": objects["count"],
        }
        for number, leading in enumerate(objects.get("leading", [])[:3], start=1):
            facts[f"object {number}"] = (
                f"{leading['pixels']:,} pixels, peak {leading['peak']:.4g} nats: {leading['bands']}"
            )
        return html_facts(str(self["scene"]["key"]), facts, self._picture())

    def _picture(self) -> str:
        path = self.folder / QUICKLOOK.name
        if not path.is_file():
            return ""
        data = base64.b64encode(path.read_bytes()).decode()
        return f'<img alt="The scene, its scores and what is flagged" style="max-width:100%" src="data:image/png;base64,{data}">'


def load_report(folder: str | Path) -> ScoreReport:
    """Return the report in a scene's folder of ``specvae score``. Raises InputError where no finished result lies there.

    Examples
    --------
    >>> load_report("nowhere")
    Traceback (most recent call last):
    specvae.errors.InputError: nowhere holds no finished result; expected a folder that `specvae score` wrote
    """
    place = Path(folder)
    content = read_json(place / REPORT.name) if (place / ITEM.name).is_file() else {}
    if not content:
        raise InputError(f"{folder} holds no finished result; expected a folder that `specvae score` wrote")
    return ScoreReport(place, content)
