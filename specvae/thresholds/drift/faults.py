"""Known faults of a scene, each tried by undoing it: does the scene then look like normal ground, and did it not before?

For each fault the log density of the scene's pixels with the fault undone is compared with that of the pixels as they are,
both under shares of the kinds of ground estimated anew. A factor also changes the unit of a density, hence the Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.drift.ground_kinds import GroundKinds
from specvae.thresholds.drift.registration import displacements
from specvae.thresholds.drift.squares import Sampled, Squares

__all__ = [
    "BASELINE_OFFSET",
    "Fault",
    "best_faults",
    "displaced_bands",
    "gain_fault",
    "offset_fault",
]

FACTORS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.6, 2.0, 2.5, 3.0)
"""Factors that all bands may have been multiplied by."""
SPREADS = (-2.0, -1.0, -0.5, -0.2, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Addends that all bands may share, in the median band's spread."""
BASELINE_OFFSET = 1000.0
"""What Sentinel-2's processing baseline 04.00 adds to every band, digital numbers (0.1 in reflectance)."""
SLOPES = (1.5, 3.0)
"""How steeply haze falls from the first band to the last: by the factor of e to minus this, as from dust and from clear air."""
HAZES = tuple(product((0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5), (0.0, 0.15), SLOPES))
"""Haze: what it adds to the first band, in the median band's spread, the share of the ground's light that it takes, its slope."""

SCREENED = 150
"""Pixels on which every fault is tried first; the most promising of each sort then on all, which takes ten times as long."""
PROMISING = 2
"""Faults of a sort that are tried on all pixels."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fault:
    """One fault that was tried."""

    kind: str
    """``gain``, ``offset``, ``haze``, ``swap`` or ``shift``."""
    gain_of_fit: float
    """How much more probable the median pixel is with the fault undone, nats; below 0 where it is less. Of a shift, see there."""
    value: float = 0.0
    """The factor, or the addend in physical units."""
    bands: tuple[int, ...] = ()
    """Indices of the bands that are exchanged, or of the one that is out of place."""
    step: tuple[int, int] = (0, 0)
    """Rows and columns that the band is out of place by."""


@dataclass(frozen=True)
class _Remedy:
    """A fault, and how it is undone."""

    fault: Fault
    undo: Callable[[Floats], Floats]
    """Spectra ``(bands, n)`` as they would be without the fault."""
    unit: float = 0.0
    """Log of the factor by which undoing it stretches the compared bands, which is no gain."""

    def tried(self, kinds: GroundKinds, spectra: Floats, before: Floats) -> Fault:
        """The fault with its gain on these spectra, whose log density is ``before`` ``(n,)``."""
        return replace(self.fault, gain_of_fit=_gained(kinds, self.undo(spectra), before) - self.unit)


def best_faults(kinds: GroundKinds, pixels: Sampled, before: Floats, order: Floats) -> list[Fault]:
    """The best gain, offset, haze and exchange of two bands; ``before``: log density ``(n,)`` of the pixels as they are.

    ``order`` ``(bands,)`` says how far each band lies from the shortest wavelength, 0 to 1: haze adds least at the end.
    """
    spectra = np.asarray(pixels.spectra, np.float64)
    few = slice(None, None, max(1, before.size // SCREENED))
    promising: dict[str, list[tuple[float, int]]] = {}
    remedies = [*_radiometric(kinds, order), *_exchanges(kinds, len(spectra))]
    for number, gain in enumerate(_screened(kinds, remedies, spectra[:, few], before[few])):
        promising.setdefault(remedies[number].fault.kind, []).append((gain, number))
    chosen = [number for ranked in promising.values() for _, number in sorted(ranked)[-PROMISING:]]
    tried = [remedies[number].tried(kinds, spectra, before) for number in chosen]
    return [max((f for f in tried if f.kind == kind), key=lambda f: f.gain_of_fit) for kind in promising]


def _screened(kinds: GroundKinds, remedies: list[_Remedy], spectra: Floats, before: Floats) -> list[float]:
    """How much each remedy gains on a few spectra ``(bands, n)``, whose log density is ``before``; all in one pass."""
    undone = np.concatenate([remedy.undo(spectra) for remedy in remedies], axis=1)
    gains = np.median(kinds.log_density_of_each(undone, len(remedies)) - before, axis=1)
    return [float(gain) - remedy.unit for gain, remedy in zip(gains, remedies, strict=True)]


def _radiometric(kinds: GroundKinds, order: Floats) -> Iterator[_Remedy]:
    """A gain, an offset and haze, of each several sizes."""
    for factor in FACTORS:
        yield _gain(kinds, factor)
    spread = float(np.median(kinds.scale))
    addends = {share * 2.56 * spread for share in SPREADS}
    # The one offset that a name is known for is tried as it is, in either unit of reflectance.
    addends |= {sign * BASELINE_OFFSET * unit for unit in (1, 1e-4) for sign in (-1, 1) if spread > 5 * unit}
    addends = {addend for addend in addends if 0.02 * spread < abs(addend) < 50 * spread}
    for addend in sorted(addends):
        yield _offset(addend)
    for added, taken, slope in HAZES:
        falling = np.exp(-slope * order)[:, None]
        light, through = added * 2.56 * spread * falling, 1 - taken * falling
        unit = float(np.log(through[kinds.bands]).sum())
        yield _Remedy(Fault("haze", 0.0, added * 2.56 * spread), partial(_cleared, light, through), unit)


def _exchanges(kinds: GroundKinds, bands: int) -> Iterator[_Remedy]:
    """Each two bands exchanged."""
    for pair in combinations(kinds.bands.tolist(), 2):
        order = np.arange(bands)
        order[list(pair)] = pair[::-1]
        yield _Remedy(Fault("swap", 0.0, bands=pair), partial(_taken, order))


def _cleared(light: Floats, through: Floats, spectra: Floats) -> Floats:
    return (spectra - light) / through


def _taken(order: NDArray[np.intp], spectra: Floats) -> Floats:
    return np.asarray(spectra[order])


def _gain(kinds: GroundKinds, factor: float) -> _Remedy:
    return _Remedy(
        Fault("gain", 0.0, factor), lambda spectra: spectra / factor, kinds.bands.size * float(np.log(factor))
    )


def _offset(addend: float) -> _Remedy:
    return _Remedy(Fault("offset", 0.0, addend), lambda spectra: spectra - addend)


def gain_fault(kinds: GroundKinds, pixels: Sampled, before: Floats, factor: float) -> Fault:
    """A given factor undone."""
    return _gain(kinds, factor).tried(kinds, np.asarray(pixels.spectra, np.float64), before)


def offset_fault(kinds: GroundKinds, pixels: Sampled, before: Floats, addend: float) -> Fault:
    """A given addend undone."""
    return _offset(addend).tried(kinds, np.asarray(pixels.spectra, np.float64), before)


def displaced_bands(kinds: GroundKinds, squares: Squares, usual: Floats | None = None) -> Iterator[Fault]:
    """Each band at the step at which the gradients of the others explain it best; none where pixels have no neighbours.

    Its gain is in standard errors, and not in nats, beyond what is ``usual`` of each band and step.
    """
    for gain, band, step in displacements(squares, kinds.bands, usual) if squares.in_space else ():
        yield Fault("shift", gain, bands=(band,), step=step)


def _gained(kinds: GroundKinds, spectra: NDArray[np.floating], before: Floats) -> float:
    """How much more probable the median pixel is than it was before, nats."""
    # The median: anomalies, however improbable, are not what decides on a fault of the complete scene.
    return float(np.median(kinds.membership(spectra).log_density - before))
