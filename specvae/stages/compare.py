"""The stage ``compare``: two results or two models in, what is equal and what differs out; nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from specvae.errors import InputError, UsageError
from specvae.export.comparison.finding import TOLERANCE, Comparison, Finding, State
from specvae.export.comparison.models import compare_models
from specvae.export.comparison.rasters import compare_rasters
from specvae.export.comparison.tables import compare_tables
from specvae.export.comparison.trees import compare_json

__all__ = ["compare"]

LAST_FILES = ("item.json", "watch.json")
"""Files whose presence says that a folder is a result."""
Compare = Callable[[str, Path, Path, float], list[Finding]]
BY_ENDING: dict[str, Compare] = {
    ".tif": compare_rasters,
    ".csv": compare_tables,
    ".parquet": compare_tables,
    ".gpkg": compare_tables,
    ".geojson": compare_tables,
    ".json": compare_json,
}
"""How files are compared. Pages, pictures and styles are made of these files, and are not compared."""
NOT_COMPARED = frozenset({"item.json", "model.json", "watch.json"})
"""Items hold places, times and digests of the files beside them, which are compared themselves."""


def compare(a: str, b: str, tolerance: float = TOLERANCE) -> Comparison:
    """Compare two results, two folders of results, or two models.

    ``tolerance``: the largest ``|a - b| / max(1, |a|)`` at which two numbers count as equal within it; classes, texts
    and counts of rows have none. Raises InputError where one of them is neither a result nor a model, UsageError where
    they are of different kinds.
    """
    first, second = Path(a), Path(b)
    for path in (first, second):
        if not path.exists():
            raise InputError(f"{path} does not exist; expected the folder of a result, or a model file")
    if first.is_dir() != second.is_dir():
        raise UsageError(f"{a} and {b} are a folder and a file; give two results or two models")
    if first.is_file():
        return Comparison("models", a, b, tolerance, tuple(compare_models(first, second, tolerance)))
    return Comparison("results", a, b, tolerance, tuple(_folders(first, second, tolerance)))


def _folders(a: Path, b: Path, tolerance: float) -> list[Finding]:
    """Findings of all results of two folders, paired by their paths below them."""
    first, second = _results(a), _results(b)
    findings = []
    for name in sorted(first | second):
        if name not in first or name not in second:
            findings.append(Finding(name, State.DIFFERS, where=f"a result only in {'A' if name in first else 'B'}"))
            continue
        prefix = "" if name == "." else f"{name}/"
        findings += _files(prefix, a / name, b / name, tolerance)
    return findings


def _results(folder: Path) -> set[str]:
    """Results at or below a folder, as paths relative to it. Raises InputError where there is none."""
    places = {path.parent for last in LAST_FILES for path in folder.rglob(last)}
    if not places:
        raise InputError(f"{folder} holds no finished result (no {' or '.join(LAST_FILES)} in it or below)")
    return {place.relative_to(folder).as_posix() for place in places}


def _files(prefix: str, a: Path, b: Path, tolerance: float) -> list[Finding]:
    names = {path.name for folder in (a, b) for path in folder.iterdir() if path.suffix in BY_ENDING} - NOT_COMPARED
    findings = []
    for name in sorted(names):
        there = (a / name).exists(), (b / name).exists()
        if not all(there):
            findings.append(Finding(prefix + name, State.DIFFERS, where=f"only in {'A' if there[0] else 'B'}"))
            continue
        findings += BY_ENDING[Path(name).suffix](prefix + name, a / name, b / name, tolerance)
    return findings
