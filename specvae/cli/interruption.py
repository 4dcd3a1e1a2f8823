"""An interruption that asks a command to come to its end: the first Ctrl-C or SIGTERM asks, the second ends it at once."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

from specvae.cli.invocation import invocation

__all__ = ["Interruption"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
FINISHING = "interrupted: the weights so far are being written with their thresholds; once more to write nothing"


class Interruption:
    """While it lasts, and where it is ``wanted``, a first signal only sets :attr:`asked`. A context manager.

    Where it is not wanted, or after the first one, a signal does what it did before: it raises KeyboardInterrupt or
    SystemExit.
    """

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.signal = 0
        """Number of the signal that asked; 0 while none did."""
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def __enter__(self) -> Self:
        if self.wanted:
            for number in SIGNALS:
                signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def asked(self) -> bool:
        """Whether the command is to come to its end."""
        return self.signal != 0

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()
        invocation().warn(FINISHING)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
