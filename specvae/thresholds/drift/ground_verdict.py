"""The verdict by comparison with normal ground of the same kinds, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from specvae.thresholds.drift.comparison import Comparison, GroundReference
from specvae.thresholds.drift.faults import BASELINE_OFFSET, Fault
from specvae.thresholds.drift.verdict import EXCESS, GAIN, HIGHER, LOWER, OFFSET, Drift, Sign, worst_of

__all__ = ["judge_by_ground"]

RANGE = (0.10, 0.30)
"""Share of pixels beyond the training range: rare ground of the fit fills a tenth of a small crop."""
SURPRISE = (0.05, 1.5)
"""Nats by which the median pixel is more improbable than that of any normal piece."""
MORE = (0.05, 0.20)
"""By how much a distance or share of the scores exceeds those of all normal pieces."""
HAZE = 2.0
"""Nats that undoing haze gains, beyond what is allowed, from which on the scene is not to be used."""
STRIPES = 0.1
"""Logarithm of how much more columns stand out than rows, up to which a scene has no stripes."""
SURE = 2.2
"""Standard errors by which the striping exceeds that, and that of the normal data, from which on a scene is striped."""
BASELINE_TOLERANCE = 0.1
"""Relative deviation from the offset of Sentinel-2's processing baseline within which it is named."""


def judge_by_ground(drift: Drift, ground: GroundReference, compared: Comparison, notes: tuple[str, ...]) -> Drift:
    """``drift`` with its verdict by comparison with normal ground of the same kinds, whose shares are free.

    The distributions of bands and scores do not count as such: a crop of water has others than the scene it is cut from.
    Each of ``notes`` makes for caution.
    """
    labels = [band.band for band in drift.bands]
    fault = _fault(ground, compared)
    signs = [] if fault is None else [_fault_sign(fault, ground, labels)]
    striped = _stripes(ground, compared, labels)
    widest = max(drift.bands, key=lambda band: band.outside)
    outside = f"{widest.outside:.0%} of the spectra lie outside the training range of {widest.band}"
    signs += [*striped, (widest.outside, RANGE, outside), *_score_signs(ground, compared)]
    signs.append(_surprise(ground, compared, labels))
    return worst_of(
        replace(
            drift,
            score_distance=compared.distance,
            score_shift=compared.median_shift,
            extreme_share=compared.extreme,
            surprise=compared.surprise,
            fault=_name(fault, bool(striped)),
            gain=fault.value if fault and fault.kind == "gain" else None,
            offset=fault.value if fault and fault.kind == "offset" else None,
        ),
        signs,
        notes,
        "the scene looks like normal ground of the kinds that the fit saw",
    )


def _name(fault: Fault | None, striped: bool) -> str | None:
    """What the scene looks to have; stripes where both they and haze are found: bright lines look hazy, haze makes no lines."""
    if striped and (fault is None or fault.kind == "haze"):
        return "stripes"
    return fault.kind if fault else None


def _fault(ground: GroundReference, compared: Comparison) -> Fault | None:
    """The fault that undoing gains most, of those that gain more than is allowed; None where none does."""
    found = [fault for fault in compared.faults if fault.gain_of_fit > ground.allowed(fault.kind)]
    # Nats compare with nats: what is allowed says how sure a fault is, and not which of two explains more.
    best = max((f for f in found if f.kind != "shift"), key=lambda fault: fault.gain_of_fit, default=None)
    sure = [*([best] if best else []), *(fault for fault in found if fault.kind == "shift")]
    best = max(sure, key=lambda fault: fault.gain_of_fit - ground.allowed(fault.kind), default=None)
    # Shade is a gain too: where the normal ground has all degrees of it, pixels alone do not tell a factor. All quantiles
    # of all bands do, and a crop of dark ground, which undoing the factor would make strange, is no fault.
    common = [fault for fault in compared.common if fault.gain_of_fit > 0 and (best is None or best.kind == fault.kind)]
    return max(common, key=lambda fault: fault.gain_of_fit, default=best)


def _fault_sign(fault: Fault, ground: GroundReference, labels: Sequence[str]) -> Sign:
    """The sign that a fault is."""
    names = " and ".join(labels[band] for band in fault.bands)
    if fault.kind == "gain":
        words = f"all bands are {fault.value:.2g} times what normal ground shows, which may be another gain or processing level"
        return abs(float(np.log(fault.value))), (GAIN[0], GAIN[1]), words
    if fault.kind == "offset":
        spread = 2.56 * float(np.median(ground.kinds.scale))
        return abs(fault.value) / spread, (0.0, OFFSET[1]), _offset_words(fault.value)
    if fault.kind == "haze":
        words = f"looks hazy: the first bands are brighter than normal ground of their kind, by up to {fault.value:.3g}"
        return fault.gain_of_fit - ground.allowed("haze"), (0.0, HAZE), words
    if fault.kind == "swap":
        return 2.0, (1.0, 2.0), f"the bands {names} look exchanged: check their order with `specvae inspect`"
    down, right = fault.step
    # Undone by the neighbour further down, the band lies too high up.
    side = {(1, 0): "up", (-1, 0): "down", (0, 1): "to the left", (0, -1): "to the right"}[down, right]
    return 1.0, (1.0, 2.0), f"the band {names} looks out of register with the others: by a pixel {side}"


def _offset_words(offset: float) -> str:
    """An offset in words, by its name where it has one, with the option that takes it away."""
    for added in (BASELINE_OFFSET, BASELINE_OFFSET * 1e-4):
        if abs(abs(offset) - added) <= BASELINE_TOLERANCE * added:
            what = "added to" if offset > 0 else "taken from"
            baseline = "as processing baseline 04.00 does" if offset > 0 else "as the offset of baseline 04.00 does"
            return f"looks as if {added:g} were {what} every band, {baseline}: --offset {-np.sign(offset) * added:g}"
    return f"all bands are moved by {offset:+.4g} alike, which may be another offset or processing level; --offset {-offset:.4g}"


def _stripes(ground: GroundReference, compared: Comparison, labels: Sequence[str]) -> list[Sign]:
    """The sign that stripes are; none where there are no more than in the normal data."""
    found = compared.striping
    beyond = (np.abs(found.excess) - np.maximum(STRIPES, ground.striping)) / found.error
    worst = int(np.argmax(beyond))
    if beyond[worst] <= SURE:
        return []
    # Of all bands together, which come last, the band is named that is striped most.
    band = int(np.argmax(beyond[:-1])) if beyond.size > 1 else 0
    lines, others = ("columns", "rows") if found.excess[worst] > 0 else ("rows", "columns")
    words = f"{lines} are striped, most in {labels[band]}: they stand out from those beside them where {others} do not"
    return [(1.0, (1.0, 2.0), words)]


def _score_signs(ground: GroundReference, compared: Comparison) -> list[Sign]:
    """The bulk of the scores, and how many are extreme, against training pixels of the same kinds."""
    limits, distance = ground.limits, compared.distance
    like = "than on normal ground of the same kinds"
    higher = tuple(max(usual, limits.get("distance", 0.0) + more) for usual, more in zip(HIGHER, MORE, strict=True))
    extreme = tuple(max(usual, limits.get("extreme", 0.0) + more) for usual, more in zip(EXCESS, MORE, strict=True))
    many = f"{compared.extreme:.0%} of the scores are above what 1% of normal ground of their kind exceeds"
    return [
        (distance, (higher[0], higher[1]), f"the bulk of the scores is higher {like} (moved by {distance:.2f})"),
        (
            -distance,
            (max(LOWER[0], limits.get("lower", 0.0) + MORE[0]), LOWER[1]),
            f"the bulk of the scores is lower {like} (moved by {-distance:.2f})",
        ),
        (compared.extreme, (extreme[0], extreme[1]), f"{many}: more than anomalies explain"),
    ]


def _surprise(ground: GroundReference, compared: Comparison, labels: Sequence[str]) -> Sign:
    """How improbable the median pixel is beyond all normal pieces, and the band that is farthest from its kinds."""
    beyond = compared.surprise - max(0.0, ground.limits.get("surprise", 0.0))
    farthest = int(np.argmax(np.abs(compared.residual)))
    band, spreads = labels[int(ground.kinds.bands[farthest])], compared.residual[farthest]
    words = (
        f"half of the spectra are stranger than normal ground most like them, by {beyond:.1f} nats, most in {band} "
        f"({spreads:+.1f} standard deviations of the band on normal ground): perhaps another sensor, season or processing"
    )
    return beyond, SURPRISE, words
