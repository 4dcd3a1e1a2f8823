"""HAD100's protocol: trained on its normal scenes of AVIRIS-NG, tested on its hundred scenes with targets.

Li et al., *You Only Train Once*, TGRS 61, 2023. The folder is as its authors' programs expect it: ``train/aviris_ng`` and
``test/aviris_ng`` with ENVI cubes, ``ground_truth/aviris_ng`` with a picture of each test scene's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.benchmarks.report import Environment, Report, Row, environment, table, write_metrics
from specvae.benchmarks.settings import Settings
from specvae.benchmarks.transfer.places import Place, cube_of
from specvae.benchmarks.transfer.published import OTHER_FLIGHTS, PUBLISHED
from specvae.benchmarks.transfer.trial import fit_on, scored_by_itself, scores_of
from specvae.errors import InputError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.scoring.gathered.metrics import auroc, average_precision
from specvae.spectra import Window

__all__ = ["is_had100", "read_places", "run_had100"]

SENSOR = "aviris_ng"
TRAIN, TEST, TRUTH = f"train/{SENSOR}", f"test/{SENSOR}", f"ground_truth/{SENSOR}"
BAND_COUNTS = (50, 100, 200)
"""The first so many bands are used."""
NODATA = np.array([-9999.0, 1e-34], np.float32)
"""What missing values are in its files, declared in some headers and not in others."""
GREEN = 1
"""The channel of a picture of the truth that marks targets."""
SEEDS = 1
QUICK_TESTS = 5


def is_had100(folder: Path) -> bool:
    """Whether a folder has the layout."""
    return all((folder / part).is_dir() for part in (TRAIN, TEST, TRUTH))


def read_places(folder: Path, bands: int, truths: Path | None = None) -> Iterator[Place]:
    """The first ``bands`` bands of each cube of a folder, in the order of the file whatever its wavelengths are.

    With ``truths``, the folder of pictures, each has its truth. Raises InputError for a cube of fewer bands, or where a
    picture is missing or of another size.
    """
    for source in find_sources([folder]):
        with open_scene(source, IngestOptions(bands=f"1-{bands}")) as scene:
            cube = scene.read(Window(0, 0, *scene.shape))
        # A value that fills a gap in any band: of a pixel with one, no spectrum is left.
        valid = cube.valid & ~np.isin(cube.values, NODATA).any(axis=0)
        name = Path(source.path).stem
        truth = None if truths is None else _truth(truths / f"{name}.png", cube.reason.shape)
        yield Place(name, cube_of(np.where(valid, cube.values, 0.0), valid), truth)


def _truth(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """``(rows, cols)``: True where the picture marks a target."""
    from PIL import Image

    if not path.is_file():
        raise InputError(f"{path} is missing; expected a picture of the targets of each test scene")
    with Image.open(path) as picture:
        values = np.asarray(picture)
    marked = (values[..., GREEN] if values.ndim == 3 else values) > 0
    if marked.shape != shape:
        raise InputError(f"{path} has {marked.shape} pixels, its scene {shape}")
    return marked


def run_had100(settings: Settings) -> Path:
    """Fit at each number of bands on the training scenes alone, score each test scene, and write the report; its folder."""
    assert settings.data is not None
    folder, out = settings.data, settings.out or settings.place("transfer") / "had100"
    extra = [f"training.epochs={settings.epochs}"] if settings.epochs else []
    seeds, rows = settings.seed_count(SEEDS), list[Row]()
    counts = [n for n in BAND_COUNTS if n <= _bands(folder / TEST)][: 1 if settings.quick else None]
    if not counts:
        raise InputError(f"the cubes of {folder / TEST} have {_bands(folder / TEST)} bands; expected at least 50")
    for count in counts:
        normal = [place for place in read_places(folder / TRAIN, count) if place.cube.valid.any()]
        tests = list(read_places(folder / TEST, count, folder / TRUTH))[: QUICK_TESTS if settings.quick else None]
        rows += _at(count, normal, tests, seeds, extra)
        settings.progress(f"{count} bands: {_means(rows, count)}")
    made_with = environment(seeds=seeds, settings=" ".join(extra) or "default")
    write_metrics(out, "transfer", rows, made_with)
    _report(rows, counts, made_with).write(out)
    return out


def _bands(folder: Path) -> int:
    """Bands of the first cube of a folder."""
    with open_scene(find_sources([folder])[0], IngestOptions()) as scene:
        return len(scene.bands)


def _at(count: int, normal: Sequence[Place], tests: Sequence[Place], seeds: int, extra: Sequence[str]) -> list[Row]:
    """The rows of all methods and test scenes at one number of bands."""
    bands = BandSet(tuple(Band(f"band {i + 1}") for i in range(count)))
    areas: dict[tuple[str, str, str], list[float]] = {}
    for seed in range(seeds):
        detector = fit_on(normal, bands, seed, extra)
        for place in tests:
            assert place.truth is not None
            truth, scores = place.truth[place.cube.valid], dict(scores_of(detector, place.cube))
            # As the published ones do, which adapt to the scene under test: without any threshold, so without folds.
            scores["specvae-here"] = scored_by_itself(place, bands, seed, extra)
            for method, score in scores.items():
                for metric, value in (
                    ("auroc", auroc(score, truth)),
                    ("average_precision", average_precision(score, truth)),
                ):
                    if value is not None:
                        areas.setdefault((_dataset(place.name, count), method, metric), []).append(value)
    return [Row(*key, fmean(values), len(values), 0.0) for key, values in areas.items()]


def _dataset(name: str, count: int) -> str:
    return f"{name}-{count}"


def _mean(rows: Sequence[Row], method: str, count: int, metric: str = "auroc") -> float | None:
    chosen = [r.value for r in rows if (r.method, r.metric) == (method, metric) and r.dataset.endswith(f"-{count}")]
    return fmean(chosen) if chosen else None


def _means(rows: Sequence[Row], count: int) -> str:
    methods = dict.fromkeys(r.method for r in rows)
    return ", ".join(f"{m} {value:.4f}" for m in methods if (value := _mean(rows, m, count)) is not None)


def _report(rows: Sequence[Row], counts: Sequence[int], made_with: Environment) -> Report:
    tests = len({r.dataset for r in rows}) // max(1, len(counts))
    report = Report("HAD100: fitted on its training flights")
    report.text(
        f"Fitted on the normal scenes of `{TRAIN}`, scored on {tests} scenes of `{TEST}`, AUROC of each scene and their mean. "
        "`specvae`, `rx`, `pca` and `iforest` have seen the training scenes alone; `rx-here` and `specvae-here` are fitted on the "
        "scene that they score, without its truth, as the published methods are, those trained once among them."
    )
    body: list[list[object]] = []
    for method in dict.fromkeys(r.method for r in rows):
        body.append([f"**{method}**", *(_mean(rows, method, count) for count in counts)])
    for name, values in PUBLISHED.items():
        body.append([f"{name} (published)", *(values[BAND_COUNTS.index(count)] for count in counts)])
    report.section("Mean AUROC").text(table(["", *(f"{count} bands" for count in counts)], body))
    report.text(
        "Published where everything was fitted on other flights (28 scenes, 8 principal components): "
        + ", ".join(f"{name} {value}" for name, value in OTHER_FLIGHTS.items())
        + "."
    )
    precision: list[list[object]] = [
        [method, *(_mean(rows, method, count, "average_precision") for count in counts)]
        for method in dict.fromkeys(r.method for r in rows)
    ]
    report.section("Mean average precision").text(table(["", *(f"{count} bands" for count in counts)], precision))
    return report.made_with(made_with)
