"""Known faults of a scene, each tried by undoing it: does the scene then look like normal ground, and did it not before?

For each fault the log density of the scene's pixels with the fault undone is compared with that of the pixels as they are,
both under shares of the kinds of ground estimated anew. A factor also changes the unit of a density, hence the Jacobian.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.drift.ground_kinds import GroundKinds
from specvae.thresholds.drift.registration import displacements
from specvae.thresholds.drift.squares import Sampled, Squares

__all__ = [
    "BASELINE_OFFSET",
    "Fault",
    "displaced_bands",
    "gain_fault",
    "offset_fault",
    "radiometric_faults",
    "swapped_bands",
]

FACTORS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.6, 2.0, 2.5, 3.0)
"""Factors that all bands may have been multiplied by."""
SPREADS = (-2.0, -1.0, -0.5, -0.2, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Addends that all bands may share, in the median band's spread."""
BASELINE_OFFSET = 1000.0
"""What Sentinel-2's processing baseline 04.00 adds to every band, digital numbers (0.1 in reflectance)."""
HAZES = tuple((added, taken) for added in (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5) for taken in (0.0, 0.15))
"""Haze: what it adds to the first band, in the median band's spread, and the share of the ground's light that it takes."""

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


def radiometric_faults(kinds: GroundKinds, pixels: Sampled, before: Floats, order: Floats) -> Iterator[Fault]:
    """A gain, an offset and haze, each undone; ``before`` is the log density ``(n,)`` of the pixels as they are.

    ``order`` ``(bands,)`` says how far each band lies from the shortest wavelength, 0 to 1: haze adds least at the end.
    """
    spectra = np.asarray(pixels.spectra, np.float64)
    for factor in FACTORS:
        yield gain_fault(kinds, pixels, before, factor)
    spread = float(np.median(kinds.scale))
    addends = {share * 2.56 * spread for share in SPREADS}
    # The one offset that a name is known for is tried as it is, in either unit of reflectance.
    addends |= {sign * BASELINE_OFFSET * unit for unit in (1, 1e-4) for sign in (-1, 1) if spread > 5 * unit}
    addends = {addend for addend in addends if 0.02 * spread < abs(addend) < 50 * spread}
    for addend in sorted(addends):
        yield offset_fault(kinds, pixels, before, addend)
    falling = np.exp(-3.0 * order)[:, None]
    for added, taken in HAZES:
        through = 1 - taken * falling
        undone = (spectra - added * 2.56 * spread * falling) / through
        unit = float(np.log(through[kinds.bands]).sum())
        yield Fault("haze", _gained(kinds, undone, before) - unit, added * 2.56 * spread)


def gain_fault(kinds: GroundKinds, pixels: Sampled, before: Floats, factor: float) -> Fault:
    """A given factor undone."""
    gained = _gained(kinds, np.asarray(pixels.spectra, np.float64) / factor, before)
    return Fault("gain", gained - kinds.bands.size * float(np.log(factor)), factor)


def offset_fault(kinds: GroundKinds, pixels: Sampled, before: Floats, addend: float) -> Fault:
    """A given addend undone."""
    return Fault("offset", _gained(kinds, np.asarray(pixels.spectra, np.float64) - addend, before), addend)


def swapped_bands(kinds: GroundKinds, pixels: Sampled, before: Floats) -> Iterator[Fault]:
    """Each two bands exchanged."""
    for pair in combinations(kinds.bands.tolist(), 2):
        order = np.arange(len(pixels.spectra))
        order[list(pair)] = pair[::-1]
        yield Fault("swap", _gained(kinds, pixels.spectra[order], before), bands=pair)


def displaced_bands(kinds: GroundKinds, squares: Squares) -> Iterator[Fault]:
    """Each band at the step at which the gradients of the others explain it best; none where pixels have no neighbours.

    Its gain is in standard errors, and not in nats.
    """
    for gain, band, step in displacements(squares, kinds.bands) if squares.in_space else ():
        yield Fault("shift", gain, bands=(band,), step=step)


def _gained(kinds: GroundKinds, spectra: NDArray[np.floating], before: Floats) -> float:
    """How much more probable the median pixel is than it was before, nats."""
    # The median: anomalies, however improbable, are not what decides on a fault of the complete scene.
    return float(np.median(kinds.membership(spectra).log_density - before))
