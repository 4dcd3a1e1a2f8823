"""Configurations from presets, TOML files and ``key=value`` settings; a key that is not known is named."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from specvae.errors import UsageError
from specvae.model.config import ModelConfig

__all__ = ["known_keys", "load_config", "presets", "read_toml", "toml_value"]


def presets() -> dict[str, Path]:
    """The presets in the package: name -> TOML file."""
    folder = resources.files("specvae.model") / "presets"
    return (
        {Path(str(f)).stem: Path(str(f)) for f in folder.iterdir() if str(f).endswith(".toml")}
        if folder.is_dir()
        else {}
    )


def load_config(
    preset: str | None = None,
    config: str | Path | None = None,
    settings: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> ModelConfig:
    """A configuration from a preset, then a TOML file, then ``key=value`` settings, then ``overrides`` (dotted keys).

    Raises UsageError, naming the key that is wrong and the nearest known one.

    Examples
    --------
    >>> load_config(settings=["network.latent=8"]).network.latent
    8
    """
    tree: dict[str, Any] = {}
    if preset is not None:
        known = presets()
        if preset not in known and preset != "default":
            raise UsageError(f"there is no preset {preset!r}; known: {', '.join(sorted([*known, 'default']))}")
        if preset in known:
            _merge(tree, read_toml(known[preset]))
        tree["preset"] = preset
    if config is not None:
        _merge(tree, read_toml(Path(config)))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set takes key=value, not {setting!r}; for instance --set training.steps=500")
        _set(tree, key.strip(), toml_value(text.strip()))
    for key, value in (overrides or {}).items():
        if value is not None:
            _set(tree, key, value)
    try:
        return ModelConfig.model_validate(tree)
    except ValidationError as error:
        raise UsageError(_explain(error, config)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The tree of a TOML file of at most 1 MB. Raises UsageError naming the file and what is wrong in it."""
    try:
        if path.stat().st_size > 1_000_000:
            raise UsageError(
                f"{path} is {path.stat().st_size} bytes; a configuration is under 1 MB: is it the right file?"
            )
        # Editors on Windows may begin a file with a byte order mark, which TOML does not know.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not a readable TOML file: {error}") from None


def toml_value(text: str) -> Any:
    """The value that a text after ``key=`` has in a TOML file; where it is none, the text itself.

    Examples
    --------
    >>> toml_value("1e-4"), toml_value("[1, 2]"), toml_value("ring")
    (0.0001, [1, 2], 'ring')
    """
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(tree: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = dict(value) if isinstance(value, Mapping) else value


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise UsageError(f"{key!r} is not a setting: {parent!r} holds a value, not a section")
    tree[last] = value


def known_keys(model: type[BaseModel] = ModelConfig, prefix: str = "") -> list[str]:
    """Every dotted key of a configuration model."""
    keys = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += known_keys(kind, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def _explain(error: ValidationError, source: str | Path | None) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    where = f"{source}: " if source else ""
    if first["type"] == "extra_forbidden":
        near = get_close_matches(path, known_keys(), n=1, cutoff=0.4)
        return f"{where}unknown setting {path!r}{f'; did you mean {near[0]!r}?' if near else ''}"
    given = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
    return f"{where}{path or 'configuration'}{given}: {first['msg'].removeprefix('Value error, ')}"
