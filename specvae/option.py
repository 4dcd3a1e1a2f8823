"""Options: what a field of a request needs in order to become an option of a command and a key of a pipeline's TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from specvae.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "LEARNED",
    "MAIN",
    "PIXELS",
    "READING",
    "RESULTS",
    "RUNNING",
    "Declared",
    "Option",
    "Range",
    "build",
    "check_options",
    "option",
    "options_of",
]

T = TypeVar("T")
R = TypeVar("R", bound="DataclassInstance")
MAIN, PIXELS, READING = "Main options", "Which pixels or rows are taken", "How files are read"
LEARNED, RESULTS, RUNNING = "What is learned", "What is written", "How it runs"
"""Headings of the options in ``--help``."""
KEY = "option"
"""Under which the metadata of a dataclass field holds its Option."""


@dataclass(frozen=True)
class Range:
    """The numbers that an option takes; an end that is None is open to infinity."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    """Whether ``low`` itself is excluded."""
    high_open: bool = False
    """Whether ``high`` itself is excluded."""

    def __contains__(self, value: float) -> bool:
        above = self.low is None or value > self.low or (value == self.low and not self.low_open)
        return above and (self.high is None or value < self.high or (value == self.high and not self.high_open))

    def __str__(self) -> str:
        low = "" if self.low is None else f"{self.low:g}<{'' if self.low_open else '='}"
        high = "" if self.high is None else f"<{'' if self.high_open else '='}{self.high:g}"
        return f"{low}x{high}"


@dataclass(frozen=True)
class Option:
    """How one field is given by a user; the field's own type and default say the rest."""

    help: str
    """One line for ``--help``."""
    metavar: str | None = None
    """What stands for the value in ``--help``; None: the name of its type."""
    choices: tuple[str, ...] = ()
    """The words that are taken; () = any."""
    range: Range | None = None
    """The numbers that are taken; None = any."""
    is_path: bool = False
    """Whether it names files: in a TOML, relative ones start at the pipeline's root."""
    number_as_text: bool = False
    """Whether a TOML may give a number in place of its text: ``nodata = 0``."""
    on_command_line: bool = True
    """Whether the command has it."""
    in_toml: bool = True
    """Whether a stage of a pipeline has it."""
    only: tuple[str, ...] = ()
    """The commands and stages that have it; () = all that are made from its dataclass."""
    heading: str = MAIN
    """Above which options it stands in ``--help``."""


@dataclass(frozen=True)
class Declared:
    """An option with its field's name, type and default."""

    name: str
    type: type
    """``str``, ``int``, ``float`` or ``bool``: of the value, or of each of ``several``."""
    several: bool
    """Whether it is a tuple of values; the command's option may then be repeated."""
    optional: bool
    """Whether None, the absence of a value, is among its values."""
    default: object
    option: Option


def option(default: T, about: Option) -> T:
    """A dataclass field with a default, about which its option says what a user needs to know.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Request:
    ...     rate: float | None = option(None, Option("Share of false alarms.", range=Range(0, 1)))
    >>> [(declared.name, declared.type, str(declared.option.range)) for declared in options_of(Request)]
    [('rate', <class 'float'>, '0<=x<=1')]
    """
    made: T = field(default=default, metadata={KEY: about})
    return made


def options_of(request: type[DataclassInstance], command: str = "") -> tuple[Declared, ...]:
    """The options of a request's dataclass in the order of its fields, those of dataclasses inside it in their place.

    ``command``: only those that this command or stage has; by default all.
    """
    return tuple(d for d in _declared(request) if not (command and d.option.only) or command in d.option.only)


# Cached, for type hints are evaluated anew at every call, and each request that is built asks for them.
@cache
def _declared(request: type[DataclassInstance]) -> tuple[Declared, ...]:
    return tuple(_each(request))


def _each(request: type[DataclassInstance]) -> Iterator[Declared]:
    # A field's own `type` is text, since annotations are not evaluated here; get_type_hints makes types of it.
    hints = get_type_hints(request)
    for item in fields(request):
        hint = hints[item.name]
        if is_dataclass(hint) and isinstance(hint, type):
            yield from _declared(hint)
        elif KEY in item.metadata:
            # The first argument is the value's type, both in `int | None` and in `tuple[str, ...]`; a plain type has
            # none.
            parts = get_args(hint) or (hint,)
            several, optional = get_origin(hint) is tuple, type(None) in parts
            yield Declared(item.name, parts[0], several, optional, item.default, item.metadata[KEY])


def build(request: type[R], values: Mapping[str, Any]) -> R:
    """A request from a flat mapping, as a command line or a TOML gives it: each value goes to the dataclass that has it.

    Raises TypeError for a name that no field has, and UsageError for a value that the request refuses.
    """
    rest = dict(values)
    for name, hint in get_type_hints(request).items():
        # A caller from Python may give the inner dataclass ready made; a command line or a TOML gives its fields.
        if is_dataclass(hint) and isinstance(hint, type) and name not in rest:
            rest[name] = build(hint, {item.name: rest.pop(item.name) for item in fields(hint) if item.name in rest})
    return request(**rest)


def check_options(request: DataclassInstance) -> None:
    """Raise UsageError where a field's value is not among its choices or outside its range."""
    own = {item.name for item in fields(request)}
    for declared in _declared(type(request)):
        # The fields of a dataclass inside this one were checked when that one was built.
        if declared.name not in own:
            continue
        value = getattr(request, declared.name)
        for each in value if declared.several else () if value is None else (value,):
            _check(declared, each)


def _check(declared: Declared, value: Any) -> None:
    choices, limits = declared.option.choices, declared.option.range
    if choices and value not in choices:
        raise UsageError(f"{declared.name} is {value!r}; use one of {', '.join(choices)}")
    if limits is not None and value not in limits:
        raise UsageError(f"{declared.name} is {value!r}; expected a number in the range {limits}")
