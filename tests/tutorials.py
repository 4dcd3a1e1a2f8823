"""Runs the tutorials of ``docs/``: each code block in order, in a folder of its own, and draws their figures.

``python -m tests.tutorials`` runs all of them, which `make docs` does before it builds the site.
"""

from __future__ import annotations

import doctest
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
FIGURES = ROOT / "docs" / "tutorials" / "figures"
FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.M | re.S)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str | None
    """Name of the file that it is, where it has one."""
    text: str
    printed: str | None
    """What the page says that it prints; None where it does not say."""


def blocks_of(page: Path) -> Iterator[Block]:
    """Blocks that do something, in order; a ``text`` block right after one is what it prints."""
    found = list(FENCE.finditer(page.read_text(encoding="utf-8")))
    for i, hit in enumerate(found):
        language, title, text = hit.groups()
        after = found[i + 1] if i + 1 < len(found) else None
        close = after is not None and not hit.string[hit.end() : after.start()].strip()
        printed = after.group(3) if after is not None and close and after.group(1) == "text" else None
        if language in ("python", "bash") or title:
            yield Block(language, title, text, printed)


def run_page(page: Path, folder: Path) -> list[tuple[Block, str]]:
    """Run a page's blocks in ``folder`` and keep its figures; each block with what it printed."""
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[str, Any] = {"__name__": "__main__"}
    done = []
    with chdir(folder):
        for block in blocks_of(page):
            done.append((block, _run(block, names, folder)))
    FIGURES.mkdir(exist_ok=True)
    for figure in sorted((folder / "figures").glob("*.png")):
        shutil.copy(figure, FIGURES / figure.name)
    return done


def _run(block: Block, names: dict[str, Any], folder: Path) -> str:
    if block.title:
        (folder / block.title).write_text(block.text, encoding="utf-8")
        return ""
    if block.language == "bash":
        return _shell(block.text, folder)
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(block.text, str(folder / "block.py"), "exec"), names)
    return printed.getvalue()


def _shell(text: str, folder: Path) -> str:
    """Run by bash, with a ``specvae`` that is this checkout's."""
    (folder / ".bin").mkdir(exist_ok=True)
    program = folder / ".bin" / "specvae"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m specvae "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "Agg",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit status {done.returncode} of\n{text}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def same(expected: str, printed: str) -> bool:
    """Whether what was printed is what the page says, ``...`` standing for anything."""
    return doctest.OutputChecker().check_output(expected, printed, FLAGS)


def main() -> None:
    os.environ["MPLBACKEND"] = "Agg"
    for page in PAGES if len(sys.argv) < 2 else [ROOT / "docs" / "tutorials" / f"{name}.md" for name in sys.argv[1:]]:
        with tempfile.TemporaryDirectory() as place:
            for block, printed in run_page(page, Path(place) / "run"):
                if block.printed is not None and not same(block.printed, printed):
                    sys.exit(f"{page.name} says\n{block.printed}\nbut this was printed:\n{printed}\nby\n{block.text}")
                if block.printed is None and printed and "-v" in os.environ.get("TUTORIALS", ""):
                    print(f"--- {page.name}\n{block.text}>>>\n{printed}")
        print(page.name, "runs", flush=True)


if __name__ == "__main__":
    main()
