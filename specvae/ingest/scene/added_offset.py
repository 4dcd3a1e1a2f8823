"""An offset that every band carries: given by --offset, or with ``auto`` the 1000 of Sentinel-2 where the pixels show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from specvae.ingest.band_reader import BandReader
from specvae.ingest.decision import Decision, undecided
from specvae.ingest.scene.plan import Plan
from specvae.ingest.validity import equals
from specvae.spectra import Window

__all__ = ["with_offset"]

ADDED = 1000.0
"""What processing baseline 04.00 of Sentinel-2 adds to every band, digital numbers."""
DARKEST = 1e-3
"""Share of the pixels that are darker than what is taken for a band's darkest."""
CARRIED, FREE = 0.95 * ADDED, 0.6 * ADDED
"""No band is darker than the first where the offset is there; the darkest is darker than the second where it is not."""
SIDE, ALONG = 64, 6
"""Windows that are looked at: their side in pixels, and how many along rows and columns."""


def with_offset(plan: Plan, readers: Sequence[BandReader], _: Sequence[tuple[int, ...]] = ()) -> Plan:
    """The plan with the offset of its options. Raises InputError where ``auto`` finds the evidence even."""
    asked = plan.options.offset
    if asked is None:
        return plan
    if isinstance(asked, float):
        return _added(plan, asked, Decision("scale", f"{asked:+g} is added to every band", "the option --offset"))
    lowest = _lowest(plan, readers)
    evidence = f"the darkest pixels of its darkest band, {lowest:.4g}"
    if lowest >= CARRIED:
        chosen = f"{-ADDED:+g} is added to every band, as processing baseline 04.00 asks"
        return _added(plan, -ADDED, Decision("scale", chosen, evidence, ("no offset",), "--offset 0", True))
    if lowest > FREE:
        readings = (f"{ADDED:g} is in them", "it is not")
        question = f"whether baseline 04.00's offset is in values whose darkest are {lowest:.4g}"
        raise undecided(plan.key, question, readings, "--offset 0 or --offset -1000")
    decision = Decision("scale", "no offset", evidence, (f"{-ADDED:+g}",), "--offset -1000", True)
    return replace(plan, decisions=(*plan.decisions, decision))


def _added(plan: Plan, offset: float, decision: Decision) -> Plan:
    """The plan with this much added to what every band says of its own offset, in physical units."""
    layers = tuple(replace(layer, offset=layer.offset + offset) for layer in plan.layers)
    return replace(plan, layers=layers, decisions=(*plan.decisions, decision))


def _lowest(plan: Plan, readers: Sequence[BandReader]) -> float:
    """The darkest pixels of the darkest band in physical units; 0 where no pixel is valid."""
    rows, cols = plan.grid.shape
    tops, starts = (np.unique(np.linspace(0, max(0, size - SIDE), ALONG).astype(int)) for size in (rows, cols))
    windows = [Window(int(top), int(start), min(SIDE, rows), min(SIDE, cols)) for top in tops for start in starts]
    darkest = []
    for reader in readers:
        read = np.concatenate([reader.read(window).reshape(len(reader.layers), -1) for window in windows], axis=1)
        for layer, stored in zip(reader.layers, read, strict=True):
            good = np.isfinite(stored)
            missing = None if layer.nodata is None else equals(stored, layer.nodata)
            # A fill of 0 that nothing declares would pass for the darkest ground.
            good &= (stored != 0) if missing is None else ~missing & (stored != 0)
            if good.any():
                darkest.append(float(np.quantile(stored[good], DARKEST)) * layer.scale + layer.offset)
    return min(darkest, default=0.0)
