"""The model file: one safetensors file with everything that fit and score need; no pickle, no code run by loading.

Tensors: ``net.*`` (the network's state), ``calibration.*`` (held-out score tiles), ``evidence.*`` (the same of the
pooled evidence), ``background.*`` (baselines and reference spectra), ``principal.*`` (principal components),
``chronochrome.*`` (of two dates), ``drift.*``, ``highest.*`` (pictures of the normal squares that score highest).
One metadata key, ``specvae``, holds a sorted JSON: format version, the version that wrote it, configuration, bands, thresholds,
provenance, and the SHA-256 of the tensors.

The rule of compatibility: models of every released version load, and score to the same bits on the same processor. A key
or a tensor that a later version adds has a default here that means "as before"; one that changes a meaning raises
``FORMAT_VERSION``. A model of a later version that this one does not understand is refused, with both versions named.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.errors import ModelError
from specvae.files.atomic import atomic_file
from specvae.files.html_facts import html_facts
from specvae.model.config import ModelConfig
from specvae.model.net_state import NetState
from specvae.model.principal import Principal
from specvae.scoring.baselines import Background
from specvae.scoring.chronochrome import Chronochrome
from specvae.thresholds.calibration import Calibration, StoredCalibration
from specvae.thresholds.drift.reference import DriftReference
from specvae.thresholds.tiles import CalibrationTiles
from specvae.training.highest_squares import HighestSquares
from specvae.version import __version__

__all__ = [
    "FORMAT_VERSION",
    "StoredModel",
    "load_model",
    "pack_model",
    "save_model",
    "unpack_model",
]

FORMAT_VERSION = 2
"""2: large calibrations are thinned. A model without them is written as format 1, which older versions read."""
HEADER_LIMIT = 64 * 2**20
"""Bytes of header at most: the history and provenance of thousands of sources fit in far less."""


@dataclass(frozen=True, repr=False)
class StoredModel:
    """A loaded model and its identity.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from specvae import SpectralVAE, load_model
    >>> path = os.path.join(tempfile.mkdtemp(), "lab.specvae")
    >>> SpectralVAE(steps=20).fit(np.random.default_rng(0).normal(size=(300, 4))).save(path)
    >>> model = load_model(path)
    >>> model.path == path, len(model.metadata["bands"])
    (True, 4)
    """

    detector: Detector
    path: str
    sha256: str
    """Of the file."""
    created: str
    """UTC, ISO 8601."""
    metadata: dict[str, Any]
    """All of the file's JSON: configuration, bands, provenance and more."""

    def __repr__(self) -> str:
        return (
            f"<specvae model {self.path}: {len(self.detector.bands)} bands, {self.created}, sha256 {self.sha256[:12]}>"
        )

    def _repr_html_(self) -> str:
        """What notebooks show in place of the text of every field."""
        return html_facts(f"specvae model {self.path}", {"sha256": self.sha256, **self.detector.facts()})


def save_model(detector: Detector, path: Path, provenance: dict[str, Any]) -> str:
    """Write a model file whole or not at all; its SHA-256. Raises OutputError where it cannot be written."""
    payload = pack_model(detector, provenance)
    with atomic_file(path) as beside:
        beside.write_bytes(payload)
    return hashlib.sha256(payload).hexdigest()


def pack_model(detector: Detector, provenance: dict[str, Any]) -> bytes:
    """The bytes of a model file."""
    tensors = _tensors(detector)
    state = dict(detector.state.parts)
    metadata = {
        "format_version": FORMAT_VERSION if any(name.endswith(".bulk") for name in tensors) else 1,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "written_by": __version__,
        "config": detector.config.model_dump(mode="json"),
        "bands": [asdict(band) for band in detector.bands],
        **({} if detector.before is None else {"before": [asdict(band) for band in detector.before]}),
        "sources": list(detector.calibration.tiles.sources),
        "net": state,
        # The held-out scores themselves are among the tensors, not cuts alone: any rate may be asked for later.
        "calibration": detector.calibration.to_json(),
        "evidence": _evidence(detector),
        **({} if detector.highest is None else {"highest": list(detector.highest.squares)}),
        "fit": detector.provenance,
        "provenance": provenance,
        "tensors_sha256": _digest(tensors),
    }
    # NaN is no JSON, and readers in other languages would refuse the file.
    text = json.dumps(metadata, sort_keys=True, allow_nan=False)
    return save_tensors(tensors, metadata={"specvae": text})


def load_model(path: str | Path, device: str = "cpu", threads: int = 1) -> StoredModel:
    """Read a model file, executing nothing in it.

    Raises ModelError for what is not one, is truncated, was changed, or is of a newer format.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from specvae import SpectralVAE, load_model
    >>> path = os.path.join(tempfile.mkdtemp(), "lab.specvae")
    >>> SpectralVAE(steps=50).fit(np.random.default_rng(0).normal(size=(300, 4))).save(path)
    >>> model = load_model(path)
    >>> len(model.detector.bands), model.detector.halo, len(model.sha256)
    (4, 0, 64)
    """
    path = Path(path)
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read: {error.strerror}; fit one with `specvae fit`") from None
    return unpack_model(payload, path, device, threads)


def unpack_model(payload: bytes, path: str | Path, device: str = "cpu", threads: int = 1) -> StoredModel:
    """The model in the bytes of a model file, ``path`` its name in errors; raises as :func:`load_model` does."""
    metadata = _metadata(payload, path)
    try:
        tensors = load_tensors(payload)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"the model {path} is damaged or truncated ({error}); copy or fit it again") from None
    # safetensors checks sizes, not values: a changed byte would otherwise be a slightly other model.
    if _digest(tensors) != metadata.get("tensors_sha256"):
        raise ModelError(f"the tensors of the model {path} are not those that were saved; copy or fit it again")
    try:
        detector = _detector(metadata, tensors, device, threads)
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, ValidationError) as error:
        raise _not_understood(metadata, path, error) from None
    return StoredModel(detector, str(path), hashlib.sha256(payload).hexdigest(), str(metadata["created"]), metadata)


def _not_understood(metadata: dict[str, Any], path: str | Path, error: Exception) -> ModelError:
    """The error for a model whose parts do not fit this version, or each other."""
    why, writer = f"{type(error).__name__}: {error}", _writer(metadata)
    if writer is not None and _numbers(writer) > _numbers(__version__):
        return ModelError(
            f"the model {path} was written by specvae {writer}, this is {__version__}: update specvae ({why})"
        )
    return ModelError(f"the model {path} does not hold together ({why}); fit it again")


def _writer(metadata: dict[str, Any]) -> str | None:
    """The version that wrote a model: its own key, in models of 0.1.0 among the versions of the provenance."""
    provenance = metadata.get("provenance")
    versions = provenance.get("versions") if isinstance(provenance, dict) else None
    among = versions.get("specvae") if isinstance(versions, dict) else None
    writer = metadata.get("written_by", among)
    return writer if isinstance(writer, str) else None


def _numbers(version: str) -> tuple[int, ...]:
    """The release numbers of a version, for comparison; what follows them, such as ``rc1``, does not count."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in release.group().split(".")) if release else ()


def _metadata(payload: bytes, path: str | Path) -> dict[str, Any]:
    """The JSON of the header, checked before any tensor is looked at."""
    wrong = ModelError(f"{path} is not a specvae model; expected a file written by `specvae fit`")
    if len(payload) < 8:
        raise wrong
    (size,) = struct.unpack("<Q", payload[:8])
    # The size is read from the file: a damaged one may claim any number of bytes.
    if size > min(HEADER_LIMIT, len(payload) - 8):
        truncated = payload[8:9] == b"{" and size <= HEADER_LIMIT
        raise ModelError(f"the model {path} is truncated; copy or fit it again") if truncated else wrong
    try:
        header = json.loads(payload[8 : 8 + size])
        metadata = json.loads(header["__metadata__"]["specvae"])
        version = metadata["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise wrong from None
    if not isinstance(metadata, dict) or not isinstance(version, int):
        raise wrong
    if version > FORMAT_VERSION:
        raise ModelError(
            f"the model {path} has format {version}, this program reads up to {FORMAT_VERSION}: update specvae"
        )
    return metadata


def _tensors(detector: Detector) -> dict[str, NDArray[Any]]:
    tensors: dict[str, NDArray[Any]] = {f"net.{k}": v for k, v in detector.state.arrays.items()}
    tensors |= {f"calibration.{k}": v for k, v in detector.calibration.tiles.to_arrays().items()}
    if _evidence(detector) is not None and detector.evidence is not None:
        tensors |= {f"evidence.{k}": v for k, v in detector.evidence.tiles.to_arrays().items()}
    tensors |= {f"background.{k}": v for k, v in vars(detector.background).items() if k in _BACKGROUND}
    principal = detector.background.principal
    tensors |= {} if principal is None else {f"principal.{k}": v for k, v in vars(principal).items()}
    change = detector.background.change
    tensors |= {} if change is None else {f"chronochrome.{k}": v for k, v in vars(change).items()}
    tensors |= {f"drift.{k}": v for k, v in detector.drift_reference.to_arrays().items()}
    tensors |= {} if detector.highest is None else {"highest.pictures": detector.highest.pictures}
    return {key: np.ascontiguousarray(value) for key, value in tensors.items()}


def _evidence(detector: Detector) -> StoredCalibration | None:
    """The calibration of the pooled evidence, where the model has one."""
    return detector.evidence.to_json() if detector.evidence is not None and detector.evidence.size else None


_BACKGROUND = ("mean", "covariance", "reference")


def _detector(metadata: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str, threads: int) -> Detector:
    def group(name: str) -> dict[str, NDArray[Any]]:
        return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}

    config = ModelConfig.model_validate(metadata["config"])
    bands = BandSet(tuple(Band(**band) for band in metadata["bands"]))
    state = NetState(len(bands) * (config.patch or 1) ** 2, config, metadata["net"], group("net"))
    tiles = CalibrationTiles.from_arrays(group("calibration"), tuple(metadata["sources"]))
    calibration = Calibration.from_json(tiles, metadata["calibration"])
    principal = Principal(**group("principal")) if group("principal") else None
    change = Chronochrome(**group("chronochrome")) if group("chronochrome") else None
    plain = {name: group("background")[name] for name in _BACKGROUND}
    background = Background(**plain, principal=principal, change=change)
    # Models of one date, and all that were written before there were others, name no earlier bands.
    before = BandSet(tuple(Band(**band) for band in metadata["before"])) if metadata.get("before") else None
    reference = DriftReference.from_arrays(group("drift"))
    return Detector(
        bands,
        config,
        state,
        calibration,
        background,
        reference,
        metadata["fit"],
        device,
        threads,
        _evidence_of(metadata, group("evidence")),
        before,
        _highest(metadata, tensors),
    )


def _evidence_of(metadata: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Calibration | None:
    """The calibration of the pooled evidence; None of tables, and in models that were written before it existed."""
    if not metadata.get("evidence"):
        return None
    pooled = CalibrationTiles.from_arrays(arrays, tuple(metadata["sources"]))
    return Calibration.from_json(pooled, metadata["evidence"])


def _highest(metadata: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> HighestSquares | None:
    """The pictures of the highest-scoring squares; None in models of earlier versions, and of tables."""
    pictures = tensors.get("highest.pictures")
    return None if pictures is None else HighestSquares.from_stored(metadata["highest"], pictures)


def _digest(tensors: dict[str, NDArray[Any]]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of the tensors, in the names' order."""
    digest = hashlib.sha256()
    # Names, types and shapes too: the same bytes under another name would be another model.
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
