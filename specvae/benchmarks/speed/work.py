"""What one spectrum costs a net: floating-point operations and bytes, counted from its shapes."""

from __future__ import annotations

from dataclasses import dataclass

from specvae.model.spectral_net import SpectralNet

__all__ = ["SpectrumWork"]

FLOAT_BYTES = 4


@dataclass(frozen=True)
class SpectrumWork:
    """The least that scoring one spectrum takes."""

    operations: float
    """Operations of the matrix products: a multiplication and an addition for each weight."""
    bytes: float
    """Bytes of the values that go in, and of the two terms that come out."""

    @classmethod
    def of(cls, net: SpectralNet, bands: int, given_contexts: bool = False) -> SpectrumWork:
        """The work on spectra whose contexts are computed from their neighbours, or are read beside them."""
        # Vectors are added, at a cost that is nothing beside the products.
        matrices = [p for p in net.parameters() if p.dim() == 2 and min(p.shape) > 1]
        operations = 2.0 * sum(p.numel() for p in matrices)
        if given_contexts:
            return cls(operations, FLOAT_BYTES * (bands + net.components + 2))
        # The projection of the context.
        return cls(operations + 2.0 * net.components * bands, FLOAT_BYTES * (bands + 2))
