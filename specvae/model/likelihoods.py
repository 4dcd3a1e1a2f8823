"""What a decoder's output means: the expected value p(x | z) has, and the nats a value costs under it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["bernoulli_deviation", "bernoulli_nats", "expected"]

OUTSIDE = 0.05
"""A Bernoulli value this far outside 0..1 costs half a nat more, and quadratically so: the absurd stays ranked."""


def expected(raw: Tensor, output: str) -> Tensor:
    """The mean of p(x | z) from what the decoder gives: ``linear``, ``sigmoid`` or ``tanh``."""
    if output == "sigmoid":
        return torch.sigmoid(raw)
    return torch.tanh(raw) if output == "tanh" else raw


def bernoulli_nats(x: Tensor, raw: Tensor) -> Tensor:
    """Binary cross-entropy of values in 0..1 under logits ``raw``, nats each; never negative.

    A grey value costs at least its own entropy.
    """
    inside = x.clamp(0.0, 1.0)
    return softplus(raw) - inside * raw + 0.5 * ((x - inside) / OUTSIDE).square()


def bernoulli_deviation(x: Tensor, raw: Tensor) -> Tensor:
    """Signed (x - p) / sqrt(p (1 - p)), the Pearson residual, bounded where p is next to 0 or 1."""
    p = torch.sigmoid(raw)
    return (x - p) / (p * (1.0 - p)).clamp(min=1e-3).sqrt()
