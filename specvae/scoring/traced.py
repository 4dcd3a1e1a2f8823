"""The computations on a cell as programs, traced on the CPU so that each enters the interpreter once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from threading import Lock

import torch
from torch import Tensor, nn

from specvae.model.spectral_net import Normalised, SpectralNet

__all__ = ["BothTerms", "Programs", "Quantise"]


class Programs:
    """The programs of a net on a device, made when first called."""

    def __init__(self, net: SpectralNet, device: str) -> None:
        self.net, self.device = net, device
        self._traced: dict[type[nn.Module], Callable[..., Tensor]] = {}
        self._tracing = Lock()

    def run(self, program: type[nn.Module], *tensors: Tensor) -> Tensor:
        """``program(net)`` of these tensors.

        A traced program need not wait for the interpreter between its operations, so that threads do not wait for
        each other; the operations are the same, and so are the bits.
        """
        if self.device != "cpu":
            return torch.as_tensor(program(self.net)(*tensors))
        if program not in self._traced:
            with self._tracing:
                # Asked again under the lock: another thread may have traced it in the meantime.
                if program not in self._traced:
                    self._traced[program] = _traced(program(self.net).eval(), tensors)
        return torch.as_tensor(self._traced[program](*tensors))


class BothTerms(nn.Module):
    """Reconstruction and KL as the rows of one tensor ``(2, n)``, from spectra, then contexts, costs and earlier ones if used."""

    def __init__(self, net: SpectralNet) -> None:
        super().__init__()
        self.net = net
        self.given = (net.has_context, net.has_cost, net.earlier is not None)

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        rest = iter(more)
        c, cost, seen = (next(rest) if given else None for given in self.given)
        terms = self.net.terms_of(Normalised(x, cost, seen), c)
        return torch.stack([terms.reconstruction, terms.kl])


class Quantise(nn.Module):
    """The components of the context."""

    def __init__(self, net: SpectralNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        return self.net.quantised(Normalised(x, None, seen))


def _traced(program: nn.Module, tensors: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """The program as a frozen graph of the operations that these tensors pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch advises its compiler instead, which needs a C++ compiler on the machine
        graph: Callable[..., Tensor] = torch.jit.freeze(torch.jit.trace(program, tensors, check_trace=False))  # type: ignore[no-untyped-call]
    # The executor profiles the first run and optimises in the second; both are done here, before threads share it.
    for _ in range(2):
        graph(*tensors)
    return graph
