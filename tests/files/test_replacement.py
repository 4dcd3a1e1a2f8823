"""One rule for all outputs: made, done already, or refused."""

from __future__ import annotations

import pytest

from specvae.files.replacement import Replacement, replacement


@pytest.mark.parametrize(
    ("exists", "unchanged", "overwrite", "renew", "expected"),
    [
        (False, False, False, False, Replacement.MAKE),
        (True, True, False, False, Replacement.DONE),
        (True, False, False, False, Replacement.REFUSE),
        (True, True, True, False, Replacement.MAKE),
        (True, False, True, False, Replacement.MAKE),
        (True, True, False, True, Replacement.DONE),
        (True, False, False, True, Replacement.MAKE),
        (True, True, True, True, Replacement.MAKE),
    ],
)
def test_an_output_is_made_done_or_refused(
    exists: bool, unchanged: bool, overwrite: bool, renew: bool, expected: Replacement
) -> None:
    assert replacement(exists, lambda: unchanged, overwrite=overwrite, renew=renew) is expected


@pytest.mark.parametrize(("exists", "overwrite"), [(False, False), (True, True)])
def test_nothing_is_compared_where_the_output_is_made_in_any_case(exists: bool, overwrite: bool) -> None:
    def unchanged() -> bool:
        pytest.fail("asked in vain")

    assert replacement(exists, unchanged, overwrite=overwrite) is Replacement.MAKE
