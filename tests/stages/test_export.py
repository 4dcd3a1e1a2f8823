"""``specvae export``: ONNX Runtime gives our scores, from physical units, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import rasterio
from click.testing import CliRunner, Result
from scipy.ndimage import uniform_filter

from specvae import SpectralVAE, load_model, score_array
from specvae.cli.main import cli
from specvae.errors import MissingExtraError, ModelError, OutputError
from specvae.model.convolutions import CHUNK
from specvae.model.patches import to_patches
from specvae.scoring.latent import nats
from specvae.spectra import Cube, Window
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import BAND_NAMES, make_scene, make_texture
from specvae.stages.export import export
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


def run(path: Path, **given: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = session.run(None, {name: np.ascontiguousarray(rows, np.float32) for name, rows in given.items()})
    return dict(zip(names, found, strict=True))


def metadata(path: Path) -> dict[str, object]:
    properties = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    return json.loads(properties["specvae"])


def invoke(*words: object) -> Result:
    return CliRunner().invoke(cli, ["export", *map(str, words)], standalone_mode=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene, a model with context and one without, exported."""
    folder = tmp_path_factory.mktemp("export")
    write_scene(folder / "scene.tif", make_scene(120, 150, 3, anomalies=True).values)
    for name, kind in (("context", "ring"), ("pixel", "none")):
        model = folder / f"{name}.specvae"
        fit(
            [str(folder / "scene.tif")],
            FitRequest(
                model=str(model),
                device="cpu",
                context=kind,
                set=("training.steps=40", "training.refits=1", "sampling.folds=1"),
            ),
        )
        assert invoke(model, folder / f"{name}.onnx").exception is None
    return folder


def scene(place: Path) -> Cube:
    with rasterio.open(place / "scene.tif") as dataset:
        values = dataset.read().astype(np.float32)
    return Cube(values, (values == 0).any(axis=0).astype(np.uint8), Window(0, 0, *values.shape[1:]))


def test_a_pixel_model_scores_alike_on_onnx_runtime(place: Path) -> None:
    cube = scene(place)
    ours = load_model(place / "pixel.specvae").detector.score(cube, cube.window)
    theirs = run(place / "pixel.onnx", spectra=cube.values[:, cube.valid].T)
    assert list(theirs) == ["score", "reconstruction", "kl"]
    for name, found in theirs.items():
        np.testing.assert_allclose(found, getattr(ours, name)[cube.valid], err_msg=name, **TOLERANCE)


def test_a_context_model_scores_alike_from_spectra_and_contexts(place: Path) -> None:
    cube = scene(place)
    ours, context = load_model(place / "context.specvae").detector.scorer.score(cube, cube.window)
    assert context is not None
    theirs = run(place / "context.onnx", spectra=cube.values[:, cube.valid].T, context=context[:, cube.valid].T)
    for name in ("score", "reconstruction", "kl"):
        np.testing.assert_allclose(theirs[name], getattr(ours, name)[cube.valid], err_msg=name, **TOLERANCE)


def test_a_whole_map_can_be_made_of_the_graph_and_ring_means_alone(place: Path) -> None:
    cube = scene(place)
    ours = load_model(place / "context.specvae").detector.score(cube, cube.window)
    about = metadata(place / "context.onnx")["context"]
    spectra = np.where(cube.valid, cube.values, 0).reshape(10, -1).T
    nothing = np.zeros((len(spectra), load_model(place / "context.specvae").detector.net.ring.components))
    found = run(place / "context.onnx", spectra=spectra, context=nothing)
    planes, weight = found["components"].T.reshape(-1, 120, 150), found["weight"].reshape(120, 150) * cube.valid

    def total(plane: np.ndarray) -> np.ndarray:
        wide = np.pad(np.asarray(plane, np.float64), 24)
        sums = [uniform_filter(wide, size, mode="constant") * size**2 for size in (about["outer"], about["guard"])]
        return (sums[0] - sums[1])[24:-24, 24:-24]

    count = np.maximum(total(weight), 1)
    means = np.stack([total(plane * weight) / count for plane in planes])
    theirs = run(place / "context.onnx", spectra=spectra, context=means.reshape(len(means), -1).T)["score"]
    np.testing.assert_allclose(theirs.reshape(120, 150)[cube.valid], ours.score[cube.valid], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["context", "pixel"])
def test_the_example_makes_the_map_of_the_command_line_in_numpy(kind: str, place: Path, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "examples" / "onnx_context.py"
    words = [
        sys.executable,
        str(script),
        str(place / "scene.tif"),
        str(place / f"{kind}.onnx"),
        str(tmp_path / "s.tif"),
    ]
    subprocess.run(words, check=True)
    cube = scene(place)
    ours = load_model(place / f"{kind}.specvae").detector.score(cube, cube.window).score
    with rasterio.open(tmp_path / "s.tif") as made, rasterio.open(place / "scene.tif") as source:
        found = made.read(1)
        assert (made.transform, made.crs) == (source.transform, source.crs)
    np.testing.assert_array_equal(np.isnan(found), ~cube.valid)
    np.testing.assert_allclose(found[cube.valid], ours[cube.valid], rtol=1e-3, atol=1e-3)


def test_a_table_model_with_marginals_and_a_mixture_scores_alike_even_the_absurd(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.gamma(2.0, size=(800, 3)) @ rng.normal(size=(3, 7)) + 0.1 * rng.normal(size=(800, 7))
    model = SpectralVAE(steps=60).fit(rows)
    assert model.detector_.net.normaliser.marginals is not None
    assert model.detector_.net.vae.mixture is not None
    model.save(tmp_path / "lab.specvae")
    export(str(tmp_path / "lab.specvae"), str(tmp_path / "lab.onnx"))
    fresh = np.vstack([rows[:300] * 1.5, rows[:50] * 1e3, rows[:5] * 1e30]).astype(np.float32)
    ours = model.score_parts(fresh)
    assert len(fresh) > 100, "more rows than the graph was traced with"
    for n in (1, len(fresh)):
        theirs = run(tmp_path / "lab.onnx", spectra=fresh[:n])
        for name, found in theirs.items():
            assert np.isfinite(found).all()
            np.testing.assert_allclose(found, getattr(ours, name)[:n], err_msg=name, **TOLERANCE)


def test_more_spectra_than_a_slice_or_a_cell_score_as_alone(place: Path) -> None:
    spectra = scene(place).values[:, 40:100].reshape(10, -1).T
    assert len(spectra) > 4096
    whole = run(place / "pixel.onnx", spectra=spectra)["score"]
    for at in (0, 1500, 5000):
        np.testing.assert_allclose(
            run(place / "pixel.onnx", spectra=spectra[at : at + 1])["score"], whole[at], rtol=1e-5
        )


def test_the_file_says_what_it_takes_and_where_to_cut(place: Path) -> None:
    about = metadata(place / "context.onnx")
    stored = load_model(place / "context.specvae")
    assert about["model_sha256"] == stored.sha256
    assert [band["name"] for band in about["bands"]] == list(BAND_NAMES)
    assert about["threshold"]["value"] == stored.detector.calibration.threshold().value
    assert about["context"]["outer"] > about["context"]["guard"] > 0
    assert "context" not in metadata(place / "pixel.onnx")


def test_exporting_again_does_nothing_and_another_file_is_not_replaced_unasked(place: Path, tmp_path: Path) -> None:
    before = (place / "pixel.onnx").stat().st_mtime_ns
    again = invoke(place / "pixel.specvae", place / "pixel.onnx")
    assert "stands already" in again.output
    assert (place / "pixel.onnx").stat().st_mtime_ns == before
    for text in (b"", b"not a graph at all", (place / "context.onnx").read_bytes()):
        (tmp_path / "other.onnx").write_bytes(text)
        refused = invoke(place / "pixel.specvae", tmp_path / "other.onnx")
        assert isinstance(refused.exception, OutputError)
        assert (tmp_path / "other.onnx").read_bytes() == text
    assert invoke(place / "pixel.specvae", tmp_path / "other.onnx", "--overwrite").exception is None
    assert metadata(tmp_path / "other.onnx")["model_sha256"] == load_model(place / "pixel.specvae").sha256


def test_what_is_no_model_and_a_missing_package_are_refused(place: Path, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(ModelError, match="not a specvae model"):
        export(str(place / "scene.tif"), str(tmp_path / "a.onnx"))
    for package in ("onnxscript", "onnx"):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtraError, match=rf'needs {package}; run `pip install "\.\[onnx\]"`'):
            export(str(place / "pixel.specvae"), str(tmp_path / "a.onnx"))
        assert not (tmp_path / "a.onnx").exists()
        with pytest.raises(MissingExtraError, match=r"pip install \"\.\[onnx\]\""):
            export(str(place / "pixel.specvae"), str(place / "pixel.onnx"))


@pytest.mark.slow
def test_a_model_of_patches_scores_alike_and_takes_more_than_a_chunk_of_them(tmp_path: Path) -> None:
    values = make_texture(128, 136, 1, side=8, bands=2).values
    write_scene(tmp_path / "texture.tif", values, ("a", "b"))
    quick = ("training.steps=60", "training.refits=0", "network.latent=6", "sampling.folds=1")
    fit(
        [str(tmp_path / "texture.tif")], FitRequest(model=str(tmp_path / "m.specvae"), device="cpu", patch=8, set=quick)
    )
    export(str(tmp_path / "m.specvae"), str(tmp_path / "m.onnx"))
    detector = load_model(tmp_path / "m.specvae").detector
    patches = to_patches(values, 8).reshape(128, -1)
    assert patches.shape[1] == 16 * 17 > CHUNK
    theirs = run(tmp_path / "m.onnx", spectra=np.ascontiguousarray(patches.T))
    np.testing.assert_allclose(theirs["score"], nats(detector.net, patches)[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(theirs["score"], theirs["reconstruction"] + theirs["kl"], rtol=1e-6)
    assert metadata(tmp_path / "m.onnx")["patch"] == 8
    with pytest.raises(ModelError, match="takes patches of 8 x 8 pixels anchored in a CRS"):
        score_array(values, tmp_path / "m.specvae")
