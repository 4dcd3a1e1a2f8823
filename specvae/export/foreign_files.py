"""Files of another program in a result's place, which are not replaced unasked."""

from __future__ import annotations

from pathlib import Path

from specvae.export.contents import INVALID, NAMES

__all__ = ["foreign_files"]

MARKED = 1 << 20
"""Bytes at the beginning, or the end, of a file of a result in which it says that specvae wrote it."""


def foreign_files(folder: Path) -> list[str]:
    """The files in a folder that have the names of results and were written by another program; none in one of ours.

    A score that was killed while its files were moved into place leaves some of its own: they are ours, and one of
    them says so. Where none does, the names are taken by somebody else.
    """
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    names = sorted(there & NAMES - {INVALID.name})
    return [] if any(_says_specvae(folder / name) for name in names) else names


def _says_specvae(path: Path) -> bool:
    """Whether a file of a result says that specvae wrote it."""
    if path.suffix in (".json", ".html", ".geojson"):
        with path.open("rb") as file:
            return b"specvae" in file.read(MARKED)
    if path.suffix == ".tif":
        # A TIFF has its tags before its pixels or behind them.
        with path.open("rb") as file:
            head = file.read(MARKED)
            file.seek(max(0, path.stat().st_size - MARKED))
            return b"specvae_model_sha256" in head + file.read()
    return False
