"""What a run has to do: each scene compared with what stands in its folder, and why it is done or is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from specvae.files.fingerprint import Fingerprint, same, sha256_of
from specvae.ingest.source import Source
from specvae.pipeline.invalid import read_invalid
from specvae.pipeline.summary.facts import facts_of
from specvae.stages.score.request import ScoreRequest, fingerprint_of, stored_item

__all__ = ["Decision", "decide", "model_hash"]


@dataclass(frozen=True)
class Decision:
    """What is to become of one scene."""

    source: Source
    status: Literal["todo", "already", "invalid"]
    why: str
    facts: dict[str, Any] = field(default_factory=dict)
    """Of a scene that is done already."""


def model_hash(path: str) -> str | None:
    """SHA-256 of a model file, or None where there is none."""
    return sha256_of(Path(path)) if Path(path).is_file() else None


def decide(sources: Sequence[Source], request: ScoreRequest, model: str | None) -> list[Decision]:
    """A decision for each scene; ``model`` is the SHA-256 of the model, None where it is yet to be made."""
    return [_decide(source, request, model) for source in sources]


def _decide(source: Source, request: ScoreRequest, model: str | None) -> Decision:
    folder = Path(request.out) / source.key
    item, record = stored_item(folder), read_invalid(folder)
    if item is None and record is None:
        return Decision(source, "todo", "new")
    if model is None:
        return Decision(source, "todo", "its model will be made anew")
    stored = item["properties"].get("specvae:fingerprint") if item else record["fingerprint"] if record else None
    try:
        mine = fingerprint_of(source, model, request, {"item": {"properties": {"specvae:fingerprint": stored}}})
    except OSError as error:
        return Decision(source, "todo", f"cannot be read: {error.strerror}")
    if not same(mine, stored):
        return Decision(source, "todo", _difference(mine, stored or {}))
    if item is None:
        return Decision(source, "invalid", str((record or {}).get("message", "")))
    return Decision(source, "already", f"scored {item['properties'].get('created', '')}".strip(), facts_of(item))


def _difference(mine: Fingerprint, stored: dict[str, Any]) -> str:
    """What changed since: the model, settings by name, or files."""
    now = mine.to_json()
    told = ["the model changed"] if now["model"] != stored.get("model") else []
    ours, theirs = _flat(now["settings"]), _flat(stored.get("settings") or {})
    names = sorted(name for name in ours.keys() | theirs.keys() if _plain(ours.get(name)) != _plain(theirs.get(name)))
    told += [f"{', '.join(names)} changed"] if names else []
    before = {i["path"]: i["sha256"] for i in stored.get("inputs", [])}
    files = [Path(i["path"]).name for i in now["inputs"] if before.get(i["path"]) != i["sha256"]]
    told += [f"{', '.join(files[:3])} changed"] if files else []
    return "; ".join(told) or "its files are others"


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    ingest = settings.get("ingest") or {}
    return {k: v for k, v in settings.items() if k != "ingest"} | ingest


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
