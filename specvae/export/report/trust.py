"""One answer to whether a map is to be trusted: drift, rate, contamination and extent joined, with the reasons in words."""

from __future__ import annotations

from typing import Protocol, TypedDict

from specvae.export.report.extent import extent_of
from specvae.scoring.gathered.pixels import PixelSection
from specvae.thresholds.calibration import CalibrationSummary
from specvae.thresholds.check import CheckSummary
from specvae.thresholds.drift.verdict import Drift
from specvae.thresholds.threshold import ThresholdSummary

__all__ = ["INTERRUPTED", "TrustSection", "expected_words", "rate_reasons", "trust_of"]

VERDICTS = ("ok", "caution", "do-not-use")
WIDEST = 10.0
"""Ratio of the ends of a rate's 90 % interval beyond which the rate is hardly known."""
LEAST_SAID = 0.05
"""An expected number below this is said to be 0."""
INTERRUPTED = "the model's fit was interrupted: run the same fit again, and it goes on to its end"
NEAR = 1.5
"""A checked rate stands for one up to so many times as small."""


class SceneFigures(Protocol):
    """What the verdict needs of a scene's figures."""

    @property
    def pixels(self) -> PixelSection:
        """Counts of the pixels."""
        ...

    @property
    def drift(self) -> Drift:
        """The verdict on drift."""
        ...


class TrustSection(TypedDict):
    """The ``trust`` section of report.json: the verdict that a reader sees first."""

    verdict: str
    """``ok``, ``caution`` or ``do-not-use``: the worst of drift, rate, contamination and extent."""
    reasons: list[str]
    """What speaks against ok, each in a sentence; where nothing does, what was looked at."""
    rate_tested: bool
    """Whether a rate as small as the one in use was tried on held-out data and held."""
    expected: list[float] | None
    """How many would be flagged if all were normal: the expected number and the ends of its 90 % interval; None: unknown."""
    false_share_bound: float | None
    """With 95 %, no larger share of what is flagged is false; None where nothing is flagged."""


def trust_of(
    scene: SceneFigures,
    cut: ThresholdSummary,
    calibration: CalibrationSummary,
    noun: str,
    false_share: float | None = None,
    interrupted: bool = False,
) -> TrustSection:
    """The joined verdict on a scene; ``noun``: what it counts; ``false_share``: the bound on the share of false flags.

    ``interrupted``: whether the model's fit was.
    """
    tested, doubts = rate_reasons(cut, calibration, noun)
    drift, reasons = scene.drift, list[str]()
    worst = VERDICTS.index(drift.verdict)
    if worst:
        reasons += drift.reasons
    extent = extent_of(scene.pixels)
    if extent is not None:
        worst = max(worst, 2 if extent == "most" else 1)
        reasons.append(f"{extent} of it is anomalous: as a whole it is not what the model was fitted on")
    if interrupted:
        doubts.insert(0, INTERRUPTED)
    if doubts:
        worst = max(worst, 1)
        reasons += doubts
    return {
        "verdict": VERDICTS[worst],
        "reasons": reasons
        or ["the scene looks like the fit, and the false-alarm rate held on data that were held out"],
        "rate_tested": tested,
        "expected": _expected(cut, scene.pixels["valid"]),
        "false_share_bound": false_share,
    }


def rate_reasons(cut: ThresholdSummary, calibration: CalibrationSummary, noun: str) -> tuple[bool, list[str]]:
    """Whether the rate in use was tested and held, and what speaks against it."""
    rate = cut["false_alarm_rate"]
    if rate is None:
        return False, ["the model holds no held-out scores, so that no false-alarm rate stands behind the cut"]
    passed = _passed(calibration["check"], rate)
    model_based = cut["method"] == "model-based"
    reasons = []
    if calibration["contaminated"]:
        reasons.append(
            "the normal data hold anomalies themselves: fit or calibrate on cleaner data, or leave them out by --mask"
        )
    elif model_based:
        reasons.append(f"the rate {rate:.2g} rests on a law fitted to the bulk of the scores and was not measured")
    elif passed is None:
        reasons.append(
            f"the rate {rate:.2g} was never tried: too few held-out {noun}; `specvae calibrate` on more normal data"
        )
    elif not passed:
        reasons.append(f"the rate {rate:.2g} did not hold on held-out {noun}: see the check of the rates")
    if not cut["supported"]:
        asked = cut["asked_rate"]
        used = "" if asked is None or asked == rate else f": {rate:.2g} is used instead"
        reasons.append(f"the rate {asked:g} that was asked for is not supported by the held-out {noun}{used}")
    if cut["interval"] is not None and not reasons:
        low, high = cut["interval"]
        if high > WIDEST * max(low, 1e-300):
            reasons.append(f"the rate is hardly known: with 90 % it lies between {low:.2g} and {high:.2g}")
    return bool(passed) and not calibration["contaminated"] and not model_based, reasons


def _passed(check: CheckSummary, rate: float) -> bool | None:
    """Whether the check passed at a rate as small as this one; None where none was judged."""
    judged = [row for row in check["rates"] if row["judged"] and row["rate"] <= NEAR * rate]
    if not judged:
        return None
    # Of several, the one nearest to the rate in use.
    return bool(max(judged, key=lambda row: row["rate"])["passed"])


def _expected(cut: ThresholdSummary, valid: int) -> list[float] | None:
    """Expected false alarms among the ``valid`` pixels, with their 90 % interval where there is one."""
    rate = cut["false_alarm_rate"]
    if rate is None:
        return None
    return [end * valid for end in (rate, *(cut["interval"] or ()))]


def expected_words(expected: list[float] | None) -> str:
    """The expected number with its interval, in words; empty where it is unknown.

    Examples
    --------
    >>> expected_words([43.9, 0.2, 726.4]), expected_words([8.0])
    ('about 44 (0.2 to 726)', 'about 8')
    """
    if expected is None:
        return ""
    middle, *ends = (_count(value) for value in expected)
    return f"about {middle} ({ends[0]} to {ends[1]})" if ends else f"about {middle}"


def _count(value: float) -> str:
    """A count, with a digit after the point where it is small."""
    if value < LEAST_SAID:
        return "0"
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"
