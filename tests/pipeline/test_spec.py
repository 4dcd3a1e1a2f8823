"""The declaration of a pipeline: checked whole, its mistakes named with their line, its words those of the commands."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from specvae.benchmarks.settings import Settings
from specvae.cli.main import cli
from specvae.errors import UsageError
from specvae.ingest.options import IngestOptions
from specvae.pipeline.declaration.spec import STAGES, Pipeline, load_pipeline
from specvae.stages.calibrate import calibrate
from specvae.stages.fit import fit
from specvae.stages.score.request import ScoreRequest

SCORE = '[[stage]]\nrun = "score"\nscene = "a.tif"\n'
MISTAKES = {
    "a key at the top": ('nam = "x"\n' + SCORE, r"x\.toml, line 1: nam is not a key .* did you mean 'name'"),
    "a key of a stage": (
        'name = "x"\n' + SCORE + "fals_alarm_rate = 2",
        r"line 5: stage\[1\]\.fals_alarm_rate .* did you mean 'false_alarm_rate'",
    ),
    "a key of the second stage": (
        SCORE + '[[stage]]\nrun = "fit"\nsource = "a"\nsede = 1',
        r"line 7: stage\[2\]\.sede .* a fit stage; did you mean 'seed'",
    ),
    "a key like no other": (SCORE + "zzz = 1", r"line 4: .*known: .*false_alarm_rate"),
    "a kind": ('[[stage]]\nrun = "scoer"\nscene = "a"', r"run is 'scoer'; expected one of .* did you mean 'score'"),
    "no kind": ('[[stage]]\nscene = "a"', r"line 1: .*expected one of fit, calibrate, score, benchmark"),
    "no source": ('[[stage]]\nrun = "fit"', r"stage\[1\]\.source is missing"),
    "two cuts": (SCORE + "threshold = 1\nfalse_alarm_rate = 0.1", "exclude each other"),
    "a rate above 1": (SCORE + "false_alarm_rate = 3", r"line 4: stage\[1\]\.false_alarm_rate = 3"),
    "a stage that is no list": ('[stage]\nrun = "score"', r"headed \[\[stage\]\]"),
    "no stage": ('name = "x"', "stage is missing"),
    "no scenes": ('[[stage]]\nrun = "score"\nscene = []', r"stage\[1\]\.scene = \[\]"),
    "a setting of the model": (
        '[[stage]]\nrun = "fit"\nsource = "a"\nset = "training.stps=3"',
        r"stage 1 \(fit\): unknown setting .* 'training\.steps'",
    ),
    "values without a mask": (SCORE + 'mask_values = "cloud"', "needs --mask"),
    "no job": ("jobs = 0\n" + SCORE, "line 1: jobs = 0"),
    "one folder twice": (SCORE + SCORE, "stages 1 and 2 all write .*reports"),
    "too little memory": (SCORE + 'max_memory = "1M"', "too small"),
    "no TOML": ("name = [", "not a readable TOML file"),
    "a list of kinds": (SCORE + 'objects = ["shapefile"]', r"stage\[1\]\.objects"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_what_was_meant(name: str, tmp_path: Path) -> None:
    text, message = MISTAKES[name]
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        load_pipeline(tmp_path / "x.toml")
    assert "\n" not in str(caught.value)


def options_of(command: str) -> set[str]:
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    return {str(p.name).rstrip("_") for p in found.params} - {"overwrite", "as_json", "jobs", "scenes_from"}


def keywords(function: Any) -> set[str]:
    machinery = {"overwrite", "renew", "dry_run", "threads", "progress"}
    return set(inspect.signature(function).parameters) - machinery


def test_a_stage_its_command_and_its_function_share_one_vocabulary() -> None:
    keys = {kind: set(stage.model_fields) - {"run"} for kind, stage in STAGES.items()}
    assert keys["fit"] == options_of("fit") == keywords(fit)
    assert keys["calibrate"] == options_of("calibrate") == keywords(calibrate)
    assert keys["score"] == options_of("score")
    request = {f.name for f in fields(ScoreRequest)} | {f.name for f in fields(IngestOptions)}
    assert keys["score"] - {"scene"} <= request
    assert keys["benchmark"] == options_of("benchmark")
    settings = {f.name for f in fields(Settings)} - {"progress"}
    assert keys["benchmark"] - {"name", "size"} == settings - {"sizes"}


def test_the_keys_at_the_top_are_options_of_run() -> None:
    assert {"jobs", "retries", "max_memory"} <= options_of("run") | {"jobs"}
    assert set(Pipeline.model_fields) >= {"jobs", "retries", "max_memory"}


def load(folder: Path, text: str, *settings: str, **more: Any) -> Pipeline:
    (folder / "x.toml").write_text(text, encoding="utf-8")
    return load_pipeline(folder / "x.toml", settings, **more)


def test_relative_paths_start_at_the_tomls_folder_and_remote_ones_stay(tmp_path: Path) -> None:
    text = SCORE.replace('"a.tif"', '["in/*.tif", "/vsicurl/https://x/y.tif", "/data/z.tif"]') + 'mask = "m/{stem}.tif"'
    spec = load(tmp_path, text)
    stage = spec.scores[0]
    assert stage.scene == (f"{tmp_path}/in/*.tif", "/vsicurl/https://x/y.tif", "/data/z.tif")
    assert (stage.mask, stage.out, stage.model) == (
        f"{tmp_path}/m/{{stem}}.tif", f"{tmp_path}/reports", f"{tmp_path}/model.specvae"
    )  # fmt: skip
    assert (spec.name, spec.out) == ("x", f"{tmp_path}/reports")


def test_names_that_are_no_local_paths_stay_as_they_are(tmp_path: Path) -> None:
    names = ["s3://bucket/x.tif", "https://x/y.tif", "/vsizip/z.zip/a.tif", 'NETCDF:"a.nc":v']
    spec = load(tmp_path, f"[[stage]]\nrun = 'score'\nscene = {[*names, 'INBOX/A.TIF']!r}\n")
    assert spec.scores[0].scene == (*names, f"{tmp_path}/INBOX/A.TIF")


def test_a_root_is_where_relative_paths_start_and_a_column_is_no_path(tmp_path: Path) -> None:
    spec = load(tmp_path, 'root = "../data"\n' + SCORE + 'truth = "label"')
    assert spec.scores[0].scene == (f"{tmp_path.parent}/data/a.tif",)
    assert spec.scores[0].truth == "label"
    assert load(tmp_path, SCORE + 'truth = "t/{stem}.tif"').scores[0].truth == f"{tmp_path}/t/{{stem}}.tif"


def test_settings_reach_the_top_a_kind_and_a_numbered_stage(tmp_path: Path) -> None:
    text = SCORE + SCORE.replace("a.tif", "b.tif") + 'out = "other"\n'
    spec = load(tmp_path, text, "name=night", "score.false_alarm_rate=1e-4", "stage.2.parts=true", jobs=3)
    assert (spec.name, spec.jobs) == ("night", 3)
    assert [stage.false_alarm_rate for stage in spec.scores] == [1e-4, 1e-4]
    assert [stage.parts for stage in spec.scores] == [False, True]


@pytest.mark.parametrize("setting", ["nothing", "fit.seed=1", "stage.3.parts=true", "score.a.b=1"])
def test_a_setting_that_names_nothing_is_refused(setting: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--set"):
        load(tmp_path, SCORE, setting)


def test_an_unknown_setting_is_named_with_the_nearest_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'parts'"):
        load(tmp_path, SCORE, "score.part=true")


def test_numbers_stand_for_their_text_where_the_command_takes_text(tmp_path: Path) -> None:
    stage = load(tmp_path, SCORE + "nodata = 0\nmask = 'm.tif'\nmask_values = [3, '8-10']").scores[0]
    assert (stage.nodata, stage.mask_values) == ("0", ("3", "8-10"))
