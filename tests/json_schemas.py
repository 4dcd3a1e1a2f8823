"""The JSON Schemas of what programs read, made from the types of the records: ``python -m tests.json_schemas --write``.

The descriptions are the docstrings under the fields, so that a field is described once.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin, get_type_hints, is_typeddict

import typing_extensions
from pydantic import Field, TypeAdapter

from specvae.pipeline.summary.run_json import RunJson
from specvae.pipeline.summary.score_json import ScoreJson
from specvae.stages.fit_outcome import FitJson

ROLE = re.compile(r":\w+:`~?([^`]*)`")
"""Sphinx's roles, which nobody reads in a schema."""
PACKAGE = Path(inspect.getfile(RunJson)).parents[2]
SCHEMAS: dict[Path, tuple[Any, str]] = {
    PACKAGE / "stages" / "fit.schema.json": (FitJson, "specvae fit --json and specvae calibrate --json"),
    PACKAGE / "pipeline" / "summary" / "score.schema.json": (list[ScoreJson], "specvae score --json"),
    PACKAGE / "pipeline" / "summary" / "run.schema.json": (RunJson, "run.json of specvae run"),
}
"""File -> the type that it describes, and what has that type."""


def text_of(path: Path) -> str:
    """The text of a schema file."""
    kind, title = SCHEMAS[path]
    schema = TypeAdapter(rebuilt(kind)).json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
    return json.dumps(head, indent=1, ensure_ascii=False) + "\n"


def rebuilt(kind: Any) -> Any:
    """A type with its typed dicts made anew by ``typing_extensions``, as pydantic takes them, with their descriptions."""
    if is_typeddict(kind):
        return _record(kind)
    inner = get_args(kind)
    if get_origin(kind) in (list, dict):
        return get_origin(kind)[tuple(map(rebuilt, inner)) if len(inner) > 1 else rebuilt(inner[0])]
    return kind


@cache
def _record(kind: Any) -> Any:
    about = _docstrings(kind)
    fields = {}
    marked = get_type_hints(kind, include_extras=True)
    for name, hint in get_type_hints(kind).items():
        described = Annotated[rebuilt(hint), Field(description=about.get(name))]
        # Not __required_keys__, which knows no marks where annotations are text.
        mark = get_origin(marked[name])
        required = mark is Required or (mark is not NotRequired and kind.__total__)
        fields[name] = described if required else NotRequired[described]
    record = typing_extensions.TypedDict(kind.__name__, fields)  # type: ignore[operator]
    record.__doc__ = ROLE.sub(r"``\1``", kind.__doc__)
    return record


def _docstrings(kind: Any) -> dict[str, str]:
    """Field -> the docstring under it, of a class and of those that it derives from."""
    found: dict[str, str] = {}
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    # By their names: a typed dict has no bases but dict once it is made.
    for base in definition.bases:
        above = vars(sys.modules[kind.__module__]).get(ast.unparse(base))
        found |= _docstrings(above) if is_typeddict(above) else {}
    for field, after in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            found[ast.unparse(field.target)] = re.sub(
                r"\bNone\b", "null", inspect.cleandoc(ast.literal_eval(after.value))
            )
    return found


if __name__ == "__main__":
    for path in SCHEMAS:
        if "--write" in sys.argv:
            path.write_text(text_of(path), encoding="utf-8")
        else:
            print(text_of(path))
