"""Damaged inputs in a dozen formats, run through the command line: ``python -m tests.fuzz --count 10000``.

Each case damages a good file (bytes flipped, cut, repeated, blanked), then inspects it and, for a share of the cases,
scores it in process. The exit status must be 0, 2, 3 or 4, in time, without a traceback, and nothing may be
written but in the output folder. A supervisor runs the cases in a worker process, so that a crash is seen too.
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import importlib.util
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests import spectrometer_files
from tests.commands import call
from tests.models import fit_model
from tests.raster_files import write

LIMIT = 60.0
HANG = 300.0
"""Seconds in which a worker runs and says nothing, after which it is ended; those in which it is stopped do not count."""
TICK = 1.0
"""Seconds after which the supervisor looks at a silent worker."""
ALLOWED = {0, 2, 3, 4}
SIDE = 24
MOST_DEATHS = 20


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    case: int
    format: str
    how: str
    command: str
    status: int
    seconds: float
    """Of a processor, so that a busy machine looks no different."""
    wrong: str = ""
    """What must not be, empty where all is well."""


# --- good files ------------------------------------------------------------------------------------------------------


def make_seeds(folder: Path, model: Path | None) -> list[tuple[str, Path, list[Path]]]:
    """(format, what is scored, files that may be damaged) of good inputs."""
    import geopandas
    import pandas as pd
    import rasterio
    import rasterio.shutil
    import scipy.io
    from shapely.geometry import box

    rng = np.random.default_rng(0)
    cube = rng.normal(1000, 50, (4, SIDE, SIDE)).astype("uint16")
    small = cube.astype("uint8")
    seeds: list[tuple[str, Path, list[Path]]] = []

    def add(name: str, path: Path, *files: Path) -> None:
        seeds.append((name, path, list(files) or [path]))

    add("tiff strips", write(folder / "strips.tif", cube, nodata=0))
    add(
        "tiff deflate tiles",
        write(folder / "tiles.tif", cube, compress="deflate", tiled=True, blockxsize=16, blockysize=16),
    )
    add("tiff lzw", write(folder / "lzw.tif", cube, compress="lzw", predictor=2))
    add("tiff zstd float", write(folder / "zstd.tif", cube.astype("float32"), compress="zstd", nodata=float("nan")))
    add("tiff jpeg", write(folder / "jpeg.tif", small, compress="jpeg"))
    add("png", write(folder / "a.png", small, driver="PNG"))
    add("jpeg2000", write(folder / "a.jp2", cube, driver="JP2OpenJPEG"))
    add("erdas", write(folder / "a.img", cube, driver="HFA"))
    envi = write(folder / "envi.dat", cube, driver="ENVI")
    add("envi data", envi)
    add("envi header", envi, folder / "envi.hdr")
    with scipy.io.netcdf_file(folder / "a.nc", "w") as file:
        for name, size in (("wavelength", 4), ("y", SIDE), ("x", SIDE)):
            file.createDimension(name, size)
        file.createVariable("rhos", "f4", ("wavelength", "y", "x"))[:] = cube
    add("netcdf", folder / "a.nc")
    add("geopackage raster", write(folder / "a.gpkg", small, driver="GPKG", crs="EPSG:4326"))
    vrt = folder / "a.vrt"
    with rasterio.open(folder / "strips.tif") as file:
        rasterio.shutil.copy(file, vrt, driver="VRT")
    add("vrt", vrt)
    np.save(folder / "a.npy", np.moveaxis(cube, 0, 2))
    np.savez_compressed(folder / "a.npz", cube=np.moveaxis(cube, 0, 2))
    scipy.io.savemat(folder / "a.mat", {"data": np.moveaxis(cube, 0, 2)}, do_compression=True)
    for end in ("npy", "npz", "mat"):
        add(end, folder / f"a.{end}")
    frame = pd.DataFrame(cube.reshape(4, -1).T[:200] + 0.5, columns=["450", "550", "650", "850"]).assign(name="a,b")
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_parquet(folder / "b.parquet")
    add("csv", folder / "a.csv")
    for name, path, files in _tables_and_cubes(folder, frame, cube):
        add(name, path, *files)
    add("parquet", folder / "b.parquet")
    landsat = folder / "LC08_L1TP_034032_20160707_20170221_01_T1"
    landsat.mkdir()
    for at in range(4):
        write(landsat / f"{landsat.name}_B{at + 2}.TIF", cube[at : at + 1])
    (landsat / f"{landsat.name}_MTL.txt").write_text(
        "GROUP = A\nSUN_ELEVATION = 30\nSPACECRAFT_ID = LANDSAT_8\nEND_GROUP = A\n"
    )
    add("landsat folder", landsat, *sorted(landsat.iterdir()))
    with zipfile.ZipFile(folder / "l8.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(landsat.iterdir()):
            archive.write(path, path.name)
    add("landsat zip", folder / "l8.zip")
    (folder / "gz.tif.gz").write_bytes(gzip.compress((folder / "strips.tif").read_bytes()))
    add("tiff in gzip", folder / "gz.tif.gz")
    with zipfile.ZipFile(folder / "one.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "tiles.tif", "inner/tiles.tif")
    add("tiff in zip", folder / "one.zip")
    rasterio.shutil.copy(folder / "strips.tif", folder / "nc4.nc", driver="netCDF", format="NC4C")
    add("netcdf 4", folder / "nc4.nc")
    add("bil", write(folder / "b.bil", cube, driver="EHdr"))
    assets = {
        name: {"href": f"{name}.tif", "type": "image/tiff", "eo:bands": [{"name": name, "center_wavelength": 0.45 + at / 10}],
               "raster:bands": [{"scale": 0.0001, "offset": -0.1}]}
        for at, name in enumerate(("blue", "green", "red", "nir"))
    }  # fmt: skip
    for at, name in enumerate(assets):
        write(folder / f"{name}.tif", cube[at : at + 1])
    properties = {"datetime": "2023-07-15T10:15:59Z", "platform": "sentinel-2a", "s2:processing_baseline": "05.09"}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "x", "properties": properties, "assets": assets}
    (folder / "item.json").write_text(json.dumps(item))
    add("stac item", folder / "item.json", folder / "item.json", *(folder / f"{name}.tif" for name in assets))
    add("zarr", *_zarr(folder / "a.zarr", cube, properties))
    write(folder / "mask.tif", (cube[:1] > 900).astype("uint8"))
    shape = box(400_020, 4_999_800, 400_200, 4_999_980)
    geopandas.GeoDataFrame(geometry=[shape], crs="EPSG:32633").to_file(folder / "aoi.geojson")
    geopandas.GeoDataFrame(geometry=[shape], crs="EPSG:32633").to_file(folder / "aoi.gpkg")
    for name, file in (("mask", "mask.tif"), ("area geojson", "aoi.geojson"), ("area gpkg", "aoi.gpkg")):
        add(name, folder / "strips.tif", folder / file)
    if model is not None:
        shutil.copy(model, folder / "m.specvae")
        add("model", folder / "m.specvae")
        (folder / "batch.toml").write_text(
            'name = "fuzz"\n[[stage]]\nrun = "score"\nscene = ["strips.tif"]\nmodel = "m.specvae"\nout = "out"\n'
            "false_alarm_rate = 1e-3\n"
        )
        add("pipeline", folder / "batch.toml")
    return seeds


def _zarr(place: Path, cube: np.ndarray[Any, Any], properties: dict[str, str]) -> tuple[Path, ...]:
    """A small EOPF product, and its files; a folder without arrays where the library is not there."""
    try:
        import zarr
    except ImportError:
        return (write(place.with_suffix(".tif"), cube),)
    root = zarr.open_group(place, mode="w", zarr_format=2)
    root.attrs.update({"stac_discovery": {"properties": {**properties, "proj:epsg": 32633}}})
    group = root.require_group("measurements/reflectance/r10m")
    for name, values in (("y", np.arange(SIDE) * -10.0), ("x", np.arange(SIDE) * 10.0)):
        group.create_array(name, data=values).attrs["_ARRAY_DIMENSIONS"] = [name]
    for name, values in zip(("b02", "b03", "b04", "b08"), cube, strict=True):
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(16, 16))
        array[...] = values
        array.attrs.update({"scale_factor": 0.0001, "add_offset": -0.1, "_ARRAY_DIMENSIONS": ["y", "x"]})
    return (place, *sorted(p for p in place.rglob("*") if p.is_file()))


def _tables_and_cubes(folder: Path, frame: Any, cube: np.ndarray) -> list[tuple[str, Path, list[Path]]]:
    """Tables of other kinds, cubes of HDF5 and NetCDF in other orders, and imaging spectrometers' products."""
    import h5py
    import scipy.io

    frame.to_feather(folder / "a.feather")
    (folder / "a.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes()))
    frame.set_index("name").T.rename_axis("Wavelength").set_axis([f"s{i}" for i in range(len(frame))], axis=1).to_csv(
        folder / "turned.txt", sep="\t"
    )
    names = ["a.feather", "a.csv.gz", "turned.txt"]
    if importlib.util.find_spec("openpyxl"):
        frame.to_excel(folder / "a.xlsx", index=False)
        names.append("a.xlsx")
    with h5py.File(folder / "a.h5", "w") as out:
        out["cube"], out["wavelength"] = np.moveaxis(cube, 0, 2), np.array([450.0, 550.0, 650.0, 850.0])
    with scipy.io.netcdf_file(folder / "last.nc", "w") as file:
        for name, size in (("lat", SIDE), ("lon", SIDE), ("wavelength", 4)):
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,))[:] = np.linspace(40.0, 40.5, size)
        file.createVariable("rhos", "f4", ("lat", "lon", "wavelength"))[:] = np.moveaxis(cube, 0, 2)
    for name, make in spectrometer_files.PRODUCTS.items():
        make(folder / name)
    names += ["a.h5", "last.nc", *spectrometer_files.PRODUCTS]
    missions = {name: spectrometer_files.dlr(folder / name.casefold(), name) for name in ("ENMAP", "DESIS")}
    products = [(name.casefold(), place, sorted(place.iterdir())) for name, place in missions.items()]
    names.append(_matlab_hdf5(folder / "hdf5.mat", cube))
    return [*((name, folder / name, [folder / name]) for name in names), *products]


def _matlab_hdf5(path: Path, cube: np.ndarray) -> str:
    """The name of a file of MATLAB 7.3: HDF5 behind 512 bytes, its axes reversed."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as out:
        out["cube"], out["wavelength"] = np.moveaxis(cube, 0, 2).T, np.array([[450.0, 550.0, 650.0, 850.0]])
    head = (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM").ljust(512, b"\0")
    path.write_bytes(head + path.read_bytes()[512:])
    return path.name


# --- damage ----------------------------------------------------------------------------------------------------------


def damage(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Damaged bytes, and how."""
    how = rng.choice(["flip", "flip", "flip head", "cut", "blank", "repeat", "swap", "ones"])
    at = rng.randrange(max(1, len(data)))
    length = rng.randrange(1, max(2, min(64, len(data))))
    if how.startswith("flip"):
        out = bytearray(data)
        reach = min(len(out), 400) if how == "flip head" else len(out)
        for _ in range(rng.choice([1, 2, 8, 40])):
            out[rng.randrange(reach)] ^= 1 << rng.randrange(8)
        return bytes(out), how
    if how == "cut":
        return data[:at], how
    if how in ("blank", "ones"):
        return data[:at] + (b"\0" if how == "blank" else b"\xff") * length + data[at + length :], how
    if how == "repeat":
        return data[:at] + data[at : at + length] * rng.choice([2, 50]) + data[at + length :], how
    other = rng.randrange(max(1, len(data)))
    piece = data[other : other + length]
    return data[:at] + piece + data[at + len(piece) :], how


# --- one case --------------------------------------------------------------------------------------------------------


class Fuzzer:
    """Runs cases in a folder of its own."""

    def __init__(self, folder: Path, model: Path | None, score_every: int) -> None:
        self.folder, self.model, self.score_every = folder, model, score_every
        good = folder / "good"
        good.mkdir(exist_ok=True)
        self.seeds = make_seeds(good, model) if not any(good.iterdir()) else json_seeds(folder)
        if not (folder / "seeds.json").exists():
            seed_list = [(name, str(path), [str(f) for f in files]) for name, path, files in self.seeds]
            (folder / "seeds.json").write_text(json.dumps(seed_list))

    def run(self, case: int) -> Outcome:
        """Damage a file, inspect or score it, and judge."""
        rng = random.Random(case)
        name, path, files = self.seeds[case % len(self.seeds)]
        victim = rng.choice(files)
        work = self.folder / f"case-{case}"
        shutil.rmtree(work, ignore_errors=True)
        target = work / "in" / path.name
        shutil.copytree(path, target) if path.is_dir() else self._copy(path, files, work / "in")
        broken, how = damage(victim.read_bytes(), rng)
        place = target / victim.relative_to(path) if path.is_dir() else work / "in" / victim.name
        place.write_bytes(broken)
        scoring = self.model is not None and (case // len(self.seeds)) % self.score_every == 0
        args = self._command(name, target, place, work / "out", scoring)
        before = _tree(work)
        started = time.process_time()
        status, text = call(args)
        seconds = time.process_time() - started
        wrong = self._judge(status, text, seconds, before, work)
        if not wrong:
            shutil.rmtree(work, ignore_errors=True)
        return Outcome(case, name, how, args[0], status, round(seconds, 3), wrong)

    def _command(self, name: str, target: Path, place: Path, out: Path, scoring: bool) -> list[str]:
        """Inspect or score what was damaged, or the good scene under a damaged mask or by a damaged model."""
        if name == "pipeline":
            return ["run", str(place), "--dry-run"]
        if name == "model" and scoring:
            return ["score", str(self.folder / "good" / "strips.tif"), "--model", str(place), "--out", str(out)]
        over = {
            "mask": ["--mask", str(place)],
            "area geojson": ["--aoi", str(place)],
            "area gpkg": ["--aoi", str(place)],
        }
        command = ["score", "--model", str(self.model), "--out", str(out)] if scoring else ["inspect"]
        return [command[0], str(target), *command[1:], *over.get(name, [])]

    def _copy(self, path: Path, files: list[Path], place: Path) -> None:
        place.mkdir(parents=True)
        beside = [path.with_suffix(".hdr"), path.with_name("strips.tif"), path.with_name("m.specvae")]
        needed = [f for f in beside if f.exists() and path.suffix in (".vrt", ".dat", ".bil", ".toml")]
        for file in {path, *files, *needed}:
            shutil.copy(file, place / file.name)

    def _judge(self, status: int, text: str, seconds: float, before: set[str], work: Path) -> str:
        if status not in ALLOWED:
            return f"exit {status}: {text[-1500:]}"
        if "Traceback" in text:
            return f"traceback: {text[-1500:]}"
        if seconds > LIMIT:
            return f"took {seconds:.0f} s"
        strangers = {name for name in _tree(work) - before if not name.startswith("out")}
        if strangers:
            return f"wrote {sorted(strangers)[:5]}"
        out = work / "out"
        if status != 0 and any(p.is_file() for p in out.rglob("*")):
            return f"failed, but left {[p.name for p in out.rglob('*')][:5]}"
        return ""


def json_seeds(folder: Path) -> list[tuple[str, Path, list[Path]]]:
    """The seeds that an earlier worker made."""
    seeds = json.loads((folder / "seeds.json").read_text())
    return [(name, Path(path), [Path(f) for f in files]) for name, path, files in seeds]


def _tree(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


# --- many cases ------------------------------------------------------------------------------------------------------


def work(folder: Path, model: Path | None, cases: range, score_every: int) -> None:
    """A worker: one JSON line before and after each case; its stack is in ``stack.txt`` where it is ended by a signal."""
    out = os.fdopen(os.dup(1), "w")
    with (folder / "stack.txt").open("w") as stack:
        faulthandler.enable(stack)
        fuzzer = Fuzzer(folder, model, score_every)
        for case in cases:
            print(json.dumps({"case": case}), file=out, flush=True)
            print(json.dumps(asdict(fuzzer.run(case))), file=out, flush=True)


def lines_of(worker: subprocess.Popen[bytes], hang: float = HANG, tick: float = TICK) -> Iterator[str]:
    """The lines of a worker; one that runs for ``hang`` seconds without a line is ended by SIGABRT, which dumps its stack.

    Counted are ticks of this process in which the worker was not stopped: who stops both, or the worker alone, and lets
    them go on hours later ends nothing.
    """
    assert worker.stdout is not None
    waiting, silent = b"", 0.0
    while True:
        ready, _, _ = select.select([worker.stdout], [], [], tick)
        if not ready:
            silent += 0.0 if is_stopped(worker.pid) else tick
            if silent > hang:
                worker.send_signal(signal.SIGABRT)
            continue
        piece = os.read(worker.stdout.fileno(), 1 << 16)
        if not piece:
            return
        silent, (*lines, waiting) = 0.0, (waiting + piece).split(b"\n")
        yield from (line.decode() for line in lines)


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal, by the third word of what Linux says of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "Tt"
    except (OSError, IndexError):
        return False


def supervise(
    folder: Path, model: Path | None, count: int, score_every: int, start: int = 0, tried: frozenset[int] = frozenset()
) -> Iterator[Outcome]:
    """Outcomes of all cases but those ``tried``; a worker that crashes or hangs is an outcome too, and the rest goes on."""
    case, deaths = start, 0
    while case < count and deaths < MOST_DEATHS:
        if case in tried:
            case += 1
            continue
        stop = next((at for at in range(case, count) if at in tried), count)
        command = [sys.executable, "-m", "tests.fuzz", "--worker", str(folder), "--start", str(case), "--count", str(stop),
                   "--score-every", str(score_every), *(["--model", str(model)] if model else [])]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as worker:
            for line in lines_of(worker):
                record: dict[str, Any] = json.loads(line)
                case = record["case"]
                if "status" in record:
                    yield Outcome(**record)
                    case += 1
        if case < stop:
            deaths += 1
            yield Outcome(case, "?", "?", "?", worker.returncode, 0.0, _ended(folder, worker.returncode))
            case += 1


def _ended(folder: Path, status: int) -> str:
    """How a worker ended that was not done, with the innermost line of its stack where it has left one."""
    lines = [line.strip() for line in (folder / "stack.txt").read_text().splitlines()]
    inner = next((line for line in lines if line.startswith("File")), "no stack")
    how = "hung, and was ended" if status == -signal.SIGABRT else f"died with status {status}"
    return f"the worker {how}: {inner}"


def report(outcomes: list[Outcome], seconds: float) -> str:
    """The outcomes as Markdown."""
    statuses = sorted({o.status for o in outcomes})
    lines = [
        "# Fuzzing",
        "",
        f"Written by `make fuzz`: {len(outcomes):,} damaged inputs, {sum(o.command == 'score' for o in outcomes):,} of them "
        f"scored and the rest inspected, in {seconds:.0f} s. Wrong: {sum(bool(o.wrong) for o in outcomes)}.",
        "",
        "Wrong is: an exit status other than 0, 2, 3 or 4, a traceback, a crash, "
        f"more than {LIMIT:.0f} s of a processor or {HANG:.0f} s of running without an end, a file outside the output folder, "
        "or a part of an output left behind.",
        "",
        "| format | cases | " + " | ".join(f"exit {s}" for s in statuses) + " | slowest, s |",
        "|---|---|" + "---|" * (len(statuses) + 1),
    ]
    for name in sorted({o.format for o in outcomes}):
        mine = [o for o in outcomes if o.format == name]
        counts = Counter(o.status for o in mine)
        cells = " | ".join(str(counts[s]) for s in statuses)
        lines.append(f"| {name} | {len(mine)} | {cells} | {max(o.seconds for o in mine):.2f} |")
    for o in outcomes:
        if o.wrong:
            lines += ["", f"- case {o.case} ({o.format}, {o.how}, {o.command}): {o.wrong.splitlines()[-1][:300]}"]
    return "\n".join(lines) + "\n"


def earlier(path: Path | None) -> list[Outcome]:
    """The outcomes that an earlier run left in its file; none where there is none."""
    if path is None or not path.exists():
        return []
    return [Outcome(**json.loads(line)) for line in path.read_text().splitlines() if line.endswith("}")]


def main() -> None:
    """Run all cases, write the report, exit 1 where something was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--score-every", type=int, default=40)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--worker", type=Path)
    parser.add_argument(
        "--resume", type=Path, help="a file of outcomes, a JSON line each: its cases are not tried again"
    )
    parser.add_argument("--out", type=Path, default=Path("reports/fuzz/report.md"))
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.model, range(options.start, options.count), options.score_every)
        return
    with tempfile.TemporaryDirectory(prefix="specvae-fuzz-") as folder:
        started = time.perf_counter()
        options.out.parent.mkdir(parents=True, exist_ok=True)
        model = fit_model(Path(folder))
        outcomes = earlier(options.resume)
        tried = frozenset(outcome.case for outcome in outcomes)
        kept = options.resume.open("a") if options.resume else nullcontext()
        with kept as log:
            for outcome in supervise(Path(folder), model, options.count, options.score_every, options.start, tried):
                outcomes.append(outcome)
                if log is not None:
                    print(json.dumps(asdict(outcome)), file=log, flush=True)
                if outcome.wrong:
                    print(f"case {outcome.case} ({outcome.format}): {outcome.wrong}", file=sys.stderr)
                if len(outcomes) % 500 == 0:
                    print(f"{len(outcomes)} of {options.count}", file=sys.stderr)
                    # A long run that is stopped leaves what it has tried.
                    options.out.write_text(report(outcomes, time.perf_counter() - started))
    options.out.write_text(report(outcomes, time.perf_counter() - started))
    sys.exit(any(o.wrong for o in outcomes))


if __name__ == "__main__":
    main()
