"""The rows and the page of the transfer benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from specvae.benchmarks.report import Environment, Report, Row, pyplot, table, tried, write_figure
from specvae.benchmarks.transfer.answers import TWENTY, goals_of, mean_of, records_of, verdicts_of
from specvae.benchmarks.transfer.event_page import event_section
from specvae.benchmarks.transfer.events import Event
from specvae.benchmarks.transfer.places import Sensor
from specvae.benchmarks.transfer.planting import FILLS
from specvae.benchmarks.transfer.trial import ASKED, HERE, METHODS, Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["rows_of", "write_page"]

TITLES = {
    "specvae": "specvae",
    "specvae-pooled": "specvae, pooled",
    "rx": "RX, fitted elsewhere",
    "pca": "PCA, fitted elsewhere",
    "iforest": "isolation forest, fitted elsewhere",
    "rx-here": "RX, fitted on the scene itself",
    HERE: "specvae, fitted on the scene itself",
}
COLOURS = dict(zip(METHODS, ("#c1272d", "#e69f00", "#0072b2", "#7f7f00", "#009e73", "#555555"), strict=True))


def rows_of(records: Sequence[Record]) -> list[Row]:
    """The rows of ``metrics.json``: of each scene and method the mean over fills and sizes, and of 20 % fill what was found."""
    rows = []
    for sensor, place, planted in dict.fromkeys((r.sensor, r.place, r.fill is not None) for r in records):
        here = [r for r in records if (r.sensor, r.place, r.fill is not None) == (sensor, place, planted)]
        dataset = f"{sensor}: {place}" + ("" if planted else ", truth")
        for method in dict.fromkeys(r.method for r in here):
            of_method = [r for r in here if r.method == method]
            seeds = len({r.seed for r in of_method})
            at = [r for r in of_method if r.fill == TWENTY] if planted else of_method
            figures = {
                "auroc": [r.auroc for r in of_method],
                "average_precision": [r.average_precision for r in of_method],
                "found_at_realised_rate": [r.found for r in at],
                "found_at_asked_rate": [r.found_asked for r in at if r.found_asked is not None],
                "realised_rate": [r.realised for r in at if r.realised is not None],
            }
            rows += [Row(dataset, method, name, fmean(seen), seeds, 0.0) for name, seen in figures.items() if seen]
    return rows


def write_page(
    out: Path, sensors: Sequence[Sensor], records: Sequence[Record], events: Sequence[Event], made_with: Environment
) -> None:
    """Write ``report.md`` and its figure into ``out``."""
    report = Report("Fitted on some scenes, scored on others")
    if records:
        _transferred(report, out, sensors, records, made_with)
    if events:
        report.section("Large events").text(event_section(events))
    report.section("What was tried").text(
        "Ideas for the figures that fall short: one seed, fills of 5, 20 and 100 %, models that hold a share out in place of the "
        "folds. Of the events, those of burnt ground and water alone. No label was used in any."
    ).text(tried("specvae.benchmarks.transfer"))
    report.made_with(made_with).write(out)


def _transferred(
    report: Report, out: Path, sensors: Sequence[Sensor], records: Sequence[Record], made_with: Environment
) -> None:
    """Add the sections on scenes that were left out."""
    planted, truths = [r for r in records if r.fill is not None], [r for r in records if r.fill is None]
    report.text(
        "Each scene of a sensor is left out in turn: the model and the baselines are fitted on the other scenes, with one default "
        "setting and no label, and score the scene that was left out, in which real spectra of a further place are planted at "
        "5 to 100 % of a pixel, in discs of 1 to 100 pixels, half of them with that place's texture. RX is also fitted on the "
        f"scene itself, targets and all. Means over the seeds ({made_with['seeds']}), each with other places, spectra and weights; "
        "every size and fill counts alike."
    )
    report.text("\n".join(f"- **{sensor.name}**: {sensor.about}" for sensor in sensors))
    report.section("Asked and reached").text(goals_of(planted, sensors))
    report.section("What the product says of the scenes that were left out").text(verdicts_of(planted, truths))
    report.section("Planted: AUROC").text(_by_sensor(planted, sensors, "auroc")).text(_verdict(planted, sensors))
    report.figure(write_figure(out, "fills", _figure(planted, sensors)), "AUROC by fill, mean over sizes and scenes")
    report.section("Planted: average precision").text(_by_sensor(planted, sensors, "average_precision"))
    report.section(f"Planted at {TWENTY:.0%} of a pixel: share found").text(_found(planted, sensors))
    report.section("By size, AUROC of the score and of RX on the scene itself").text(_by_size(planted, sensors))
    report.section("By scene, AUROC").text(_by_place(planted))
    report.section("Where there is a truth").text(_truths(truths))


def _by_sensor(records: Sequence[Record], sensors: Sequence[Sensor], figure: str) -> str:
    """A line a method, a column a sensor."""
    body = [
        [TITLES[method], *(mean_of(records_of(records, sensor.name, method), figure) for sensor in sensors)]
        for method in METHODS
    ]
    return table(["", *(sensor.name for sensor in sensors)], body)


def _verdict(records: Sequence[Record], sensors: Sequence[Sensor]) -> str:
    """On which sensors the score is above RX that was fitted on the scene itself."""
    apart = {
        sensor.name: (mean_of(records_of(records, sensor.name, "specvae"), "auroc") or 0.0)
        - (mean_of(records_of(records, sensor.name, "rx-here"), "auroc") or 0.0)
        for sensor in sensors
    }
    above = sum(difference > 0 for difference in apart.values())
    each = ", ".join(f"{name} {difference:+.4f}" for name, difference in apart.items())
    count = f"above on {above} of the {len(apart)} sensors run"
    return f"The score, fitted elsewhere, less RX fitted on the scene itself: {each}; {count}."


def _found(records: Sequence[Record], sensors: Sequence[Sensor]) -> str:
    """Shares found at 20 % fill: at the same realised rate for all methods, and by the cut that was made beforehand."""
    at = [r for r in records if r.fill == TWENTY]
    body: list[list[object]] = []
    for sensor in sensors:
        for method in METHODS:
            chosen = records_of(at, sensor.name, method)
            realised = mean_of(chosen, "realised")
            asked = mean_of(chosen, "found_asked")
            rate = None if realised is None else f"{realised:.1e}"
            body.append([sensor.name, TITLES[method], mean_of(chosen, "found"), asked, rate])
    introduction = (
        f"First by a cut that {ASKED:g} of the scene's own untouched pixels pass, which nobody has beforehand and which compares "
        f"the methods; then by the cut that `specvae score` uses, made for a rate of {ASKED:g} of the scenes that were fitted, and "
        "the share of the untouched pixels that pass it."
    )
    heads = ["", "method", f"found at {ASKED:g} realised", f"found at {ASKED:g} asked", "realised"]
    return introduction + "\n\n" + table(heads, body)


def _by_size(records: Sequence[Record], sensors: Sequence[Sensor]) -> str:
    sizes = sorted({r.size for r in records})
    body: list[list[object]] = []
    for sensor in sensors:
        for method in ("specvae", "rx-here"):
            chosen = records_of(records, sensor.name, method)
            body.append(
                [
                    sensor.name,
                    TITLES[method],
                    *(mean_of((r for r in chosen if r.size == size), "auroc") for size in sizes),
                ]
            )
    return table(["", "", *(f"{size} px" for size in sizes)], body)


def _by_place(records: Sequence[Record]) -> str:
    places = dict.fromkeys((r.sensor, r.place) for r in records)
    body = []
    for sensor, place in places:
        here = [r for r in records if (r.sensor, r.place) == (sensor, place)]
        body.append([f"{sensor}: {place}", *(mean_of((r for r in here if r.method == m), "auroc") for m in METHODS)])
    return table(["", *METHODS], body)


def _truths(records: Sequence[Record]) -> str:
    if not records:
        return "None of the scenes that were run has a truth."
    body: list[list[object]] = []
    for sensor, place in dict.fromkeys((r.sensor, r.place) for r in records):
        for method in METHODS:
            here = [r for r in records_of(records, sensor, method) if r.place == place]
            figures = [mean_of(here, name) for name in ("auroc", "average_precision", "found", "found_asked")]
            realised = mean_of(here, "realised")
            body.append([place, TITLES[method], *figures, None if realised is None else f"{realised:.1e}"])
    heads = ["", "method", "AUROC", "average precision", f"found at {ASKED:g} realised", f"found at {ASKED:g} asked"]
    return table([*heads, "realised"], body)


def _figure(records: Sequence[Record], sensors: Sequence[Sensor]) -> Figure:
    """AUROC over fill, a panel a sensor and a line a method."""
    figure: Figure
    figure, axes = pyplot().subplots(1, len(sensors), figsize=(3.1 * len(sensors), 3.3), sharey=True, squeeze=False)
    for axis, sensor in zip(axes[0], sensors, strict=True):
        for method in METHODS:
            seen = records_of(records, sensor.name, method)
            areas = [mean_of((r for r in seen if r.fill == fill), "auroc") for fill in FILLS]
            style = "--" if method == "rx-here" else "-"
            axis.plot(FILLS, areas, style, marker="o", ms=3, color=COLOURS[method], label=TITLES[method])
        axis.set_xscale("log")
        axis.set_xticks(FILLS, [f"{fill:.0%}" for fill in FILLS])
        axis.minorticks_off()
        axis.set_title(sensor.name, fontsize=9)
        axis.set_xlabel("fill")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("AUROC")
    figure.tight_layout()
    # Below all panels: inside one of them it would lie over lines.
    lines, titles = axes[0][0].get_legend_handles_labels()
    figure.legend(
        lines, titles, ncols=len(titles), fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.0)
    )
    return figure
