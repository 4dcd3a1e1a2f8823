"""A few hundred damaged inputs: an exit status that means something, in time, nothing written where it must not be."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.commands import call
from tests.fuzz import Fuzzer, Outcome, earlier, is_stopped, lines_of

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


def worker(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", f"import time; print(1, flush=True); {code}; print(2, flush=True)"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says whether a process is stopped")
def test_a_worker_that_is_stopped_for_long_goes_on_and_one_that_hangs_is_ended() -> None:
    with worker("time.sleep(30)") as hanging:
        assert list(lines_of(hanging, hang=0.5, tick=0.1)) == ["1"]
    assert hanging.returncode == -signal.SIGABRT
    with worker("time.sleep(0.3)") as stopped:
        lines = lines_of(stopped, hang=0.6, tick=0.1)
        assert next(lines) == "1"
        stopped.send_signal(signal.SIGSTOP)
        threading.Timer(1.5, stopped.send_signal, [signal.SIGCONT]).start()
        assert list(lines) == ["2"]
    assert stopped.returncode == 0
    assert not is_stopped(stopped.pid)


def test_a_run_goes_on_from_the_outcomes_of_an_earlier_one(tmp_path: Path) -> None:
    outcomes = [Outcome(case, "csv", "cut", "inspect", 4, 0.1) for case in range(3)]
    text = "".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes)
    (tmp_path / "o.jsonl").write_text(text + '{"case": 3, "for')  # the machine went down in the middle of a line
    assert earlier(tmp_path / "o.jsonl") == outcomes
    assert earlier(tmp_path / "none.jsonl") == []
    assert earlier(None) == []
