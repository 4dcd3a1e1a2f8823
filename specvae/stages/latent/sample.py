"""The stage ``sample``: a model in, spectra sampled from its prior out, beside the envelope of its training spectra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import UsageError
from specvae.export.report.latent_figures import draw_envelopes
from specvae.export.table_writing import write_columns
from specvae.files.fingerprint import Fingerprint
from specvae.files.places import local_place
from specvae.model.device import pick_device
from specvae.model_file import load_model
from specvae.scoring.latent import draw_spectra
from specvae.stages.latent.folder import LatentResult, make_folder
from specvae.stages.latent.images import draw_images, kind_of, save_images

__all__ = ["judgement", "sample"]

SIDE = 10
"""Images in a row of the grid."""
QUANTILES = (0.05, 0.5, 0.95)
"""Quantiles of each band's values: the lower edge, the middle and the upper edge of an envelope."""


def sample(
    *,
    model: str = "model.specvae",
    out: str = "reports/sample",
    count: int = 1000,
    seed: int = 0,
    format: str = "csv",
    device: str = "auto",
    overwrite: bool = False,
) -> LatentResult:
    """Draw ``count`` spectra; ``samples.csv`` (or Parquet), ``envelope.csv`` and ``envelope.png`` in ``out``.

    Of a model of images or patches also ``samples.png``, a grid of the first hundred, and ``samples.npy``, all of them as
    ``(count, channels, rows, cols)`` in physical units. A patch's row in the tables is its mean by band.

    Raises ModelError for a plain autoencoder, which has no prior.
    """
    if count < 1:
        raise UsageError(f"--count is {count}; give 1 or more")
    stored = load_model(model, pick_device(device))
    stored.detector.require_one_date("sample")
    fingerprint = Fingerprint((), stored.sha256, {"command": "sample", "count": count, "seed": seed, "format": format})
    return make_folder(
        local_place(out), fingerprint, overwrite, lambda folder: _spectra(stored.detector, folder, count, seed, format)
    )


def _spectra(detector: Detector, folder: Path, count: int, seed: int, format: str) -> dict[str, object]:
    # A sample of the training spectra that the model carries: no training data is needed here.
    reference = detector.background.reference
    spectra = draw_spectra(detector.net, count, seed, reference)
    rows, shown = detector.means(spectra).T, spectra.T[: SIDE**2]
    labels = detector.bands.labels
    write_columns(folder / f"samples.{format}", dict(zip(labels, rows.T, strict=True)))
    normal, sampled = (np.quantile(each, QUANTILES, axis=0) for each in (reference, rows))
    inside = ((rows >= normal[0]) & (rows <= normal[2])).mean(axis=0)
    write_columns(folder / "envelope.csv", _envelope(detector, normal, sampled, inside))
    draw_envelopes(folder / "envelope.png", detector.bands, normal, sampled, rows[:40])
    draw_images(folder / "samples.png", detector, [shown[i : i + SIDE] for i in range(0, len(shown), SIDE)])
    save_images(folder / "samples.npy", detector, spectra.T)
    return {
        "command": "sample",
        "kind": kind_of(detector),
        "count": count,
        "seed": seed,
        "bands": list(labels),
        "prior": _prior(detector),
        "inside_envelope": float(inside.mean()),
        "inside_expected": QUANTILES[2] - QUANTILES[0],
        "envelope": judgement(float(inside.mean()), count, len(reference)),
        "inside_envelope_by_band": [float(v) for v in inside],
    }


def judgement(inside: float, draws: int, reference: int) -> str:
    """Whether so large a share ``inside`` the training spectra's 5 to 95 % is that of right draws, in words.

    Of right draws 90 % lie there, not all of them. What differs by more than three standard errors, those of so many
    ``draws`` and of quantiles of so many ``reference`` spectra, is said.

    Examples
    --------
    >>> judgement(0.91, 1000, 5000), judgement(0.979, 1000, 5000)
    ('as wide as the training spectra', 'narrower than the training spectra: the prior leaves out some of what is normal')
    """
    low, _, high = QUANTILES
    right = high - low
    error = np.sqrt(right * (1 - right) / draws + 2 * low * (1 - low) / reference)
    if abs(inside - right) <= 3 * error:
        return "as wide as the training spectra"
    if inside > right:
        return "narrower than the training spectra: the prior leaves out some of what is normal"
    return "wider than the training spectra: the prior reaches where nothing normal lies"


def _envelope(
    detector: Detector, normal: NDArray[np.floating], sampled: NDArray[np.floating], inside: NDArray[np.float64]
) -> dict[str, Sequence[object] | NDArray[np.floating]]:
    columns: dict[str, Sequence[object] | NDArray[np.floating]] = {"band": list(detector.bands.labels)}
    if detector.bands.wavelengths:
        columns["wavelength_nm"] = list(detector.bands.wavelengths)
    for name, rows in (("normal", normal), ("drawn", sampled)):
        columns |= {f"{name}_{100 * q:.0f}": row for q, row in zip(QUANTILES, rows, strict=True)}
    return columns | {"drawn_inside_normal_5_95": inside}


def _prior(detector: Detector) -> str:
    if detector.has_context:
        return "given the surroundings: wide patches, each alike a training spectrum"
    clusters = detector.net.clusters
    return f"mixture of {clusters} Gaussians" if clusters else "standard normal"
