"""The stage ``export``: a model in, its scorer as an ONNX file out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from specvae.errors import OutputError
from specvae.files.atomic import atomic_file
from specvae.files.replacement import Replacement, replacement
from specvae.model_file import StoredModel, load_model
from specvae.scoring.onnx_graph import onnx_bytes, require_onnx
from specvae.version import __version__

__all__ = ["ExportOutcome", "export"]


@dataclass(frozen=True)
class ExportOutcome:
    """The outcome of an export: the ONNX file, and whether it was written now."""

    path: Path
    """The ONNX file."""
    skipped: bool
    """Whether the file was there already, made from the same model; it is not touched then."""
    inputs: tuple[str, ...]
    """The inputs of the graph, in words: name and shape of each."""


def export(model: str, out: str, *, overwrite: bool = False) -> ExportOutcome:
    """Write the scorer of the model file ``model`` to the ONNX file ``out``, normalisation inside.

    Raises OutputError where something else is there already and ``overwrite`` is not given, ModelError for what is no
    model, MissingExtraError without the packages of the extra ``onnx``.
    """
    require_onnx()  # first, so that a missing package is named before a model is loaded for nothing
    stored, path = load_model(model), Path(out)
    stored.detector.require_one_date("export")
    net = stored.detector.net
    inputs = [f"spectra (n, {net.bands})"]
    if net.has_context:
        inputs.append(f"context (n, {net.components})")
    todo = replacement(path.exists(), lambda: _made_from(path) == stored.sha256, overwrite=overwrite)
    if todo is Replacement.DONE:
        return ExportOutcome(path, True, tuple(inputs))
    if todo is Replacement.REFUSE:
        raise OutputError(f"{path} stands already and was not made from {model}; give --overwrite or another name")
    payload = onnx_bytes(net, {"specvae": json.dumps(_about(stored), sort_keys=True, allow_nan=False)})
    with atomic_file(path) as beside:
        beside.write_bytes(payload)
    return ExportOutcome(path, False, tuple(inputs))


def _about(stored: StoredModel) -> dict[str, Any]:
    """What a user of the graph must know, for the file's metadata."""
    detector = stored.detector
    about: dict[str, Any] = {
        "specvae": __version__,
        "model_sha256": stored.sha256,
        "bands": [asdict(band) for band in detector.bands],
        "patch": detector.config.patch,
        "unit": "nat",
        "direction": "higher is more anomalous",
        "threshold": detector.calibration.threshold().summary() if detector.calibration.size else None,
    }
    around = detector.state.around
    if around is not None:
        about["context"] = {
            "what": "mean of components, by weight, over the valid pixels of a square of outer x outer less one of guard x guard; "
            "where the weights add up to less than 1, their sum counts as 1",
            "outer": around.outer,
            "guard": around.guard,
        }
    return about


def _made_from(path: Path) -> str | None:
    """SHA-256 of the model that an ONNX file was made from; None for any other file."""
    # A damaged file and one of another program are answered alike: it was not made from this model.
    import onnx
    from google.protobuf.message import DecodeError

    try:
        # Weights in files beside it are not needed, and would be looked up at paths that the file names.
        properties = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
        digest = json.loads(properties["specvae"])["model_sha256"]
    except (OSError, DecodeError, ValueError, KeyError, TypeError):
        return None
    return str(digest)
