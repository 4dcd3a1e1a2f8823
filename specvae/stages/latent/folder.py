"""A folder of results with a summary, made once: the same inputs, model and settings are nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specvae.errors import OutputError, SpecvaeError
from specvae.export.contents import NAMES
from specvae.files.atomic import OutputFolder
from specvae.files.fingerprint import Fingerprint, same
from specvae.files.json_files import finite, read_json, write_json
from specvae.files.places import local_place
from specvae.files.replacement import Replacement, replacement
from specvae.ingest.source import Source
from specvae.stages.outcome import SceneOutcome, ScoreRun

__all__ = ["SUMMARY", "LatentResult", "for_each", "make_folder"]

SUMMARY = "summary.json"
"""Written last: its presence means that the folder is complete."""


@dataclass(frozen=True)
class LatentResult:
    """A folder of results that is complete."""

    folder: Path
    skipped: bool
    """Whether it was there already, made from the same inputs, model and settings."""
    summary: dict[str, Any]
    """What its ``summary.json`` holds."""


def make_folder(
    folder: Path, fingerprint: Fingerprint, overwrite: bool, make: Callable[[Path], Mapping[str, object]]
) -> LatentResult:
    """Have ``make`` write files into a folder beside, and rename it into place with what ``make`` returns as its summary.

    Raises OutputError where another result is there already and ``overwrite`` is not given.
    """
    stored = read_json(folder / SUMMARY)
    # Files without a summary are an unfinished or a foreign result: not to be replaced unasked either.
    exists = folder.is_dir() and any(folder.iterdir())
    todo = replacement(exists, lambda: same(fingerprint, stored.get("fingerprint")), overwrite=overwrite)
    if todo is Replacement.DONE:
        return LatentResult(folder, True, stored)
    if todo is Replacement.REFUSE:
        raise OutputError(f"{folder} holds something else already; give --overwrite or another --out")
    # NAMES: of an old result only files that specvae writes are removed, not what a user put beside them.
    with OutputFolder(folder, SUMMARY, NAMES) as work:
        summary: dict[str, Any] = finite({"schema_version": 1, **make(work.path), "fingerprint": fingerprint.to_json()})
        write_json(work.path / SUMMARY, summary)
        work.commit()
    return LatentResult(folder, False, summary)


def for_each(
    sources: list[Source],
    out: str,
    work: Callable[[Source, Path], LatentResult],
    message_of: Callable[[dict[str, Any]], str],
    done: Callable[[SceneOutcome], None] | None = None,
) -> ScoreRun:
    """Do every source into its folder below ``out``; where one fails, the others are done all the same."""
    outcomes = []
    for source in sources:
        folder = local_place(out, source.key)
        try:
            result = work(source, folder)
            status = "already" if result.skipped else "done"
            message = "done already" if result.skipped else message_of(result.summary)
            outcome = SceneOutcome(source.path, source.key, status, str(folder), message, result.summary)
        # Nothing wider: any other exception is a bug, and ends the command with its traceback.
        except SpecvaeError as error:
            outcome = SceneOutcome(
                source.path, source.key, "failed", str(folder), str(error), exit_status=error.exit_status
            )
        outcomes.append(outcome)
        if done:
            done(outcome)
    return ScoreRun(tuple(outcomes))
