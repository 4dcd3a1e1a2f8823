"""The declaration of a pipeline: checked whole, its mistakes named with their line, its words those of the commands."""

from __future__ import annotations

from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click
import pytest

from specvae.benchmarks.settings import Settings
from specvae.cli.main import cli
from specvae.errors import UsageError
from specvae.ingest.options import IngestOptions
from specvae.option import Declared, Option, build, options_of
from specvae.pipeline.declaration.spec import PATHS, load_pipeline
from specvae.pipeline.declaration.stages import Pipeline
from specvae.pipeline.declaration.toml_models import PIPELINE, STAGES
from specvae.stages.requests import CalibrateRequest, FitRequest
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
    "no kind": ('[[stage]]\nscene = "a"', r"line 1: .*expected one of fit, calibrate, score, watch, benchmark"),
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


def options_of_command(command: str) -> set[str]:
    cli_command = cli.get_command(click.Context(cli), command)
    assert cli_command is not None
    return {str(p.name).rstrip("_") for p in cli_command.params} - PRESENT - {"as_json", "jobs", "scenes_from"}


PRESENT = {"overwrite", "keep_interrupted"}
"""Options for a person who is present, and no keys of a scheduled run."""
REQUESTS: dict[str, type] = {"fit": FitRequest, "calibrate": CalibrateRequest, "score": ScoreRequest}
MACHINERY = {"renew", "dry_run", "threads", "command"}
"""Fields of requests for those that call a stage; a user has no option for them."""


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_field_of_a_request_is_an_option_and_a_key_with_the_same_default(kind: str) -> None:
    request = REQUESTS[kind]
    command = cli.get_command(click.Context(cli), kind)
    assert command is not None
    options = {p.name: p for p in command.params if isinstance(p, click.Option)}
    keys = STAGES[kind].model_fields
    own = {f.name: f for f in fields(request) if f.name not in MACHINERY | {"ingest"}}
    reading = {f.name: f for f in fields(IngestOptions) if kind in only(f) or not only(f)}
    for name, field in {**own, **reading}.items():
        assert options[name].opts == [f"--{name.replace('_', '-')}"]
        assert options[name].help, name
        assert options[name].get_default(click.Context(command)) == field.default
        assert (name in keys) is (name not in PRESENT)
        assert name in PRESENT or keys[name].default == field.default
    assert options.keys() - own.keys() - reading.keys() <= {"as_json", "jobs", "scenes_from"}
    assert keys.keys() - own.keys() - reading.keys() == {"run", "scene" if kind == "score" else "source"}
    sayable = {declared.name for declared in options_of(request, kind)}
    assert sayable == own.keys() | reading.keys(), "a field without an option must be among the machinery"


def only(field: Field[Any]) -> tuple[str, ...]:
    option: Option = field.metadata["option"]
    return option.only


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_command_line_and_a_toml_come_to_the_same_request(kind: str, tmp_path: Path) -> None:
    """Every option is given a value that differs from its default, both ways."""
    words, keys = ["a.tif"], ["scene = 'a.tif'" if kind == "score" else "source = 'a.tif'"]
    for declared in options_of(REQUESTS[kind], kind):
        if declared.name in (*PRESENT, "threshold", "config", "patch", "preset"):
            continue  # not a key; or excluded by others; or a file that must be there
        value = sample_of(declared)
        words += [f"--{declared.name.replace('_', '-')}", *([] if value is True else [str(value)])]
        text = str(value).lower() if isinstance(value, bool) else repr(value)
        keys.append(f"{declared.name} = {text}")
    command = cli.get_command(click.Context(cli), kind)
    assert command is not None
    given = command.make_context(kind, words).params
    flat = {name: given[name] for name in (d.name for d in options_of(REQUESTS[kind], kind))}
    spec = load(tmp_path, "\n".join([f"root = '/'\n[[stage]]\nrun = '{kind}'", *keys]))
    assert build(REQUESTS[kind], flat) == spec.stage[0].request


def sample_of(declared: Declared) -> object:
    """A value that the option takes and that is not its default."""
    if declared.option.is_path:
        return f"/{declared.name}.x"
    if declared.option.choices:
        return next(c for c in declared.option.choices if c != declared.default and (c,) != declared.default)
    named = {"nodata": "7", "offset": "7", "device": "cpu", "max_memory": "64M", "set": "seed=3", "grid": "B1"}
    named |= {"products": "evidence", "mask_buffer": "3"}
    if declared.name in named:
        return named[declared.name]
    return {bool: True, int: 3, float: 0.25, str: "word"}[declared.type]


def test_the_keys_that_name_files_are_known_from_the_options() -> None:
    assert {
        "source", "scene", "model", "out", "normal", "mask", "aoi", "before", "before_mask", "truth", "known", "config", "data"
    } == PATHS  # fmt: skip


def test_a_stage_and_its_command_share_one_vocabulary() -> None:
    keys = {kind: set(stage.model_fields) - {"run"} for kind, stage in STAGES.items()}
    for kind in REQUESTS:
        assert keys[kind] == options_of_command(kind)
    assert keys["benchmark"] == options_of_command("benchmark")
    settings = {f.name for f in fields(Settings)} - {"progress"}
    assert keys["benchmark"] - {"name", "size"} == settings - {"sizes"}


def test_the_keys_at_the_top_are_options_of_run() -> None:
    assert {"jobs", "retries", "max_memory"} <= options_of_command("run") | {"jobs"}
    assert set(PIPELINE.model_fields) >= {"jobs", "retries", "max_memory"}
    assert set(PIPELINE.model_fields) == {f.name for f in fields(Pipeline)}


def load(folder: Path, text: str, *settings: str, **more: Any) -> Pipeline:
    (folder / "x.toml").write_text(text, encoding="utf-8")
    return load_pipeline(folder / "x.toml", settings, **more)


def test_relative_paths_start_at_the_tomls_folder_and_remote_ones_stay(tmp_path: Path) -> None:
    text = SCORE.replace('"a.tif"', '["in/*.tif", "/vsicurl/https://x/y.tif", "/data/z.tif"]') + 'mask = "m/{stem}.tif"'
    spec = load(tmp_path, text)
    stage = spec.scores[0]
    assert stage.scene == (f"{tmp_path}/in/*.tif", "/vsicurl/https://x/y.tif", "/data/z.tif")
    assert (stage.request.ingest.mask, stage.request.out, stage.request.model) == (
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
    assert spec.scores[0].request.ingest.truth == "label"
    assert (
        load(tmp_path, SCORE + 'truth = "t/{stem}.tif"').scores[0].request.ingest.truth == f"{tmp_path}/t/{{stem}}.tif"
    )


def test_settings_reach_the_top_a_kind_and_a_numbered_stage(tmp_path: Path) -> None:
    text = SCORE + SCORE.replace("a.tif", "b.tif") + 'out = "other"\n'
    spec = load(tmp_path, text, "name=night", "score.false_alarm_rate=1e-4", "stage.2.parts=true", jobs=3)
    assert (spec.name, spec.jobs) == ("night", 3)
    assert [stage.request.false_alarm_rate for stage in spec.scores] == [1e-4, 1e-4]
    assert [stage.request.parts for stage in spec.scores] == [False, True]


@pytest.mark.parametrize("setting", ["nothing", "fit.seed=1", "stage.3.parts=true", "score.a.b=1"])
def test_a_setting_that_names_nothing_is_refused(setting: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--set"):
        load(tmp_path, SCORE, setting)


def test_an_unknown_setting_is_named_with_the_nearest_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'parts'"):
        load(tmp_path, SCORE, "score.part=true")


def test_numbers_stand_for_their_text_where_the_command_takes_text(tmp_path: Path) -> None:
    stage = load(tmp_path, SCORE + "nodata = 0\nmask = 'm.tif'\nmask_values = [3, '8-10']").scores[0]
    ingest = stage.request.ingest
    assert (ingest.nodata, ingest.mask_values) == (0.0, ("3", "8-10"))
