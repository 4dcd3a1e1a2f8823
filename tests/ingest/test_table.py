"""Tables of spectra: which columns are bands, dialects, what cells hold, and what is written back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specvae.bands import Band, BandSet
from specvae.errors import InputError, ModelError, ReadError, SpecvaeError, UsageError
from specvae.export.table_writing import ScoresWriter, scores_name, write_scores
from specvae.ingest.options import IngestOptions
from specvae.ingest.table.reading import open_table, read_table
from specvae.spectra import Invalid


def text(path: Path, content: str, encoding: str = "utf-8") -> str:
    path.write_bytes(content.encode(encoding))
    return str(path)


def bands_of(path: str, **options: object) -> list[str]:
    return list(read_table(path, IngestOptions(**options)).bands.names)  # type: ignore[arg-type]


# --- which columns are bands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "bands", "wavelengths"),
    [
        ("id,450,550,650.5", ["450", "550", "650.5"], (450, 550, 650.5)),
        ("id,450nm,550nm,soil", ["450nm", "550nm"], (450, 550)),
        ("B450,B550,B650,moisture", ["B450", "B550", "B650"], (450, 550, 650)),
        ("wl_450.5,wl_550,wl_650,ph", ["wl_450.5", "wl_550", "wl_650"], (450.5, 550, 650)),
        ("R450,R550,R650,lat,lon", ["R450", "R550", "R650"], (450, 550, 650)),
        ("0.45,0.55,2.2,x", ["0.45", "0.55", "2.2"], (450, 550, 2200)),
        ("ch001,ch002,ch003,label", ["ch001", "ch002", "ch003"], None),
        ("B1,B2,B3,depth", ["B1", "B2", "B3"], None),
        ("x,y,blue,green,nir_1", ["blue", "green", "nir_1"], None),
        ("blue_p50,red_p50,ndvi", ["blue_p50", "red_p50"], None),
        ("B02,B03,B8A,B11,elevation", ["B02", "B03", "B8A", "B11"], None),
        ("id,alpha,beta,gamma,class", ["alpha", "beta", "gamma"], None),
        ("date,latitude,a,b", ["a", "b"], None),
    ],
)
def test_band_columns_are_found_by_their_headers(
    headers: str, bands: list[str], wavelengths: tuple[float, ...] | None, tmp_path: Path
) -> None:
    width = headers.count(",") + 1
    rows = "\n".join(",".join(f"{0.1 + 0.7 * i + 0.01 * j:.4f}" for j in range(width)) for i in range(5))
    table = read_table(text(tmp_path / "a.csv", f"{headers}\n{rows}\n"))
    assert list(table.bands.names) == bands
    assert table.bands.wavelengths == (pytest.approx(wavelengths) if wavelengths else None)


@pytest.mark.parametrize(
    ("name", "shape", "first", "others"),
    [
        ("deafrica_s2_spectra", (30065, 18), "blue_S1", {"id", "region", "crop"}),
        ("ftir_strawberry", (983, 235), "ch000", {"id", "split", "label", "adulterated"}),
        ("statlog_landsat_mss_3x3", (6435, 36), "tl_green", {"class", "is_cotton", "split"}),
        ("soilmoisture_dataset", (679, 125), "454", {"index", "datetime", "soil_moisture", "soil_temperature"}),
    ],
)
def test_the_real_tables_give_their_bands(
    name: str, shape: tuple[int, int], first: str, others: set[str], real_data: Path
) -> None:
    path = real_data / "spectra" / f"{name}.csv"
    file = open_table(str(path))
    table = file.read()
    assert table.values.shape == shape
    assert table.valid.all()
    assert table.bands.names[0] == first
    assert others <= set(file.other_columns)
    oracle = pd.read_csv(path)[list(table.bands.names)].to_numpy(np.float64)
    assert np.array_equal(table.values, oracle.astype(np.float32))


def test_numbered_bands_beyond_99_are_bands_too(tmp_path: Path) -> None:
    names = [f"b{i + 1}" for i in range(120)]
    pd.DataFrame(np.random.default_rng(0).random((5, 120)), columns=names).to_csv(tmp_path / "t.csv", index=False)
    assert read_table(str(tmp_path / "t.csv")).bands.names == tuple(names)


def test_given_bands_win_and_may_be_names_numbers_or_ranges(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "id,a,b,c,450,550,650\n1,2.5,3,4,5,6,7\n2,3.5,4,5,6,7,8\n")
    assert bands_of(path, bands="a,c") == ["a", "c"]
    assert bands_of(path, bands="2-3") == ["a", "b"]
    assert bands_of(path, bands="a-c") == ["a", "b", "c"]
    assert bands_of(path, bands="450-650") == ["450", "550", "650"]
    with pytest.raises(UsageError, match="asks for 'z'; the columns are id, a, b"):
        bands_of(path, bands="a,z")


def test_a_model_takes_its_columns_by_name_whatever_their_order(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "soil,B,A,450,550,650\n1.5,2.5,3.5,1,2,3\n")
    table = read_table(path, match=BandSet((Band("A"), Band("B"))))
    assert table.values.tolist() == [[3.5, 2.5]]
    with pytest.raises(ModelError, match=r"the model has 2 \(A, Q\), the scene has 3"):
        read_table(path, match=BandSet((Band("A"), Band("Q"))))


@pytest.mark.parametrize("value", [None, "0", "normal", "ok"])
def test_labels_tell_which_rows_are_normal(value: str | None, tmp_path: Path) -> None:
    cells = {None: ("0", "1"), "0": ("0.0", "1.0"), "normal": ("Normal ", "bad"), "ok": ("OK", "bad")}[value]
    path = text(tmp_path / "a.csv", f"a,b,kind\n1.5,2,{cells[0]}\n2.5,3,{cells[1]}\n3.25,9,{cells[0]}\n")
    table = read_table(path, IngestOptions(label_column="kind", normal_value=value))
    assert table.normal.tolist() == [True, False, True]
    assert table.bands.names == ("a", "b")
    with pytest.raises(InputError, match="no row of 'kind' is never"):
        read_table(path, IngestOptions(label_column="kind", normal_value="never"))
    with pytest.raises(InputError, match="no column 'sort'; it has a, b, kind"):
        read_table(path, IngestOptions(label_column="sort"))


# --- dialects and cells ----------------------------------------------------------------------------------------------

PLAIN = "id,450,550,650\n7,0.5,1.5,2.5\n8,-0.25,1e3,4\n9,7,8,9\n"
VALUES = [[0.5, 1.5, 2.5], [-0.25, 1000, 4], [7, 8, 9]]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (PLAIN, "utf-8"), (PLAIN, "utf-8-sig"), (PLAIN, "utf-16"), (PLAIN.replace("\n", "\r\n"), "utf-8"),
        (PLAIN.replace(",", "\t"), "utf-8"), (PLAIN.replace(",", "|"), "utf-8"), (PLAIN.replace(",", ";"), "utf-8"),
        (PLAIN.replace(",", ";").replace(".", ","), "utf-8"), (PLAIN.rstrip("\n"), "utf-8"),
        (PLAIN.replace("id", "Größe"), "latin-1"), (PLAIN.replace("id", '"an, ""id"""'), "utf-8"),
        (PLAIN.replace("id", '"an\nid"'), "utf-8"), (PLAIN.replace("7,0.5", '"seven\nlines",0.5'), "utf-8"),
    ],
)  # fmt: skip
def test_any_common_dialect_gives_the_same_values(content: str, encoding: str, tmp_path: Path) -> None:
    table = read_table(text(tmp_path / "a.csv", content, encoding))
    assert np.array_equal(table.values, np.float32(VALUES))
    assert table.bands.wavelengths == (450, 550, 650)


def test_a_quoted_newline_far_down_is_still_one_cell(tmp_path: Path) -> None:
    rows = [f"{i},0.5,1.5,2.5" for i in range(300_000)]
    rows[250_000] = '"two\nlines",9.5,1.5,2.5'
    table = read_table(text(tmp_path / "a.csv", "id,450,550,650\n" + "\n".join(rows) + "\n"))
    assert table.values.shape == (300_000, 3)
    assert np.flatnonzero(table.values[:, 0] == 9.5).tolist() == [250_000]
    assert table.others.column("id")[250_000].as_py() == "two\nlines"


def test_cells_that_are_no_numbers_make_their_row_invalid_and_nothing_else(tmp_path: Path) -> None:
    cells = ["1.5", "nan", "NaN", "inf", "-inf", "", "n/a", "abc", "NULL", "1e400", " 2.5 ", "-9999", "0x10", "1_000"]
    body = "".join(f"{i},{cell},2\n" for i, cell in enumerate(cells))
    table = read_table(text(tmp_path / "a.csv", "id,450nm,550nm\n" + body), IngestOptions(nodata="-9999"))
    reasons = dict(zip(cells, table.reason.tolist(), strict=True))
    assert [c for c, r in reasons.items() if r == 0] == ["1.5", " 2.5 "]
    assert reasons["-9999"] == Invalid.NODATA
    assert all(reasons[c] == Invalid.NAN for c in cells if c not in ("1.5", " 2.5 ", "-9999"))


def test_mixed_types_after_the_first_megabyte_do_not_change_rows_before(tmp_path: Path) -> None:
    rows = [f"{i},{i % 97}.5,1.5,2.5" for i in range(600_000)]
    rows[590_000] = "x,broken,1.5,2.5"
    table = read_table(text(tmp_path / "a.csv", "id,450,550,650\n" + "\n".join(rows) + "\n"))
    assert table.values.shape == (600_000, 3)
    assert np.flatnonzero(~table.valid).tolist() == [590_000]
    assert table.values[123_456, 0] == 123_456 % 97 + 0.5


def test_duplicated_headers_are_carried_but_are_no_bands(tmp_path: Path) -> None:
    table = read_table(text(tmp_path / "a.csv", "note,note,a,b\nx,y,1.5,2\n"))
    assert table.others.column_names == ["note", "note.1", "a", "b"]
    with pytest.raises(InputError, match="several columns called 450; rename them"):
        read_table(text(tmp_path / "b.csv", "450,450,550,650\n1,2,3,4\n"))
    with pytest.raises(UsageError, match="'a', which 2 columns are called"):
        read_table(text(tmp_path / "c.csv", "a,a,b\n1,2,3\n"), IngestOptions(bands="a,b"))


def test_a_table_without_header_is_read_with_a_note(tmp_path: Path) -> None:
    table = read_table(text(tmp_path / "a.csv", "0.5,0.25,0.75\n0.5,0.5,0.5\n"))
    assert table.values.tolist() == [[0.5, 0.25, 0.75], [0.5, 0.5, 0.5]]
    assert any("first row is data" in note for note in table.notes)


def test_a_million_columns_are_refused_by_the_header(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", ",".join(map(str, range(1_000_000))) + "\n")
    with pytest.raises(InputError, match="1000000 columns, more than 100000"):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"), ("a.csv", b"\n\n \n", "is empty"), ("a.csv", b"\0\1\2\3" * 99, "is no text"),
        ("a.csv", b"name,kind\nx,y\nz,w\n", "no numeric column that could be a band"),
        ("a.csv", b"a,b,c\n", "no (?:numeric column|row)"), ("a.parquet", b"PAR1nonsense", "cannot be read as Parquet"),
        ("a.parquet", b"a,b\n1,2\n", "cannot be read as Parquet"),
        ("a.csv", b'a,b\n"1,2\n3,4\n', "cannot be read|no row|no numeric"),
        ("a.csv", b"a,b,c\n1,2,3\n1,2,3,4,5\n", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_one_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        read_table(str(tmp_path / name))
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


def test_parquet_keeps_types_and_reads_what_pandas_and_polars_write(tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": ["a", "b", None], "450": np.float32([1, 2, np.nan]), "550": [1, 2, 3],
                          "650": pd.array([1, None, 3], "Int64"), "when": pd.date_range("2020-01-01", periods=3)})  # fmt: skip
    frame.to_parquet(tmp_path / "p.parquet")
    polars.from_pandas(frame).write_parquet(tmp_path / "q.parquet")
    for name in ("p.parquet", "q.parquet"):
        table = read_table(str(tmp_path / name))
        assert table.bands.names == ("450", "550", "650")
        assert table.reason.tolist() == [0, Invalid.NAN, Invalid.NAN]
        assert table.values[0].tolist() == [1, 1, 1]


def test_chunks_are_the_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(10_000, 4)), columns=["450", "550", "650", "750"]).assign(id=range(10_000))
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=3_000)
    for name in ("a.csv", "a.parquet"):
        whole = read_table(str(tmp_path / name))
        parts = list(open_table(str(tmp_path / name)).chunks(999))
        assert max(len(p) for p in parts) <= 999
        assert np.array_equal(np.concatenate([p.values for p in parts]), whole.values)
        assert np.allclose(whole.values, frame.to_numpy()[:, :4], rtol=1e-6)


def test_a_truncated_parquet_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"450": range(9999), "550": range(9999), "650": range(9999)}).to_parquet(tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_table(str(tmp_path / "a.parquet"))
    (tmp_path / "b.parquet").write_bytes(data[:200] + bytes(2000) + data[2200:])
    with pytest.raises((InputError, ReadError), match=r"b\.parquet cannot be read"):
        read_table(str(tmp_path / "b.parquet"))


# --- writing ---------------------------------------------------------------------------------------------------------


def test_scores_stand_beside_what_came_and_formulas_are_harmless(tmp_path: Path) -> None:
    came = [["=cmd|' /C calc'!A0", "+1+2", "@x", "-5", "-x", "007", 'say "hi", you', "two\nlines", "", " =1+1"]]
    head = ["f1", "f2", "f3", "number", "f4", "id", "quoted", "lines", "none", "spaced", "=evil", "450", "550", "650"]
    buffer = io.StringIO()
    csv.writer(buffer).writerows([head, [*came[0], "x", "0.5", "0.25", "0.125"]])
    path = text(tmp_path / "a.csv", buffer.getvalue())
    table = read_table(path, IngestOptions(bands="450,550,650"))
    write_scores(tmp_path / scores_name(path), table.others, {"score": np.float32([1.5]), "anomaly": np.uint8([1])})
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == [*head[:10], "'=evil", *head[11:], "score", "anomaly"]
    assert rows[1][:10] == ["'=cmd|' /C calc'!A0", "'+1+2", "'@x", "-5", "'-x", "007", 'say "hi", you', "two\nlines",
                            "", "' =1+1"]  # fmt: skip
    assert rows[1][-2:] == ["1.5", "1"]


def test_parquet_comes_back_as_parquet_with_its_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"name": ["=a", "b"], "score": [9, 9], "450": [0.5, 1.5], "550": [1.0, 2.0], "650": [1.0, 2.0]}
    )
    frame.to_parquet(tmp_path / "a.parquet")
    table = read_table(str(tmp_path / "a.parquet"))
    write_scores(tmp_path / scores_name(str(tmp_path / "a.parquet")), table.others, {"score": np.float32([1, np.nan])})
    back = pd.read_parquet(tmp_path / "scores.parquet")
    assert list(back.columns) == ["name", "score_input", "450", "550", "650", "score"]
    assert back["name"].tolist() == ["=a", "b"]
    assert back["score"].iloc[0] == 1
    assert back["score"].isna().iloc[1]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    table = read_table(text(tmp_path / "a.csv", PLAIN))
    with pytest.raises(RuntimeError, match="stop"), ScoresWriter(tmp_path / "scores.csv") as writer:
        writer.write(table.others, {"score": np.zeros(3, np.float32)})
        raise RuntimeError("stop")
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


# --- whatever comes --------------------------------------------------------------------------------------------------

CELL = st.one_of(
    st.text(max_size=8), st.floats().map(str), st.integers().map(str), st.sampled_from(["", "nan", '"', ",", "=1", "\r\n", ";"])
)  # fmt: skip


ROWS = st.lists(st.lists(CELL, min_size=1, max_size=6), min_size=1, max_size=8)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, delimiter=st.sampled_from(",;\t|"), proper=st.booleans())
def test_any_csv_is_a_table_or_one_line(rows: list[list[str]], delimiter: str, proper: bool, tmp_path: Path) -> None:
    buffer = io.StringIO()
    if proper:
        csv.writer(buffer, delimiter=delimiter).writerows(rows)
    else:
        buffer.write("\n".join(delimiter.join(row) for row in rows))
    path = tmp_path / "a.csv"
    path.write_bytes(buffer.getvalue().encode("utf-8", "surrogatepass"))
    try:
        table = read_table(str(path))
    except SpecvaeError:
        return
    assert np.isfinite(table.values[table.valid]).all()
    write_scores(tmp_path / "scores.csv", table.others, {"score": np.zeros(len(table), np.float32)})


# --- what a fit knows of labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["label", "Class", "truth", "is_adulterated"])
def test_a_column_that_may_be_a_label_is_noted_where_none_was_named(name: str, tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", f"red,green,blue,{name}\n1,2,3,0\n4,5,6,1\n7,8,9.5,0\n")
    (note,) = read_table(path).notes
    assert f"'{name}'" in note
    assert f"--label-column {name}" in note
    assert read_table(path, IngestOptions(bands=f"red,green,{name}")).notes == [], "it is a band then"
    model = BandSet((Band("red"), Band("green"), Band("blue")))
    assert read_table(path, match=model).notes == [], "a score takes no label column"


def test_an_ordinary_column_is_not_noted_as_a_label_but_as_dropped(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "red,green,blue,depth,name\n1,2,3,0.5,a\n4,5,6,1.5,b\n")
    assert read_table(path).notes == ["columns of numbers that are not read as bands: depth; choose with --bands"]


def test_rows_that_a_label_leaves_out_are_counted(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "red,green,odd\n1,2,0\n4,5,1\n7,8,0\n7,9,\n")
    table = read_table(path, IngestOptions(label_column="odd"))
    assert table.normal.sum() == 2
    assert table.notes == ["2 of 4 rows are left out: their 'odd' does not say normal"]
    clean = text(tmp_path / "b.csv", "red,green,odd\n1,2,0\n4,5,0\n")
    assert read_table(clean, IngestOptions(label_column="odd")).notes == []


def test_a_feather_file_whose_column_has_no_name_in_utf_8_is_refused_in_one_line(tmp_path: Path) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    path = tmp_path / "a.feather"
    feather.write_feather(pd.DataFrame({"abcdefg": [1.0] * 8, "h": [2.0] * 8}), path, compression="uncompressed")
    path.write_bytes(path.read_bytes().replace(b"abcdefg", b"abcde\xffg"))
    with pytest.raises(InputError, match="cannot be read as") as caught:
        open_table(str(path), IngestOptions())
    assert "\n" not in str(caught.value)
