"""Progress bars on standard error, for a person at a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from specvae.cli.invocation import invocation

__all__ = ["FitProgress", "ScoreProgress"]


class _Bar:
    """A rich progress bar, or nothing where nobody would see it."""

    def __init__(self) -> None:
        self._progress: Any = None
        self._task: Any = None

    def __enter__(self) -> Any:
        if invocation().shows_progress:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True),
                transient=True,
            )  # fmt: skip
            self._progress.start()
            self._task = self._progress.add_task("", total=1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()


class FitProgress(_Bar):
    """Loss, both terms and time left."""

    def __call__(self, check: Any) -> None:
        """Show one check."""
        if self._progress is not None:
            text = f"fit {check.fit + 1}  loss {check.loss:.3f}  reconstruction {check.reconstruction:.3f}  kl {check.kl:.3f}"
            self._progress.update(self._task, description=text, completed=check.step / check.steps)


class ScoreProgress(_Bar):
    """Scene and share done."""

    def __call__(self, scene: str, share: float) -> None:
        """Show the share of one scene that is scored."""
        if self._progress is not None:
            self._progress.update(self._task, description=scene, completed=share)
