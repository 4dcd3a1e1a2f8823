"""``score_array``: nats of every pixel of an array, whatever kind of array it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from specvae.api.block import ArrayScorer
from specvae.api.stored import StoredValues, band_set, stored_as
from specvae.detector import Detector
from specvae.errors import InputError, ModelError, UsageError
from specvae.model_file import StoredModel, load_model
from specvae.spectra import Window

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

    from specvae.api.spectral_vae import SpectralVAE
    from specvae.api.xarrays import Valid

    Model: TypeAlias = str | Path | StoredModel | Detector | SpectralVAE

__all__ = ["score_array"]

ArrayT = TypeVar("ArrayT")


def score_array(
    cube: ArrayT,
    model: Model,
    *,
    bands: Sequence[str] | None = None,
    valid: object = None,
    nodata: float | None = None,
    parts: bool = False,
    band_dim: str | None = None,
) -> ArrayT:
    """Return the nats that it costs to explain each pixel: reconstruction + KL, the higher, the more anomalous.

    The same pixels get the same scores as on the command line, bit for bit. Nothing is learned from the array.

    Parameters
    ----------
    cube : numpy array, torch tensor, xarray DataArray or Dataset
        ``(bands, rows, cols)`` in the units that the model was fitted on; or rows ``(n, bands)``, for a model without
        context. DataArrays say by their dimensions which is which, may have more of them (time), and keep coordinates
        and CRS; a Dataset has a band a variable. On dask-backed ones the result is lazy, and blocks are read with
        as much of their neighbours as the model needs.
    model : path, or what ``load_model`` gives, or a fitted SpectralVAE, or its ``detector_``
    bands : names, optional
        Of the array's bands, so that they are matched by name and not by order. A DataArray's are its band coordinate's
        or in its ``long_name``, and its wavelengths a coordinate ``wavelength`` along the bands.
    valid : array of bool ``(rows, cols)`` or ``(n,)``, optional
        True = usable. NaN, infinities, nodata and what a numpy masked array masks are never usable; they score NaN.
    nodata : float, optional
        Value that means no data; of DataArrays by default what they declare.
    parts : bool
        Return ``(3, rows, cols)``: score, reconstruction and KL. The first is the sum of the others.
    band_dim : str, optional
        Name of a DataArray's dimension of bands, where it is none of the usual ones.

    Returns
    -------
    Array of the same kind, float32 ``(rows, cols)`` or ``(n,)``, NaN where not valid.

    Raises
    ------
    InputError : rows for a model that looks at what surrounds a pixel; an array of another shape.
    ModelError : bands that are not the model's, and what is no model.

    Examples
    --------
    >>> import numpy as np
    >>> from specvae import SpectralVAE, score_array
    >>> rng = np.random.default_rng(0)
    >>> cube = rng.normal(size=(3, 20, 30)).astype("float32")
    >>> model = SpectralVAE().fit(cube.reshape(3, -1).T)
    >>> cube[:, 4, 7] = [9, -9, 9]
    >>> score = score_array(cube, model, bands=["red", "green", "nir"])
    >>> score.shape, [int(i) for i in np.unravel_index(score.argmax(), score.shape)]
    ((20, 30), [4, 7])
    """
    detector = detector_of(model)
    # By its attributes and not its class: xarray is optional, and importing it only to ask would be slow.
    if hasattr(cube, "dims") and hasattr(cube, "coords"):
        from specvae.api.xarrays import score_labelled

        labelled, mask = cast("DataArray | Dataset", cube), cast("Valid", valid)
        return cast("ArrayT", score_labelled(labelled, detector, bands, mask, nodata, parts, band_dim))
    if band_dim is not None:
        raise UsageError(f"band_dim={band_dim!r} names a dimension of a DataArray; this is a {type(cube).__name__}")
    stored = _to_numpy(cube)
    scores = score_plain(stored, detector, bands, _usable(cube, valid), nodata)
    result = scores if parts else scores[0]
    # A tensor comes back as a tensor, on the device that it came from.
    return _like(cube, result) if hasattr(cube, "new_tensor") else result  # type: ignore[return-value]


def _usable(cube: object, valid: object) -> StoredValues | None:
    """Where pixels are usable: as ``valid`` says, and where no band of a masked array is masked; None = everywhere."""
    usable = None if valid is None else _to_numpy(valid)
    if not isinstance(cube, np.ma.MaskedArray):
        return usable
    # Bands are the first axis of a cube, and the second one of rows.
    whole = np.asarray(~np.ma.getmaskarray(cube).any(axis=1 if cube.ndim == 2 else 0))
    return whole if usable is None or usable.shape != whole.shape else np.asarray(usable, bool) & whole


def score_plain(
    stored: StoredValues,
    detector: Detector,
    bands: Sequence[str] | None,
    valid: StoredValues | None,
    nodata: float | None,
) -> NDArray[np.float32]:
    """``(3, rows, cols)`` of a cube ``(bands, rows, cols)``, or ``(3, n)`` of rows ``(n, bands)``."""
    if stored.ndim not in (2, 3) or stored.dtype.kind not in "biuf":
        raise InputError(
            f"an array of shape {stored.shape} and type {stored.dtype} came; expected real numbers, "
            "(bands, rows, cols) or (n, bands)"
        )
    stored = stored.T if stored.ndim == 2 else stored
    if valid is not None and valid.shape != stored.shape[1:]:
        raise InputError(f"valid has shape {valid.shape}; expected {stored.shape[1:]}, that of the pixels")
    usable = None if valid is None else np.asarray(valid, bool)
    how = stored_as(detector, band_set(len(stored), bands), stored.dtype, nodata)
    scorer = ArrayScorer(detector)
    if stored.ndim == 2:
        return scorer.rows(stored, how, usable)
    everything = Window(0, 0, *stored.shape[1:])
    return scorer.block(stored, how, usable, around=everything, inner=everything)


def detector_of(model: Model) -> Detector:
    """The detector of a model, which may be given as a path, a loaded model, a fitted estimator or a detector."""
    detector: object = load_model(model) if isinstance(model, (str, Path)) else model
    # By attribute, so that scikit-learn is imported only by those who use the estimator.
    for name in ("detector", "detector_"):
        detector = getattr(detector, name, detector)
    if not isinstance(detector, Detector):
        raise UsageError(
            f"a {type(model).__name__} came as the model; expected a path, load_model(path), or a fitted SpectralVAE"
        )
    detector.require_one_date("an array in Python")
    if detector.config.patch:
        raise ModelError(
            f"the model takes patches of {detector.config.patch} x {detector.config.patch} pixels anchored in a CRS; "
            "score rasters with `specvae score`, or fit without --patch"
        )
    return detector


def _like(tensor: Any, scores: NDArray[np.float32]) -> Any:
    """``scores`` as a float32 tensor on the device of ``tensor``; made by its own methods, so that torch is not imported."""
    floating = tensor.new_empty(0).float()
    return floating.new_tensor(scores)


def _to_numpy(array: object) -> StoredValues:
    """A torch tensor's values without its gradient, wherever it lies; anything else as numpy takes it."""
    return np.asarray(array.detach().cpu().numpy() if hasattr(array, "detach") else array)
