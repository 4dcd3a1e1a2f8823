"""Figures that others published on HAD100: method, then the number of bands, then the mean AUROC of its 100 test scenes."""

from __future__ import annotations

__all__ = ["OTHER_FLIGHTS", "PUBLISHED"]

PUBLISHED: dict[str, tuple[float, float, float]] = {
    "global RX": (0.9799, 0.9714, 0.9649),
    "local RX": (0.9775, 0.9692, 0.9720),
    "CR": (0.9929, 0.9859, 0.9849),
    "KCSR": (0.9939, 0.9865, 0.9860),
    "AED": (0.9859, 0.9645, 0.9625),
    "AutoAD": (0.9688, 0.9661, 0.9642),
    "WeaklyAD, trained once": (0.9887, 0.9838, 0.9850),
    "AETNet + RX": (0.9925, 0.9875, 0.9818),
    "AETNet-KCSR": (0.9948, 0.9897, 0.9869),
    "FERD + RX": (0.9941, 0.9901, 0.9890),
}
"""At 50, 100 and 200 bands. Li et al., *You Only Train Once*, TGRS 61, 2023, its official table; FERD from its own README. Those
trained once still apply RX, or KCSR, on the scene under test."""
OTHER_FLIGHTS = {"RX": 0.73, "autoencoder": 0.58, "one-class SVM": 0.63}
"""Pooled AUROC where everything was fitted on other flights: 28 scenes, 8 principal components, a public repository's results."""
