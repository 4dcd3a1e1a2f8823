"""The rows and the page of the speed benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from specvae.benchmarks.report import Environment, Report, Row, table, tried
from specvae.benchmarks.speed.processes import METHODS, Timing

__all__ = ["Measured", "write_page"]

SCORES = ("score", "score-context")
"""The product, without and with context."""
BASES = ("decode", "copy")
"""What the product's cost is compared with."""
SECTIONS = {
    "resident": "A scene in memory already",
    "device": "Spectra in the device's memory already, beside what a copy and a product reach there",
    "flagged": "A scene of a failed sensor, most of it flagged, beside a calm one of the same size, with context",
    "batch": "Small scenes in a batch",
    "fit": "Fitting",
    "large-fit": "A large fit of a scene in memory, from the split to the thresholds",
    "training-step": "One training step, operation by operation",
    "table": "Tables",
}
"""Dataset of the rows -> title of their table."""


@dataclass(frozen=True)
class Measured:
    """The timings of the processes, by method and size."""

    timings: dict[tuple[str, int], list[Timing]]
    sizes: tuple[int, ...]
    """Sides of the scenes, in ascending order."""
    repeats: int
    bands: int

    def rows(self) -> list[Row]:
        """Rows on seconds and peak memory of each method and size, and on marginal costs."""
        rows = []
        for (method, size), runs in self.timings.items():
            name, seconds = f"{size}x{size}x{self.bands}", median(t.seconds for t in runs)
            rows.append(Row(name, method, "seconds", seconds, self.repeats, seconds))
            rows.append(Row(name, method, "peak_mib", max(t.peak_mib for t in runs), self.repeats, seconds))
            cpu = median(t.cpu_seconds for t in runs)
            rows.append(Row(name, method, "cpu_seconds", cpu, self.repeats, seconds))
        for method in METHODS:
            rows += self._marginal(method)
        return rows

    def marginal(self, method: str, size: int | None = None) -> list[float]:
        """Seconds at ``size`` (by default the largest) less those at the smallest, for each repeat."""
        small, large = self.timings[(method, self.sizes[0])], self.timings[(method, size or self.sizes[-1])]
        return [b.seconds - a.seconds for a, b in zip(small, large, strict=True)]

    def _marginal(self, method: str) -> list[Row]:
        pixels = (self.sizes[-1] ** 2 - self.sizes[0] ** 2) / 1e6
        seconds = self.marginal(method)
        middle = median(seconds)
        # Between tiny scenes chance can make a marginal time zero or less.
        rows = [Row("marginal", method, "mpx_per_s", pixels / max(1e-9, middle), self.repeats, middle)]
        for other in BASES:
            # Paired by repeat: runs taken in turn share whatever else the machine was doing.
            ratio = median(a / max(1e-9, b) for a, b in zip(seconds, self.marginal(other), strict=True))
            rows.append(Row("marginal", method, f"ratio_to_{other}", ratio, self.repeats, middle))
        return rows


def write_page(out: Path, measured: Measured | None, rows: list[Row], made_with: Environment) -> None:
    """Write ``report.md`` into ``out``; ``measured`` is None where no complete process was timed."""
    report = Report("Speed")
    if measured is not None:
        _complete(report, measured, rows, made_with)
    for dataset, title in SECTIONS.items():
        values = _values(rows, dataset)
        names = tuple(dict.fromkeys(metric for _, metric in values))
        if values:
            report.section(title).text(_by_metric(values, tuple(dict.fromkeys(m for m, _ in values)), names))
    small = [[row.method, row.value] for row in rows if row.dataset == "start-up"]
    if small:
        report.section("Start-up, seconds").text(table(["", "seconds"], small))
    report.section("What was tried").text(tried("specvae.benchmarks.speed"))
    report.made_with(made_with).write(out)


def _complete(report: Report, measured: Measured, rows: list[Row], made_with: Environment) -> None:
    """Add what was timed of complete processes: marginal costs, seconds and memory, growth, and what bounds each stage."""
    sizes = measured.sizes
    report.text(
        f"Whole processes, {measured.bands} bands of {made_with['dtype']}, deflated with predictor 2 in tiles of 512: the "
        f"median of {measured.repeats} runs taken in turn. Marginal: {sizes[-1]} less {sizes[0]} pixels square, so that start-up "
        "stands apart."
    )
    marginal = _values(rows, "marginal")
    report.section("Marginal cost").text(
        _by_metric(marginal, METHODS, ("mpx_per_s", "ratio_to_decode", "ratio_to_copy"))
    )
    _processes(report, measured, rows)
    _growth(report, measured)
    _stages(report, measured, rows)


def _processes(report: Report, measured: Measured, rows: list[Row]) -> None:
    """Add the tables of wall seconds and peak memory: a line a method, a column a size."""
    sizes = measured.sizes
    methods = tuple(dict.fromkeys(method for method, _ in measured.timings))
    for metric, title in (
        ("seconds", "Wall seconds"),
        ("cpu_seconds", "Processor seconds, all threads"),
        ("peak_mib", "Peak memory, MiB"),
    ):
        value = {(row.dataset, row.method): row.value for row in rows if row.metric == metric}
        body = [[m, *(value.get((f"{s}x{s}x{measured.bands}", m)) for s in sizes)] for m in methods]
        report.section(title).text(table(["", *(f"{s} x {s}" for s in sizes)], body))


def _values(rows: list[Row], dataset: str) -> dict[tuple[str, str], float]:
    """Values of one dataset by method and metric."""
    return {(row.method, row.metric): row.value for row in rows if row.dataset == dataset}


def _by_metric(values: dict[tuple[str, str], float], methods: tuple[str, ...], metrics: tuple[str, ...]) -> str:
    """A table: a line a method, a column a metric."""
    return table(["", *metrics], [[m, *(values.get((m, metric)) for metric in metrics)] for m in methods])


def _growth(report: Report, measured: Measured) -> None:
    """Add the table of how the marginal time grows with the pixels; 1 is in proportion."""
    sizes = measured.sizes
    if len(sizes) < 3:
        return
    pixels = sizes[-1] ** 2 - sizes[0] ** 2
    body = []
    for method in METHODS:
        last = median(measured.marginal(method))
        shares = [median(measured.marginal(method, s)) / last / ((s**2 - sizes[0] ** 2) / pixels) for s in sizes[1:]]
        body.append([method, *shares])
    report.section("Marginal time against pixels (1: in proportion to the largest)")
    report.text(table(["", *(f"{s} x {s}" for s in sizes[1:])], body))


def _stages(report: Report, measured: Measured, rows: list[Row]) -> None:
    """Add the table of the seconds of each stage at the largest size, beside what bounds it from below."""
    largest, names = measured.sizes[-1], ("read", "compute", "write", "total")
    resident = _values(rows, "resident")
    decode = median(t.seconds for t in measured.timings[("decode", largest)])
    body = []
    for method in SCORES:
        stages = measured.timings[(method, largest)][-1].stages
        floor = resident.get((method, "floor_mpx_per_s"))
        bound = None if floor is None else largest**2 / 1e6 / floor
        body.append([method, *(stages.get(s) for s in names), decode, bound])
    report.section(f"What bounds each stage at {largest} x {largest}: seconds of all threads together (they overlap)")
    report.text(
        "Reading is bounded by decoding alone, whose seconds are of two threads; computing by the matrix products alone, at "
        "the rate that numpy reaches on products of that shape. What computing takes beyond them are exponentials, "
        "normalisation and rings in the compiled scorer, and what is gathered of each window: objects, drift, the "
        "histogram of scores. Writing is the compression of the maps, twice for large ones: as windows come, and into the "
        "cloud-optimised file, whose overviews are known last."
    )
    report.text(table(["", *names, "decoding alone", "products alone"], body))
