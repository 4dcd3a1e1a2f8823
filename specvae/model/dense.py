"""Fully connected layers with a linear path beside them, as one product of matrices where no gradient is asked for."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

__all__ = ["Stack"]


class Stack(nn.Module):
    """Fully connected layers with ReLU between them, bands-first: ``(inputs, n) -> (outputs, n)``.

    With ``linear``, a linear path leads from the inputs to the outputs beside the layers, whose activation is then SiLU,
    which is smooth. The last layer starts at zero, so the stack starts as whatever its linear path is set to. The linear
    path is held as the leading rows of the first layer, so that one matrix product computes both.
    """

    def __init__(
        self, inputs: int, hidden: tuple[int, ...], outputs: int, linear: bool = False, activation: str = "relu"
    ) -> None:
        super().__init__()
        self.smooth = activation == "silu"
        sizes = (inputs, *hidden, outputs)
        layers = [_initial(fan_out, fan_in) for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True)]
        self.lead = outputs if linear else 0
        (weight, bias), rest = layers[0], layers[1:]
        if linear:
            weight = torch.cat([torch.zeros(outputs, inputs), weight])
            bias = torch.cat([torch.zeros(outputs, 1), bias])
            rest[-1] = torch.zeros_like(rest[-1][0]), torch.zeros_like(rest[-1][1])
        self.first, self.first_bias = nn.Parameter(weight), nn.Parameter(bias)
        self.rest = nn.ParameterList(weight for weight, _ in rest)
        self.rest_biases = nn.ParameterList(bias for _, bias in (rest[:-1] if linear else rest))

    @property
    def linear(self) -> Tensor | None:
        """Weights ``(outputs, inputs)`` of the linear path, a view; None without one."""
        return self.first[: self.lead] if self.lead else None

    @property
    def weights(self) -> list[Tensor]:
        """Views of the layers' weights in order, without those of the linear path."""
        return [self.first[self.lead :], *self.rest]

    @property
    def biases(self) -> list[Tensor]:
        """Views of the layers' biases in order; the last one serves the linear path as well."""
        last = [self.first_bias[: self.lead]] if self.lead else []
        return [self.first_bias[self.lead :], *self.rest_biases, *last]

    def forward(self, *parts: Tensor) -> Tensor:
        """``(inputs, n) -> (outputs, n)``; the inputs may come in parts, whose rows are stacked."""
        learning = torch.is_grad_enabled()
        # Only without gradients: the backward pass needs the values that the buffer of the fused pass overwrites.
        if self.lead and not learning:
            return self._fused(parts)
        x = torch.addmm(self.first_bias, self.first, parts[0] if len(parts) == 1 else torch.cat(parts))
        if not self.lead:
            for weight, bias in zip(self.rest, self.rest_biases, strict=True):
                # In place only without gradients: the backward pass needs the values before the activation.
                activated = silu(x, inplace=not learning) if self.smooth else (x.relu() if learning else x.relu_())
                x = torch.addmm(bias, weight, activated)
            return x
        linear, x = x[: self.lead], silu(x[self.lead :])
        *middle, last = self.rest
        for weight, bias in zip(middle, self.rest_biases, strict=True):
            x = silu(torch.addmm(bias, weight, x))
        return torch.addmm(linear, last, x)

    def _fused(self, parts: tuple[Tensor, ...]) -> Tensor:
        """The forward pass without gradients, with fewer passes over memory.

        The products are so small that moving their results costs more than the arithmetic. One buffer therefore holds
        the inputs x, a row of ones, and the last hidden layer h, one above the other. The ones turn biases into a column
        of the weights, and the output L x + b + W h of linear path and last layer is the one product [L b W] (x; 1; h),
        without a sum of two results. In-place operations write h where that product reads it.
        """
        hidden = len(self.rest[-1].T)
        inputs, lead = self.first.shape[1], self.lead
        rows = parts[0].new_empty(inputs + 1 + hidden, parts[0].shape[1])
        start = 0
        for part in parts:
            rows[start : start + len(part)].copy_(part)
            start += len(part)
        rows[inputs] = 1.0
        given, activated = rows[: inputs + 1], rows[inputs + 1 :]
        first = torch.cat([self.first, self.first_bias], dim=1)
        *middle, last = self.rest
        if middle:
            x = silu(first[lead:] @ given, inplace=True)
            for weight, bias in zip(middle[:-1], self.rest_biases, strict=False):
                x = silu(torch.addmm(bias, weight, x), inplace=True)
            activated.copy_(torch.addmm(self.rest_biases[-1], middle[-1], x))
        else:
            activated.addmm_(first[lead:], given, beta=0)  # beta = 0: what the buffer held is not read
        silu(activated, inplace=True)
        return torch.cat([first[:lead], last], dim=1) @ rows


def _initial(outputs: int, inputs: int) -> tuple[Tensor, Tensor]:
    """Random weights ``(outputs, inputs)`` and biases ``(outputs, 1)``, uniform within one over the root of the inputs."""
    bound = math.sqrt(1.0 / max(1, inputs))
    weight = torch.empty(outputs, inputs).uniform_(-bound, bound)
    return weight, torch.empty(outputs, 1).uniform_(-bound, bound)
