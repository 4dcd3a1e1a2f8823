"""Errors that reach a user: one line each that says what came, what was expected and what to do.

    SpecvaeError                 exit 4: the input or the model cannot be used, nothing was written
    ├── UsageError               exit 2: the command or configuration is wrong
    ├── InputError               a scene, table, mask or vector file cannot be used
    │   ├── ReadError            ... at one place of it (file and window are named)
    │   └── NothingFoundError    a glob or folder that holds no scene: of an inbox, a quiet night
    ├── ModelError               a model file cannot be used, or does not fit this scene
    ├── OutputError              an output cannot be written, or another one is in its place
    └── MissingExtraError        an optional package is not installed

Nothing else is raised on purpose; any other exception is a bug (exit 1).
"""

from __future__ import annotations

__all__ = [
    "InputError",
    "MissingExtraError",
    "ModelError",
    "NothingFoundError",
    "OutputError",
    "ReadError",
    "SpecvaeError",
    "UsageError",
    "one_line",
]


def one_line(text: object, limit: int = 600) -> str:
    """A text on one line of at most ``limit`` characters, control characters replaced by spaces."""
    # Names of files may hold newlines and terminal escapes: printed as they are, they could forge lines of a log or of
    # an error.
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


class SpecvaeError(Exception):
    """Root of the tree of errors; the text of every error is one line.

    Examples
    --------
    >>> from specvae import load_model
    >>> try:
    ...     load_model("nowhere.specvae")
    ... except SpecvaeError as error:
    ...     print(error.exit_status, error)
    4 the model nowhere.specvae cannot be read: No such file or directory; fit one with `specvae fit`
    """

    exit_status = 4

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))


class UsageError(SpecvaeError):
    """The command, an option or a configuration key is wrong."""

    exit_status = 2


class InputError(SpecvaeError):
    """A scene, table, mask or vector file is missing, unreadable or of the wrong kind."""


class ReadError(InputError):
    """Reading failed midway: the message names the file and the window or row."""


class NothingFoundError(InputError):
    """A glob matches no scene, or a folder holds none; one that does not exist is an InputError of another kind."""


class ModelError(SpecvaeError):
    """A model file is not one, is damaged, is newer than this program, or does not fit the input."""


class OutputError(SpecvaeError):
    """An output cannot be written, or another one is in its place."""


class MissingExtraError(SpecvaeError):
    """A feature needs an optional package; the message says which extra installs it.

    Examples
    --------
    >>> print(MissingExtraError.of("--cluster", "dask", extra="cluster"))
    --cluster needs dask; run `pip install ".[cluster]"` in the checkout
    """

    @classmethod
    def of(cls, feature: str, package: str, extra: str) -> MissingExtraError:
        """The error of a ``feature`` that lacks a ``package``, which the ``extra`` of specvae installs."""
        # In the checkout: no package index has specvae, so pip could not resolve "specvae[extra]". A method and not the
        # constructor, since an exception is pickled as its class and its message.
        return cls(f'{feature} needs {package}; run `pip install ".[{extra}]"` in the checkout')
