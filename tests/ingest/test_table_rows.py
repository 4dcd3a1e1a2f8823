"""Rows that are no spectra, headers in other languages and encodings that nothing states, each read right and said."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from specvae.errors import InputError
from specvae.ingest.options import IngestOptions
from specvae.ingest.sources import find_sources
from specvae.ingest.table.reading import Table, open_table, read_table
from specvae.ingest.table.summary_rows import header_rows, statistics_at_end
from specvae.spectra import Invalid

NM = tuple(range(400, 700, 25))
SPECTRA = np.round(np.random.default_rng(6).uniform(0.01, 0.99, (40, len(NM))), 4)


def frame() -> pd.DataFrame:
    return pd.DataFrame(SPECTRA, columns=[str(w) for w in NM])


def read(path: Path, **options: Any) -> Table:
    return read_table(str(path), IngestOptions(**options))


def check(table: Table, waves: tuple[float, ...] | None = NM) -> None:
    assert np.allclose(table.values[table.valid], SPECTRA, rtol=1e-6)
    assert table.bands.wavelengths == (None if waves is None else pytest.approx(waves))


def with_statistics(words: list[str]) -> pd.DataFrame:
    table = frame()
    table.insert(0, "id", [f"s{i}" for i in range(len(SPECTRA))])
    rows = [[word, *np.full(len(NM), 0.5 + at / 100)] for at, word in enumerate(words)]
    return pd.concat([table, pd.DataFrame(rows, columns=table.columns)])


@pytest.mark.parametrize(
    "words", [["mean", "std", "CV"], ["Mittelwert", "Stabw."], ["Total"], ["count", "mean", "25%", "max"]]
)
@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "feather", "xlsx", "columns"])
def test_statistics_below_the_samples_are_left_out_and_said(words: list[str], form: str, tmp_path: Path) -> None:
    table, path = with_statistics(words), tmp_path / f"a.{form}"
    if form == "columns":
        path = tmp_path / "a.csv"
        table.set_index("id").T.rename_axis("wavelength").to_csv(path)
    elif form == "csv.gz":
        path.write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    elif form == "xlsx":
        pytest.importorskip("openpyxl")
        table.to_excel(path, index=False)
    elif form == "csv":
        table.to_csv(path, index=False)
    else:
        getattr(table.reset_index(drop=True), f"to_{form}")(path)
    found = read(path)
    check(found)
    assert (found.reason[-len(words) :] == Invalid.MASK).all()
    assert len(found) == len(SPECTRA) + len(words)
    assert any("the last row" in note and words[0] in note for note in found.notes)
    every = read(path, layout="bands-first" if form == "columns" else "bands-last")
    assert every.valid.all()


def test_statistics_are_left_out_whatever_the_chunks(tmp_path: Path) -> None:
    with_statistics(["mean", "std", "CV"]).to_csv(tmp_path / "a.csv", index=False)
    file = open_table(str(tmp_path / "a.csv"))
    for rows in (1, 2, 5, 41, 42, 43, 100):
        reason = np.concatenate([part.reason for part in file.chunks(rows)])
        assert (reason == [0] * len(SPECTRA) + [Invalid.MASK] * 3).all()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["mean"] * 6, ()),
        (["mean", "std"] * 3, ()),
        (["min", "mid", "max", "min", "mid", "max"], ()),
        (["y", "n", "y", "y", "n"], ()),
        (["a", "b", "mean", "c"], ()),
        (["mean", "a", "b", "mean"], ()),
        (["a", "b", "c", "Mean", "SD"], ("Mean", "SD")),
        (["a", "b", "n", "mean", "sd"], ("n", "mean", "sd")),
    ],
)
def test_a_word_for_a_statistic_among_the_rows_is_a_label(labels: list[str], expected: tuple[str, ...]) -> None:
    assert statistics_at_end([[label, "0.1"] for label in labels], whole=True) == expected


@pytest.mark.parametrize("shift", [0, 3])
def test_a_header_again_among_the_rows_is_left_out_and_said(shift: int, tmp_path: Path) -> None:
    other = pd.DataFrame(SPECTRA[20:], columns=[str(w + shift) for w in NM])
    (tmp_path / "a.csv").write_text(frame()[:20].to_csv(index=False) + "\n" + other.to_csv(index=False))
    found = read(tmp_path / "a.csv")
    check(found)
    assert found.reason[20] == Invalid.MASK
    assert any("1 row is left out: it repeats the numbers in the header" in note for note in found.notes)


def test_no_spectrum_repeats_a_header_that_is_none() -> None:
    assert header_rows(SPECTRA.astype("f4"), ["a"] * len(NM)) is None
    again = header_rows(SPECTRA.astype("f4"), [str(w) for w in NM])
    assert again is not None
    assert not again.any()


@pytest.mark.parametrize(
    ("header", "encoding"),
    [("Wellenlänge [nm]", "latin-1"), ("Longueur d'onde (nm)", "cp1252"), ("Longitud de onda", "utf-8"), ("λ / nm", "utf-8"),
     ("Comprimento de onda", "utf-8"), ("波长", "utf-8"), ("Wave length (nm)", "utf-8")],
)  # fmt: skip
def test_wavelengths_are_known_by_their_header_in_other_languages(header: str, encoding: str, tmp_path: Path) -> None:
    table = pd.DataFrame(SPECTRA.T, columns=[f"P{i}" for i in range(len(SPECTRA))])
    table.insert(0, header, NM)
    (tmp_path / "a.csv").write_bytes(table.to_csv(sep=";", decimal=",", index=False).encode(encoding))
    check(read(tmp_path / "a.csv"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-8-sig"])
def test_an_encoding_is_known_by_its_mark_or_its_zero_bytes(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(frame().to_csv(index=False).encode(encoding))
    found = read(tmp_path / "a.csv")
    check(found)
    assert any("without a mark at its beginning" in note for note in found.notes) == (encoding[-2:] in ("le", "be"))


def test_rs_tables_between_blanks_keep_their_quoted_names(tmp_path: Path) -> None:
    head = '"site" ' + " ".join(f'"X{w}"' for w in NM)
    rows = [f'"{i + 1}" "plot {i} a" ' + " ".join(map(str, row)) for i, row in enumerate(SPECTRA)]
    (tmp_path / "a.txt").write_text("\n".join([head, *rows]) + "\n")
    found = read(tmp_path / "a.txt")
    check(found)
    assert found.others.column("site").to_pylist()[3] == "plot 3 a"


def test_envis_regions_of_interest_in_text_are_read(tmp_path: Path) -> None:
    lines = ["; ENVI Output of ROIs (5.3)", "; Number of ROIs: 1", "; File Dimension: 100 x 100", ";",
             "; ROI rgb value: {255, 0, 0}", "; ROI npts: 40", ";   ID    X    Y      B1      B2      B3"]  # fmt: skip
    lines += [f"{i + 1:6d}{i + 10:6d}{i + 20:6d}" + "".join(f"{v:9.4f}" for v in SPECTRA[i, :3]) for i in range(40)]
    (tmp_path / "roi.txt").write_text("\n".join(lines) + "\n")
    found = read(tmp_path / "roi.txt")
    assert found.bands.names == ("B1", "B2", "B3")
    assert np.allclose(found.values, SPECTRA[:, :3], atol=1e-4)


def test_a_library_spectrum_without_a_header_is_turned_and_said(tmp_path: Path) -> None:
    waves = np.linspace(14.0, 0.4, 30)
    head = ["Name: Brown loam", "Type: soil", "X Units: Wavelength (micrometers)", "Y Units: Reflectance (percent)", ""]
    (tmp_path / "a.spectrum.txt").write_text("\n".join([*head, *(f"{w:.4f}\t{w / 20:.4f}" for w in waves)]) + "\n")
    found = read(tmp_path / "a.spectrum.txt")
    assert len(found) == 1
    assert found.bands.wavelengths == pytest.approx(waves * 1000, abs=0.1)
    assert any("which is nameless and runs on" in note for note in found.notes)


def test_comments_below_the_rows_are_passed_over_and_other_odd_rows_refused(tmp_path: Path) -> None:
    text = frame().to_csv(index=False)
    (tmp_path / "a.csv").write_text(text + "# 40 rows, exported by a tool\n")
    found = read(tmp_path / "a.csv")
    check(found)
    assert any("40 rows, exported by a tool" in note for note in found.notes)
    (tmp_path / "b.csv").write_text(text + "1,2,3\n")
    with pytest.raises(InputError, match="Expected 12 columns, got 3"):
        read(tmp_path / "b.csv")


def test_a_band_without_a_number_at_all_is_said(tmp_path: Path) -> None:
    frame().assign(**{"525": ""}).to_csv(tmp_path / "a.csv", index=False)
    found = read(tmp_path / "a.csv")
    assert len(found.bands) == len(NM) - 1
    assert any(note.startswith("left out, for they hold no number at all: 525") for note in found.notes)


def test_a_spectrum_of_the_usgs_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "splib07a_X.txt").write_text(" splib07a Record=77: Actinolite\n 1.0E-1\n 2.0E-1\n")
    with pytest.raises(InputError, match="spectral library of the USGS"):
        read(tmp_path / "splib07a_X.txt")


def test_what_spark_leaves_beside_its_tables_is_no_table(tmp_path: Path) -> None:
    for name in ("part-0.parquet", "part-1.parquet"):
        frame().to_parquet(tmp_path / name)
    (tmp_path / "_SUCCESS").write_text("")
    assert [Path(s.path).name for s in find_sources([str(tmp_path)])] == ["part-0.parquet", "part-1.parquet"]


@pytest.mark.parametrize("form", ["{}", "X{}"])
def test_ten_years_are_no_wavelengths_and_a_spectrum_by_the_nanometre_is(form: str, tmp_path: Path) -> None:
    for first, known in ((2010, False), (2011.5, True), (950, True)):
        names = [form.format(first + at) for at in range(len(NM))]
        pd.DataFrame(SPECTRA, columns=names).to_csv(tmp_path / "a.csv", index=False)
        assert (read(tmp_path / "a.csv").bands.wavelengths is not None) == known


def test_the_spread_beside_the_mean_of_an_area_is_no_band_and_said(tmp_path: Path) -> None:
    names = [f"{band}_{kind}" for band in ("blue", "green", "red", "nir") for kind in ("mean", "stdev", "count")]
    pd.DataFrame(SPECTRA, columns=names).to_csv(tmp_path / "a.csv", index=False)
    found = read(tmp_path / "a.csv")
    assert found.bands.names == ("blue_mean", "green_mean", "red_mean", "nir_mean")
    assert any("blue_stdev" in note for note in found.notes)
    pd.DataFrame(SPECTRA[:, :3], columns=["blue_max", "red_max", "nir_max"]).to_csv(tmp_path / "b.csv", index=False)
    assert len(read(tmp_path / "b.csv").bands) == 3
