"""What a fit or a calibration reads of its sources: regions of scenes and rows of tables, with the role of each pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.errors import InputError, ModelError
from specvae.ingest.decision import DecisionRow
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import in_patches
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.scene.scene import Scene
from specvae.ingest.source import Source
from specvae.ingest.table.reading import read_table
from specvae.model.config import ModelConfig
from specvae.scoring.pooling import HALO
from specvae.spectra import Cube, Invalid, Window
from specvae.training.course import Phase
from specvae.training.mask_buffer import along_masks
from specvae.training.quota import Quota, Role
from specvae.training.sampling import Region, Split, cross_split, region_of_rows, regions_of, split_blocks

__all__ = ["Gathered", "gather"]

Read: TypeAlias = tuple[Cube, NDArray[np.bool_], NDArray[np.bool_], Window]
"""A window that was read: its cube with halo, which of its pixels ``(rows, cols)`` are normal and which lie along the edge of a
mask, where they may train and not calibrate, and the window itself."""


class SourceDecision(DecisionRow):
    """What the reader of one source decided."""

    source: str
    """The source's key."""


@dataclass(frozen=True)
class Gathered:
    """What was read of all sources for a fit or a calibration."""

    regions: tuple[Region, ...]
    """Windows with the role of each pixel: training, validation, calibration or unused."""
    bands: BandSet
    """The bands that all sources have."""
    before: BandSet | None
    """Those of the earlier date beside each of them; None where there is none."""
    names: tuple[str, ...]
    """The sources' names, in the order of their numbers in ``regions``."""
    context: bool
    """Whether the model may look at what surrounds a pixel."""
    notes: tuple[str, ...]
    """What was assumed in reading the sources, a line each, none twice."""
    decisions: tuple[SourceDecision, ...]
    """What the readers of the sources decided, source by source."""
    pixel_size: float | None
    """Side of a pixel in units of the CRS; None where no source has one, or they differ."""
    invalid: dict[str, int]
    """How many of the pixels read were not usable, by reason."""


def gather(
    sources: Sequence[Source],
    options: IngestOptions,
    config: ModelConfig,
    match: BandSet | None,
    hold_all: bool = False,
    before: BandSet | None = None,
    tell: Callable[[Phase], None] | None = None,
) -> Gathered:
    """Read regions of all sources: an equal share each, split into training, validation and calibration blocks.

    ``hold_all``: everything calibrates (a calibration from other normal data); ``before``: as ``match``, of the earlier
    date; ``tell`` is called before each source and each window of it. Raises ModelError where the bands of sources differ.
    """
    # One model has one kind of input: rows of a table have no surroundings, so with a table among them none is used.
    context = config.context.kind != "none" and not config.patch and not any(s.is_table for s in sources)
    buffer = config.context.outer // 2 if context else 0
    first = sources[0] if match is None else None
    reading = _Gathering(options, config, buffer, hold_all, first, match, before, _Telling(tell, sources))
    sampling = config.sampling.of_patches(config.patch)
    crossed = sampling.fold_count > 1 and not hold_all
    for number, source in enumerate(sources):
        quota = (Quota.crossed if crossed else Quota.share)(sampling, len(sources))
        reading.telling(number, quota)
        (reading.add_table if source.is_table else reading.add_scene)(source, number, quota)
    if reading.bands is None:
        raise InputError("no source was given; expected a raster, a folder, a glob or a table")
    return Gathered(
        regions=tuple(reading.regions),
        bands=reading.bands,
        before=reading.before,
        names=tuple(source.key for source in sources),
        context=context,
        notes=tuple(dict.fromkeys([*reading.notes, *reading.grids_said()])),
        decisions=tuple(reading.decisions),
        pixel_size=reading.pixel_size if len({size for size, _ in reading.grids}) == 1 else None,
        invalid={kind.label: int(reading.counts[kind]) for kind in Invalid if kind != Invalid.VALID},
    )


@dataclass(frozen=True)
class _Telling:
    """Tells which source is being read, and how much of all sources is."""

    tell: Callable[[Phase], None] | None
    sources: Sequence[Source]

    def __call__(self, number: int, quota: Quota) -> None:
        """Of a source as far as its quota is full: a fit reads no more than that."""
        if self.tell is not None:
            share = (number + quota.filled) / len(self.sources)
            self.tell(Phase(f"reading {self.sources[number].key}", share))


@dataclass
class _Gathering:
    """What has been read so far, source by source, and the settings that hold for all of them."""

    options: IngestOptions
    config: ModelConfig
    buffer: int
    """Pixels around a window that the model's context needs; 0 without context."""
    hold_all: bool
    first: Source | None
    """The source whose bands the others must have; None where a model says which."""
    bands: BandSet | None
    before: BandSet | None
    """Bands of the earlier date, as ``bands``."""
    telling: _Telling
    regions: list[Region] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    decisions: list[SourceDecision] = field(default_factory=list)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Invalid), np.int64))
    """Pixels that were read, by reason."""
    pixel_size: float | None = None
    grids: dict[tuple[float | None, str], list[str]] = field(default_factory=dict)
    """Keys of the scenes by the side of their pixels, to the percent, and their reference system."""

    def grids_said(self) -> list[str]:
        """A sentence where the scenes have pixels of several sizes, or lie in several reference systems."""
        sizes: dict[float, list[str]] = {}
        for (size, _), keys in self.grids.items():
            sizes.setdefault(size or 0.0, []).extend(keys)
        said = []
        if len(sizes) > 1:
            each = ", ".join(
                f"{size:g} ({_few(keys)})" if size else f"unknown ({_few(keys)})" for size, keys in sizes.items()
            )
            said.append(f"scenes with pixels of several sizes are fitted together: {each} in units of their CRS")
        systems = {system for _, system in self.grids}
        if len(systems) > 1:
            said.append(
                f"scenes in {len(systems)} reference systems are fitted together: {', '.join(sorted(systems)[:6])}"
            )
        return said

    def add_table(self, source: Source, number: int, quota: Quota) -> None:
        """Read the rows of a table."""
        if self.options.before:
            raise InputError(f"{source.path} is a table, and --before needs scenes of the same ground; leave it out")
        table = read_table(source.path, self.options, self.bands)
        self.bands = self.bands or table.bands
        usable = table.normal & table.valid
        only = Role.CALIBRATION if self.hold_all else None
        if usable.any():
            sampling, seed = self.config.sampling, self.config.seed
            self.regions.append(region_of_rows(table.values, usable, sampling, seed, quota, number, only))
        self.notes += table.notes
        self.decisions += [{"source": source.key, **decision.to_json()} for decision in table.decisions]
        self.counts += np.bincount(table.reason, minlength=len(self.counts))

    def add_scene(self, source: Source, number: int, quota: Quota) -> None:
        """Read windows of a raster until the quota is full."""
        config, options = self.config, self.options if self.hold_all else replace(self.options, mask_buffer=0)
        with in_patches(_open_alike(source, options, self.bands, self.before, self.first), config.patch) as scene:
            self.bands = self.bands or scene.bands
            self.before = self.before or (scene.before.bands if scene.before else None)
            self.pixel_size = self.pixel_size or scene.pixel_size
            side = None if scene.pixel_size is None else float(f"{scene.pixel_size:.2g}")
            system = scene.crs.to_string() if scene.crs else "none"
            self.grids.setdefault((side, system if len(system) < 40 else system[:37] + "..."), []).append(source.key)
            # Another seed for each source, so that scenes of one size do not all hold out the same corner.
            seed, shape = config.seed + number, (scene.rows, scene.cols)
            split = (
                cross_split(shape, self.buffer, config.sampling, seed)
                if config.sampling.fold_count > 1 and not self.hold_all
                else split_blocks(shape, self.buffer, config.sampling, seed, borders=not config.patch)
            )
            edge = 0 if self.hold_all else self.options.widening
            reads = _reads(scene, split, quota, self.buffer, config, seed, self.hold_all, edge)
            automatic, side = self.options.mask_buffer == "auto", config.patch or 1
            for region in _regions(split, number, reads, quota, self.hold_all, self.counts):
                self.regions.append(replace(region, edge=along_masks(region, side)) if automatic else region)
                self.telling(number, quota)
            self.notes += [f"{source.key}: {note}" for note in scene.notes]
            self.decisions += [{"source": source.key, **decision.to_json()} for decision in scene.decisions]


def _few(keys: Sequence[str]) -> str:
    """At most three keys, and how many more there are."""
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def _open_alike(
    source: Source, options: IngestOptions, bands: BandSet | None, before: BandSet | None, first: Source | None
) -> PixelScene:
    """A scene with these bands. Raises InputError that names both where it has not those of the ``first`` of a fit."""
    try:
        return open_scene(source, options, match=bands, before=before)
    except ModelError as error:
        if first is None:
            raise
        difference = (
            str(error)
            .removeprefix(f"{source.path}: ")
            .split(";")[0]
            .replace("the model", first.key)
            .replace("the scene", source.key)
        )
        raise InputError(
            f"{source.path} cannot be fitted together with {first.path}: {difference}; "
            "leave masks and other bands out of what is fitted on, or choose with --bands"
        ) from None


def _reads(
    scene: Scene, split: Split, quota: Quota, buffer: int, config: ModelConfig, seed: int, hold_all: bool, edge: int
) -> Iterator[Read]:
    """Cubes with halo, normal masks and edges of masks of the windows that are still wanted, in seeded order."""
    everything = Window(0, 0, scene.rows, scene.cols)
    # Lazily: `_regions` takes from the quota between two windows, so no more is read than is used.
    for window in regions_of(split, seed, config.patch or 1):
        if quota.full:
            return
        if not quota.wants(split.roles.ravel()[np.unique(split.block(window))]):
            continue
        # The evidence of a held-out pixel depends on the scores around it, and they on what is around them.
        crossed = split.folds is not None
        holds = hold_all or crossed or Role.CALIBRATION in split.roles.ravel()[np.unique(split.block(window))]
        cube = scene.read(window.grow(buffer + HALO if holds else buffer).clip(everything))
        near = scene.near_mask(window, edge) if edge else np.zeros((window.rows, window.cols), bool)
        yield cube, scene.normal(window), near, window


def _regions(
    split: Split, source: int, reads: Iterator[Read], quota: Quota, hold_all: bool, counts: NDArray[np.int64]
) -> Iterator[Region]:
    """What is used of what is read; its pixels are added to ``counts`` by their reason."""
    for cube, normal, near, window in reads:
        counts += np.bincount(cube.crop(window).reason.ravel(), minlength=len(counts))
        role = np.full(normal.shape, Role.CALIBRATION, np.uint8) if hold_all else split.role(window)
        usable = normal & cube.crop(window).valid
        role[near & (role == Role.CALIBRATION)] = Role.UNUSED
        role = quota.take(np.where(usable, role, np.uint8(Role.UNUSED)).astype(np.uint8))
        if not role.any():
            continue
        block = split.block(window)
        folds = split.fold_map(window, quota.calibrating(usable & ~near, block))
        yield Region(cube, window, role, block, source, folds)
