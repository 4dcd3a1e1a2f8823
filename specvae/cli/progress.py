"""Progress on standard error: a bar for a person at a terminal, an event at every twentieth for a program that reads JSON."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from specvae.cli.invocation import invocation

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from specvae.training.descent import Check

__all__ = ["FitProgress", "ScoreProgress", "WatchProgress"]


EVENTS = 20
"""Events that a scene's or a fit's progress is said in, at most: a program's bar moves, and a log stays short."""


class _Bar:
    """A rich progress bar, or nothing where nobody would see it."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._said: tuple[str, int] = ("", 0)

    def __enter__(self) -> Self:
        if invocation().shows_progress:
            # Imported only where a bar is shown: batches and pipes start faster without it.
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._progress.start()
            self._task = self._progress.add_task("", total=1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _show(self, text: str, share: float) -> None:
        """Show a text and the share that is done, in 0..1."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=text, completed=share)
        said = (text.split("  ")[0], int(share * EVENTS))
        if invocation().log_as_json and said != self._said:
            self._said = said
            invocation().say(text, "progress", "info", share=round(share, 4))


class FitProgress(_Bar):
    """A bar of a fit, with its loss, both of its terms and the time that remains."""

    def __call__(self, check: Check) -> None:
        """Show one check."""
        text = (
            f"fit {check.fit + 1}  loss {check.loss:.3f}  reconstruction {check.reconstruction:.3f}  kl {check.kl:.3f}"
        )
        self._show(text, check.step / check.steps)


class ScoreProgress(_Bar):
    """A bar of a score, with the scene that is being scored."""

    def __call__(self, scene: str, share: float) -> None:
        """Show the share of one scene that is scored."""
        self._show(scene, share)


class WatchProgress(_Bar):
    """A bar of a watch, with the dates that are done."""

    def __call__(self, number: int, count: int) -> None:
        """Show one date."""
        self._show(f"date {number} of {count}", number / count)
