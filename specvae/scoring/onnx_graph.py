"""The scorer as an ONNX graph: spectra in physical units in, nats out, normalisation inside.

ONNX Runtime, and what else reads ONNX, then scores without torch and without specvae.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from specvae.errors import MissingExtraError
from specvae.model.spectral_net import SpectralNet

__all__ = ["INPUTS", "OUTPUTS", "OnnxScorer", "onnx_bytes", "require_onnx"]

INPUTS = ("spectra", "context")
"""``(n, bands)`` in physical units, and for a model with context ``(n, components)``: ring means of ``components``."""
OUTPUTS = ("score", "reconstruction", "kl", "components", "weight")
"""``(n,)`` nats each; of a model with context also ``(n, components)``, what its rings are means of, and ``(n,)``, how much
each spectrum counts in them."""
OPSET = 18


class OnnxScorer(nn.Module):
    """A net with rows first, as arrays travel outside: ``(n, bands)``."""

    def __init__(self, net: SpectralNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, spectra: Tensor, context: Tensor | None = None) -> tuple[Tensor, ...]:
        """Score, reconstruction and KL ``(n,)``; with a context also the spectra's own components and weights."""
        normalised = self.net.normalised(spectra.T.contiguous())
        terms = self.net.terms_of(normalised, None if context is None else context.T.contiguous())
        nats = (terms.reconstruction + terms.kl, terms.reconstruction, terms.kl)
        if not self.net.has_context:
            return nats
        return (*nats, self.net.context_alike(normalised).T, self.net.ring_weight(normalised))


def require_onnx() -> None:
    """Raise MissingExtraError without onnx and onnxscript."""
    try:
        for needed in ("onnx", "onnxscript"):
            import_module(needed)
    except ImportError as error:
        raise MissingExtraError.of("writing ONNX", str(error.name), extra="onnx") from None


def onnx_bytes(net: SpectralNet, properties: dict[str, str]) -> bytes:
    """``net`` as an ONNX file with these properties; any number of spectra may come at once.

    Raises MissingExtraError without onnx and onnxscript.
    """
    require_onnx()
    import onnx

    # Three spectra: torch.export takes a dimension of size 1 for a constant, whatever is said of it.
    given = [torch.zeros(3, net.bands)]
    if net.has_context:
        given.append(torch.zeros(3, net.components))
    many = torch.export.Dim("n", min=1)
    with torch.no_grad(), _silent():
        exported = torch.export.export(
            OnnxScorer(net).eval(), tuple(given), dynamic_shapes=tuple({0: many} for _ in given), strict=False
        )
        program: Any = torch.onnx.export(
            exported,
            dynamo=True,
            opset_version=OPSET,
            verbose=False,
            input_names=list(INPUTS[: len(given)]),
            output_names=list(OUTPUTS[: 5 if net.has_context else 3]),
        )
    model = program.model_proto
    onnx.helper.set_model_props(model, properties)
    # With all shapes inferred: a graph that no runtime loads is to fail here, and not where it is deployed.
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


@contextmanager
def _silent() -> Iterator[None]:
    """The exporter reports to its developers, on all channels."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
