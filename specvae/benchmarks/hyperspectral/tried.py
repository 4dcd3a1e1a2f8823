"""The committed table of all trials: each idea and what it came to."""

from __future__ import annotations

from specvae.benchmarks.report import tried

__all__ = ["tried_table"]


def tried_table() -> str:
    """Markdown of ``tried.csv``: AUROC by scene and its mean, of the score or the evidence, one seed unless said."""
    said = (
        "Ideas tried on the nine scenes while the default was sought: AUROC, one seed a scene unless the line says more, "
        "no label used in any fit. Scenes: A1, A3 airports, B2, B3 beaches, U2, U3, U4 urban, HY HYDICE, SD San Diego. "
        "The lines stand in the order of the work, each idea beside the default of its day, evidence by the pooling of its day."
    )
    return said + "\n\n" + tried("specvae.benchmarks.hyperspectral")
