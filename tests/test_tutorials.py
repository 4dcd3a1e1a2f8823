"""The tutorials run: every code block, in order, prints what the page says, and draws the figures that it shows."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import pytest

from tests.tutorials import FIGURES, PAGES, ROOT, blocks_of, run_page, same

mpl.use("Agg")


SLOW = (
    "before-after",
    "first-map",
    "hyperspectral",
    "lab-spectra",
    "night-batch",
    "same-place",
    "thresholds",
    "wrong-map",
)


def marked(page: Path) -> object:
    marks = [pytest.mark.slow, pytest.mark.timeout(1800)] if page.stem in SLOW else []
    return pytest.param(page, marks=marks, id=page.stem)


@pytest.mark.parametrize("page", [marked(page) for page in PAGES])
def test_a_tutorial_prints_what_it_says_and_draws_its_figures(page: Path, tmp_path: Path) -> None:
    shown = {
        Path(name).name for name in re.findall(r"!\[[^\]]+\]\((figures/[^)]+)\)", page.read_text(encoding="utf-8"))
    }
    for name in shown:
        (FIGURES / name).unlink(missing_ok=True)
    done = run_page(page, tmp_path / "run")
    assert len(done) >= 5
    for block, printed in done:
        if block.printed is not None:
            assert same(block.printed, printed), f"{block.text}\nprinted\n{printed}\nnot\n{block.printed}"
        else:
            assert not printed.strip() or block.language == "bash", (
                f"the page does not show what this prints:\n{block.text}"
            )
    for name in shown:
        assert (FIGURES / name).stat().st_size > 5000, f"{name} was not drawn"


def test_what_a_page_prints_is_compared(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('# Page\n\n```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n\n```toml title="a.toml"\nb = 1\n```\n')
    (first, _), (second, _) = run_page(page, tmp_path / "run")
    assert (first.printed, second.title) == ("2\n", "a.toml")
    assert (tmp_path / "run" / "a.toml").read_text() == "b = 1\n"
    assert same("2\n", "2\n")
    assert not same("2\n", "3\n")
    assert same("about ...\n", "about 7.31\n")


def test_the_pages_of_the_site_are_all_in_its_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert f": {page.relative_to(ROOT / 'docs').as_posix()}" in menu, page


def test_every_tutorial_has_blocks_that_run() -> None:
    assert len(PAGES) == 9
    for page in PAGES:
        assert sum(block.language in ("python", "bash") for block in blocks_of(page)) >= 5


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    if find_spec("mkdocs") is None:
        pytest.skip("the site needs the extra `docs`, which `make docs` installs")
    for name in ("docs", "specvae", "mkdocs.yml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    figures = tmp_path / "docs" / "tutorials" / "figures"
    figures.mkdir(exist_ok=True)
    for page in PAGES:
        for name in re.findall(r"\(figures/([^)]+)\)", page.read_text(encoding="utf-8")):
            (figures / name).write_bytes(_dot())
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # the theme's own news
    done = subprocess.run(argv, cwd=tmp_path, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING -" not in done.stderr
    page = (tmp_path / "site" / "reference" / "python" / "index.html").read_text(encoding="utf-8")
    for word in ("anomaly_score", "score_array", "calibrate", "predict"):
        assert word in page
    commands = (tmp_path / "site" / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    assert "specvae calibrate" in commands
    outside = re.findall(r'(?:src|href)="(https?://[^"]+\.(?:css|js|woff2?))"', page + commands)
    assert not outside, "the site must load nothing from elsewhere"


def _dot() -> bytes:
    """A PNG of one pixel, in place of a figure."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
