"""What notebooks show: figures of scores and reasons, and facts of models, reports and explanations in HTML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import AxesImage

from specvae import SpectralVAE, load_model, load_report, plot_scores
from specvae.errors import InputError, UsageError
from tests.commands import run
from tests.raster_files import write

COLUMNS = 60


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 3)) @ rng.normal(size=(3, COLUMNS)) + 0.05 * rng.normal(size=(300, COLUMNS)) + 5


@pytest.fixture(scope="module")
def model(rows: np.ndarray) -> SpectralVAE:
    import pandas as pd

    names = [f"{1000 + 9 * i}nm" for i in range(COLUMNS)]
    return SpectralVAE(latent=3, steps=60).fit(pd.DataFrame(rows, columns=names)).calibrate(false_alarm_rate=0.02)


@pytest.fixture(scope="module")
def odd(rows: np.ndarray) -> np.ndarray:
    odd = rows[:3].copy()
    odd[1, 20:24] += 6 * rows[:, 20:24].std(axis=0)
    return odd


def texts(html: str) -> str:
    """The text of a piece of HTML, which must be well formed."""
    return " ".join("".join(ElementTree.fromstring(f"<div>{html}</div>").itertext()).split())


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_an_explanation_draws_a_row_over_what_was_expected_and_names_ranges(
    model: SpectralVAE, odd: np.ndarray
) -> None:
    why = model.explain(odd)
    figure = why.plot(1)
    above, below = figure.axes
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in above.lines}
    np.testing.assert_allclose(lines["observed"], odd[1])
    np.testing.assert_allclose(lines["expected"], why.expected[1])
    np.testing.assert_allclose(np.asarray(above.lines[0].get_xdata())[[0, -1]], [1000, 1000 + 9 * (COLUMNS - 1)])
    heights = sorted(bar.get_height() for bar in below.patches)
    np.testing.assert_allclose(heights, np.sort(why.contribution[1]))
    assert f"{why.score[1]:.4g} nats" in above.get_title()
    assert above.get_legend() is not None
    assert below.get_legend() is not None
    np.testing.assert_allclose(why.score, model.anomaly_score(odd))
    assert why.drivers(1).startswith("1,180 to 1,207 nm +"), "bands 20 to 23 were planted"
    shown = texts(why._repr_html_())
    assert shown.index("row 1") < shown.index("row 0"), "the highest score comes first"
    assert why.drivers(1) in shown
    with pytest.raises(UsageError, match="row 3 was asked for, and 3 rows"):
        why.plot(3)


def test_scores_of_rows_are_a_histogram_with_the_cut() -> None:
    scores = np.concatenate([np.random.default_rng(0).normal(10, 2, 900), np.full(7, 800.0), [np.nan]])
    ax = plot_scores(scores, cut=100.0)
    counts = [sum(bar.get_height() for bar in container) for container in ax.containers]
    assert counts == [907, 7]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][-1] == "cut, 100 nats"
    assert "7 of 907 above the cut" in [text.get_text() for text in legend.get_texts()]
    assert plot_scores(scores).get_legend() is not None


def test_scores_of_a_map_are_a_picture_with_an_outline_in_the_axes_given() -> None:
    from matplotlib.figure import Figure

    score = np.random.default_rng(0).normal(10, 2, (40, 50))
    score[5:9, 7:12], score[0, 0] = 900.0, np.nan
    ax = Figure().subplots()
    assert plot_scores(score, 100.0, ax, cmap="magma") is ax
    (picture,) = (child for child in ax.get_children() if isinstance(child, AxesImage))
    assert picture.get_cmap().name == "magma"
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text() == "20 pixels above the cut, 100 nats"


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(2, 3, 4\)"):
        plot_scores(np.zeros((2, 3, 4)))
    with pytest.raises(InputError, match="0 of them finite"):
        plot_scores(np.full(5, np.nan))
    with pytest.raises(UsageError, match="cmap"):
        plot_scores(np.zeros(5), cmap="magma")


def test_models_and_reports_show_their_facts(model: SpectralVAE, tmp_path: Path) -> None:
    assert "false-alarm rate" in model._repr_html_()
    assert "false-alarm rate" in model._repr_mimebundle_()["text/html"]
    assert "trained on" not in SpectralVAE()._repr_html_(), "not before it is fitted"
    values = np.random.default_rng(1).normal(1000, 50, (4, 96, 96)).astype("uint16")
    write(tmp_path / "a<b.tif", values)
    assert run("fit", tmp_path / "a<b.tif", "--model", tmp_path / "m.specvae", "--set", "training.steps=40") == 0
    stored = load_model(tmp_path / "m.specvae")
    assert repr(stored) == f"<specvae model {stored.path}: 4 bands, {stored.created}, sha256 {stored.sha256[:12]}>"
    assert repr(stored.detector) == f"<detector of 4 bands, {stored.detector.calibration.size:,} held-out scores>"
    shown = texts(stored._repr_html_())
    for fact in (stored.sha256, "4: band 1, band 2, band 3, band 4", "ring of 15 pixels without the inner 7"):
        assert fact in shown
    out = ("--model", tmp_path / "m.specvae", "--out", tmp_path / "out")
    assert run("score", tmp_path / "a<b.tif", *out) == 0
    report = load_report(tmp_path / "out" / "a<b")
    assert report["pixels"]["valid"] == 96 * 96
    assert repr(report).startswith("<ScoreReport of a<b: ")
    html = report._repr_html_()
    assert "data:image/png;base64," in html
    table = html.partition("<img")[0]
    assert f"{report.verdict}: {report['trust']['reasons'][0]}" in texts(table)
    assert "a&lt;b" in html
    with pytest.raises(InputError, match="no finished result"):
        load_report(tmp_path)
