"""The stage ``reconstruct``: scenes or tables in, reconstructions and residuals out, and what the latent values retain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import InputError
from specvae.export.maps import MapBand, MapWriter
from specvae.export.report.latent_figures import draw_compression
from specvae.export.table_writing import ScoresWriter, other_columns, write_columns
from specvae.files.fingerprint import Fingerprint, identify
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import in_patches
from specvae.ingest.scene.scene import Scene
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.ingest.table.arrow_files import is_columnar
from specvae.model.device import pick_device
from specvae.model_file import load_model
from specvae.scoring.compression import CompressionPoint, active_latent, compression_curve
from specvae.scoring.latent import latent_means, map_cells, reconstructions
from specvae.spectra import Window
from specvae.stages.latent.folder import LatentResult, for_each, make_folder
from specvae.stages.latent.images import draw_images, kind_of
from specvae.stages.latent.residuals import ReconstructionErrors
from specvae.stages.latent.windows import Piece, each_window, table_chunks
from specvae.stages.outcome import SceneOutcome, ScoreRun

__all__ = ["reconstruct"]

Floats = NDArray[np.float32]
SHOWN = 12
"""Images or patches in the picture: as observed, reconstructed, and the residual (grey is zero)."""


def reconstruct(
    source: Sequence[str],
    *,
    model: str = "model.specvae",
    out: str = "reports/reconstruct",
    ingest: IngestOptions | None = None,
    device: str = "auto",
    max_memory: str | None = None,
    overwrite: bool = False,
    done: Callable[[SceneOutcome], None] | None = None,
) -> ScoreRun:
    """Reconstructions and residuals (observed less reconstruction) of every source, in its folder below ``out``.

    Of a raster ``reconstruction.tif`` and ``residual.tif`` on its own grid, also where the model takes patches; of a table
    files of its own kind. Beside them ``bands.csv`` (error by band), ``compression.csv`` and ``compression.png`` (error
    against compression ratio), ``summary.json``; of a model of images or patches also ``images.png``.
    """
    stored = load_model(model, pick_device(device), threads=2)
    stored.detector.require_one_date("reconstruct")
    ingest = ingest or IngestOptions()

    def work(one: Source, folder: Path) -> LatentResult:
        settings = {"command": "reconstruct", "ingest": ingest.to_json()}
        fingerprint = Fingerprint(identify([*one.files, *ingest.companions(one.stem)]), stored.sha256, settings)
        write = _table if one.is_table else _map

        def make(place: Path) -> dict[str, object]:
            errors = write(one, stored.detector, ingest, place, max_memory)
            if not errors.count:
                raise InputError(f"{one.path} has no valid spectrum to reconstruct; see `specvae inspect`")
            return {"command": "reconstruct", "source": one.path, **_summary(stored.detector, errors, place)}

        return make_folder(folder, fingerprint, overwrite, make)

    return for_each(find_sources(source), out, work, _message, done)


def _message(summary: dict[str, Any]) -> str:
    s = summary
    message = (
        f"{s['values']} values as {s['active']} active of {s['latent']} latent ones ({s['ratio']:.3g} : 1): "
        f"mean squared error {s['mse']:.4g} (median {s['mse_median']:.4g}), of as many principal components "
        f"{s['pca_mse']:.4g} (median {s['pca_mse_median']:.4g}); median deviation {s['error_median']:.3g} sd"
    )
    # Spectra far from all training may be reconstructed worse than by their mean.
    return message + (f", {100 * summary['explained']:.2f} % of the variance" if summary["explained"] > 0 else "")


def _write_errors(
    detector: Detector,
    errors: ReconstructionErrors,
    curve: Sequence[CompressionPoint],
    values: Floats,
    folder: Path,
) -> None:
    """Write the error by band and against the compression ratio, and of images or patches a picture."""
    if detector.net.shape is not None:
        shown = values[:, :: max(1, values.shape[1] // SHOWN)][:, :SHOWN]
        made = reconstructions(detector.net, shown)
        draw_images(folder / "images.png", detector, [shown.T, made.T], (shown - made).T)
    write_columns(folder / "bands.csv", {"band": list(detector.bands.labels), **errors.by_band()})
    points = [asdict(point) for point in curve]
    write_columns(folder / "compression.csv", {name: [point[name] for point in points] for name in points[0]})
    draw_compression(folder / "compression.png", curve)


def _summary(detector: Detector, errors: ReconstructionErrors, folder: Path) -> dict[str, object]:
    """Write the error by band and against the compression ratio, and summarise both."""
    # The curve decodes every spectrum once for each number of latent values: a sample of them is enough.
    values, context = errors.sample()
    curve = compression_curve(detector.net, errors.principal, values, context)
    _write_errors(detector, errors, curve, values, folder)
    active = active_latent(latent_means(detector.net, values, context))
    # Dimensions that do not vary carry nothing, and would make the ratio look worse than it is.
    at_active = curve[max(1, active) - 1]
    return {
        "kind": kind_of(detector),
        "valid": errors.count,
        "sampled": values.shape[1],
        "bands": len(detector.bands),
        "values": len(values),
        "latent": detector.net.latent,
        "active": active,
        "ratio": at_active.ratio,
        "mse": at_active.mse,
        "pca_mse": at_active.pca_mse,
        "mse_median": at_active.mse_median,
        "pca_mse_median": at_active.pca_mse_median,
        "mse_unit": "squared units of the data, mean over all values of the sampled spectra, images or patches",
        "mse_of_all": errors.mse(),
        "surroundings_known": detector.has_context,
        "elbo_defined": detector.net.has_elbo,
        "error_median": curve[-1].error,
        "rmse_standard": errors.rmse_standard(),
        "explained": errors.explained(),
        "rmse_by_band": dict(zip(detector.bands.labels, map(float, errors.by_band()["rmse"]), strict=True)),
        "curve": [asdict(point) for point in curve],
    }


def _map(
    source: Source, detector: Detector, ingest: IngestOptions, folder: Path, max_memory: str | None
) -> ReconstructionErrors:
    with in_patches(open_scene(source, ingest, match=detector.bands), detector.config.patch) as scene:
        errors = ReconstructionErrors.of(detector, scene.rows, scene.cols)
        bands = [MapBand(b, "reconstruction at the posterior mean", u) for b, u in _named(detector, scene)]
        residual_bands = [MapBand(b.name, "observed less reconstruction", b.unit) for b in bands]

        # On the pixels' own grid also for patches, which are laid out again: residuals are looked at pixel by pixel.
        def cube(name: str, bands: list[MapBand]) -> MapWriter:
            return MapWriter(folder / name, scene.pixel_grid, bands, "float32", float("nan"), {}, 2, highest=False)

        with cube("reconstruction.tif", bands) as expected, cube("residual.tif", residual_bands) as residual:

            def work(piece: Piece) -> tuple[Floats, Floats]:
                made = _reconstructed(detector, piece)
                inner = piece.cube.crop(piece.window)
                residuals = inner.values - made
                # In the one thread that computes, window after window: the sums have the same bits in every run.
                errors.add(inner, residuals, piece.context)
                return made, residuals

            def write(window: Window, made: tuple[Floats, Floats]) -> None:
                for file, values in zip((expected, residual), made, strict=True):
                    file.write(*scene.on_pixels(window, values))

            each_window(scene, detector, max_memory, 5 * detector.net.bands, work, write)
            expected.close()
            residual.close()
    return errors


def _reconstructed(detector: Detector, piece: Piece) -> Floats:
    """``(values, rows, cols)`` reconstructions of a window, NaN where invalid."""
    net = detector.net

    def program(values: Floats, context: Floats | None) -> Floats:
        return reconstructions(net, values, context)

    return map_cells(piece.cube, piece.window, piece.context, net.bands, program, net.cell)


def _named(detector: Detector, scene: Scene) -> list[tuple[str, str]]:
    """The label and the unit of each band."""
    return [(label, unit or "1") for label, unit in zip(detector.bands.labels, scene.units, strict=True)]


def _table(
    source: Source, detector: Detector, ingest: IngestOptions, folder: Path, max_memory: str | None
) -> ReconstructionErrors:
    ending = "parquet" if is_columnar(source.path) else "csv"
    errors = ReconstructionErrors.of(detector, 1, 0)
    labels = detector.bands.labels
    with (
        ScoresWriter(folder / f"reconstruction.{ending}") as expected,
        ScoresWriter(folder / f"residual.{ending}") as residual,
    ):
        for table in table_chunks(source, detector, ingest):
            made = np.full((len(table), len(labels)), np.nan, np.float32)
            valid = np.ascontiguousarray(table.values[table.valid].T)
            made[table.valid] = reconstructions(detector.net, valid).T
            residuals = table.values - made
            errors.add_rows(valid, residuals[table.valid].T)
            others = other_columns(table)
            expected.write(others, dict(zip(labels, made.T, strict=True)))
            residual.write(others, dict(zip(labels, residuals.T, strict=True)))
    return errors
