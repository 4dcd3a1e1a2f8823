"""Rows of a table as the detector takes them: their roles, their region, and why each scores as it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from specvae.errors import UsageError
from specvae.export.reasons_in_words import Wording
from specvae.files.html_facts import html_facts
from specvae.model.config import ModelConfig
from specvae.training.quota import Role
from specvae.training.sampling import Region, region_of_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RowExplanation", "Rows", "region_to_calibrate", "region_to_fit", "seed_of", "to_float32", "unmasked"]

FLOAT32 = 3e38
"""Values are computed in float32, and larger ones are cut to this, a little below its largest number."""
ENOUGH_TO_HOLD_OUT = 50
"""Fewer rows are all trained on: scikit-learn's users fit tables of ten rows, and a cut from one held-out row has no rate."""
SHOWN = 10
"""Rows of an explanation that a notebook shows."""
Rows = NDArray[np.float64]


def unmasked(X: ArrayLike) -> ArrayLike:
    """The rows as they came. Raises ValueError where a numpy masked array masks some, whose values numpy would use unmasked.

    Examples
    --------
    >>> import numpy as np
    >>> unmasked(np.ma.masked_equal([[0.1, -9999.0]], -9999.0))
    Traceback (most recent call last):
    ValueError: Input X masks 1 values in 1 rows; drop these rows, or fill them (score_array leaves them out)
    """
    if isinstance(X, np.ma.MaskedArray) and (mask := np.ma.getmaskarray(X)).any():
        rows = int(mask.reshape(len(mask), -1).any(axis=1).sum())
        raise ValueError(
            f"Input X masks {int(mask.sum())} values in {rows} rows; drop these rows, or fill them (score_array leaves them out)"
        )
    return X


@dataclass(frozen=True)
class RowExplanation:
    """Why rows score as they do, ``(n, bands)`` each.

    Examples
    --------
    >>> import numpy as np
    >>> from specvae import SpectralVAE
    >>> rows = np.random.default_rng(0).normal(size=(300, 4))
    >>> odd = rows[:1] + [[0.0, 0.0, 60.0, 0.0]]
    >>> why = SpectralVAE(steps=20).fit(rows).explain(odd)
    >>> why.contribution.shape, int(why.deviation[0].argmax())
    ((1, 4), 2)
    """

    contribution: Rows
    """Nats of each band; over bands they add up to the score, KL and all."""
    deviation: Rows
    """Signed (x - expected) in units of the band's spread in training: positive = higher than expected."""
    expected: Rows
    """What is expected of the nearest kind of normal row, in the units of the input."""
    alone: Rows
    """Nats by which the score falls where this band alone is put back to what was expected, measured; may be negative."""
    by_itself: Rows
    """Nats that the value costs by its band's own distribution; a part of the contribution of a row that differs in it alone."""
    observed: Rows = field(kw_only=True)
    """The rows themselves."""
    score: Rows = field(kw_only=True)
    """``(n,)``: their scores, nats."""
    wording: Wording = field(kw_only=True, repr=False)
    """How reasons are said, and what the columns are."""

    def drivers(self, row: int = 0) -> str:
        """The bands that drive the score of one row, against what was expected; of many bands, ranges of neighbours.

        The first is the one whose return to the expected value lowers the score most.
        """
        of_row = (part[row] for part in (self.contribution, self.alone, self.observed, self.expected))
        return ", ".join(driver.words for driver in self.wording.drivers(*of_row))

    def plot(self, row: int = 0) -> Figure:
        """Draw one row over what was expected of it, and below it the nats of each band; notebooks show the figure.

        Raises UsageError for a row that is not there.
        """
        if not -len(self.score) <= row < len(self.score):
            raise UsageError(f"row {row} was asked for, and {len(self.score)} rows were explained")
        from specvae.api.plots import plot_reasons  # matplotlib comes with it

        title = f"row {row % len(self.score)}: {self.score[row]:.4g} nats"
        return plot_reasons(title, self.wording.bands, self.contribution[row], self.observed[row], self.expected[row])

    def _repr_html_(self) -> str:
        """The rows of the highest scores with what drives them, as notebooks show it."""
        order = np.argsort(-self.score, kind="stable")[:SHOWN]
        facts = {f"row {row}": f"{self.score[row]:.4g} nats: {self.drivers(row)}" for row in order.tolist()}
        more = "" if len(self.score) <= SHOWN else f", the {SHOWN} highest of {len(self.score):,}"
        return html_facts(f"why rows score as they do, against what was expected{more}", facts)


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """The seed that scikit-learn's ``random_state`` means; of a generator, its next number."""
    # An integer is taken as it is, not drawn from: the same seed then fits the same model as on the command line.
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def region_to_fit(rows: Rows, config: ModelConfig, held_out: float | None) -> Region:
    """Rows ``(n, features)`` with the folds that the command line gives them, or with a share ``held_out``."""
    sampling = config.sampling
    if held_out is not None:
        sampling = sampling.model_copy(update={"calibration": held_out, "folds": 1})
    # None splits the rows into training, validation and calibration.
    role = None if len(rows) >= ENOUGH_TO_HOLD_OUT else Role.TRAIN
    return region_of_rows(to_float32(rows), np.ones(len(rows), bool), sampling, config.seed, role=role)


def region_to_calibrate(rows: Rows, config: ModelConfig) -> Region:
    """The region of rows ``(n, features)`` that are all held out for calibration."""
    usable = np.ones(len(rows), bool)
    return region_of_rows(to_float32(rows), usable, config.sampling, config.seed, role=Role.CALIBRATION)


def to_float32(rows: Rows) -> NDArray[np.float32]:
    """Values as the model computes them, cut to what float32 can hold."""
    # Infinity would make the score NaN, and scikit-learn's checks ask that any finite float64 be scored.
    return np.clip(rows, -FLOAT32, FLOAT32).astype(np.float32)
