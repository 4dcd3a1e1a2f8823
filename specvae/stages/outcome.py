"""Outcomes: what became of one scene, of all scenes of a stage, and the exit status that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specvae.export.report.sections import Report

__all__ = ["SceneOutcome", "ScoreRun", "is_untrusted"]


@dataclass(frozen=True)
class SceneOutcome:
    """The outcome of one scene: its status, its folder and its report."""

    scene: str
    """The scene's path, as it was given or as a folder or glob was resolved to it."""
    key: str
    """The scene's name, and its folder below ``out``."""
    status: str
    """``done``, ``already`` (done before, nothing touched) or ``failed``."""
    folder: str
    """The folder of its results."""
    message: str = ""
    """One line for people: the claim, or what failed."""
    report: Report | dict[str, Any] | None = None
    """The scene's report; of a stage that looks into the latent space, its ``summary.json``. None where it failed."""
    exit_status: int = 0
    """The status that a program with this scene alone would end with."""
    fault: type[BaseException] | None = None
    """The class of what was raised, where it failed."""


@dataclass(frozen=True)
class ScoreRun:
    """The outcomes of all scenes of a stage, and the exit status that follows from them."""

    outcomes: tuple[SceneOutcome, ...]
    strict: bool = False
    """Whether a result that is not to be trusted changes the exit status."""

    @property
    def exit_status(self) -> int:
        """0 done, 3 some failed, 4 all failed, 5 with --strict a do-not-use or an unsupported rate."""
        # A failure outranks a warning: 3 and 4 come before 5, whatever the scenes that did not fail say.
        failed = [o for o in self.outcomes if o.status == "failed"]
        if failed and len(failed) == len(self.outcomes):
            return 4
        if failed:
            return 3
        # A verdict is asked for under --strict alone, which only a score has: a summary of the latent space has none.
        reports = [o.report for o in self.outcomes if o.report] if self.strict else []
        return 5 if any(is_untrusted(_verdict(r), r["threshold"]["supported"]) for r in reports) else 0


def _verdict(report: Report | dict[str, Any]) -> str:
    """The joined verdict of a report; of a report of an earlier version, that on drift."""
    return str(report.get("trust", report["drift"])["verdict"])


def is_untrusted(verdict: str | None, supported: bool | None) -> bool:
    """Whether a result is not to be trusted: its verdict is do-not-use, or its false-alarm rate is unsupported.

    ``supported`` is None where no rate was asked for that a calibration could support.

    Examples
    --------
    >>> is_untrusted("ok", True), is_untrusted("ok", False), is_untrusted("do-not-use", True)
    (False, True, True)
    """
    return verdict == "do-not-use" or supported is False
