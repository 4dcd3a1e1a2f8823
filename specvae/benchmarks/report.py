"""What a benchmark writes: ``metrics.json``, ``report.md``, figures; each whole or not at all."""

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
from typing import TYPE_CHECKING, Any

from specvae.files.atomic import atomic_file
from specvae.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Report", "Row", "environment", "pivot", "table", "tried", "write_figure", "write_metrics"]

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "rasterio")


@dataclass(frozen=True)
class Row:
    """One figure: a method on a dataset."""

    dataset: str
    """The file's stem."""
    method: str
    """``specvae``, ``specvae-pooled``, ``rx``, ``pca``, ``iforest``, ``knn``, or a preset's name."""
    metric: str
    """``auroc``, ``average_precision``, ..."""
    value: float
    """Mean over the seeds; shares in 0..1."""
    seeds: int
    seconds: float
    """Fit and score together, mean over the seeds."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.seconds)):
            raise ValueError(f"{self} is not finite: leave the row out and say why in the report")
        if self.seeds < 1:
            raise ValueError(f"{self} counts no seed")


def environment(**more: Any) -> dict[str, Any]:
    """What the figures were made with: versions, processor, threads, and what the caller adds (``device="cpu"``)."""
    return {
        "specvae": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "command": " ".join(["specvae", *_argv()]),
        **more,
    }


def _argv() -> list[str]:
    """The command's arguments, folders cut to their last part: where the data lay is nobody's business."""
    return [Path(word).name if os.sep in word else word for word in sys.argv[1:]]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def write_metrics(out: Path, benchmark: str, rows: Iterable[Row], environment: Mapping[str, Any]) -> Path:
    """Write ``out/metrics.json``. Raises ValueError for two rows of one (dataset, method, metric), or for a NaN."""
    results = [asdict(row) for row in rows]
    keys = [(row["dataset"], row["method"], row["metric"]) for row in results]
    if len(set(keys)) < len(keys):
        raise ValueError(f"rows are given twice: {sorted({key for key in keys if keys.count(key) > 1})}")
    tree = {"benchmark": benchmark, "environment": dict(environment), "results": results}
    text = json.dumps(tree, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return _write(out / "metrics.json", text)


def write_figure(out: Path, name: str, figure: Figure) -> Path:
    """Write a figure as ``out/name.png``, in 256 colours, and close it."""
    import matplotlib.pyplot as plt
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110, bbox_inches="tight")
    plt.close(figure)
    with atomic_file(out / f"{name}.png") as beside:
        # No software version or date inside: the same figure is the same file.
        Image.open(drawn).convert("RGB").quantize(256).save(beside, "PNG", optimize=True)
    return out / f"{name}.png"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, the first column left, the others right; None is an empty cell, a float has four digits."""
    lines = [_line(header), _line(["---"] + ["---:"] * (len(header) - 1))]
    return "\n".join(lines + [_line(row) for row in rows])


def tried(package: str) -> str:
    """A Markdown table of the ``tried.csv`` of a benchmark's package: each idea and what it came to."""
    text = resources.files(package).joinpath("tried.csv").read_text(encoding="utf-8")
    head, *lines = csv.reader(text.splitlines())
    return table(head, lines)


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value).replace("|", "\\|")


def pivot(
    rows: Sequence[Row],
    metric: str,
    published: Mapping[str, Mapping[str, float]] | None = None,
    digits: int = 4,
) -> str:
    """A Markdown table of one metric, datasets down and methods across, with the mean of each method at the bottom.

    ``published`` is method -> dataset -> value; a method that lacks a dataset of the table has no mean.
    """
    mine = [row for row in rows if row.metric == metric]
    columns: dict[str, dict[str, float]] = {}
    for row in mine:
        columns.setdefault(row.method, {})[row.dataset] = row.value
    columns |= {f"{name} (published)": dict(values) for name, values in (published or {}).items()}
    datasets = list(dict.fromkeys(row.dataset for row in mine))
    body: list[list[object]] = [[name, *(columns[m].get(name) for m in columns)] for name in datasets]
    body.append(["mean", *(_mean(columns[m], datasets) for m in columns)])
    shown = [[f"{v:.{digits}f}" if isinstance(v, float) else v for v in line] for line in body]
    return table(["", *columns], shown)


def _mean(values: Mapping[str, float], datasets: Sequence[str]) -> float | None:
    return fmean(values[name] for name in datasets) if set(datasets) <= set(values) else None


@dataclass
class Report:
    """A Markdown page, gathered piece by piece and written once."""

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
        """Show a picture that lies beside the page."""
        self.pieces.append(f"![{caption}]({path.name})\n\n*{caption}*")
        return self

    def made_with(self, environment: Mapping[str, Any]) -> Report:
        """Say what the figures were made with."""
        return self.section("Made with").text("\n".join(f"- {name}: {value}" for name, value in environment.items()))

    def write(self, out: Path, name: str = "report.md") -> Path:
        """Write the page into the folder ``out``."""
        return _write(out / name, "\n\n".join([f"# {self.title}", *self.pieces]) + "\n")


def _write(path: Path, text: str) -> Path:
    with atomic_file(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path
