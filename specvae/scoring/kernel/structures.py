"""The structures of model.h, field by field: what Python fills and C reads."""

from __future__ import annotations

import ctypes

__all__ = ["KINDS", "LAYERS", "OUTPUTS", "Columns", "Job", "Model", "Stack"]

LAYERS = 8
"""Hidden layers of one network at most (MOST_LAYERS of model.h)."""
KINDS = ("float32", "uint8", "int16", "uint16")
"""Types of a cube's values, as numpy names them, in the order of model.h."""
OUTPUTS = ("linear", "sigmoid", "tanh", "bernoulli")
"""Output functions of a decoder, and last the likelihood that has one of its own, in the order of model.h."""
Floats = ctypes.c_void_p
"""The address of float32 values."""


class Stack(ctypes.Structure):
    """Fully connected layers."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("inputs", "outputs", "lead", "silu", "layers", "widest")),
        ("widths", ctypes.c_int * LAYERS),
        ("first", Floats),
        ("first_bias", Floats),
        ("rest", Floats * LAYERS),
        ("rest_bias", Floats * LAYERS),
    )


class Model(ctypes.Structure):
    """A fitted pixel or table model."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("bands", "latent", "components", "outer", "guard", "mixture")),
        *((name, ctypes.c_int) for name in ("has_marginals", "has_kl", "has_prior", "output", "judged")),
        *((name, ctypes.c_float) for name in ("reach", "prior_spread", "context_reach", "weight")),
        *((name, ctypes.c_float) for name in ("unit", "end", "fade", "expected_cost")),
        *((name, Floats) for name in ("centre", "scale", "low", "step", "value", "slope", "penalty")),
        *((name, Floats) for name in ("projection", "shift", "context_mean", "context_scale")),
        *((name, Floats) for name in ("whitening", "mean_context", "precision")),
        *((name, Floats) for name in ("share", "origin", "factor", "roughness")),
        ("encoder", Stack),
        ("decoder", Stack),
        ("prior", Stack),
        ("widest", ctypes.c_int),
    )


class Job(ctypes.Structure):
    """A window of a cube to score."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("kind", "band_stride", "row_stride")),
        ("valid", ctypes.c_void_p),
        ("valid_stride", ctypes.c_int64),
        *((name, ctypes.c_int64) for name in ("cube_rows", "cube_cols", "row", "col", "rows", "cols")),
        *((name, Floats) for name in ("score", "reconstruction", "kl")),
        ("out_stride", ctypes.c_int64),
        ("context", Floats),
        ("context_band", ctypes.c_int64),
        ("context_stride", ctypes.c_int64),
    )


class Columns(ctypes.Structure):
    """Spectra side by side to explain."""

    _fields_ = (
        ("values", Floats),
        ("context", Floats),
        ("count", ctypes.c_int64),
        *((name, Floats) for name in ("reconstruction", "kl", "reasons")),
    )
