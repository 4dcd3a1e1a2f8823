"""The rows and the page of the watch benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from specvae.alerts.night_effect import LEVELS
from specvae.benchmarks.report import Environment, Report, Row, table, tried
from specvae.benchmarks.watch.large_place import LargePlace
from specvae.benchmarks.watch.normal_ground import PLACE, RATES, NormalGround
from specvae.benchmarks.watch.real_page import add_real_place
from specvae.benchmarks.watch.real_place import RealPlace
from specvae.benchmarks.watch.trial import RATE, Trial

__all__ = ["Measured", "rows_of", "write_page"]

METHODS = {
    "specvae": "`specvae watch`",
    "each-night": "each night alone, above the cut of 1e-3",
    "dist-alert": "DIST-ALERT's rule on our score",
    "mahalanobis": "DIST-ALERT's rule on a seasonal Mahalanobis distance",
}
FIGURES = {
    "users": "users' accuracy",
    "producers": "producers' accuracy",
    "f1": "F1 of area",
    "producers_fire": "fire",
    "producers_felled": "felled stand",
    "producers_dieback": "die-back",
    "producers_spill": "spill of two nights",
    "producers_ship": "ship of one night",
    "delay_fire": "delay, fire",
    "delay_felled": "delay, felled",
    "delay_dieback": "delay, die-back",
}


@dataclass(frozen=True)
class Measured:
    """What the parts of the benchmark measured; a part that was never run is empty."""

    trials: tuple[Trial, ...] = ()
    normal: tuple[NormalGround, ...] = ()
    large: tuple[LargePlace, ...] = ()
    real: tuple[RealPlace, ...] = ()
    """One at most."""

    def over(self, earlier: Measured) -> Measured:
        """These, and what was measured earlier of what is not among them."""
        sizes = {(place.side, place.dates) for place in self.large}
        others = [place for place in earlier.large if (place.side, place.dates) not in sizes]
        large = sorted((*others, *self.large), key=lambda place: (place.side, place.dates))
        return Measured(
            self.trials or earlier.trials, self.normal or earlier.normal, tuple(large), self.real or earlier.real
        )


def rows_of(measured: Measured) -> list[Row]:
    """The rows of ``metrics.json``."""
    rows, trials, normal = [], measured.trials, measured.normal
    for method in METHODS if trials else ():
        for name in FIGURES:
            value = _mean(trials, method, name)
            if value is not None:
                seconds = fmean(trial.seconds for trial in trials)
                rows.append(Row("synthetic-series", method, name, value, len(trials), seconds))
    for at, rate in enumerate(RATES if normal else ()):
        seconds = fmean(ground.seconds for ground in normal)
        rows.append(
            Row("normal-ground", "specvae", f"false_alerts_at_{rate:g}", _rate(normal, at), len(normal), seconds)
        )
    for place in measured.large:
        night = median(place.night_seconds)
        share = night / place.score_seconds
        kind = "place" if not place.open_alerts else "burning-place"
        rows.append(Row(f"{kind}-{place.side}", "specvae", "share_of_scoring", share, len(place.night_seconds), night))
    for real in measured.real:
        sure = sum(alert["confirmed_on"] is not None for alert in real.alerts)
        rows.append(Row("rufiji", "specvae", "confirmed_alerts", sure, 1, real.seconds))
        if real.confirmed_pixels:
            share = real.confirmed_on_loss / real.confirmed_pixels
            rows.append(Row("rufiji", "specvae", "confirmed_on_vegetation_loss", share, 1, real.seconds))
    return rows


def _mean(trials: Sequence[Trial], method: str, name: str) -> float | None:
    values = [trial.figures[method][name] for trial in trials if name in trial.figures[method]]
    return fmean(values) if values else None


def _rate(normal: Sequence[NormalGround], at: int) -> float:
    """Alerts confirmed at normal ground in a place-year."""
    return sum(ground.confirmed[at] for ground in normal) / sum(ground.place_years for ground in normal)


def write_page(out: Path, measured: Measured, made_with: Environment) -> None:
    """Write ``report.md`` into ``out``; a part that was not run is not on it."""
    report = Report("Watch")
    if measured.trials:
        _add_events(report, measured.trials)
    if measured.normal:
        _add_normal(report, measured.normal)
    for real in measured.real:
        add_real_place(report, out, real)
    if measured.large:
        _add_large(report, measured.large)
    report.section("What was tried").text(
        "Rules were chosen on seeds 100 to 104 alone, which are not among those above; *false* counts confirmed alerts of places "
        "without events at the two asked rates."
    )
    report.text(tried("specvae.benchmarks.watch"))
    report.made_with(made_with).write(out)


def _add_events(report: Report, trials: Sequence[Trial]) -> None:
    report.text(
        f"Synthetic places over two and a half years, a look every six days: seasons, light, clouds of which some edges and "
        f"whole small ones stay unmasked, jitter of .3 pixels, roofs that are always odd. Planted in the second half: a fire that "
        f"recovers, a felled stand, a die-back over eight months, a spill of two nights, a ship of one. Mean of {len(trials)} "
        f"seeds, each with a model of its own, at an asked rate of {RATE:g} false alerts a place-year. Area is what was ever "
        "confirmed; delays count clear looks from the onset up to the one that confirms, both included."
    )
    body = []
    for method, words in METHODS.items():
        means = [_mean(trials, method, name) for name in FIGURES]
        body.append([words, *(None if value is None else f"{value:.3g}" for value in means)])
    report.text(table(["", *FIGURES.values()], body))
    roofs = sum(trial.roofs_after_first_year for trial in trials)
    report.text(f"Pixels of roofs confirmed after the first year: {roofs}.")
    each = [[t.seed, *(f"{t.figures['specvae'].get(name, float('nan')):.3g}" for name in FIGURES)] for t in trials]
    report.section("Each seed of `specvae watch`").text(table(["seed", *FIGURES.values()], each))


def _add_normal(report: Report, normal: Sequence[NormalGround]) -> None:
    years = sum(ground.place_years for ground in normal)
    mpx = years * PLACE * PLACE / 1e6
    body = []
    for at, rate in enumerate(RATES):
        count, pixels = (sum(getattr(g, name)[at] for g in normal) for name in ("confirmed", "pixels"))
        body.append([f"{rate:g}", count, f"{count / years:.3g}", f"{count / mpx:.3g}", f"{pixels / mpx:.3g}"])
    report.section("Normal ground").text(
        f"{len(normal)} scenes without events, {years:,.0f} years of places of {PLACE} x {PLACE} pixels. Each confirmed alert is "
        "false."
    )
    names = [
        "asked, a place-year",
        "confirmed",
        "realised, a place-year",
        "alerts a Mpx and year",
        "pixels a Mpx and year",
    ]
    report.text(table(names, body))
    shares = [fmean(ground.realised[at] for ground in normal) for at in range(len(LEVELS))]
    levels = [[f"{level:g}", f"{share:.2g}"] for level, share in zip(LEVELS, shares, strict=True)]
    report.text(
        "The assumption left is that the looks of one pixel are exchangeable, once a night's own effect is taken out. Measured: "
        "how often a look's p-value by the pixel's own past was at most a level."
    )
    report.text(table(["level", "realised"], levels))
    each = [[g.seed, f"{g.place_years:g}", *(str(count) for count in g.confirmed)] for g in normal]
    report.text("Each scene: how many alerts were confirmed.")
    report.text(table(["seed", "place-years", *(f"at {rate:g}" for rate in RATES)], each))


def _add_large(report: Report, large: Sequence[LargePlace]) -> None:
    report.section("What a night costs").text(
        "Processes from start to end: `specvae watch` after one more date, and after each such night `specvae score` of a scene of "
        "the same pixels and 12 bands with models without context and with it, the median of runs in turn. Seconds of the clock "
        "are those of a machine with other work on it where they exceed what the processor seconds say of its cores. On the last "
        "nights of a row with alerts a fire burns in each 180 x 180 pixels, on two per cent of the place: more than any night "
        "should have. What they cost more is the page's history of 60 alerts, a block of each date's scores for each alert, and "
        "what each pixel of an alert goes through."
    )
    body = []
    for place in large:
        night, cpu = median(place.night_seconds), median(place.night_cpu)
        seconds, processor = (place.score_seconds, place.context_seconds), (place.score_cpu, place.context_cpu)
        shares = (night / seconds[0], night / seconds[1], cpu / processor[0], cpu / processor[1])
        figures = (night, *seconds, cpu, *processor)
        body.append(
            [
                f"{place.side:,} x {place.side:,}",
                place.dates,
                *(f"{value:.1f}" for value in figures),
                *(f"{share:.2f}" for share in shares),
                f"{place.peak_mib:,.0f}",
                f"{place.open_alerts:,}",
                f"{place.alert_pixels:,}",
                f"{place.page_mb:.1f}",
            ]
        )
    titles = ["pixels", "dates", "night, s", "score, s", "with context, s", "night, CPU s", "score, CPU s"]
    titles += ["with context, CPU s", "night / score", "/ with context", "CPU / score", "CPU / with context"]
    report.text(table([*titles, "peak, MiB", "open alerts", "their pixels", "page, MB"], body))
