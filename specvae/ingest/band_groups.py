"""Single-band files that belong to one scene, as one source with the metadata beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from specvae.ingest.decision import Decision
from specvae.ingest.formats.band_sets import band_token, belongs_to, is_capture, resolution, same_scene
from specvae.ingest.source import Source

__all__ = ["BandGroup", "band_groups"]


@dataclass(frozen=True)
class BandGroup:
    """The files of one scene of single-band files."""

    stem: str
    """What the names of its files share."""
    members: tuple[str, ...]
    """The band files, sorted."""
    rest: tuple[str, ...]
    """Other rasters of the same scene, such as its angles or the parts of its surface temperature: not bands."""

    @property
    def all_files(self) -> tuple[str, ...]:
        """The band files and the rest."""
        return (*self.members, *self.rest)

    def source(self, key: str, path: str) -> Source:
        """The scene as a source; the metadata beside the files, such as Landsat's MTL, are among its files."""
        folder = os.path.dirname(self.members[0])
        beside = sorted(n for n in os.listdir(folder or ".") if n.startswith(f"{self.stem}_MTL.") and self.stem)
        files = (*self.members, *(os.path.join(folder, name) for name in beside))
        return Source(key, path, files=files, members=self.members, decisions=self._decisions())

    def _decisions(self) -> tuple[Decision, ...]:
        """That these files are one scene, and which others are of it without being bands."""
        chosen = f"{len(self.members)} files are the bands of one scene, {self.stem or 'named after them alone'}"
        if self.rest:
            names = ", ".join(Path(p).name for p in self.rest[:6])
            chosen += f" (of it too, but no band: {names}{', ...' * (len(self.rest) > 6)})"
        together = Decision("files", chosen, "their names, which differ in the band's name alone", ("a scene each",))
        if not is_capture(Path(self.members[0]).name):
            return (together,)
        # The lenses of such a camera lie apart, and each sees the ground a little shifted.
        aligned = "the bands are taken as they lie, one on the other"
        shifted = ("shifted against each other by some pixels, as raw captures are: align them first",)
        return together, Decision("place", aligned, "the lack of anything that says otherwise", shifted, guessed=True)


def band_groups(files: Sequence[str]) -> list[BandGroup]:
    """The sets among the files of one folder that differ in their band's name alone and hold a single band each."""
    groups, coarser = dict[str, list[str]](), dict[str, list[str]]()
    bands: set[tuple[str, str]] = set()
    for path in sorted(files, key=lambda path: (resolution(Path(path).name), path)):
        token = band_token(Path(path).name)
        if token:
            # Of a band at several resolutions, the finest is the band.
            again = resolution(path) and (token[0], token[1].upper()) in bands
            (coarser if again else groups).setdefault(token[0], []).append(path)
            bands.add((token[0], token[1].upper()))
    sets = {stem: tuple(sorted(members)) for stem, members in groups.items() if same_scene(members)}
    taken = {path for members in sets.values() for path in members}
    others = [path for path in files if path not in taken]
    return [
        BandGroup(
            stem,
            members,
            tuple(p for p in others if p in coarser.get(stem, ()) or belongs_to(Path(p).name, stem)),
        )
        for stem, members in sets.items()
    ]
