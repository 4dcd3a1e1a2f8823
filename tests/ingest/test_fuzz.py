"""A few hundred damaged inputs: an exit status that means something, in time, nothing written where it must not be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.commands import call
from tests.fuzz import Fuzzer

CASES = 120


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(tmp_path_factory.mktemp("fuzz"), None, 1)


def test_every_undamaged_seed_is_read(fuzzer: Fuzzer) -> None:
    assert len(fuzzer.seeds) >= 18
    for name, path, _ in fuzzer.seeds:
        status, text = call(["inspect", str(path)])
        assert status == 0, f"{name}: {text}"


def test_hundreds_of_damaged_inputs_are_read_or_refused(fuzzer: Fuzzer) -> None:
    outcomes = [fuzzer.run(case) for case in range(CASES)]
    assert [o for o in outcomes if o.wrong] == []
    statuses = Counter(o.status for o in outcomes)
    assert statuses[4] > CASES / 10, "the damage is not felt"
    assert statuses[0] > CASES / 10, "nothing is read any more"


def test_damaged_inputs_are_scored_whole_or_not_at_all(tmp_path: Path, four_band_model: Path) -> None:
    fuzzer = Fuzzer(tmp_path, four_band_model, 1)
    outcomes = [fuzzer.run(case) for case in range(1000, 1000 + len(fuzzer.seeds))]
    assert [o for o in outcomes if o.wrong] == []
    assert {o.command for o in outcomes if o.format != "pipeline"} == {"score"}
