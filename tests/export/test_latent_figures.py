"""The figures of the latent space: every axis says what it shows and in what unit, every kind of line is in the legend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from specvae.bands import Band, BandSet
from specvae.export.report.latent_figures import draw_compression, draw_envelopes, draw_path
from specvae.scoring.compression import CompressionPoint

NAMED = BandSet((Band("red"), Band("$green$"), Band("blue")))
MEASURED = BandSet(tuple(Band(f"b{w}", w, unit="reflectance") for w in (650.0, 450.0, 550.0)))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures as they were saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def kept(self: Figure, *args: Any, **kwargs: Any) -> None:
        figures.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", kept)
    return figures


def labels(axes: Any) -> tuple[str, str]:
    return axes.get_xlabel(), axes.get_ylabel()


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize(
    ("bands", "message"),
    [(NAMED, ("band", "value, in the data's units")), (MEASURED, ("wavelength, nm", "value, reflectance"))],
)
def test_an_envelope_names_its_axes_and_all_its_lines(
    bands: BandSet, message: tuple[str, str], drawn: list[Figure], tmp_path: Path
) -> None:
    normal = np.arange(9.0).reshape(3, 3)
    draw_envelopes(tmp_path / "e.png", bands, normal, normal + 1, np.ones((4, 3)))
    (axes,) = drawn[0].axes
    assert labels(axes) == message
    assert legend(axes) == [
        "4 of the draws", "training, 5 to 95 %", "training, median", "drawn, median", "drawn, 5 and 95 %",
    ]  # fmt: skip
    draw_envelopes(tmp_path / "none.png", bands, normal, normal, np.ones((0, 3)))
    assert legend(drawn[1].axes[0])[0] == "training, 5 to 95 %"


@pytest.mark.parametrize("steps", [2, 3, 11])
def test_a_path_names_its_axes_and_its_colours(steps: int, drawn: list[Figure], tmp_path: Path) -> None:
    spectra = np.linspace([0.0, 0, 0], [1.0, 2, 3], steps)
    draw_path(tmp_path / "p.png", MEASURED, spectra, spectra[[0, -1]], np.ones(steps), 12.5)
    above, below = drawn[0].axes
    assert labels(above) == ("wavelength, nm", "value, reflectance")
    assert labels(below) == ("share of the way from start to end", "score, nats")
    assert {"decoded at the start", "decoded at the end", "start, as given", "end, as given"} <= set(legend(above))
    assert legend(below) == ["decoded, coloured as above", "threshold, 12.5 nats"]
    points = below.collections[0].get_facecolors()
    lines = [line.get_color() for line in above.lines[:steps]]
    np.testing.assert_allclose(points, lines)


def points(errors: list[float], pca: list[float]) -> list[CompressionPoint]:
    n = len(errors)
    return [
        CompressionPoint(k + 1, n / (k + 1), e, p, e, p, e, p) for k, (e, p) in enumerate(zip(errors, pca, strict=True))
    ]


@pytest.mark.parametrize(
    ("errors", "pca", "exact"),
    [([0.5, 0.2, 0.1], [0.4, 0.2, 0.05], False), ([0.5, 0.2, 0.1], [0.4, 0.2, 3e-8], True), ([0.0], [0.0], True)],
)
def test_a_curve_of_compression_names_its_axes_and_leaves_out_what_is_exact(
    errors: list[float], pca: list[float], exact: bool, drawn: list[Figure], tmp_path: Path
) -> None:
    draw_compression(tmp_path / "c.png", points(errors, pca))
    (axes,) = drawn[0].axes
    assert labels(axes) == (
        "compression ratio: values of a spectrum to one that is kept",
        "error of the median spectrum, training sd",
    )
    assert legend(axes)[1] == "latent values"
    assert ("exact" in legend(axes)[0]) == exact
    low, high = axes.get_ylim()
    assert not exact or len(errors) == 1 or low > 0.01
    shown = [v for v in axes.get_yticks() if low <= v <= high]
    assert len(shown) <= 12
