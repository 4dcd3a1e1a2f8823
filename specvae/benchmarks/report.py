"""What a benchmark writes: ``metrics.json``, ``report.md`` and figures. Each appears complete or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import TYPE_CHECKING

from specvae.files.atomic import atomic_file
from specvae.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Environment",
    "Report",
    "Row",
    "environment",
    "pivot",
    "pyplot",
    "table",
    "tried",
    "write_figure",
    "write_metrics",
]

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "rasterio")
"""Libraries whose versions a figure may depend on."""
FIGURE_DPI, FIGURE_COLOURS = 110, 256
"""A page of text is as wide as a figure at this resolution, and a palette keeps the committed files small."""
DIGITS = 4
"""Digits of a figure in a table: seeds differ in the third or fourth."""
Environment = Mapping[str, str | int | None]
"""What the figures were made with, by name: the part ``environment`` of ``metrics.json``."""


@dataclass(frozen=True)
class Row:
    """One figure of ``metrics.json``: a metric of a method on a dataset."""

    dataset: str
    """Stem of the data's file, or the name of what was made."""
    method: str
    """``specvae``, ``specvae-pooled``, ``rx``, ``pca``, ``iforest``, ``knn``, or a preset's name."""
    metric: str
    """``auroc``, ``average_precision``, ..."""
    value: float
    """Mean over the seeds; a share is in 0..1."""
    seeds: int
    """Number of seeds that the value is the mean of."""
    seconds: float
    """Time of fit and score together, mean over the seeds."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.seconds)):
            raise ValueError(f"{self} is not finite: leave the row out and say why in the report")
        if self.seeds < 1:
            raise ValueError(f"{self} counts no seed")


def environment(**more: str | int) -> dict[str, str | int | None]:
    """Versions, processor and command that the figures were made with, and what the caller adds (``device="cpu"``)."""
    return {
        "specvae": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        # Those that this process may use: a container often has fewer than its machine.
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "command": " ".join(["specvae", *_argv()]),
        **more,
    }


def _argv() -> list[str]:
    """The command's arguments, paths cut to their last part: a committed report must not show a private folder."""
    return [Path(word).name if os.sep in word else word for word in sys.argv[1:]]


def _processor() -> str:
    """The model of the processor as Linux names it, else as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def write_metrics(out: Path, benchmark: str, rows: Iterable[Row], environment: Environment) -> Path:
    """Write ``out/metrics.json``. Raises ValueError for a NaN, or for two rows with one dataset, method and metric."""
    results = [asdict(row) for row in rows]
    keys = [(row["dataset"], row["method"], row["metric"]) for row in results]
    if len(set(keys)) < len(keys):
        raise ValueError(f"rows are given twice: {sorted({key for key in keys if keys.count(key) > 1})}")
    tree = {"benchmark": benchmark, "environment": dict(environment), "results": results}
    text = json.dumps(tree, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return _write(out / "metrics.json", text)


def pyplot() -> ModuleType:
    """matplotlib's pyplot, drawing into memory: a benchmark runs where there is no screen."""
    import matplotlib as mpl

    mpl.use("Agg", force=False)
    import matplotlib.pyplot as plt

    return plt


def write_figure(out: Path, name: str, figure: Figure) -> Path:
    """Write a figure as ``out/name.png``, in 256 colours, and close it."""
    from PIL import Image

    png = io.BytesIO()
    figure.savefig(png, dpi=FIGURE_DPI, bbox_inches="tight")
    pyplot().close(figure)
    with atomic_file(out / f"{name}.png") as beside:
        # No software version or date inside: the same figure is the same file.
        Image.open(png).convert("RGB").quantize(FIGURE_COLOURS).save(beside, "PNG", optimize=True)
    return out / f"{name}.png"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, its first column aligned left, the others right; None is an empty cell, a float has four digits."""
    lines = [_line(header), _line(["---"] + ["---:"] * (len(header) - 1))]
    return "\n".join(lines + [_line(row) for row in rows])


def tried(package: str) -> str:
    """A Markdown table of the ``tried.csv`` of a benchmark's package: each idea that was tried, and its figures."""
    text = resources.files(package).joinpath("tried.csv").read_text(encoding="utf-8")
    head, *lines = csv.reader(text.splitlines())
    return table(head, lines)


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.{DIGITS}f}" if isinstance(value, float) else str(value).replace("|", "\\|")


def pivot(
    rows: Sequence[Row],
    metric: str,
    published: Mapping[str, Mapping[str, float]] | None = None,
    digits: int = DIGITS,
) -> str:
    """A Markdown table of one metric: a line a dataset, a column a method, and each method's mean in the last line.

    ``published`` is method -> dataset -> value; a method that lacks a dataset of the table has no mean.
    """
    chosen = [row for row in rows if row.metric == metric]
    columns: dict[str, dict[str, float]] = {}
    for row in chosen:
        columns.setdefault(row.method, {})[row.dataset] = row.value
    columns |= {f"{name} (published)": dict(values) for name, values in (published or {}).items()}
    datasets = list(dict.fromkeys(row.dataset for row in chosen))
    body: list[list[object]] = [[name, *(columns[m].get(name) for m in columns)] for name in datasets]
    body.append(["mean", *(_mean(columns[m], datasets) for m in columns)])
    # Made into text here, since a table would give every float its own number of digits.
    shown = [[f"{v:.{digits}f}" if isinstance(v, float) else v for v in line] for line in body]
    return table(["", *columns], shown)


def _mean(values: Mapping[str, float], datasets: Sequence[str]) -> float | None:
    """Mean over the datasets, or None where a method lacks one of them: means of different sets do not compare."""
    return fmean(values[name] for name in datasets) if set(datasets) <= set(values) else None


@dataclass
class Report:
    """A Markdown page, made piece by piece and written once; each method returns the report itself."""

    title: str
    pieces: list[str] = field(default_factory=list)

    def section(self, title: str) -> Report:
        """Begin a section."""
        self.pieces.append(f"## {title}")
        return self

    def text(self, text: str) -> Report:
        """Add a paragraph, a list or a table."""
        self.pieces.append(text.strip())
        return self

    def figure(self, path: Path, caption: str) -> Report:
        """Show a picture that is a file in the page's own folder."""
        self.pieces.append(f"![{caption}]({path.name})\n\n*{caption}*")
        return self

    def made_with(self, environment: Environment) -> Report:
        """Add the last section: what the figures were made with."""
        return self.section("Made with").text("\n".join(f"- {name}: {value}" for name, value in environment.items()))

    def write(self, out: Path, name: str = "report.md") -> Path:
        """Write the page into the folder ``out``."""
        return _write(out / name, "\n\n".join([f"# {self.title}", *self.pieces]) + "\n")


def _write(path: Path, text: str) -> Path:
    with atomic_file(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path
