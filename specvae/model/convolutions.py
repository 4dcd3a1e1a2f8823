"""Convolutional encoders and decoders, bands-first at both ends like the fully connected ones.

A column of ``(channels * rows * cols, n)`` is an image, flattened row by row, channel by channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["ConvDecoder", "ConvEncoder"]

CHUNK = 256
"""Images that go through the convolutions at once when scoring: the channels of a few thousand would take gigabytes."""


_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
"""Whether a graph is being traced for elsewhere; torch before 2.7 has only the wider question."""


def _sizes(shape: tuple[int, int, int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """Rows and columns before and after each 3 x 3 convolution with padding 1."""
    sizes = [(shape[1], shape[2])]
    for stride in strides:
        rows, cols = sizes[-1]
        sizes.append(((rows - 1) // stride + 1, (cols - 1) // stride + 1))
    return sizes


def _dense(widths: Sequence[int]) -> nn.Sequential:
    """Fully connected layers with ReLU between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class _WithLinearPath(nn.Module):
    """Layers with a linear path beside them: weights ``(outputs, inputs)`` and a bias, both zero until they are set."""

    def __init__(self, inputs: int, outputs: int, linear: bool) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.zeros(outputs, inputs)) if linear else None
        self.bias = nn.Parameter(torch.zeros(outputs, 1)) if linear else None

    @property
    def weights(self) -> list[Tensor]:
        """Weights of fully connected first layers, of which these networks have none."""
        return []

    @property
    def biases(self) -> list[Tensor]:
        """The bias of the linear path, where there is one."""
        return [] if self.bias is None else [self.bias]

    def forward(self, x: Tensor) -> Tensor:
        """``(inputs, n) -> (outputs, n)``."""
        # An exported graph takes any number at once, and training needs the gradient of a batch of its own size.
        at_once = torch.is_grad_enabled() or _exporting()
        out = self.layers(x) if at_once else torch.cat([self.layers(part) for part in torch.split(x, CHUNK, 1)], 1)
        if self.linear is None or self.bias is None:
            return out
        return torch.addmm(self.bias, self.linear, x) + out

    def layers(self, x: Tensor) -> Tensor:
        """The output of the layers, without the linear path: ``(inputs, n) -> (outputs, n)``."""
        raise NotImplementedError


class ConvEncoder(_WithLinearPath):
    """3 x 3 convolutions with ReLU, then fully connected layers: ``(channels * rows * cols, n) -> (outputs, n)``."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        channels: Sequence[int],
        strides: Sequence[int],
        hidden: Sequence[int],
        outputs: int,
        linear: bool = False,
    ) -> None:
        super().__init__(shape[0] * shape[1] * shape[2], outputs, linear)
        self.shape = shape
        widths = [shape[0], *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride, 1) for (a, b), stride in zip(pairwise(widths), strides, strict=True)
        )
        # The channels of a pixel lie side by side in memory: then nothing is reordered before and after each convolution.
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        rows, cols = _sizes(shape, strides)[-1]
        self.dense = _dense([widths[-1] * rows * cols, *hidden, outputs])
        if linear:
            _silence(self.dense[-1])

    def layers(self, x: Tensor) -> Tensor:
        image = x.T.reshape(-1, *self.shape)
        for convolution in self.convolutions:
            image = convolution(image.contiguous(memory_format=torch.channels_last)).relu()
        out: Tensor = self.dense(image.flatten(1))
        return out.T


class ConvDecoder(_WithLinearPath):
    """The mirror image of the encoder: ``(inputs, n) -> (channels * rows * cols, n)``.

    Fully connected layers come first, then transposed convolutions.
    """

    def __init__(
        self,
        inputs: int,
        shape: tuple[int, int, int],
        channels: Sequence[int],
        strides: Sequence[int],
        hidden: Sequence[int],
        linear: bool = False,
    ) -> None:
        super().__init__(inputs, shape[0] * shape[1] * shape[2], linear)
        sizes = _sizes(shape, strides)
        self.start = (channels[-1], *sizes[-1])
        self.dense = _dense([inputs, *reversed(hidden), channels[-1] * sizes[-1][0] * sizes[-1][1]])
        widths = [*reversed(channels), shape[0]]
        layers = []
        for i, stride in enumerate(reversed(strides)):
            small, large = sizes[-1 - i], sizes[-2 - i]
            # A stride of 2 brings 7 and 8 rows alike to 4: the output padding says which of them the encoder came from.
            padding = (large[0] - (small[0] - 1) * stride - 1, large[1] - (small[1] - 1) * stride - 1)
            layers.append(nn.ConvTranspose2d(widths[i], widths[i + 1], 3, stride, 1, padding))
        self.convolutions = nn.ModuleList(layers)
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if linear:
            _silence(self.convolutions[-1])

    def layers(self, x: Tensor) -> Tensor:
        image = self.dense(x.T).relu().reshape(-1, *self.start)
        for i, convolution in enumerate(self.convolutions):
            image = image if i == 0 else image.relu()
            image = convolution(image.contiguous(memory_format=torch.channels_last))
        out: Tensor = image.flatten(1).T
        return out


def _silence(layer: nn.Module) -> None:
    """Set a last layer to zero, so that training begins on the linear path alone."""
    nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
