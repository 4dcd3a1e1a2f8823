"""Units of settings: what a number counts or measures, beside its type, so that its documentation follows from the field."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PIXELS", "SHARE", "SPECTRA", "STANDARD", "STEPS", "Unit"]


@dataclass(frozen=True)
class Unit:
    """The unit of an annotated setting, in the words of the documentation."""

    name: str


PIXELS, SPECTRA, STEPS = Unit("pixels"), Unit("spectra"), Unit("steps")
SHARE = Unit("share, 0 to 1")
STANDARD = Unit("standard deviations")
