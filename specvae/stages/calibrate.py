"""The stage ``calibrate``: a model and other normal data in, the same model with new thresholds out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from specvae.errors import InputError, OutputError
from specvae.files.fingerprint import Fingerprint, identify, same
from specvae.ingest.options import IngestOptions
from specvae.ingest.sources import find_sources
from specvae.model_file import load_model, save_model
from specvae.stages.fit import FitOutcome, files_of, gather, stored_fingerprint

__all__ = ["calibrate"]


def calibrate(
    source: Sequence[str],
    *,
    model: str = "model.specvae",
    out: str | None = None,
    bands: str | None = None,
    normal: str | None = None,
    mask: str | None = None,
    mask_values: Sequence[str] = (),
    aoi: str | None = None,
    label_column: str | None = None,
    normal_value: str | None = None,
    nodata: str | None = None,
    allow_remote: bool = False,
    allow_huge: bool = False,
    grid: str | None = None,
    layout: str = "auto",
    array: str | None = None,
    overwrite: bool = False,
    renew: bool = False,
    dry_run: bool = False,
) -> FitOutcome:
    """Score other normal data and take thresholds from it; the network stays as it is.

    ``out`` is the new model file, ``<model>.calibrated.specvae`` by default. Raises OutputError where another model
    stands there and neither ``overwrite`` nor ``renew`` is given
    (``renew`` replaces what was made otherwise and keeps what is the same). ``dry_run``: only say which of them it is.
    """
    loaded = load_model(model, threads=2)
    options = IngestOptions(
        bands=bands, nodata=nodata, normal=normal, mask=mask, mask_values=tuple(mask_values), aoi=aoi,
        label_column=label_column, normal_value=normal_value, allow_remote=allow_remote,
        allow_huge=allow_huge, grid=grid, layout=layout, array=array,
    )  # fmt: skip
    target = Path(out) if out else Path(model).with_suffix(".calibrated.specvae")
    sources = find_sources(source)
    stored = stored_fingerprint(target, overwrite)
    settings = {"ingest": options.to_json(), "source": sorted(source)}
    mark = Fingerprint(identify(files_of(sources, options), stored), loaded.sha256, settings)
    if dry_run:
        return FitOutcome(target, "", same(mark, stored), {}, ())
    if same(mark, stored) and not overwrite:
        return FitOutcome.standing(target)
    if target.exists() and not (overwrite or renew):
        raise OutputError(
            f"{target} stands already and was made from other inputs or settings; give --overwrite or --out"
        )
    detector = loaded.detector
    config = detector.config
    if detector.has_context and any(s.is_table for s in sources):
        raise InputError(
            "the model looks at what surrounds a pixel; a table has no surroundings: calibrate it on rasters"
        )
    gathered = gather(sources, options, config, detector.bands, hold_all=True)
    fresh = detector.calibrate(gathered.regions, gathered.names)
    if not fresh.calibration.size:
        raise InputError("no valid normal pixel was found to calibrate on; check masks with `specvae inspect`")
    fresh.provenance["pixels"] = {**fresh.provenance["pixels"], "calibration": fresh.calibration.size}
    fresh.calibration.prepare()
    provenance: dict[str, Any] = {
        **loaded.metadata["provenance"],
        "fingerprint": mark.to_json(),
        "calibrated_from": loaded.sha256,
        "calibrate_command": sys.argv,
    }
    digest = save_model(fresh, target, provenance)
    warnings = (*gathered.notes, *_trained_on(mark, loaded.metadata["provenance"].get("fingerprint")))
    return FitOutcome.of(fresh, target, digest, warnings)


def _trained_on(mark: Fingerprint, fit: dict[str, Any] | None) -> list[str]:
    """A warning where files are among those that the model was fitted on."""
    before = {told["sha256"] for told in (fit or {}).get("inputs", []) if told["sha256"]}
    again = [Path(file.path).name for file in mark.inputs if file.sha256 in before]
    if not again:
        return []
    shown = ", ".join(again[:3]) + (", ..." if len(again) > 3 else "")
    return [
        f"the model was fitted on {shown} too: what it has seen scores lower, so these cuts are too low; take other data"
    ]
