"""Options of the commands, derived from the fields of their requests, and the few that are the command line's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from specvae.ingest.options import IngestOptions
from specvae.option import RUNNING, Declared, Range, build, options_of
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "HeadedCommand",
    "HeadedOption",
    "device_option",
    "ingest_of",
    "json_option",
    "memory_option",
    "model_option",
    "overwrite_option",
    "reading_options",
    "request_options",
    "set_option",
]

F = TypeVar("F", bound=Callable[..., Any])


class HeadedOption(click.Option):
    """An option that stands under a heading in the help of its command."""

    def __init__(self, *args: Any, heading: str = RUNNING, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


class HeadedCommand(click.Command):
    """A command whose help has its options under their headings, in the order in which the first of each comes."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options; those of click and of the command line alone say how a command runs."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            line = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and line is not None:
                sections.setdefault(getattr(parameter, "heading", RUNNING), []).append(line)
        for heading, lines in sections.items():
            with formatter.section(heading):
                formatter.write_dl(lines)


def request_options(
    request: type[DataclassInstance],
    command: str,
    after: Mapping[str, Callable[..., Any]] | None = None,
    defaults: bool = True,
) -> Callable[[F], F]:
    """All options of a command, in the order of the request's fields; a decorator of the command's function.

    ``after``: options of the command line alone, each put after the field that it is named by. Without ``defaults`` an
    option that is not given is None, for a command whose values come from elsewhere then.
    """
    # A list that is filled in the fields' order, so that --help has the order in which the request documents them.
    chosen: list[Callable[..., Any]] = []
    for declared in options_of(request, command):
        if declared.option.on_command_line:
            chosen.append(_click_option(declared if defaults else replace(declared, default=None)))
        if after and declared.name in after:
            chosen.append(after[declared.name])

    def apply(function: F) -> F:
        for decorator in reversed(chosen):  # click lists the last decorator that is applied first
            function = decorator(function)
        return function

    return apply


def reading_options(command: str) -> Callable[[F], F]:
    """The options that say how sources are read, as far as the command has them."""
    return request_options(IngestOptions, command)


def _click_option(declared: Declared) -> Callable[[F], F]:
    """One option, with the type, the default and the help of its field."""
    about, flag = f"--{declared.name.replace('_', '-')}", declared.type is bool
    if flag:
        return click.option(
            about,
            declared.name,
            is_flag=True,
            help=declared.option.help,
            cls=HeadedOption,
            heading=declared.option.heading,
        )
    return click.option(
        about,
        declared.name,
        type=_click_type(declared),
        multiple=declared.several,
        default=declared.default,
        show_default=declared.default not in (None, ()),
        metavar=declared.option.metavar,
        help=declared.option.help,
        cls=HeadedOption,
        heading=declared.option.heading,
    )


def _click_type(declared: Declared) -> click.ParamType[Any] | type:
    if declared.option.choices:
        return click.Choice(declared.option.choices)
    return _number(declared.type, declared.option.range) if declared.option.range else declared.type


def _number(kind: type, limits: Range) -> click.ParamType[Any]:
    if kind is int:
        return click.IntRange(
            None if limits.low is None else int(limits.low), None if limits.high is None else int(limits.high)
        )
    return click.FloatRange(limits.low, limits.high, min_open=limits.low_open, max_open=limits.high_open)


def _one(request: type[DataclassInstance], name: str) -> Callable[[F], F]:
    """The option of one field, for commands that share it and have no request of their own."""
    return _click_option(next(declared for declared in options_of(request) if declared.name == name))


# From ScoreRequest, so that an option is worded once; the commands of the latent space have no request of their own.
model_option = _one(ScoreRequest, "model")
device_option = _one(ScoreRequest, "device")
overwrite_option = _one(ScoreRequest, "overwrite")
memory_option = _one(ScoreRequest, "max_memory")
set_option = _one(FitRequest, "set")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


def ingest_of(options: Mapping[str, object]) -> dict[str, Any]:
    """The same options with those that say how sources are read gathered as ``ingest``."""
    # Intersected with what came: a command has only some of the fields of IngestOptions.
    reading = {declared.name for declared in options_of(IngestOptions)} & options.keys()
    rest = {name: value for name, value in options.items() if name not in reading}
    return rest | {"ingest": build(IngestOptions, {name: options[name] for name in reading})}
