"""The plan of a scoring stage: for each scene whether it is to be scored, is done already or is known to be invalid.

A batch resumes by fingerprints, not by a list of what it did: each result holds the fingerprint of the files, the model and
the settings that it was made of. A scene whose fingerprint today equals the stored one has nothing to do, whichever run
scored it. So a run that was killed continues where it ended, and a changed setting redoes exactly the scenes it concerns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from specvae.files.fingerprint import Fingerprint, same, sha256_of
from specvae.files.places import output_place, shown_place
from specvae.files.store import is_unsent
from specvae.ingest.source import Source
from specvae.pipeline.invalid import read_invalid
from specvae.pipeline.summary.facts import SceneFacts, facts_of
from specvae.stages.score.request import ScoreRequest, fingerprint_of, stored_item

__all__ = ["Decision", "decide", "model_hash"]

NAMED_FILES = 3
"""Changed files that a reason lists by name; the line stays readable."""


@dataclass(frozen=True)
class Decision:
    """What a run is to do with one scene."""

    source: Source
    status: Literal["todo", "already", "invalid"]
    why: str
    """One line: what changed, when it was scored, or why it is invalid."""
    facts: SceneFacts = field(default_factory=SceneFacts)
    """What the summary says of a scene that is done already; empty for others."""


def model_hash(path: str) -> str | None:
    """SHA-256 of a model file, or None where there is none."""
    return sha256_of(Path(path)) if Path(path).is_file() else None


def decide(sources: Sequence[Source], request: ScoreRequest, model: str | None) -> list[Decision]:
    """A decision for each scene; ``model`` is the SHA-256 of the model, None where a stage above will make it."""
    return [_decide(source, request, model) for source in sources]


def _decide(source: Source, request: ScoreRequest, model: str | None) -> Decision:
    folder = output_place(request.out, source.key)
    item, record = stored_item(folder), read_invalid(folder)
    if is_unsent(request.out, folder):
        return Decision(source, "todo", "its upload failed")
    if item is None and record is None:
        return Decision(source, "todo", "new")
    if model is None:
        return Decision(source, "todo", "its model will be made anew")
    # A record of an invalid scene replaces the result before it, and a result the record: one of them is there.
    stored = item["properties"].get("specvae:fingerprint") if item else record["fingerprint"] if record else None
    try:
        # With the stored fingerprint at hand, only files whose size or time changed are hashed again.
        current = fingerprint_of(source, model, request, stored)
    except OSError as error:
        return Decision(source, "todo", f"cannot be read: {error.strerror}")
    if not same(current, stored):
        return Decision(source, "todo", _difference(current, stored or {}))
    if item is None:
        return Decision(source, "invalid", record["message"] if record else "")
    facts = facts_of(item, shown_place(request.out, source.key))
    return Decision(source, "already", f"scored {item['properties'].get('created', '')}".strip(), facts)


def _difference(current: Fingerprint, stored: Mapping[str, Any]) -> str:
    """What changed since the stored fingerprint was made: the model, settings by name, or files."""
    now = current.to_json()
    reasons = ["the model changed"] if now["model"] != stored.get("model") else []
    new, old = _flat(now["settings"]), _flat(stored.get("settings") or {})
    names = sorted(name for name in new.keys() | old.keys() if _as_json(new.get(name)) != _as_json(old.get(name)))
    reasons += [f"{', '.join(names)} changed"] if names else []
    before = {i["path"]: i["sha256"] for i in stored.get("inputs", [])}
    files = [Path(i["path"]).name for i in now["inputs"] if before.get(i["path"]) != i["sha256"]]
    reasons += [f"{', '.join(files[:NAMED_FILES])} changed"] if files else []
    return "; ".join(reasons) or "its files are others"


def _flat(settings: Mapping[str, Any]) -> dict[str, object]:
    """Settings by name, those of reading beside the others."""
    ingest = settings.get("ingest") or {}
    return {k: v for k, v in settings.items() if k != "ingest"} | ingest


def _as_json(value: object) -> object:
    """A tuple as the list that JSON makes of it."""
    return list(value) if isinstance(value, tuple) else value
