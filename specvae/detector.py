"""A detector: normaliser, context, VAE and thresholds behind fit and score. Arrays in, arrays out.

One score path for every kind of model: it declares ``halo`` and ``stride``, and ``score(cube, window)``
gives the parts on its output grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.errors import InputError, ModelError
from specvae.model.config import ModelConfig
from specvae.model.device import pick_device
from specvae.model.net_state import NetState
from specvae.model.patches import band_means, by_band
from specvae.scoring.baselines import Background
from specvae.scoring.pooling import stored_reach
from specvae.scoring.reasons import explain
from specvae.scoring.scorer import Scorer, scorer_of
from specvae.spectra import Cube, Explanation, Parts, Residuals, Window
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.drift.reference import DriftReference
from specvae.training.cloud_like import cloud_warning
from specvae.training.held_out import tiles_of
from specvae.training.highest_squares import HighestSquares, highest_squares
from specvae.training.mask_buffer import calibrated
from specvae.training.mask_edge import mask_edge_warning
from specvae.training.sampling import LEAST, Region

if TYPE_CHECKING:
    from specvae.model.spectral_net import SpectralNet
    from specvae.training.course import Course

__all__ = ["Detector"]

MOST_BANDS = 12
"""Most bands whose names the text of a model lists."""


@dataclass(repr=False)
class Detector:
    """A fitted model.

    Examples
    --------
    >>> from specvae import SpectralVAE
    >>> detector = SpectralVAE(steps=20).fit(np.random.default_rng(0).normal(size=(200, 4))).detector_
    >>> detector.halo, detector.has_context, detector.score_rows(np.zeros((1, 4)), np.ones(1, bool)).score.shape
    (0, False, (1,))
    """

    bands: BandSet
    config: ModelConfig
    state: NetState
    """Normaliser, context and VAE."""
    calibration: Calibration
    background: Background
    drift_reference: DriftReference
    provenance: dict[str, Any] = field(default_factory=dict)
    """Sources, seed, versions, command, training history, pixel counts: JSON-ready."""
    device: str = "cpu"
    threads: int = 1
    evidence: Calibration | None = None
    """Thresholds of the pooled evidence, from the same held-out pixels; None for tables."""
    before: BandSet | None = None
    """The bands of the earlier date, which stand behind ``bands`` in its cubes; None for a model of one date."""
    highest: HighestSquares | None = None
    """The normal squares that score highest; None of tables, and in models of earlier versions."""

    def __repr__(self) -> str:
        return f"<detector of {len(self.bands)} bands, {self.calibration.size:,} held-out scores>"

    def __post_init__(self) -> None:  # no field: `replace` then makes a scorer anew, for its own device and threads
        self._scorer = scorer_of(self.state, self.device, self.threads)

    @property
    def net(self) -> SpectralNet:
        """The torch module of the same state; torch is loaded when it is first asked for."""
        return self.state.net

    @property
    def interrupted(self) -> bool:
        """Whether its fit was interrupted: its weights are the best up to there, and its thresholds rest on shorter folds."""
        return bool(self.provenance.get("interrupted", False))

    @property
    def halo(self) -> int:
        """Pixels of the scene needed around a window."""
        return self.state.halo

    @property
    def stride(self) -> int:
        """Output pixels are this many source pixels apart: the side of a patch model's patches, else 1."""
        return self.config.patch or 1

    @property
    def has_context(self) -> bool:
        """Whether the model looks at what surrounds a pixel; such a model scores no tables."""
        return self.state.around is not None

    @property
    def scorer(self) -> Scorer:
        """What scores windows and rows, compiled or by torch; its ``score`` gives the contexts for :meth:`explain` too."""
        return self._scorer

    @property
    def reads(self) -> tuple[np.dtype[Any], ...]:
        """The types of a cube's values that its scorer takes as they are."""
        return self._scorer.reads

    @property
    def windows_at_once(self) -> int:
        """Windows that are best scored at the same time: while one is prepared, the threads compute the other's cells.

        Windows of patches, with hundreds of values in each, are scored one at a time: two would take too much memory.
        """
        return 2 if self.device == "cpu" and self.threads > 1 and not self.config.patch else 1

    def facts(self) -> dict[str, str | None]:
        """What the model is, in words: name -> text, None where it has no such thing."""
        pixels, ring = self.provenance.get("pixels", {}), self.state.around
        cut = self.calibration.threshold() if self.calibration.size else None
        labels, warnings = self.bands.labels, self.provenance.get("diagnostics", {}).get("warnings", [])
        shown = ", ".join(labels if len(labels) <= MOST_BANDS else [*labels[:3], "...", labels[-1]])
        return {
            "bands": f"{len(labels)}: {shown}",
            "before": f"{len(self.before)} bands of an earlier date" if self.before else None,
            "looks at": f"patches of {self.stride} x {self.stride} pixels" if self.config.patch else None,
            "surroundings": f"ring of {ring.outer} pixels without the inner {ring.guard}" if ring else None,
            "latent dimensions": str(self.state.latent),
            "trained on": f"{pixels['train']:,} spectra" if "train" in pixels else None,
            "held out": f"{self.calibration.size:,} scores",
            "cut": cut.words if cut else "none: no score was held out",
            "edges of masks": (self.provenance.get("mask_buffer") or {}).get("said"),
            "fit": "interrupted: the same command goes on with it" if self.interrupted else None,
            "warnings": "; ".join(warnings) or None,
        }

    def require_one_date(self, what: str) -> None:
        """Raise ModelError where the model compares two dates, which ``what`` does not."""
        if self.before is not None:
            raise ModelError(f"the model compares two dates, and {what} takes one: fit a model without --before for it")

    def evidence_calibration(self) -> Calibration:
        """Thresholds of the pooled evidence. Raises ModelError for a model that has none."""
        if self.evidence is None or not self.evidence.size:
            raise ModelError(
                "the model holds no evidence of held-out normal pixels, so --pool has no cut: fit it again"
            )
        return self.evidence

    def on(self, device: str, threads: int = 1) -> Detector:
        """The same detector on another device, or with other threads."""
        device = pick_device(device)
        # A scorer moves its net to its device: the detector there has a net of its own, so that this one stays where it is.
        state = self.state if device == self.device else replace(self.state)
        return replace(self, state=state, device=device, threads=threads)

    @classmethod
    def fit(
        cls,
        regions: Sequence[Region],
        bands: BandSet,
        config: ModelConfig,
        sources: tuple[str, ...] = ("",),
        context: bool = True,
        device: str = "cpu",
        threads: int = 1,
        course: Course | None = None,
        least: int = LEAST,
        before: BandSet | None = None,
    ) -> Detector:
        """Learn what is normal from regions of the sources, whose cubes hold ``bands`` and behind them those of ``before``.

        ``course``: who receives the progress, and whether and where an interrupted fit ends and goes on. Raises InputError
        where fewer than ``least`` pixels are there to train on.
        """
        # Here and not above, since it imports torch, which scoring does without.
        from specvae.training.learning import learn

        earlier = len(before) if before else 0
        learned = learn(regions, len(bands), config, sources, context, device, threads, course, least, earlier)
        highest, provenance = _looked_at(
            regions, learned.calibration, bands, learned.drift_reference, learned.config, learned.provenance
        )
        return cls(
            bands,
            learned.config,
            learned.state,
            learned.calibration,
            learned.background,
            learned.drift_reference,
            provenance,
            device,
            threads,
            learned.evidence,
            before,
            highest,
        )

    def calibrate(self, regions: Sequence[Region], sources: tuple[str, ...], trusted: bool = False) -> Detector:
        """The same network with thresholds from other normal data: every usable pixel of ``regions`` calibrates.

        ``trusted``: they are known to be normal, so the highest scores among them are normal too.
        """
        reach, trim = stored_reach(self.provenance), self.config.training.trim
        made = calibrated(regions, *tiles_of(self._scorer, regions, sources, reach), trim, trusted=trusted)
        calibration = made.calibration
        # The reference spectra stay those of training: what is normal has not changed, only where the cuts lie.
        reference = self.drift_reference.with_scores(calibration.tiles.scores)
        provenance = {**self.provenance, **made.summary()}
        highest, provenance = _looked_at(regions, calibration, self.bands, reference, self.config, provenance)
        return replace(
            self,
            calibration=calibration,
            evidence=made.evidence,
            drift_reference=reference,
            provenance=provenance,
            highest=highest,
        )

    def score(self, cube: Cube, window: Window) -> Parts:
        """Parts of ``window``; ``cube`` covers it and, as far as the scene goes, the halo around it."""
        return self._scorer.score(cube, window)[0]

    def context(self, cube: Cube, window: Window) -> NDArray[np.float32] | None:
        """Contexts ``(components, rows, cols)`` of ``window``, or None for a model without."""
        return self._scorer.context(cube, window)

    def score_rows(self, values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Parts:
        """Parts ``(n,)`` of spectra ``(n, bands)``. Raises InputError for a model with context."""
        if self.config.patch:
            raise InputError(
                f"the model takes patches of {self.config.patch} x {self.config.patch} pixels and a table has none: "
                "fit a model for tables without --patch, or score a raster"
            )
        if self.has_context:
            raise InputError(
                "the model looks at what surrounds a pixel (context ring) and a table has no surroundings: "
                "fit a model for tables with --context none, or score a raster"
            )
        return self._scorer.score_rows(values, valid)

    def explain(self, values: NDArray[np.floating], context: NDArray[np.floating] | None = None) -> Explanation:
        """Why valid pixels score as they do: ``(bands, n)`` spectra, and ``(components, n)`` contexts where used.

        The contributions of the bands add up to the score. Of patches they are summed over the pixels, the rest is averaged.
        """
        values = np.asarray(values, np.float32)
        return explain(self.state, self._scorer, values, context, len(self.bands))

    def residuals(self, values: NDArray[np.floating], context: NDArray[np.floating] | None = None) -> Residuals:
        """What each band has in the reconstruction term alone; of patches by band, as :meth:`explain`."""
        found = self._scorer.explain(values, context, False)
        side = self.config.patch
        if side is None:
            return found
        contribution = np.asarray(by_band(found.contribution, side).sum(axis=1), np.float32)
        return Residuals(contribution, band_means(found.deviation, side), found.reconstructed[: len(self.bands), :0])

    def pixel_costs(self, patches: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(bands * side * side, n)`` patches -> ``(side * side, n)`` nats of the reconstruction term, by pixel."""
        # Values run band by band, then pixel by pixel: the sum is over the bands.
        contribution = self._scorer.explain(patches, None).contribution
        return np.asarray(contribution.reshape(len(self.bands), -1, contribution.shape[1]).sum(axis=0), np.float32)

    def seen(self, cube: Cube) -> Cube:
        """What reports show of a cube: of patches the mean of each by band, of two dates the later one, else itself."""
        if self.before is not None:
            return Cube(cube.values[: len(self.bands)], cube.reason, cube.window)
        return Cube(self.means(cube.values), cube.reason, cube.window) if self.config.patch else cube

    def means(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(values, ...)`` patches -> ``(bands, ...)``, their means by band; spectra as they are."""
        return band_means(values, self.config.patch)


def _looked_at(
    regions: Sequence[Region],
    calibration: Calibration,
    bands: BandSet,
    reference: DriftReference,
    config: ModelConfig,
    provenance: dict[str, Any],
) -> tuple[HighestSquares | None, dict[str, Any]]:
    """Pictures of the normal squares that set the default cut, and the provenance with warnings of clouds among them."""
    if not calibration.size:
        return None, provenance
    tiles, cut, of_scene = calibration.tiles, calibration.threshold().value, (bands, reference, config.patch)
    if (diagnostics := provenance.get("diagnostics")) is not None:
        found = [cloud_warning(regions, tiles, *of_scene), mask_edge_warning(regions, tiles, cut)]
        warnings = [*diagnostics["warnings"], *(warning for warning in found if warning)]
        provenance = {**provenance, "diagnostics": {**diagnostics, "warnings": warnings}}
    return highest_squares(regions, tiles, cut, *of_scene), provenance
