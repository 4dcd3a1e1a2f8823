"""Folders that appear whole or not at all, and what killed writers left beside them."""

from __future__ import annotations

from pathlib import Path

from specvae.files.atomic import OutputFolder


def test_what_a_killed_writer_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    """A folder without a lock is of a writer that is gone; shards of the same scene and other scenes are let be."""
    place = tmp_path / "scene[1]"
    left, shards, other = (
        tmp_path / n for n in (".scene[1].part-abcd1234", ".scene[1].part-shards", ".scene.part-abcd1234")
    )
    for folder in (left, shards, other):
        folder.mkdir()
        (folder / "score.tif").write_bytes(b"half")
    with OutputFolder(place, "item.json") as first, OutputFolder(place, "item.json") as second:
        assert first.path.is_dir()
        assert second.path.is_dir()
        assert not left.exists()
    assert shards.exists()
    assert other.exists()
