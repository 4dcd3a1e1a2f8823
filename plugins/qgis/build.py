"""Make the plugin's zip file: its Python, its metadata with the package's version, and the options of the package itself."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specvae.ingest.options import IngestOptions
from specvae.option import options_of
from specvae.stages.requests import CalibrateRequest, FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.watch.request import WatchRequest
from specvae.version import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HERE = Path(__file__).parent
SOURCE, TARGET = HERE / "specvae", HERE.parents[1] / "dist" / f"specvae-qgis-{__version__}.zip"
REQUESTS: dict[str, type[DataclassInstance]] = {
    "fit": FitRequest,
    "score": ScoreRequest,
    "calibrate": CalibrateRequest,
    "watch": WatchRequest,
    "inspect": IngestOptions,
}
"""The dataclass whose fields are each algorithm's parameters."""


def options() -> dict[str, list[dict[str, Any]]]:
    """The options of each algorithm, as the plugin reads them."""
    return {
        command: [
            {
                "name": declared.name,
                "type": declared.type.__name__,
                "several": declared.several,
                "default": list(declared.default) if isinstance(declared.default, tuple) else declared.default,
                "help": declared.option.help,
                "choices": list(declared.option.choices),
                "path": declared.option.is_path,
                "low": declared.option.range.low if declared.option.range else None,
                "high": declared.option.range.high if declared.option.range else None,
            }
            for declared in options_of(request, command)
            if declared.option.on_command_line
        ]
        for command, request in REQUESTS.items()
    }


def build(target: Path = TARGET) -> Path:
    """Write the zip file, the same bytes from the same sources."""
    target.parent.mkdir(parents=True, exist_ok=True)
    contents = {path.name: path.read_text(encoding="utf-8") for path in sorted(SOURCE.iterdir()) if path.is_file()}
    contents["metadata.txt"] = re.sub(r"(?m)^version=.*$", f"version={__version__}", contents["metadata.txt"])
    contents["options.json"] = json.dumps(options(), indent=1)
    contents["LICENSE"] = (HERE.parents[1] / "LICENSE").read_text(encoding="utf-8")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            archive.writestr(zipfile.ZipInfo(f"specvae/{name}", (2020, 1, 1, 0, 0, 0)), contents[name])
    return target


if __name__ == "__main__":
    print(build())
