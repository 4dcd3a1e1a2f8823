"""JSON files: what is written can be read everywhere, and what is damaged reads as nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specvae.files.json_files import finite, read_json, write_json


def test_what_json_cannot_hold_becomes_null(tmp_path: Path) -> None:
    tree = {"a": float("nan"), "b": (np.float32(0.5), np.int64(3)), "c": [float("inf"), -float("inf")], 4: "text"}
    expected = {"a": None, "b": [0.5, 3], "c": [None, None], "4": "text"}
    assert finite(tree) == expected
    write_json(tmp_path / "tree.json", tree)
    assert read_json(tmp_path / "tree.json") == expected


@pytest.mark.parametrize("text", [None, "", "{", "[1, 2]", "null"])
def test_a_missing_or_damaged_file_reads_as_an_empty_object(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "tree.json").write_text(text)
    assert read_json(tmp_path / "tree.json") == {}
