"""The stage ``score``: scenes or tables and a model in, a folder of maps and reports for each out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

from specvae.errors import InputError, OutputError, SpecvaeError
from specvae.export.contents import COLLECTION
from specvae.export.foreign_files import foreign_files
from specvae.export.report.trust import expected_words
from specvae.files.fingerprint import Fingerprint, same
from specvae.files.places import output_place, shown_place
from specvae.files.replacement import Replacement, replacement
from specvae.files.store import store_of
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.model.device import pick_device
from specvae.model_file import StoredModel, load_model
from specvae.stages.outcome import SceneOutcome, ScoreRun
from specvae.stages.score.job import Job, Progress
from specvae.stages.score.request import ScoreRequest, fingerprint_of, stored_report
from specvae.stages.score.scene import score_map

if TYPE_CHECKING:
    from specvae.export.report.sections import Report
    from specvae.stages.score.shards import Shards

__all__ = ["score", "score_one"]


def score(
    scene: Sequence[str],
    request: ScoreRequest,
    progress: Progress | None = None,
    done: Callable[[SceneOutcome], None] | None = None,
) -> ScoreRun:
    """Score every scene; one that fails does not keep the others from being done.

    Raises ModelError for a model that cannot be read, InputError where the scenes name nothing.
    """
    model = load_model(request.model, pick_device(request.device), request.threads)
    outcomes = []
    sources, store = find_sources(scene), store_of(request.out)
    if store is not None:
        store.pull_all()
    for source in sources:
        outcome = score_one(source, model, request, progress)
        outcomes.append(outcome)
        if done:
            done(outcome)
    if sum(outcome.status != "failed" for outcome in outcomes) > 1:
        from specvae.export.stac import write_collection

        out = output_place(request.out)
        write_collection(out, out.name)
        if store is not None:
            store.put([COLLECTION])
    return ScoreRun(tuple(outcomes), request.strict)


def score_one(
    source: Source,
    model: StoredModel,
    request: ScoreRequest,
    progress: Progress | None = None,
    shards: Shards | None = None,
) -> SceneOutcome:
    """Score one scene or table into its folder; failures become an outcome, never an exception.

    ``shards``: what was scored of it elsewhere, to be merged.
    """
    failed = SceneOutcome(source.path, source.key, "failed", shown_place(request.out, source.key))
    try:
        store = store_of(request.out)
        done_there = store is not None and store.pull(source.key)
        # Products outside of the scorer are small: numpy's threads would wait for each other longer than they compute.
        with _linear_algebra().limit(limits=1, user_api="blas"):
            outcome = _succeeded(failed, source, model, request, progress, shards)
        if store is not None and not (done_there and outcome.status == "already"):
            store.push(source.key)
        return outcome
    except SpecvaeError as error:
        return replace(failed, message=str(error), exit_status=error.exit_status, fault=type(error))
    except MemoryError:
        message = f"{source.path}: out of memory; give a smaller --max-memory"
        return replace(failed, message=message, exit_status=4, fault=MemoryError)


@cache
def _linear_algebra() -> ThreadpoolController:
    """The libraries of matrix products that the process has loaded; looking for them takes as long as a small scene's map."""
    return ThreadpoolController()


def _succeeded(
    failed: SceneOutcome,
    source: Source,
    model: StoredModel,
    request: ScoreRequest,
    progress: Progress | None,
    shards: Shards | None,
) -> SceneOutcome:
    """The outcome of a scene that is scored now or was before. Raises SpecvaeError where it cannot be."""
    if source.is_table and request.pool:
        raise InputError(f"{source.path} is a table, and --pool needs the space around a pixel; leave --pool out")
    folder = output_place(request.out, source.key)
    stored = stored_report(folder)
    before = stored["item"]["properties"].get("specvae:fingerprint") if stored else None
    # A large file takes seconds to hash. The hash is needed first only where a result is there to be compared with, and
    # otherwise last, so that it is made while the scene is scored.
    with ThreadPoolExecutor(1, "hash") as hashing:
        mark = hashing.submit(fingerprint_of, source, model.sha256, request, before)
        if stored and _is_done(before, mark.result, request, folder):
            return replace(failed, status="already", message="done already", report=stored["report"])
        if stored is None and not request.overwrite and (strangers := foreign_files(folder)):
            raise OutputError(
                f"{folder} holds files of somebody else under our names ({', '.join(strangers[:4])}); "
                "give --overwrite or another --out"
            )
        started = time.perf_counter()
        job = Job(source, model, request, request.cut(model), folder, mark.result, progress)
        report = _score_table(job) if source.is_table else _score_map(job, shards)
    seconds = time.perf_counter() - started
    message = f"{_counted(report)}, {_trusted(report)}, {seconds:.1f} s"
    return replace(failed, status="done", message=message, report=report)


def _is_done(
    before: dict[str, Any] | None, mark: Callable[[], Fingerprint], request: ScoreRequest, folder: Path
) -> bool:
    """Whether the stored result is the one asked for. Raises OutputError where it is another and may not be replaced."""
    todo = replacement(True, lambda: same(mark(), before), overwrite=request.overwrite, renew=request.renew)
    if todo is Replacement.REFUSE:
        raise OutputError(
            f"{folder} holds another result (other input, model or settings); give --overwrite or another --out"
        )
    return todo is Replacement.DONE


def _counted(report: Report) -> str:
    """How much is anomalous: by the cut, by the pooled evidence where asked for, and objects within the false-discovery rate."""
    pixels, objects, evidence = report["pixels"], report["objects"], report.get("evidence")
    expected = expected_words(report["trust"]["expected"])
    chance = f" where {expected} would be by chance" if expected else ""
    counts = [f"{pixels['anomalous']:,} of {pixels['valid']:,} anomalous{chance}"]
    if evidence:
        counts.append(f"{evidence['anomalous']:,} by the pooled evidence")
    if "kept" in objects:
        counts.append(
            f"{objects['kept']:,} of {objects['written']:,} objects kept at a false-discovery rate of {objects['fdr']:g}"
        )
    figures = report.get("metrics")
    if figures and figures["auroc"] is not None:
        counts.append(
            f"AUROC {figures['auroc']:.4f}, average precision {figures['average_precision']:.3f} "
            f"(prevalence {figures['prevalence']:.3g})"
        )
        at = [
            f"{r['detection_rate']:.1%} at {r['asked']:g}" for r in figures["rates"] if r["detection_rate"] is not None
        ]
        counts += [f"detected at the rate asked: {', '.join(at)}"] if at else []
        touched = figures.get("objects")
        if touched:
            counts.append(f"{touched['found']:,} of {touched['true']:,} true objects found")
    return ", ".join(counts)


def _trusted(report: Report) -> str:
    """The joined verdict, with its first reason where it is not ok."""
    trust = report["trust"]
    return trust["verdict"] if trust["verdict"] == "ok" else f"{trust['verdict']} ({trust['reasons'][0]})"


def _score_map(job: Job, shards: Shards | None) -> Report:
    """Score a raster here, or take over what shards of it were scored elsewhere."""
    if shards is None:
        return score_map(job)
    from specvae.stages.score.shards import write_shards

    return score_map(job, partial(write_shards, shards))


def _score_table(job: Job) -> Report:
    """Score a table."""
    # Imported when a table comes: pandas and pyarrow cost half a second that a map need not pay.
    from specvae.stages.score.table import score_table

    return score_table(job)
