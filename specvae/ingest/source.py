"""A source: one scene or table that a user points at, with the files it is made of and the key of its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from specvae.ingest.decision import Decision

__all__ = ["Source"]


@dataclass(frozen=True, order=True)
class Source:
    """One scene or table, resolved from a name, a folder or a pattern by ``sources.find_sources``."""

    key: str
    """Path below the fixed part of the pattern, without the ending: the folder of its report below the output folder."""
    path: str
    """The file, product folder or archive; the common folder where several single-band files make one scene."""
    is_table: bool = False
    """Whether it is read as a table of spectra, a spectrum a row, rather than as a scene."""
    files: tuple[str, ...] = ()
    """The files whose bytes it is made of: they decide whether a result is still up to date."""
    members: tuple[str, ...] = ()
    """Single-band files that make one scene together; empty for every other source."""
    part: str = ""
    """Which scene of a file that lists several: the identifier of a STAC item; empty for every other source."""
    decisions: tuple[Decision, ...] = field(default=(), compare=False)
    """What was decided in choosing it: which files belong to it, and which were passed over."""

    @property
    def stem(self) -> str:
        """The last part of the key, which ``{stem}`` stands for in the paths of masks and truths."""
        return Path(self.key).name
