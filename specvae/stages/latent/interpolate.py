"""The stage ``interpolate``: two spectra in, the path between them through the latent space out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import InputError, UsageError
from specvae.export.report.latent_figures import draw_path
from specvae.export.table_writing import write_columns
from specvae.files.fingerprint import Fingerprint, identify
from specvae.files.places import local_place
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import in_patches
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.model.device import pick_device
from specvae.model_file import load_model
from specvae.scoring.latent import latent_means, nats, spectra_of
from specvae.spectra import Invalid, Window
from specvae.stages.latent.folder import LatentResult, make_folder
from specvae.stages.latent.images import draw_images, kind_of, save_images
from specvae.stages.latent.windows import table_chunks
from specvae.stages.score.request import DEFAULT_RATE

__all__ = ["interpolate"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ends:
    """The two spectra, images or patches that a path runs between."""

    values: Floats
    """Physical values ``(bands, 2)``; of images and patches all their values."""
    context: Floats | None
    """``(components, 2)``: what surrounds each, for a model with context."""


def interpolate(
    source: str | None = None,
    *,
    start: str,
    end: str,
    steps: int = 11,
    model: str = "model.specvae",
    out: str = "reports/interpolate",
    format: str = "csv",
    ingest: IngestOptions | None = None,
    device: str = "auto",
    overwrite: bool = False,
) -> LatentResult:
    """``path.csv`` (or Parquet) and ``path.png`` in ``out``: decoded spectra between ``start`` and ``end``.

    Of a table they are row numbers, the first being 0, as scores.csv has them; of a raster ``row,col``, the upper left
    being 0,0; without a source, spectra: a number for each band. For a model of patches row and col are those of a patch on
    the coarse grid of its maps, ``path.csv`` has each patch's mean by band, and ``path.npy`` the patches
    ``(steps + 2, bands, side, side)``, the given ones first and last. Raises UsageError or InputError for what cannot be an
    end.
    """
    if steps < 2:
        raise UsageError(f"--steps is {steps}; give 2 or more")
    stored = load_model(model, pick_device(device))
    stored.detector.require_one_date("interpolate")
    ingest = ingest or IngestOptions()
    sources = find_sources([source]) if source else []
    if len(sources) > 1:
        raise UsageError(
            f"{source} holds {len(sources)} sources; interpolate within one, for instance {sources[0].path}"
        )
    settings = {"command": "interpolate", "start": start, "end": end, "steps": steps, "format": format}
    files: list[str | Path] = [*sources[0].files, *ingest.companions(sources[0].stem)] if sources else []
    fingerprint = Fingerprint(identify(files), stored.sha256, settings | {"ingest": ingest.to_json()})

    def make(folder: Path) -> dict[str, object]:
        # Here, and not before: where the path is there already, no scene is opened.
        ends = _ends(stored.detector, sources[0] if sources else None, (start, end), ingest)
        return _path(stored.detector, folder, ends, steps, format)

    return make_folder(local_place(out), fingerprint, overwrite, make)


def _path(detector: Detector, folder: Path, ends: Ends, steps: int, format: str) -> dict[str, object]:
    """Decode latent means mixed in equal steps, write what lies on the way, and summarise it."""
    net, share = detector.net, np.linspace(0, 1, steps)
    weights = np.stack([1 - share, share]).astype(np.float32)  # (2, steps)
    # A model with context decodes for given surroundings: they change along the path as the latent values do.
    context = None if ends.context is None else ends.context @ weights
    path = spectra_of(net, latent_means(net, ends.values, ends.context) @ weights, context)
    score, given = nats(net, path, context)[0], nats(net, ends.values, ends.context)[0]
    # The path begins and ends at reconstructions; the spectra that were given stand before and after it.
    spectra = np.column_stack([ends.values[:, :1], path, ends.values[:, 1:]])
    rows = detector.means(spectra)
    columns: dict[str, NDArray[np.floating] | list[str]] = {
        "kind": ["given", *["path"] * steps, "given"],
        "share": np.concatenate([[0.0], share, [1.0]]),
        "score": np.concatenate([given[:1], score, given[1:]]),
    }
    write_columns(folder / f"path.{format}", columns | dict(zip(detector.bands.labels, rows, strict=True)))
    cut = _cut(detector)
    draw_images(folder / "images.png", detector, [spectra.T])
    save_images(folder / "path.npy", detector, spectra.T)
    draw_path(folder / "path.png", detector.bands, rows[:, 1:-1].T, rows[:, [0, -1]].T, score, cut)
    return {
        "command": "interpolate",
        "kind": kind_of(detector),
        "steps": steps,
        "bands": list(detector.bands.labels),
        "scores_given": [float(v) for v in given],
        "scores": [float(v) for v in score],
        "threshold": cut,
        "warning": _warning(given, cut),
    }


def _cut(detector: Detector) -> float | None:
    """The cut of the default false-alarm rate, nats; None for a model without held-out scores."""
    calibration = detector.calibration
    return calibration.threshold(DEFAULT_RATE, False).value if calibration.size else None


def _warning(given: NDArray[np.floating], cut: float | None) -> str | None:
    """What to know of a path whose ends ``(2,)``, nats, are not what the model calls normal."""
    ends = [name for name, score in zip(("start", "end"), given, strict=True) if cut is not None and score > cut]
    if not ends:
        return None
    which = "both ends lie" if len(ends) == 2 else f"the {ends[0]} lies"
    scores = " and ".join(f"{score:.4g}" for score in given if score > cut)
    return f"{which} above the model's cut of {cut:.4g} nats ({scores}): what it never learned is on the path"


def _ends(detector: Detector, source: Source | None, which: tuple[str, str], ingest: IngestOptions) -> Ends:
    if source is None:
        return _given(detector, *which)
    return (_rows if source.is_table else _pixels)(detector, source, *which, ingest)


def _given(detector: Detector, start: str, end: str) -> Ends:
    if detector.config.patch:
        raise InputError(
            "the model takes patches of a scene; give a raster, and --start and --end as row,col of a patch"
        )
    if detector.has_context:
        raise InputError("the model looks at what surrounds a pixel; give a raster, and --start and --end as row,col")
    n = len(detector.bands)
    spectra = []
    for name, text in (("start", start), ("end", end)):
        numbers = _numbers(text, name, "the values of a spectrum, a number for each band, separated by commas")
        if len(numbers) != n:
            raise UsageError(f"--{name} has {len(numbers)} values; the model has {n} bands, and needs one for each")
        spectra.append(numbers)
    return Ends(np.array(spectra, np.float32).T, None)


def _rows(detector: Detector, source: Source, start: str, end: str, ingest: IngestOptions) -> Ends:
    wanted = [_row_number(text, name) for name, text in (("start", start), ("end", end))]
    spectra: dict[int, Floats] = {}
    begin = 0
    # To the end of the table, so that a number that is too large can be answered with how many rows there are.
    for table in table_chunks(source, detector, ingest):
        for number in wanted:
            i = number - begin
            if 0 <= i < len(table):
                if not table.valid[i]:
                    raise InputError(f"row {number} of {source.path} is not valid: {_why(table.reason[i])}")
                spectra[number] = table.values[i]
        begin += len(table)
    missing = [number for number in wanted if number not in spectra]
    if missing:
        raise UsageError(f"{source.path} has no row {missing[0]}; it has rows 0 to {begin - 1}")
    return Ends(np.stack([spectra[number] for number in wanted], axis=1), None)


def _row_number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{name} is {text!r}; give a row number of the table, the first being 0") from None


def _pixels(detector: Detector, source: Source, start: str, end: str, ingest: IngestOptions) -> Ends:
    values, contexts = [], []
    one = "patch" if detector.config.patch else "pixel"
    wanted = f"row,col of a {one}, the upper left being 0,0"
    with in_patches(open_scene(source, ingest, match=detector.bands), detector.config.patch) as scene:
        size = f"{scene.rows} x {scene.cols} {one}{'es' if detector.config.patch else 's'}"
        for name, text in (("start", start), ("end", end)):
            numbers = _numbers(text, name, wanted)
            if len(numbers) != 2 or any(v != int(v) for v in numbers):
                raise UsageError(f"--{name} is {text!r}; give {wanted}")
            row, col = (int(v) for v in numbers)
            if not (0 <= row < scene.rows and 0 <= col < scene.cols):
                raise UsageError(f"--{name} {text} lies outside {source.path}, of {size}")
            # With the halo that the model looks at, as in scoring: the same pixel has the same context.
            window = Window(row, col, 1, 1)
            cube = scene.read(window.grow(detector.halo).clip(scene.grid.window))
            pixel = cube.crop(window)
            if not pixel.valid[0, 0]:
                raise InputError(f"{one} {row},{col} of {source.path} is not valid: {_why(pixel.reason[0, 0])}")
            values.append(pixel.values[:, 0, 0])
            context = detector.context(cube, window)
            contexts += [] if context is None else [context[:, 0, 0]]
    return Ends(np.stack(values, axis=1), np.stack(contexts, axis=1) if contexts else None)


def _numbers(text: str, name: str, expected: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [float("nan")]  # one message for words and for nan, which float() takes as a number
    if not np.isfinite(numbers).all():
        raise UsageError(f"--{name} is {text!r}; give {expected}")
    return numbers


def _why(reason: np.uint8) -> str:
    return Invalid(int(reason)).name.casefold()
