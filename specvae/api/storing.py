"""Saving an estimator: as a model file, or as a pickle that holds the bytes of one instead of a network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TypedDict

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from specvae.detector import Detector
from specvae.errors import ModelError
from specvae.model.config import ModelConfig
from specvae.model_file import load_model, pack_model, save_model, unpack_model
from specvae.thresholds.threshold import Threshold, ThresholdSummary
from specvae.version import __version__

__all__ = ["StoredEstimator"]

PARAMETERS = (
    "contamination",
    "latent",
    "hidden",
    "steps",
    "trim",
    "folds",
    "held_out",
    "settings",
    "device",
    "random_state",
)


class _SavedEstimator(TypedDict):
    """What a model file holds of the estimator that it was saved from."""

    parameters: dict[str, Any]
    """The constructor's arguments, as JSON has them."""
    offset: float
    threshold: ThresholdSummary | None


class StoredEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator with a detector that can be saved, loaded and pickled."""

    detector_: Detector
    offset_: float
    threshold_: Threshold | None
    n_features_in_: int
    hidden: tuple[int, ...] | None
    settings: Mapping[str, object] | None
    random_state: int | np.random.RandomState | None

    def save(self, path: str | Path) -> None:
        """Write a model file that the command line and :meth:`load` read; nothing in it is pickled.

        Raises OutputError where it cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from specvae import SpectralVAE
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> path = os.path.join(tempfile.mkdtemp(), "lab.specvae")
        >>> model = SpectralVAE(steps=50).fit(X)
        >>> model.save(path)
        >>> bool((SpectralVAE.load(path).predict(X) == model.predict(X)).all())
        True
        """
        check_is_fitted(self)
        save_model(self.detector_, Path(path), self._provenance())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the estimator of a model file, which may be one that the command line wrote.

        Its cut is that of :meth:`save`, or for a file of the command line its default false-alarm rate's. Raises
        ModelError for what is no model, and for one that looks at what surrounds a pixel or at patches: rows have no
        surroundings.

        Examples
        --------
        >>> from specvae import SpectralVAE
        >>> SpectralVAE.load("nowhere.specvae")
        Traceback (most recent call last):
        specvae.errors.ModelError: the model nowhere.specvae cannot be read: No such file or directory; fit one with `specvae fit`
        """
        stored = load_model(path)
        if stored.detector.config.patch:
            raise ModelError(f"the model {path} takes patches of pixels and a row is none; fit without --patch")
        if stored.detector.has_context or stored.detector.stride > 1:
            raise ModelError(
                f"the model {path} looks at what surrounds a pixel and rows have no surroundings; "
                "score scenes with it, or fit one with --context none and without --patch"
            )
        # A model of the command line has no parameters of an estimator: they follow from its configuration.
        saved: _SavedEstimator | None = stored.metadata["provenance"].get("estimator")
        estimator = cls(**_parameters(saved, stored.detector.config))
        estimator._take(stored.detector)
        if saved is None:
            # The default rate, where the rows support none, is nothing that this caller asked for.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return estimator.calibrate() if estimator.detector_.calibration.size else estimator
        estimator.offset_ = float(saved["offset"])
        estimator.threshold_ = None if saved["threshold"] is None else Threshold.from_summary(saved["threshold"])
        return estimator

    def __getstate__(self) -> dict[str, Any]:
        """The parameters, and the model as the bytes of its file: no network is pickled."""
        state = dict(super().__getstate__())
        # An estimator that is not fitted pickles too: clone() and grid searches do that.
        if "detector_" in state:
            state["detector_"] = pack_model(self.detector_, {})
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)  # the pickle's own mapping may be used again, by copy.copy for one
        if "detector_" in state:
            state["detector_"] = unpack_model(state["detector_"], "in the pickle").detector
        super().__setstate__(state)

    def _take(self, detector: Detector) -> None:
        """Become fitted, with a detector that was fitted elsewhere."""
        self.detector_, self.threshold_, self.offset_ = detector, None, 0.0
        self.n_features_in_ = len(detector.bands)
        self._n_features_out = detector.state.latent
        # scikit-learn has either all names or none, and then the attribute must be missing, not None.
        if all(detector.bands.names):
            self.feature_names_in_ = np.array(detector.bands.names, dtype=object)

    def _provenance(self) -> dict[str, Any]:
        seed = self.random_state
        parameters = {
            **{name: getattr(self, name) for name in PARAMETERS},
            "hidden": None if self.hidden is None else list(self.hidden),
            "settings": None if self.settings is None else dict(self.settings),
            # A generator's state is not stored: it has moved on since the fit.
            "random_state": int(seed) if isinstance(seed, (int, np.integer)) else None,
        }
        saved: _SavedEstimator = {
            "parameters": parameters,
            "offset": self.offset_,
            "threshold": None if self.threshold_ is None else self.threshold_.summary(),
        }
        return {
            "estimator": saved,
            "versions": {"specvae": __version__} | {name: version(name) for name in ("torch", "numpy", "scikit-learn")},
            "notes": [],
            "pixel_size": None,
        }


def _parameters(saved: _SavedEstimator | None, config: ModelConfig) -> dict[str, Any]:
    """The constructor's arguments: as saved, else as the configuration of a model of the command line implies them."""
    if saved is not None:
        parameters = {name: saved["parameters"][name] for name in PARAMETERS if name in saved["parameters"]}
        hidden = parameters.get("hidden")
        # JSON has lists alone, and get_params() is to give what was given.
        return {**parameters, "hidden": None if hidden is None else tuple(hidden)}
    return {
        "latent": config.network.latent,
        "hidden": config.network.hidden,
        "steps": config.training.steps,
        "trim": config.training.trim,
        "random_state": config.seed,
    }
