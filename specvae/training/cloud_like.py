"""Whether what scores highest among normal pixels looks like cloud: bright, white, cold where that is seen, in compact areas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.components import label
from specvae.model.patches import band_means
from specvae.thresholds.drift.reference import GRID, DriftReference
from specvae.thresholds.tiles import CalibrationTiles
from specvae.training.highest_squares import held_maps
from specvae.training.sampling import Region

__all__ = ["CloudBands", "cloud_warning"]

VISIBLE = (400.0, 700.0)
"""Nanometres between which a band is visible."""
THERMAL = 8000.0
"""Nanometres from which on a band shows how warm the ground is."""
VISIBLE_NAMES = ("blue", "green", "red")
QUARTER, HALF, THREE_QUARTERS = (int(np.searchsorted(GRID, share - 1e-9)) for share in (0.25, 0.5, 0.75))
"""Indices in the grid of the quartiles of the training pixels, which clouds on a quarter of them do not move."""
BRIGHT = 3.0
"""Interquartile ranges above the median from which on a pixel is bright, in every visible band: four standard deviations."""
WHITENESS = 0.7
"""Sum over the visible bands of the deviation from their mean, over that mean, below which a pixel is white.

The whiteness test of Fmask (Zhu and Woodcock, Remote Sensing of Environment 118, 2012), per three bands.
"""
COMPACT = 9
"""Pixels of an object from which on it is an area and no speck."""
HIGHEST = 0.01
"""Share of the held-out pixels that are looked at, the highest-scoring ones: those above a default cut are too few for areas."""
MUCH = 1 / 3
"""Share of these from which on a warning is given."""


@dataclass(frozen=True)
class CloudBands:
    """The bands that tell a cloud."""

    visible: tuple[int, ...]
    """0-based indices of two visible bands at least, or of none: then nothing is said."""
    thermal: tuple[int, ...]

    @classmethod
    def of(cls, bands: BandSet) -> CloudBands:
        """By wavelength, where every band has one, else by the names of colours.

        Examples
        --------
        >>> from specvae.bands import Band
        >>> CloudBands.of(BandSet((Band("B4_red"), Band("nir"), Band("green"))))
        CloudBands(visible=(0, 2), thermal=())
        """
        if bands.wavelengths:
            at = np.array(bands.wavelengths)
            visible = np.flatnonzero((at >= VISIBLE[0]) & (at <= VISIBLE[1]))
            thermal = np.flatnonzero(at >= THERMAL)
        else:
            words = [re.split(r"[^a-z]+", name.casefold()) for name in bands.names]
            visible = np.flatnonzero([any(colour in of_name for colour in VISIBLE_NAMES) for of_name in words])
            thermal = np.empty(0, np.intp)
        return cls(tuple(visible.tolist()) if visible.size > 1 else (), tuple(thermal.tolist()))

    def like_cloud(self, spectra: NDArray[np.floating], reference: DriftReference) -> NDArray[np.bool_]:
        """``(n,)``: which of ``(bands, n)`` spectra, physical units, are as bright, white and cold as cloud is."""
        visible, thermal = list(self.visible), list(self.thermal)
        quartiles = reference.bands[visible][:, [QUARTER, HALF, THREE_QUARTERS]]
        level = quartiles[:, 1] + BRIGHT * (quartiles[:, 2] - quartiles[:, 0])
        bright = (spectra[visible] > level[:, None]).all(axis=0)
        mean = np.maximum(spectra[visible].mean(axis=0), 1e-12)
        deviation = np.abs(spectra[visible] - mean).sum(axis=0) / mean
        like = bright & (deviation < WHITENESS * len(visible) / 3)
        if thermal:
            like &= (spectra[thermal] < reference.bands[thermal, QUARTER][:, None]).all(axis=0)
        return np.asarray(like, bool)


def cloud_warning(
    regions: Sequence[Region],
    tiles: CalibrationTiles,
    bands: BandSet,
    reference: DriftReference,
    patch: int | None,
) -> str | None:
    """A warning where a third of the hundredth of held-out pixels that score highest look like cloud in areas; else None.

    Snow, ice and white roofs look alike: what they are is for a person to say, by the pictures of
    :class:`~specvae.training.highest_squares.HighestSquares`.
    """
    of_cloud = CloudBands.of(bands)
    if not of_cloud.visible or not tiles.scores.size:
        return None
    level = float(np.quantile(tiles.scores, 1 - HIGHEST))
    total, like, objects = 0, 0, 0
    for region, score in held_maps(regions, tiles):
        above = np.nan_to_num(score, nan=-np.inf) > level
        if not above.any():
            continue
        values = np.asarray(region.cube.crop(region.window).values[:, above], np.float32)
        cloud = np.zeros(above.shape, bool)
        cloud[above] = of_cloud.like_cloud(band_means(values, patch)[: len(bands)], reference)
        sizes = np.bincount(label(cloud)[0].ravel())[1:]
        total += int(above.sum())
        like += int(sizes[sizes >= COMPACT].sum())
        objects += int((sizes >= COMPACT).sum())
    if like < max(COMPACT, MUCH * total):
        return None
    cold = ", white and cold" if of_cloud.thermal else " and white"
    return (
        f"{like / total:.0%} of the {total:,} held-out pixels that score highest are bright{cold} as cloud is, in {objects} "
        "compact area(s), and set the cuts. If they are cloud, leave them out with --mask and fit again; if they are "
        "snow or roofs, fit on more ground that has them. The page of a score shows these places"
    )
