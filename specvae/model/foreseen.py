"""What a net expects of spectra before it looks at them, where its prior depends on their surroundings or an earlier date."""

from __future__ import annotations

from torch import Tensor

from specvae.model.spectral_net import SpectralNet

__all__ = ["foreseen"]


def foreseen(net: SpectralNet, physical: Tensor, context: Tensor | None) -> Tensor | None:
    """``(bands, n)`` in physical units: the decoded mean of the prior given contexts ``(components, n)`` and the earlier date.

    ``physical`` ``(bands, n)`` holds the spectra; of two dates both, of which the earlier one alone is looked at. None where the
    prior depends on neither.
    """
    spectra = net.normalised(physical)
    given = net.given(spectra, context)
    latent = net.prior_mean(given)
    if latent is None:
        return None
    if net.earlier is None or spectra.seen is None:
        return net.decode(latent, given)
    change = net.normaliser.expanded(net.vae.decode(latent, net.vae.bounded(given)))
    return net.normaliser.physical(net.earlier.later(change, spectra.seen))
