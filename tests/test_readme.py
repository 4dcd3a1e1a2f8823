"""The commands of the README and of ``docs/guide/commands.md`` run in order, after `make demo`, with the files that they name."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import make_scene

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/guide/commands.md")
FRESH_SHELL = ".venv/bin/specvae"
"""The command in a fresh shell; the guide writes ``specvae``, as it is called after activation."""
NEEDS_A_CLUSTER = "--cluster"
NUMBER = r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?"


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    """The lines of a page's blocks that are commands, in order."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.M | re.S)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    return [line for line in lines if line.split(" ")[0] in ("specvae", FRESH_SHELL)]


def lay_out(folder: Path) -> None:
    """The files that the commands name and `make demo` does not make, small."""
    for place, seeds in (("clean", (0, 1)), ("inbox", (2,)), ("july", (3,))):
        (folder / place).mkdir()
        for seed in seeds:
            write_scene(folder / place / f"{seed}.tif", make_scene(120, 130, seed).values)
    (folder / "masks").mkdir()
    classes = np.full((1, 120, 130), 4, np.uint8)
    classes[:, :20, :30] = 9  # a cloud
    for seed in (0, 1):
        write_scene(folder / "masks" / f"{seed}.tif", classes, ("scl",))
    write_scene(folder / "other.tif", make_scene(seed=2).values)
    write_scene(folder / "20160707_pre_sr7.tif", make_scene(120, 130, 4).values)
    write_scene(folder / "20160707_pre_clear.tif", np.minimum(classes % 9, 1), ("clear",))
    write_scene(folder / "20160723_post_sr7.tif", make_scene(120, 130, 5).values)
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(0.3, 0.05, (400, 4)), columns=["450", "550", "650", "850"])
    rows["adulterated"] = (np.arange(400) % 10 == 0).astype(int)
    rows.to_csv(folder / "spectra.csv", index=False)
    rows.to_csv(folder / "more.csv", index=False)
    images = (255 * rng.random((300, 28, 28)) ** 4).astype(np.uint8)
    head = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    shutil.copytree(ROOT / "pipelines", folder / "pipelines")


def run(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "specvae", *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("page", "at_least"), [(PAGES[0], 5), (PAGES[1], 20)])
def test_the_commands_of_a_page_run_in_order(
    page: str, at_least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    lay_out(tmp_path)
    assert run(tmp_path, ["demo"]).returncode == 0
    tried = [line for line in commands(page) if NEEDS_A_CLUSTER not in line]
    assert len(tried) >= at_least
    for line in tried:
        done = run(tmp_path, shlex.split(line, comments=True)[1:])
        allowed = (0, 5) if "--strict" in line else (0,)
        assert done.returncode in allowed, f"{line}\n{done.stdout}\n{done.stderr}"
        promised = re.search(r"# -> (reports/\S+)", line)
        assert promised is None or (tmp_path / promised.group(1)).exists(), line


def test_the_readme_s_commands_are_those_of_a_fresh_shell() -> None:
    assert all(line.startswith(f"{FRESH_SHELL} ") for line in commands("README.md"))


def test_the_readme_s_python_runs() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", text_of("README.md"), re.M | re.S)
    normal = np.random.default_rng(0).normal(0.3, 0.05, (4000, 4))
    names = {"normal": normal, "rows": normal[:3]}
    exec(compile(block, "README.md", "exec"), names)
    assert names["model"].predict(normal[:3]).shape == (3,)  # type: ignore[attr-defined]


def test_the_readme_s_figures_stand_in_the_reports_that_it_names() -> None:
    section = text_of("README.md").split("## Figures")[1].split("##")[0]
    rows = re.findall(r"^\| (?!what)([^|]+)\| ([^|]+)\| \[[^\]]+\]\(([^)]+)\) \|$", section, re.M)
    assert len(rows) == 5
    for what, figures, report in rows:
        numbers = re.findall(NUMBER, figures)
        assert len(numbers) >= 2, what
        stated = [float(text) for text in re.findall(NUMBER, text_of(report).replace(",", ""))]
        for number in numbers:
            decimals = len(number.partition(".")[2])
            assert float(number.replace(",", "")) in {round(value, decimals) for value in stated}, (number, report)


def test_the_guide_says_which_extra_a_command_needs() -> None:
    row = next(line for line in text_of("docs/guide/commands.md").splitlines() if line.startswith("| `specvae export"))
    assert "[onnx]" in row


def test_the_attacks_are_counted() -> None:
    files = list((Path(__file__).parent / "attacks").glob("test_*.py"))
    assert f"{len(files)} attacks that must fail" in text_of("README.md")
