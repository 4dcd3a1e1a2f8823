"""Anomaly detection in spectral and remote-sensing data with a variational autoencoder.

The public face, imported when it is asked for:

>>> from specvae import SpectralVAE, load_model, score_array
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specvae.api.plots import plot_scores
    from specvae.api.reports import load_report
    from specvae.api.score_array import score_array
    from specvae.api.spectral_vae import SpectralVAE
    from specvae.model_file import load_model

from specvae.version import __version__

__all__ = ["SpectralVAE", "__version__", "load_model", "load_report", "plot_scores", "score_array"]

ROOMS: tuple[tuple[str, ...], ...] = (
    ("components", "errors", "spectra", "version"),
    ("bands", "files", "model", "option", "thresholds"),
    ("scoring", "ingest", "alerts"),
    ("training",),
    ("detector",),
    ("model_file",),
    ("export",),
    ("api",),
    ("stages", "__init__"),
    ("benchmarks",),
    ("pipeline",),
    ("cli",),
    ("__main__",),
)
"""The rooms of the package from the ground up: a file imports from its own room and from lower ones, never sideways."""

_HOMES = {
    "SpectralVAE": "specvae.api.spectral_vae",
    "load_model": "specvae.model_file",
    "load_report": "specvae.api.reports",
    "plot_scores": "specvae.api.plots",
    "score_array": "specvae.api.score_array",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'specvae' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
