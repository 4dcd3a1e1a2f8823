"""Anomaly detection in spectral and remote-sensing data with a variational autoencoder.

The public face, imported when it is asked for:

>>> from specvae import SpectralVAE, load_model, score_array
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specvae.arrays.scoring import score_array
    from specvae.estimator.spectral_vae import SpectralVAE
    from specvae.model_file import load_model

__version__ = "0.1.0"

__all__ = ["SpectralVAE", "__version__", "load_model", "score_array"]

_HOMES = {
    "SpectralVAE": "specvae.estimator.spectral_vae",
    "load_model": "specvae.model_file",
    "score_array": "specvae.arrays.scoring",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'specvae' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
