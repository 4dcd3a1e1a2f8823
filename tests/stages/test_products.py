"""``products``: the folder holds the files of the registry for those chosen, and what they do not need is not made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio

from specvae.errors import UsageError
from specvae.export.contents import CONTENTS, ITEM, PAGE, PRODUCTS, QUICKLOOK, REPORT, SCORE, When
from specvae.export.products import Products
from specvae.ingest.sources import find_sources
from specvae.model_file import load_model
from specvae.pipeline.declaration.spec import load_pipeline
from specvae.stages.demo.scenes import write_scene
from specvae.stages.fit import fit
from specvae.stages.outcome import SceneOutcome
from specvae.stages.requests import FitRequest
from specvae.stages.score import page, scene, table
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score, score_one
from specvae.stages.score.shards import Shards, count_shards, score_shard
from tests.commands import run

BANDS = ("B1", "B2", "B3")
RASTER = {When.ALWAYS, When.RASTER, When.GEOPACKAGE, When.EXPLAINED}
TABLE = {When.ALWAYS, When.CSV, When.EXPLAINED}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene and a table with a planted object, and a model of each kind."""
    folder = tmp_path_factory.mktemp("products")
    rng = np.random.default_rng(0)
    normal, tonight = (rng.gamma(20, 5, (3, 160, 160)).astype(np.float32) for _ in range(2))
    tonight[:, 40:56, 40:56] = np.array([900, 5, 700])[:, None, None]
    tonight[:, 56, 56] = 900, 5, 700
    write_scene(folder / "normal.tif", normal, BANDS)
    write_scene(folder / "tonight.tif", tonight, BANDS)
    pd.DataFrame(tonight[:, 40].T, columns=list(BANDS)).to_csv(folder / "rows.csv", index=False)
    for model, options in (("pixel", {"context": "none"}), ("patch", {"patch": 8})):
        path, steps = str(folder / f"{model}.specvae"), ("training.steps=60", "training.refits=0")
        fit([str(folder / "normal.tif")], FitRequest(model=path, device="cpu", set=steps, **options))
    return folder


def request(place: Path, out: Path, model: str = "pixel", **options: Any) -> ScoreRequest:
    return ScoreRequest(model=str(place / f"{model}.specvae"), out=str(out), device="cpu", **options)


def scored(place: Path, out: Path, name: str = "tonight.tif", **options: Any) -> SceneOutcome:
    outcome = score([str(place / name)], request(place, out, **options)).outcomes[0]
    assert outcome.status in ("done", "already"), outcome.message
    return outcome


def listing(outcome: SceneOutcome) -> set[str]:
    return {path.name for path in Path(outcome.folder).iterdir()}


def expected(*products: str, when: set[When]) -> set[str]:
    return {file.name for file in CONTENTS if file in Products.of(products) and file.when in when}


@pytest.mark.parametrize("product", PRODUCTS)
def test_each_product_alone_is_what_the_registry_says(place: Path, tmp_path: Path, product: str) -> None:
    outcome = scored(place, tmp_path, products=(product,))
    assert listing(outcome) == expected(product, when=RASTER)
    item = json.loads((Path(outcome.folder) / ITEM.name).read_text())
    assets = {asset["href"] for asset in item["assets"].values()}
    assert assets == {f"./{file.name}" for file in CONTENTS if file.role and file.name in listing(outcome)}
    table_outcome = scored(place, tmp_path, "rows.csv", products=(product,))
    assert listing(table_outcome) == expected(product, when=TABLE)


@pytest.mark.parametrize("product", ["pixels", "evidence"])
def test_the_products_of_an_option_alone_are_what_the_registry_says(place: Path, tmp_path: Path, product: str) -> None:
    outcome = scored(place, tmp_path, model="patch", products=(product,), parts=True, pool=product == "evidence")
    assert listing(outcome) == expected(product, when=RASTER | {When.POOL, When.PATCH_PARTS})


def test_a_chosen_file_is_the_one_that_all_products_have(place: Path, tmp_path: Path) -> None:
    full, some = scored(place, tmp_path / "full"), scored(place, tmp_path / "some", products=("objects,score",))
    for name in ("score.tif", "score.qml"):
        assert (Path(some.folder) / name).read_bytes() == (Path(full.folder) / name).read_bytes()
    sections = [dict(outcome.report["objects"]) for outcome in (full, some) if outcome.report]
    assert sections[0] == sections[1]
    assert sections[0]["count"] >= 1
    # Outlines are for the file of objects and for known objects; all else that the report says needs none.
    least = scored(place, tmp_path / "least", products=("report",)).report
    assert least is not None
    without = {"file": None, "files": []}
    assert dict(least["objects"]) == {k: v for k, v in sections[0].items() if k != "boxes"} | without
    full_report = full.report
    assert full_report is not None
    assert least["pixels"] == full_report["pixels"]
    assert least["drift"] == full_report["drift"]


def test_all_products_and_none_named_are_the_same_result(place: Path, tmp_path: Path) -> None:
    default = scored(place, tmp_path)
    assert listing(default) == expected(when=RASTER)
    assert default.report is not None
    assert "products" not in default.report["settings"]
    assert scored(place, tmp_path, products=PRODUCTS).status == "already"
    assert scored(place, tmp_path, products=(",".join(reversed(PRODUCTS)),)).status == "already"


def test_other_products_are_another_result_and_sweep_the_files_of_the_first(place: Path, tmp_path: Path) -> None:
    first = scored(place, tmp_path, products=("page", "score"))
    assert scored(place, tmp_path, products=("score, page",)).status == "already"
    refused = score([str(place / "tonight.tif")], request(place, tmp_path, products=("score",))).outcomes[0]
    assert (refused.status, refused.exit_status) == ("failed", 4)
    assert listing(first) == expected("page", "score", when=RASTER)
    second = scored(place, tmp_path, products=("score",), overwrite=True)
    assert listing(second) == expected("score", when=RASTER)
    assert second.report is not None
    assert second.report["settings"]["products"] == ["score", "report"]


def test_what_is_not_chosen_is_not_made(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("was made although it is no product")

    for module, name in (
        (scene, "draw_quicklook"),
        (scene, "map_page"),
        (scene, "explain_objects"),
        (table, "draw_table_quicklook"),
        (table, "table_page"),
        (page, "map_page"),
    ):
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr("specvae.export.report.build.render_page", refuse)
    monkeypatch.setattr("specvae.export.objects.frame.outlines", refuse)
    monkeypatch.setattr("specvae.export.maps.MapWriter.close", refuse)
    scored(place, tmp_path, products=("report", "thresholds", "model"))
    scored(place, tmp_path, "rows.csv", products=("thresholds",))


def test_known_objects_are_marked_without_a_file_of_objects(place: Path, tmp_path: Path) -> None:
    known = Path(scored(place, tmp_path / "full").folder) / "objects.gpkg"
    outcome = scored(place, tmp_path / "some", products=("report",), known=str(known))
    assert outcome.report is not None
    assert (outcome.report["objects"]["new"], listing(outcome)) == (0, {REPORT.name, ITEM.name})


def test_shards_write_the_chosen_products(place: Path, tmp_path: Path) -> None:
    (source,), model = find_sources([str(place / "tonight.tif")]), load_model(str(place / "pixel.specvae"))
    asked = request(place, tmp_path / "out", products=("score", "quicklook"))
    count = count_shards(source, model, asked, 64)
    shards = tuple(score_shard(source, model, asked, 64, n, tmp_path / "shards") for n in range(count))
    outcome = score_one(source, model, asked, shards=Shards(str(tmp_path / "shards"), shards))
    assert outcome.status == "done", outcome.message
    assert listing(outcome) == expected("score", "quicklook", when=RASTER)
    together = Path(scored(place, tmp_path / "one").folder)
    with (
        rasterio.open(Path(outcome.folder) / SCORE.name) as sharded,
        rasterio.open(together / SCORE.name) as single,
    ):
        np.testing.assert_array_equal(sharded.read(), single.read())
    assert (Path(outcome.folder) / QUICKLOOK.name).read_bytes() == (together / QUICKLOOK.name).read_bytes()


def test_an_unknown_product_is_refused_in_one_line_that_lists_the_known_ones(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=f"products has no 'foo'; use {', '.join(PRODUCTS)}$"):
        ScoreRequest(products=("score,foo",))
    model = place / "pixel.specvae"
    status = run("score", place / "tonight.tif", "--model", model, "--out", tmp_path, "--products", "page,foo")
    assert status == 2
    assert capsys.readouterr().err.splitlines() == [f"specvae: products has no 'foo'; use {', '.join(PRODUCTS)}"]
    assert not list(tmp_path.iterdir())


def test_pooling_without_its_product_is_refused() -> None:
    with pytest.raises(UsageError, match="pool makes the product evidence"):
        ScoreRequest(pool=True, products=("score",))


def test_the_command_names_the_page_only_where_there_is_one(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for products, end in (("score,page", f"/tonight/{PAGE.name}"), ("score", "/tonight")):
        out = tmp_path / products
        night, model = place / "tonight.tif", place / "pixel.specvae"
        assert run("score", night, "--model", model, "--out", out, "--products", products) == 0
        assert capsys.readouterr().out.rstrip().endswith(end)


@pytest.mark.parametrize("written", ['"score, page"', '["score", "page"]', '["page", "score", "page"]'])
def test_a_pipeline_takes_products_as_text_or_as_a_list(tmp_path: Path, written: str) -> None:
    pipeline = tmp_path / "p.toml"
    pipeline.write_text(f'name = "p"\n[[stage]]\nrun = "score"\nscene = ["*.tif"]\nproducts = {written}\n')
    (stage,) = load_pipeline(pipeline).stage
    assert stage.request.written.names == ("score", "page", "report")


def test_a_pipeline_refuses_an_unknown_product_before_anything_runs(tmp_path: Path) -> None:
    pipeline = tmp_path / "p.toml"
    pipeline.write_text('name = "p"\n[[stage]]\nrun = "score"\nscene = ["*.tif"]\nproducts = ["foo"]\n')
    with pytest.raises(UsageError, match="products has no 'foo'; use score, "):
        load_pipeline(pipeline)
