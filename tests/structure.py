"""The table of the package's structure in ``docs/architecture.md``, counted from the code.

``python -m tests.structure`` prints it, ``python -m tests.structure --write`` puts it into the page.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from specvae import ROOMS
from tests.architecture import FLOOR_OF, PACKAGE, arrows, cycles, modules, room_of, tree_of

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
BEGIN, END = "<!-- structure: begin -->", "<!-- structure: end -->"
LONGEST_FILE = 300
LONGEST_FUNCTION = 30
"""Lines of a function's body, its docstring not counted."""
FEWEST_COMMENTS = 2.0
"""Comments to a hundred lines of code."""
SUPPRESSION = re.compile(r"#\s*(?:noqa|type:\s*ignore|fmt:\s*(?:skip|off))")


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    what: str
    measured: str
    limit: str = ""
    hard: bool = False
    """Whether a test compares the row of the page with the code. The others change with every commit."""
    within: bool = True
    """Whether the code keeps to the limit, which a test asserts; True where there is none."""

    @property
    def line(self) -> str:
        """The row as Markdown."""
        return f"| {self.what} | {self.measured} | {self.limit} |"


def rows() -> list[Row]:
    """All rows of the table, in their order."""
    rooms = {room for floor in ROOMS for room in floor} - {"__init__", "__main__"}
    upward = [pair for pair in room_arrows() if FLOOR_OF[pair[1]] >= FLOOR_OF[pair[0]]]
    files = list(modules().values())
    suppressed = sum(len(SUPPRESSION.findall(path.read_text(encoding="utf-8"))) for path in files)
    comments = comments_per_hundred_lines()
    return [
        Row("rooms", str(len(rooms)), hard=True),
        Row("floors", str(len(ROOMS)), hard=True),
        _none("arrows between rooms that point upward or sideways", len(upward)),
        _none("cycles between files, imports for type checking included", len(cycles(arrows()))),
        Row("arrows between rooms", str(len(room_arrows()))),
        Row("files", str(len(files))),
        _none(f"files over {LONGEST_FILE} lines", len(long_files())),
        _none(f"functions over {LONGEST_FUNCTION} lines, docstring not counted", len(long_functions())),
        Row(
            "comments to a hundred lines of code",
            f"{comments:.1f}",
            f"at least {FEWEST_COMMENTS:g}",
            within=comments >= FEWEST_COMMENTS,
        ),
        Row("suppressions (`noqa`, `type: ignore`, `fmt: skip`)", str(suppressed)),
    ]


def _none(what: str, count: int) -> Row:
    """The row of something of which there is to be none."""
    return Row(what, str(count), "0", hard=True, within=count == 0)


@cache
def room_arrows() -> frozenset[tuple[str, str]]:
    """Pairs (room, other room from which it imports)."""
    pairs = {(room_of(start), room_of(end)) for start, end in arrows()}
    return frozenset((start, end) for start, end in pairs if start != end)


def long_files() -> list[str]:
    """Files of more than LONGEST_FILE lines, as ``path: lines``."""
    counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules().values()}
    return [f"{path.relative_to(PACKAGE)}: {count}" for path, count in counts.items() if count > LONGEST_FILE]


def long_functions() -> list[str]:
    """Functions whose body has more than LONGEST_FUNCTION lines, as ``path: function: lines``."""
    found = []
    for path in modules().values():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > LONGEST_FUNCTION:
                found.append(f"{path.relative_to(PACKAGE)}: {node.name}: {body_lines(node)}")
    return found


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last line."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def comments_per_hundred_lines() -> float:
    """Comments that say something (no suppressions) to a hundred lines of code (no blank lines, no docstrings)."""
    comments = code = 0
    for path in modules().values():
        text = path.read_text(encoding="utf-8")
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        comments += sum(t.type == tokenize.COMMENT and not SUPPRESSION.match(t.string) for t in tokens)
        silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
        lines = {n for t in tokens if t.type not in silent for n in range(t.start[0], t.end[0] + 1)}
        code += len(lines - set(_bare_string_lines(tree_of(path))))
    return 100 * comments / code


def _bare_string_lines(tree: ast.Module) -> Iterator[int]:
    """Lines of docstrings, and of the strings that describe a constant or a field."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def order() -> list[str]:
    """The rooms from the ground up, as rows of a table: floor, rooms, and from which rooms they import."""
    lines = ["| floor | rooms | import from |", "| ---: | --- | --- |"]
    for floor, rooms in enumerate(ROOMS):
        below = {end for start, end in room_arrows() if start in rooms}
        named = ", ".join(f"`{room}`" for room in rooms)
        lines.append(f"| {floor} | {named} | {', '.join(sorted(below, key=lambda r: (FLOOR_OF[r], r))) or 'nothing'} |")
    return lines


def table() -> str:
    """Both tables as Markdown."""
    counted = ["| what | measured | limit |", "| --- | ---: | ---: |", *(row.line for row in rows())]
    return "\n".join([*order(), "", *counted])


def main() -> None:
    """Print the tables, or write them into the page; then list what is over a limit on standard error."""
    text = PAGE.read_text(encoding="utf-8")
    if "--write" in sys.argv[1:]:
        head, rest = text.split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    else:
        print(table())
    for name in (*long_files(), *long_functions()):
        print(f"too long: {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
