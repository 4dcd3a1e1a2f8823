"""Progress on standard error: a bar for a person at a terminal, an event at every twentieth for a program that reads JSON."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from specvae.cli.invocation import invocation
from specvae.cli.terminal import BARS

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from specvae.training.course import Phase

__all__ = ["FitProgress", "RunProgress", "ScoreProgress", "WatchProgress"]


EVENTS = 20
"""Events that a scene's or a fit's progress is said in, at most: a program's bar moves, and a log stays short."""


class _Bar:
    """A rich progress bar, or nothing where nobody would see it."""

    says = True
    """Whether it says its events too, where standard error takes them."""

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
            # Without redirection: rich would send what is printed to standard output to its own console, which is
            # standard error, and break its lines.
            console = Console(stderr=True)
            self._progress = Progress(
                *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._task = self._progress.add_task("", total=1.0)
            self.show()
            BARS.append(self)
        return self

    def hide(self) -> None:
        """Make room for a line of text."""
        if self._progress is not None:
            self._progress.stop()

    def show(self) -> None:
        """Stand on the last line again."""
        if self._progress is not None:
            self._progress.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            BARS.remove(self)
            self.hide()

    def _show(self, text: str, share: float) -> None:
        """Show a text and the share that is done, in 0..1."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=text, completed=share)
        said = (text.split("  ")[0], int(share * EVENTS))
        if self.says and invocation().log_as_json and said != self._said:
            self._said = said
            invocation().say(text, "progress", "info", share=round(share, 4))


class FitProgress(_Bar):
    """A bar of a fit: what it is doing, from its first second on, and in the descent its loss and both of its terms."""

    def begin(self) -> None:
        """Show that the command has begun, before the libraries that it needs are there."""
        self._show("starting", 0.0)

    def __call__(self, phase: Phase) -> None:
        """Show what a fit is doing."""
        check, text = phase.check, phase.name
        if check is not None:
            text += f"  loss {check.loss:.3f}  reconstruction {check.reconstruction:.3f}  kl {check.kl:.3f}"
        self._show(text, phase.share)


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


class RunProgress(_Bar):
    """A bar of a batch, with the task whose worker was last heard of."""

    says = False  # the run's own log has them

    def __call__(self, task: str, text: str, share: float) -> None:
        """Show how far a worker is with its task."""
        self._show(f"{task}  {text}", share)
