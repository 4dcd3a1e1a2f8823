"""Tables as instruments, R and Excel write them give the spectra that were written, or one line that says what to do."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specvae.errors import InputError, SpecvaeError
from specvae.export.table_writing import scores_name, write_scores
from specvae.ingest.options import IngestOptions
from specvae.ingest.sources import find_sources
from specvae.ingest.table.reading import Table, open_table, read_table

NM = tuple(range(400, 700, 25))
SPECTRA = np.round(np.random.default_rng(5).uniform(0.01, 0.99, (40, len(NM))), 4)


def frame(head: str = "{}", values: np.ndarray = SPECTRA) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[head.format(w) for w in NM])


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, **options: Any) -> Table:
    return read_table(str(path), IngestOptions(**options))


def check(table: Table, values: np.ndarray = SPECTRA, waves: tuple[float, ...] | None = NM) -> None:
    assert np.allclose(table.values[table.valid], values, rtol=1e-6)
    assert table.bands.wavelengths == (None if waves is None else pytest.approx(waves))


# --- which columns are bands -----------------------------------------------------------------------------------------

HEADS = (
    *(
        "X{}.nm",
        "X{}",
        "Reflectance_{}nm",
        "spc.{}",
        "{}_ref",
        "refl({})",
        "{} nm",
        "avg_{}",
        "{}nm_mean",
        "R{}",
        "wl-{}",
    ),
    *("scan_visnir.{}_ref", "site2.refl_{}", "{}.0", "Spectra[{}]", "lambda_{}_nm", "b1_{}", "Rrs {} (sr-1)"),
)


@pytest.mark.parametrize("head", HEADS)
def test_a_family_of_headers_is_the_spectrum_and_other_numbers_are_not(head: str, tmp_path: Path) -> None:
    table = frame(head).assign(pH=np.linspace(4, 9, 40), SOC=1.5, plot=range(40), POINT_X=500_000.5)
    table.insert(0, "clay.tot_a334_w.pct", np.linspace(2, 60, 40))
    table.to_csv(tmp_path / "t.csv", index=False)
    found = read(tmp_path / "t.csv")
    check(found)
    assert any("pH" in note and "not read as bands" in note for note in found.notes)
    (columns,) = [d for d in found.decisions if d.about == "columns"]
    assert any("SOC (other numbers)" in other for other in columns.others)


@pytest.mark.parametrize(
    ("names", "bands"),
    [
        (["OBJECTID", "POINT_X", "POINT_Y", "b1_scene", "b2_scene", "b3_scene"], 3),
        (["", "alpha", "beta", "gamma"], 3),
        (["Unnamed: 0", "lon_wgs84", "utm_e", "alpha", "beta"], 2),
        (["year_2019", "b1", "b2", "b3", "b8a"], 4),
        (["b1_400", "b2_425", "b3_450", "b4_475", "b5_500", "temp"], 5),
    ],
)
def test_coordinates_and_indices_are_no_bands(names: list[str], bands: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0, 1, (30, len(names)))
    pd.DataFrame(values, columns=names).to_csv(tmp_path / "t.csv", index=False)
    assert len(read(tmp_path / "t.csv").bands) == bands


def test_several_families_are_asked_about_and_bands_chooses(tmp_path: Path) -> None:
    two = pd.concat([frame("raw_{}"), frame("smooth_{}")], axis=1)
    two.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"which family .* \(raw_400 to raw_675 \(12\) or smooth_400 .*--bands"):
        read(tmp_path / "t.csv")
    check(read(tmp_path / "t.csv", bands="smooth_400-smooth_675"))


def test_wavenumbers_micrometres_and_years_are_told_apart(tmp_path: Path) -> None:
    for name, numbers, waves in [
        ("mir", range(4000, 600, -200), 1e7 / np.arange(4000, 600, -200)),
        ("um", np.round(np.linspace(0.4, 2.4, 17), 3), np.linspace(400, 2400, 17)),
        ("years", range(2003, 2020), None),
    ]:
        columns = [f"value_{n}" for n in numbers]
        pd.DataFrame(np.random.default_rng(0).random((5, 17)), columns=columns).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
        found = read(tmp_path / f"{name}.csv").bands.wavelengths
        assert (found is None) == (waves is None)
        if waves is not None:
            assert np.allclose(found, waves, rtol=1e-6)


@pytest.mark.parametrize("word", ["<LOD", "n.d.", "<0.01", "#DIV/0!", "ND", "below detection limit"])
def test_a_band_below_its_detection_limit_stays_a_band_and_is_said(word: str, tmp_path: Path) -> None:
    table = frame().astype(object)
    table.iloc[:25, 4] = word
    table.to_csv(tmp_path / "t.csv", index=False)
    found = read(tmp_path / "t.csv")
    assert len(found.bands) == len(NM)
    assert found.valid.sum() == 15
    assert any(word in note and "25 of 40 rows" in note for note in found.notes)


def test_the_whole_table_decides_and_not_its_first_rows(tmp_path: Path) -> None:
    values = np.tile(SPECTRA, (30, 1))
    late = frame(values=values)
    late.iloc[:700, 3] = np.nan
    for name, write_it in (("a.csv", late.to_csv), ("a.parquet", late.to_parquet)):
        write_it(tmp_path / name, index=False)
        found = read(tmp_path / name)
        assert len(found.bands) == len(NM)
        assert found.valid.sum() == len(values) - 700
        assert any("700 of 1,200 rows are not valid" in note and " 475," in note for note in found.notes)


# --- how numbers are written -----------------------------------------------------------------------------------------

COUNTS = np.rint(SPECTRA * 12_000)


def grouped(mark: str, quoted: bool) -> str:
    def cell(value: float) -> str:
        text = f"{int(value):,}".replace(",", mark)
        return f'"{text}"' if quoted and mark in text else text

    return "\n".join(",".join(map(cell, row)) for row in COUNTS)


NUMBERS: dict[str, tuple[str, np.ndarray]] = {
    "decimal commas in quotes": (",".join(map(str, NM)) + "\n" + "\n".join(
        ",".join(f'"{v:.4f}"'.replace(".", ",") for v in row) for row in SPECTRA), SPECTRA),
    "thousands commas in quotes": (",".join(map(str, NM)) + "\n" + grouped(",", True), COUNTS),
    "thousands blanks": (",".join(map(str, NM)) + "\n" + grouped(" ", False), COUNTS),
    "thousands apostrophes": (",".join(map(str, NM)) + "\n" + grouped("'", False), COUNTS),
    "German thousands and decimals": (";".join(map(str, NM)) + "\n" + "\n".join(
        ";".join(f"{v:,.1f}".translate(str.maketrans(",.", ".,")) for v in row) for row in COUNTS), COUNTS),
    "decimal commas between tabs": ("\t".join(map(str, NM)) + "\n" + "\n".join(
        "\t".join(f"{v:.4f}".replace(".", ",") for v in row) for row in SPECTRA), SPECTRA),
}  # fmt: skip


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_are_read_in_any_quoting(kind: str, tmp_path: Path) -> None:
    content, values = NUMBERS[kind]
    found = read(write(tmp_path / "t.csv", content + "\n"))
    check(found, values)
    assert any(d.about == "format" and ("commas" in d.chosen or "thousands" in d.chosen) for d in found.decisions)


def test_thousands_far_down_in_the_bright_rows_are_read(tmp_path: Path) -> None:
    values = np.vstack([np.full((900, len(NM)), 500.0), COUNTS + 1000])
    lines = [",".join(f'"{int(v):,}"' if v > 999 else f"{int(v)}" for v in row) for row in values]
    check(read(write(tmp_path / "t.csv", "\n".join([",".join(map(str, NM)), *lines]) + "\n")), values)


def test_points_before_three_digits_between_semicolons_are_asked_about(tmp_path: Path) -> None:
    lines = [";".join(map(str, NM)), *(";".join(f"{int(v) + 1000:,}".replace(",", ".") for v in row) for row in COUNTS)]
    path = write(tmp_path / "t.csv", "\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"1\.234 means cannot be told .*--decimal comma"):
        read(path)
    check(read(path, decimal="comma"), COUNTS + 1000)
    check(read(path, decimal="point"), (COUNTS + 1000) / 1000)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.floats(-9e5, 9e5).map(lambda v: round(v, 3)), min_size=12, max_size=12),
    marks=st.sampled_from([(".", ","), (".", ""), (",", "."), (",", ""), (",", " "), (".", "'")]),
)
def test_any_numbers_come_back_whatever_their_marks(
    values: list[float], marks: tuple[str, str], tmp_path: Path
) -> None:
    decimal, thousands = marks
    first = [1234567.25, 0.5, 12.25]  # cells that leave no doubt
    text = [f"{v:,.3f}".replace(",", "T").replace(".", decimal).replace("T", thousands) for v in (*first, *values)]
    names = ";".join(f"{400 + 10 * i}" for i in range(len(text)))
    found = read(write(tmp_path / "t.csv", f"{names}\n{';'.join(text)}\n{';'.join(text)}\n"))
    assert np.allclose(found.values[0], np.float32([*first, *values]), rtol=1e-6)


# --- where the table begins ------------------------------------------------------------------------------------------

BODY = frame().to_csv(index=False)
BEGINNINGS = {
    "a preamble": "Instrument: FieldSpec 4\nDate: 2020-02-29\nUnits: reflectance\n\n" + BODY,
    "a preamble with commas": "Instrument:,FieldSpec 4\nDate:,2020-02-29\n\n" + BODY,
    "a preamble filled up by Excel": "".join(f"note {i}{',' * (len(NM) - 1)}\n" for i in range(3)) + BODY,
    "comments": "# Instrument: FieldSpec 4\n# Units: reflectance\n" + BODY,
    "numpy's header": "# " + BODY,
    "empty first lines": "\n\n  \n" + BODY,
    "sep=": "sep=,\n" + BODY,
    "sep=; of Excel": "sep=;\r\n" + BODY.replace(",", ";").replace("\n", "\r\n"),
    "a delimiter at each line's end": BODY.split("\n")[0] + "\n" + BODY.split("\n", 1)[1].replace("\n", ",\n"),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_the_table_is_found_behind_what_stands_before_it(name: str, tmp_path: Path) -> None:
    found = read(write(tmp_path / "t.csv", BEGINNINGS[name]))
    check(found)
    assert len(found) == 40
    if name.startswith("a preamble"):
        assert any("the table begins in line" in note for note in found.notes)


def test_wavelengths_behind_the_header_or_in_no_order_are_no_row(tmp_path: Path) -> None:
    named = [
        ["id", *(f"band{i + 1}" for i in range(len(NM)))],
        ["nm", *NM],
        *([f"s{i}", *row] for i, row in enumerate(SPECTRA)),
    ]
    found = read(write(tmp_path / "t.csv", "\n".join(",".join(map(str, row)) for row in named) + "\n"))
    check(found)
    assert len(found) == 40
    assert any("the line behind the header holds wavelengths" in note for note in found.notes)
    mixed = frame().sample(frac=1, axis=1, random_state=1)
    mixed.to_csv(tmp_path / "u.csv", index=False)
    assert list(read(tmp_path / "u.csv").bands.names) == [str(name) for name in mixed.columns]


@pytest.mark.parametrize("fill", [-9999.0, -1.23e34, 65535.0])
def test_a_fill_that_nothing_declares_is_said(fill: float, tmp_path: Path) -> None:
    values = SPECTRA.copy()
    values[:6] = fill
    frame(values=values).to_csv(tmp_path / "t.csv", index=False)
    assert any(f"--nodata {fill:g}" in note and "6 rows" in note for note in read(tmp_path / "t.csv").notes)
    assert read(tmp_path / "t.csv", nodata=str(fill)).valid.sum() == 34
    frame().to_csv(tmp_path / "u.csv", index=False)
    assert not any("fill" in note for note in read(tmp_path / "u.csv").notes)


@pytest.mark.parametrize(
    ("cell", "message"),
    [("{:.1f}%", "write numbers alone"), ("[{0}, {0}, {0}, {0}]", "holds lists in its cells")],
)
def test_cells_that_are_no_numbers_are_named(cell: str, message: str, tmp_path: Path) -> None:
    frame().map(lambda v: cell.format(v)).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "t.csv")


def test_r_s_row_names_are_a_column_of_their_own(tmp_path: Path) -> None:
    lines = [
        ",".join(f'"X{w}"' for w in NM),
        *(f'"{i + 1}",' + ",".join(map(str, row)) for i, row in enumerate(SPECTRA)),
    ]
    found = read(write(tmp_path / "t.csv", "\n".join(lines) + "\n"))
    check(found)
    assert found.others.column("row_name").to_pylist()[:2] == ["1", "2"]
    assert any("row names" in d.chosen for d in found.decisions)


@pytest.mark.parametrize("name", ["t.dat", "t.asc", "t.tab", "t.txt", "t.csv.gz", "t.dat.gz"])
def test_a_table_is_known_by_its_content(name: str, tmp_path: Path) -> None:
    raw = (BODY if "csv" in name else frame().to_csv(index=False, sep="\t" if name == "t.tab" else " ")).encode()
    (source,) = find_sources([write(tmp_path / name, gzip.compress(raw) if name.endswith(".gz") else raw)])
    assert source.is_table
    check(read(tmp_path / name))


def test_a_raster_in_text_and_raw_data_with_a_header_stay_rasters(tmp_path: Path) -> None:
    grid = write(tmp_path / "g.asc", "ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 4\n")
    write(tmp_path / "d.hdr", "ENVI\n")
    raw = write(tmp_path / "d.dat", "1 2 3\n4 5 6\n")
    assert not any(source.is_table for source in find_sources([grid, raw]))


# --- spectra that stand otherwise ------------------------------------------------------------------------------------


def in_columns(name: str = "Wavelength") -> pd.DataFrame:
    table = pd.DataFrame(SPECTRA.T, columns=[f"leaf{i:05d}.asd" for i in range(40)])
    table.insert(0, name, NM)
    return table


@pytest.mark.parametrize("name", ["Wavelength", "wl", "Wavelength (nm)", "nm", "lambda", "Wvl"])
def test_spectra_in_columns_are_turned_and_said(name: str, tmp_path: Path) -> None:
    in_columns(name).to_csv(tmp_path / "t.txt", sep="\t", index=False)
    found = read(tmp_path / "t.txt")
    check(found)
    assert found.others.column("sample").to_pylist()[7] == "leaf00007.asd"
    assert any("spectra stand in columns" in note for note in found.notes)


def test_a_first_column_that_may_be_wavelengths_is_asked_about(tmp_path: Path) -> None:
    waves = np.arange(400, 1000, 10)
    table = pd.DataFrame(np.random.default_rng(0).random((60, 3)), columns=["oak", "elm", "ash"])
    table.insert(0, "depth", waves)
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"whether 'depth' .*--layout bands-first"):
        read(tmp_path / "t.csv")
    assert read(tmp_path / "t.csv", layout="bands-first").values.shape == (3, 60)
    assert read(tmp_path / "t.csv", layout="bands-last").values.shape == (60, 4)
    table.rename(columns={"depth": ""}).to_csv(tmp_path / "u.csv", index=False)
    assert read(tmp_path / "u.csv").values.shape == (3, 60)


@pytest.mark.parametrize("by_wave", [False, True])
def test_a_long_table_is_turned(by_wave: bool, tmp_path: Path) -> None:
    long = frame().assign(sample=[f"s{i}" for i in range(40)], site="A").melt(["sample", "site"], var_name="wavelength")
    long = long.astype({"wavelength": int}).sort_values(["wavelength" if by_wave else "sample"], kind="stable")
    long.to_csv(tmp_path / "t.csv", index=False)
    found = read(tmp_path / "t.csv")
    order = [int(name[1:]) for name in found.others.column("sample").to_pylist()]
    check(found, SPECTRA[order])
    assert set(found.others.column("site").to_pylist()) == {"A"}
    assert any("one value a row" in note for note in found.notes)


def test_a_long_table_with_gaps_is_refused_with_what_to_do(tmp_path: Path) -> None:
    long = frame().assign(sample=range(40)).melt("sample", var_name="wavelength")
    long.drop(index=[3]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(
        InputError, match=r"one value a row: its column 'wavelength' repeats .* give a table with a spectrum a row"
    ):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize("fixed", [False, True])
def test_a_list_in_a_cell_is_a_spectrum(fixed: bool, tmp_path: Path) -> None:
    kind = pa.list_(pa.float64(), len(NM)) if fixed else pa.list_(pa.float64())
    lists = pa.array(SPECTRA.tolist(), kind)
    waves = pa.array([list(NM)] * 40, pa.list_(pa.int32()))
    pyarrow.parquet.write_table(
        pa.table({"id": range(40), "spectrum": lists, "wavelength": waves}), tmp_path / "t.parquet"
    )
    check(read(tmp_path / "t.parquet"))
    broken = pa.array([*SPECTRA[:-1].tolist(), [0.5]])
    pyarrow.parquet.write_table(pa.table({"spectrum": broken}), tmp_path / "u.parquet")
    found = read(tmp_path / "u.parquet")
    assert found.valid.tolist() == [True] * 39 + [False]
    assert any("1 of 40 rows are not valid" in note for note in found.notes)


# --- other files -----------------------------------------------------------------------------------------------------


def test_feather_and_geoparquet_are_read_and_come_back_as_parquet(tmp_path: Path) -> None:
    import geopandas

    frame().to_feather(tmp_path / "t.feather")
    check(read(tmp_path / "t.feather"))
    assert scores_name(str(tmp_path / "t.feather")) == "scores.parquet"
    points = geopandas.GeoDataFrame(frame(), geometry=geopandas.points_from_xy(range(40), range(40)), crs=32633)
    points.to_parquet(tmp_path / "g.parquet")
    table = read(tmp_path / "g.parquet")
    check(table)
    write_scores(tmp_path / "scores.parquet", table.others, {"score": np.zeros(40, np.float32)})
    back = geopandas.read_parquet(tmp_path / "scores.parquet")
    assert back.crs == points.crs
    assert back.geometry.geom_equals(points.geometry).all()
    assert "score" in back


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ROWS: list[list[object]] = [["id", *NM], *([f"s{i}", *row] for i, row in enumerate(SPECTRA.tolist()))]


def test_a_workbook_is_read_by_its_first_sheet_with_numbers(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", {"about": [["made by"], ["nobody"]], "spectra": [["notes"], [], *ROWS]})
    found = read(path)
    check(found)
    assert found.others.column("id").to_pylist()[0] == "s0"
    two = workbook(tmp_path / "u.xlsx", {"a": ROWS[:5], "b": ROWS})
    assert any("the sheet 'a' of 2" in note and "--array" in note for note in read(two).notes)
    check(read(two, array="b"))
    with pytest.raises(InputError, match="no sheet 'c'; it has a, b"):
        read(two, array="c")


@pytest.mark.parametrize("name", ["t.xls", "t.ods", "t.xlsx", "t.asd", "t.sig", "t.sed"])
def test_files_that_are_not_read_say_what_to_do_instead(name: str, tmp_path: Path) -> None:
    content = {"t.sig": b"/*** Spectra Vista SIG Data ***/\nname= x\n", "t.asd": b"ASD\0" + bytes(500)}
    path = write(tmp_path / name, content.get(name, b"Comment:\nVersion: 2.2\n"))
    with pytest.raises(SpecvaeError, match=r"save it as|export all spectra into one text file"):
        read(path)


def test_an_envi_spectral_library_is_a_table(tmp_path: Path) -> None:
    write(tmp_path / "lib.sli", (SPECTRA * 10_000).astype("<f4").tobytes())
    names = ", ".join(f"oak {i}" for i in range(40))
    head = {
        "samples": len(NM), "lines": 40, "bands": 1, "header offset": 0, "file type": "ENVI Spectral Library", "data type": 4,
        "interleave": "bsq", "byte order": 0, "wavelength units": "Micrometers", "reflectance scale factor": 10_000,
        "spectra names": f"{{\n{names}}}", "wavelength": f"{{{', '.join(str(w / 1000) for w in NM)}}}",
    }  # fmt: skip
    write(tmp_path / "lib.hdr", "ENVI\n" + "".join(f"{key} = {value}\n" for key, value in head.items()))
    for name in ("lib.sli", "lib.hdr"):
        (source,) = find_sources([tmp_path / name])
        assert source.is_table
        found = read(tmp_path / name)
        check(found)
        assert found.others.column("spectrum").to_pylist()[3] == "oak 3"
    assert {d.about for d in found.decisions} >= {"format", "scale", "columns"}


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "normal", "odd"),
    [
        ("is_normal", 1, 0),
        ("inlier", "True", "False"),
        ("is_abnormal", 0, 1),
        ("kind", "Normal", "weed"),
        ("outlier", 0, 1),
        ("normal_flag", 1, 0),
        ("not_normal_flag", 0, 1),
    ],
)
def test_the_name_of_a_label_says_whether_one_is_normal(name: str, normal: object, odd: object, tmp_path: Path) -> None:
    frame().assign(**{name: [odd] * 10 + [normal] * 30}).to_csv(tmp_path / "t.csv", index=False)
    found = read(tmp_path / "t.csv", label_column=name)
    assert found.normal.tolist() == [False] * 10 + [True] * 30
    assert any(d.about == "labels" for d in found.decisions)


READERS: tuple[Callable[[Path], object], ...] = (lambda path: open_table(str(path)), lambda path: read_table(str(path)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["t.csv", "t.xlsx", "t.feather", "t.parquet", "t.csv.gz"]))
def test_a_damaged_table_is_read_or_refused_in_one_line(data: st.DataObject, name: str, tmp_path: Path) -> None:
    whole = WHOLE.setdefault(name, bytes_of(name, tmp_path))
    at = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.binary(min_size=0, max_size=8))
    write(tmp_path / name, whole[:at] + damage + whole[at + data.draw(st.integers(0, 200)) :])
    for reader in READERS:
        try:
            reader(tmp_path / name)
        except SpecvaeError:
            continue


WHOLE: dict[str, bytes] = {}


def bytes_of(name: str, folder: Path) -> bytes:
    if name == "t.xlsx":
        return workbook(folder / name, {"a": ROWS}).read_bytes()
    buffer = io.BytesIO()
    if name.endswith(".feather"):
        frame().to_feather(buffer)
    elif name.endswith(".parquet"):
        frame().to_parquet(buffer)
    else:
        buffer.write(gzip.compress(BODY.encode()) if name.endswith(".gz") else BODY.encode())
    return buffer.getvalue()


def test_inspect_lists_the_columns_decision(tmp_path: Path) -> None:
    from specvae.stages.inspect import inspect

    frame("X{}.nm").assign(pH=7.5).to_csv(tmp_path / "t.csv", index=False)
    told = json.loads(json.dumps(inspect(str(tmp_path / "t.csv"))))
    assert [row["about"] for row in told["decisions"]] == ["columns"]
    assert told["decisions"][0]["others"] == ["pH (other numbers)"]


# --- headers that are numbers, and huge fills --------------------------------------------------------------------------


@pytest.mark.parametrize("names", [range(12), range(1, 13)])
def test_the_positions_that_pandas_writes_are_a_header(names: range, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    frame(values=SPECTRA).set_axis([str(n) for n in names], axis=1).to_csv(path, index=False)
    table = read(path)
    check(table, waves=None)
    assert len(table.values) == len(SPECTRA)


def test_micrometres_alone_are_a_header_and_a_first_spectrum_is_not(tmp_path: Path) -> None:
    rising = np.sort(SPECTRA, axis=1)
    for values in (SPECTRA, rising):
        frame(values=values).set_axis([f"{w / 1000:g}" for w in NM], axis=1).to_csv(tmp_path / "a.csv", index=False)
        check(read(tmp_path / "a.csv"), values)
        frame(values=values).to_csv(tmp_path / "b.csv", index=False, header=False)
        assert len(read(tmp_path / "b.csv").values) == len(values)


@pytest.mark.parametrize("fill", ["1e30", "-1.23e34", "-3.4028235e38", "9.96921e36"])
def test_a_number_that_nothing_can_measure_is_said_to_be_fill(fill: str, tmp_path: Path) -> None:
    cells = frame().astype(str)
    cells.iloc[3, 2] = fill
    cells.to_csv(tmp_path / "a.csv", index=False)
    table = open_table(str(tmp_path / "a.csv"), IngestOptions())
    assert any(f"--nodata {float(fill):g}" in d.sentence for d in table.decisions)


def test_a_file_without_a_column_is_refused(tmp_path: Path) -> None:
    pyarrow.feather.write_feather(pa.table({}), tmp_path / "a.feather")
    with pytest.raises(InputError, match="no numeric column that could be a band"):
        read(tmp_path / "a.feather")
