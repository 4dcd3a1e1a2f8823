"""The one place where GDAL is set up, its datasets are opened, and its errors become one line."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError  # GDAL's own errors, which some calls let through
from rasterio.env import set_gdal_config
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from specvae.errors import InputError
from specvae.files.names import printable
from specvae.ingest.formats.crash_guard import check_survives
from specvae.ingest.formats.references import is_remote

__all__ = ["LIBRARY_ERRORS", "configure", "errors_in_one_line", "in_utf8", "local_drivers", "open_dataset"]

SETTINGS = {
    "CPL_LOG": os.devnull,
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "GDAL_NUM_THREADS": "ALL_CPUS",
    "CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO",
    "PROJ_NETWORK": "OFF",
}
"""GDAL's own log goes nowhere, for errors arrive as exceptions. A VRT may not run Python, nor read raw bytes of any
file on this machine; nothing is written beside gzip files; PROJ fetches nothing."""

REMOTE_DRIVERS = frozenset(
    ("DAAS", "EEDA", "EEDAI", "HTTP", "OGCAPI", "PLMOSAIC", "WCS", "WMS", "WMTS", "STACIT", "STACTA", "GTI", "NGW")
)
"""Drivers whose whole purpose is to follow references elsewhere; used only where remote reading is allowed."""
VECTOR_DRIVERS = frozenset(
    ("CSV", "ESRI Shapefile", "GeoJSON", "GeoJSONSeq", "TopoJSON", "ESRIJSON", "AVCBin", "AVCE00", "OSM", "MVT", "XYZ")
)
"""Drivers that turn text, tables or vectors into something like a raster."""
OTHER_DRIVERS = frozenset(("DERIVED", "MEM", "Memory", "GenBin", "SENTINEL2", "GNMDatabase", "GNMFile", "CTG"))
"""Drivers of what is no file, and of products that have a format of their own here."""


@cache
def _quiet() -> None:
    """Set GDAL up, once a process, and silence the warning about a raster without georeferencing."""
    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    for key, value in SETTINGS.items():
        set_gdal_config(key, value)
    # Messages of GDAL in another encoding than UTF-8 would each print a traceback of rasterio's.
    before = sys.unraisablehook

    def hook(event: sys.UnraisableHookArgs) -> None:
        """Pass on what cannot be raised, but for one known message."""
        if "log_error" not in repr(event.object):  # rasterio cannot log GDAL's messages that are no UTF-8
            before(event)

    sys.unraisablehook = hook


def configure(threads: int | None = None) -> None:
    """Set GDAL up for this process, with so many decoding threads; None = as many as processors."""
    _quiet()
    if threads is not None:
        set_gdal_config("GDAL_NUM_THREADS", str(threads))


@cache
def local_drivers() -> tuple[str, ...]:
    """Names of the drivers that read local rasters."""
    with rasterio.Env() as env:
        return tuple(sorted(set(env.drivers()) - REMOTE_DRIVERS - VECTOR_DRIVERS - OTHER_DRIVERS))


MISSING_DRIVERS = (
    (b"\x0e\x03\x13\x01", "HDF4"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
    (b"\x00\x00\x00\x0cjP  ", "JP2OpenJPEG"),
    (b"CDF\x01", "netCDF"),
    (b"CDF\x02", "netCDF"),
    (b"SIMPLE  =", "FITS"),
    (b"GRIB", "GRIB"),
    (b"msid", "MrSID"),
)
"""First bytes of a format, and the GDAL driver that reads it."""
MISSING_SUFFIXES = {
    ".kea": "KEA",
    ".sid": "MrSID",
    ".ecw": "ECW",
    ".hdf4": "HDF4",
    ".fits": "FITS",
    ".jxl": "JPEGXL",
    ".tiledb": "TileDB",
    ".bag": "BAG",
    ".grb": "GRIB",
    ".grib": "GRIB",
}
"""Endings of a format, and the GDAL driver that reads it."""


def missing_driver(path: str) -> str | None:
    """Name of the driver that this file needs and this GDAL lacks, or None."""
    suffix = os.path.splitext(path)[1].lower()
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError:
        head = b""
    wanted = {driver for magic, driver in MISSING_DRIVERS if head.startswith(magic)}
    if suffix in MISSING_SUFFIXES:
        wanted = {MISSING_SUFFIXES[suffix]}
    with rasterio.Env() as env:
        absent = sorted(wanted - set(env.drivers()))
    return absent[0] if absent else None


def plain(error: BaseException) -> str:
    """A library's message without its error code; that of its cause where it only points to an earlier exception."""
    text = str(error.__cause__ or error) or type(error).__name__
    return re.sub(r"^(CPLE_\w+|Read failed\. See previous exception for details\.)[:\s]*", "", text)


LIBRARY_ERRORS = (RasterioError, CPLE_BaseError, OSError, MemoryError)
"""What GDAL and the system raise."""
ODD_FILE_ERRORS = (
    *LIBRARY_ERRORS,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    OverflowError,
    SystemError,
    NotImplementedError,
    TypeError,
)
"""What rasterio raises besides, where a file's metadata make no sense."""


@contextmanager
def errors_in_one_line(
    what: str, kind: type[InputError] = InputError, errors: tuple[type[BaseException], ...] = ODD_FILE_ERRORS
) -> Iterator[None]:
    """Turn what rasterio, GDAL or the system raise into ``kind``: ``what: their reason``."""
    try:
        yield
    except errors as error:
        raise kind(f"{what}: {plain(error)}") from error


LINKS: list[tempfile.TemporaryDirectory[str]] = []
"""Folders of links to files whose names are no UTF-8; they go when the process ends."""


@cache
def in_utf8(path: str) -> str:
    """A path that rasterio can pass on, which it can only where the bytes of a name are UTF-8.

    Any other file is linked, with those beside it, under a name that is.
    """
    if path.isprintable() or not any("\udc80" <= char <= "\udcff" for char in path):
        return path
    folder = tempfile.TemporaryDirectory(prefix="specvae-names-")
    LINKS.append(folder)
    stem, place = os.path.splitext(path)[0], Path(path).parent
    for name in os.listdir(place):
        other = os.path.join(place, name)
        if other == path or other.startswith(f"{stem}.") or other.startswith(path):
            os.symlink(os.path.abspath(other), os.path.join(folder.name, printable(name)))
    return os.path.join(folder.name, printable(Path(path).name))


def open_dataset(path: str, *, allow_remote: bool = False) -> DatasetReader:
    """Open one GDAL dataset for reading, its decoding spread over the processors. Raises InputError."""
    configure()
    # GDAL goes by the first bytes of a file, whatever its name: what is called .tif may be the description of a web
    # service, and opening it a request to somebody's server. So the drivers that lead elsewhere are not even asked.
    drivers = None if allow_remote else list(local_drivers())
    if drivers and path.startswith("/vsi"):
        drivers.remove("VRT")  # its references, inside an archive, are not checked
    if path.casefold().endswith(".kea") and (driver := missing_driver(path)):
        raise _lacking(path, driver)  # GDAL's HDF5 driver would make something of it
    check_survives(path)
    with errors_in_one_line(f"{path} cannot be read as a raster"), rasterio.Env():
        try:
            # Not shared: otherwise two readers of one path get one dataset of GDAL's, which two threads must not use at
            # once.
            return DatasetReader(in_utf8(path), driver=drivers, sharing=False)  # rasterio.open takes one driver only
        except RasterioError as error:
            if driver := missing_driver(path):
                raise _lacking(path, driver) from None
            if "not recognized" in str(error) and (advice := _unrecognised(path)):
                raise InputError(f"{path} cannot be read as a raster: {advice}") from None
            raise


RAW_ENDINGS = (".bil", ".bip", ".bsq", ".raw", ".dat")
"""Endings of raw pixels, which a header beside them describes."""


def _unrecognised(path: str) -> str:
    """What to do with a file that is not empty and that no driver knows; an empty text for all others."""
    if is_remote(path) and path.casefold().endswith((".json", ".geojson")):
        return "a remote STAC item is read from a file here: download it; its assets may stay where they are"
    if not os.path.isfile(path) or not os.path.getsize(path):
        return ""
    stem = os.path.splitext(path)[0]
    headers = [name for name in (f"{stem}.hdr", f"{path}.hdr") if os.path.isfile(name)]
    if headers:
        with open(headers[0], "rb") as file:
            if not file.read(4).startswith(b"ENVI"):
                return f"its header {headers[0]} does not begin with the word ENVI; save it as plain text that does"
        return ""
    if path.casefold().endswith(RAW_ENDINGS):
        return f"raw pixels without their header; expected {stem}.hdr beside it"
    return "no format that is known; give a raster that GDAL reads, or a table (.csv, .txt, .parquet, .xlsx)"


def _lacking(path: str, driver: str) -> InputError:
    """The error of a file whose driver this GDAL was built without."""
    return InputError(
        f"{path} needs GDAL's {driver} driver, which this installation lacks; convert the file "
        f"(gdal_translate FILE out.tif, with a GDAL that has {driver}) or install rasterio from conda-forge"
    )
