"""Some eighty small files, each with one thing that breaks pipelines, and what must become of it."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
import rasterio.shutil
import scipy.io
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from shapely.geometry import Polygon, box

from tests.raster_files import UTM, write

__all__ = ["CASES", "Case"]

Make = Callable[[Path], Path | str]


@dataclass(frozen=True)
class Case:
    """A file and what must become of it: read as GDAL reads it, or refused."""

    name: str
    make: Make
    refused: str = ""
    """Pattern of the one line, where it must be refused."""
    valid: int | None = None
    """Pixels that count, where GDAL's own masks do not tell."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Pixels left out by reason, where they are given."""
    notes: tuple[str, ...] = ()
    bands: int | None = None
    """Bands used, where not all of the file's."""
    oracle: str | None = "self"
    """Path below the folder whose pixels GDAL is asked for; ``self`` = the file; None = nobody."""
    args: tuple[str, ...] = ()
    """Options of the command line, ``{folder}`` filled in."""
    placed: bool = True
    """Whether the outputs' georeferencing must be that of the oracle."""


CASES: list[Case] = []


def case(name: str, **expected: Any) -> Callable[[Make], Make]:
    """Register a maker."""

    def register(make: Make) -> Make:
        CASES.append(Case(name, make, **expected))
        return make

    return register


def noise(bands: int = 3, rows: int = 33, cols: int = 41, dtype: str = "uint16", seed: int = 0) -> NDArray[Any]:
    """``(bands, rows, cols)`` of smooth-ish positive noise."""
    values = np.random.default_rng(seed).normal(100, 9, (bands, rows, cols))
    return values.clip(1, 250).astype(dtype)


def simple(
    name: str, values: Callable[[], NDArray[Any]], names: tuple[str, ...] = (), expected: Any = None, **profile: Any
) -> None:
    """A case that is one call of ``write``."""
    end = profile.pop("end", ".tif")
    CASES.append(Case(name, lambda folder: write(folder / f"a{end}", values(), names, **profile), **(expected or {})))


def colours(*names: str) -> list[Any]:
    return [rasterio.enums.ColorInterp[name] for name in names]


# --- types -----------------------------------------------------------------------------------------------------------

simple("one bit a pixel", lambda: noise(dtype="uint8") % 2, nbits=1)
simple("twelve bits a pixel", lambda: noise(), nbits=12)
simple("signed bytes", lambda: noise(dtype="int8") - np.int8(100))
simple("int32 with its least value as nodata", lambda: with_hole(noise(dtype="int32"), -(2**31)), nodata=-(2**31))
simple("int64 beyond float's whole numbers", lambda: noise(dtype="int64") + 2**54)
simple("uint64", lambda: noise(dtype="uint64"))
simple("float64", lambda: noise(dtype="float64") * 1e-3)
simple("half floats", lambda: noise(dtype="float32"), nbits=16)
simple("complex float", lambda: noise(dtype="complex64"), expected={"refused": "complex values"})


def with_hole(values: NDArray[Any], fill: Any, bands: Any = slice(None)) -> NDArray[Any]:
    """``fill`` in a rectangle of these bands."""
    values[bands, 4:9, 5:15] = fill
    return values


# --- nodata and masks ------------------------------------------------------------------------------------------------

simple("nodata NaN", lambda: with_hole(noise(dtype="float32"), np.nan), nodata=np.nan)
simple(
    "NaN without nodata",
    lambda: with_hole(noise(dtype="float32"), np.nan),
    expected={"valid": 33 * 41 - 50, "reasons": {"nan": 50}},
)
simple(
    "minus infinity",
    lambda: with_hole(noise(dtype="float32"), -np.inf),
    expected={"reasons": {"nan": 50}, "valid": 33 * 41 - 50},
)
simple(
    "nodata -3.4e38", lambda: with_hole(noise(dtype="float32"), -3.4028234663852886e38), nodata=-3.4028234663852886e38
)
simple("nodata 1e20", lambda: with_hole(noise(dtype="float32"), 1e20), nodata=1e20)
simple(
    "nodata in float64 at its end",
    lambda: with_hole(noise(dtype="float64"), -1.7976931348623157e308),
    nodata=-1.7976931348623157e308,
)
simple("nodata in one band only", lambda: with_hole(noise(), 0, 1), nodata=0, expected={"reasons": {"nodata": 50}})
simple("all nodata", lambda: np.zeros_like(noise()), nodata=0, expected={"refused": "no valid pixel .1353 nodata"})
simple("all NaN", lambda: noise(dtype="float32") * np.nan, expected={"refused": "no valid pixel .1353 nan"})
simple("one valid pixel", lambda: lone(), nodata=0, expected={"valid": 1, "reasons": {"nodata": 33 * 41 - 1}})
simple("one constant value", lambda: np.full((3, 33, 41), 7, "uint16"))
simple("red, green, blue and alpha", lambda: with_alpha(3), colorinterp=colours("red", "green", "blue", "alpha"),
       expected={"bands": 3, "notes": ("alpha",), "reasons": {"mask": 50}})  # fmt: skip
simple("grey and alpha", lambda: with_alpha(1), alpha="yes", expected={"bands": 1, "reasons": {"mask": 50}})


def lone() -> NDArray[Any]:
    values = np.zeros_like(noise())
    values[:, 7, 9] = 77
    return values


def with_alpha(bands: int) -> NDArray[Any]:
    alpha = np.full((1, 33, 41), 255, "uint8")
    alpha[0, 4:9, 5:15], alpha[0, 20, :] = 0, 100
    return np.concatenate([noise(bands, dtype="uint8"), alpha])


@case("a palette", refused="classes with colours", oracle=None)
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise(1, dtype="uint8"))
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {i: (i, i, 255 - i, 255) for i in range(256)})
    return path


@case("a palette that is asked for", args=("--bands", "1"))
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise(1, dtype="uint8"))
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {i: (i, i, 255 - i, 255) for i in range(256)})
    return path


@case("an internal mask", reasons={"mask": 50})
def _(folder: Path) -> Path:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        return write(folder / "a.tif", noise(), mask=hole())


@case("an external mask", reasons={"mask": 50})
def _(folder: Path) -> Path:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False):
        path = write(folder / "a.tif", noise(), mask=hole())
    assert (folder / "a.tif.msk").exists()
    return path


def hole() -> NDArray[np.bool_]:
    mask = np.ones((33, 41), bool)
    mask[4:9, 5:15] = False
    return mask


@case("a VRT with another nodata in each band", oracle=None, valid=33 * 41 - 3)
def _(folder: Path) -> Path:
    values = noise()
    for band in range(3):
        values[band, 3, 3 + band] = band + 1
    source = write(folder / "s.tif", values.clip(1))
    values[values < 4] = np.where(np.arange(3)[:, None, None] + 1 == values, values, 50)[values < 4]
    write(source, values)
    vrt = folder / "a.vrt"
    rasterio.shutil.copy(source, vrt, driver="VRT")
    text = vrt.read_text()
    for band in range(1, 4):
        text = text.replace(f'band="{band}">', f'band="{band}"><NoDataValue>{band}</NoDataValue>')
    vrt.write_text(text)
    return vrt


# --- scales, names, bands --------------------------------------------------------------------------------------------

simple(
    "a scale and an offset in each band", lambda: noise(dtype="int16"), scales=(1e-4, 2e-4, 1.0), offsets=(-0.1, 0, 5)
)
simple("a scale of 0", lambda: noise(), scales=(1, 0, 1), expected={"refused": "band 2 has scale 0"})
simple("one band", lambda: noise(1))
simple("three hundred bands", lambda: noise(300, 12, 13))
simple("bands of one name", lambda: noise(), names=("nir", "nir", "nir"))
simple("bands of which two have one name", lambda: noise(), names=("red", "nir", "nir"))
simple("names that are markup", lambda: noise(), names=("<script>alert(1)</script>", "a & b", '"c"'))
simple("names with newlines and formulas", lambda: noise(), names=("=1+1", "a\nb", "\u202eevil"))
simple(
    "an empty band among others",
    lambda: emptied(),
    nodata=0,
    expected={"bands": 2, "notes": ("empty",), "oracle": None, "valid": 1353},
)
simple(
    "classes riding along",
    lambda: noise(4),
    names=("B2", "B3", "B4", "SCL"),
    expected={"bands": 3, "notes": ("classes",)},
)


def emptied() -> NDArray[Any]:
    values = noise()
    values[1] = 0
    return values


@case("wavelengths in band tags")
def _(folder: Path) -> Path:
    return write(
        folder / "a.tif",
        noise(),
        band_tags={i: {"wavelength": str(400 + 100 * i), "wavelength_units": "nm"} for i in (1, 2, 3)},
    )


# --- sizes and layouts -----------------------------------------------------------------------------------------------

simple("a single row", lambda: noise(3, 1, 500))
simple("a single column", lambda: noise(3, 500, 1))
simple("a single pixel", lambda: noise(3, 1, 1))
simple("blocks of 48 x 80", lambda: noise(3, 150, 170), tiled=True, blockxsize=48, blockysize=80)
simple("an image smaller than its block", lambda: noise(3, 9, 8), tiled=True, blockxsize=256, blockysize=256)
simple("one strip", lambda: noise(3, 100, 90), blockysize=100, compress="deflate")
simple("band interleaved", lambda: noise(), interleave="band", compress="lzw")
simple("pixel interleaved", lambda: noise(), interleave="pixel", compress="deflate", predictor=2)
simple("a BigTIFF", lambda: noise(), bigtiff="yes")
simple("big-endian TIFF", lambda: noise(), endianness="big")
simple("LERC", lambda: noise(dtype="float32"), compress="lerc", max_z_error=0)
simple("LERC and ZSTD", lambda: noise(), compress="lerc_zstd", max_z_error=0)
simple("lossless WebP in TIFF", lambda: noise(dtype="uint8"), compress="webp", webp_lossless=True, interleave="pixel")
simple("JPEG in YCbCr", lambda: noise(3, 64, 64, "uint8"), compress="jpeg", photometric="ycbcr", interleave="pixel")
simple("packbits", lambda: noise(dtype="uint8"), compress="packbits")
simple("a floating-point predictor", lambda: noise(dtype="float32"), compress="zstd", predictor=3)


@case("a sparse TIFF with nodata", oracle="self")
def _(folder: Path) -> Path:
    return sparse(folder, nodata=0)


@case("a sparse TIFF without nodata", notes=("undeclared fill",))
def _(folder: Path) -> Path:
    return sparse(folder)


def sparse(folder: Path, **more: Any) -> Path:
    profile = {
        "driver": "GTiff",
        "width": 700,
        "height": 600,
        "count": 2,
        "dtype": "uint16",
        "tiled": True,
        **UTM,
        **more,
    }
    with rasterio.open(folder / "a.tif", "w", sparse_ok=True, blockxsize=256, blockysize=256, **profile) as file:
        file.write(noise(2, 256, 256), window=((256, 512), (256, 512)))
    return folder / "a.tif"


@case("overviews inside and outside")
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise(3, 200, 220))
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    assert (folder / "a.tif.ovr").exists()
    return path


@case("statistics in an .aux.xml")
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise())
    (folder / "a.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><Metadata><MDI key="STATISTICS_MAXIMUM">1</MDI><MDI key="STATISTICS_MEAN">nan</MDI>'
        '</Metadata></PAMRasterBand></PAMDataset>'
    )  # fmt: skip
    return path


@case("nodata in an .aux.xml")
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", with_hole(noise(), 9))
    bands = "".join(f'<PAMRasterBand band="{i}"><NoDataValue>9</NoDataValue></PAMRasterBand>' for i in (1, 2, 3))
    (folder / "a.tif.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")
    return path


@case("a broken .aux.xml")
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise())
    (folder / "a.tif.aux.xml").write_text("<PAMDataset><PAMRasterBand band=")
    return path


@case("several pages", notes=("3 images, of which the first",), placed=False)
def _(folder: Path) -> Path:
    for page in range(3):
        options = {"append_subdataset": True} if page else {}
        write(folder / "a.tif", noise(2, seed=page), **options)
    return folder / "a.tif"


# --- drivers ---------------------------------------------------------------------------------------------------------

simple("PNG of 16 bits", lambda: noise(), end=".png", driver="PNG", expected={"placed": False})
simple("PNG with alpha", lambda: with_alpha(3), end=".png", driver="PNG", expected={"bands": 3, "placed": False})
simple("JPEG", lambda: noise(3, 64, 64, "uint8"), end=".jpg", driver="JPEG", expected={"placed": False})
simple("BMP", lambda: noise(dtype="uint8"), end=".bmp", driver="BMP", expected={"placed": False})
simple("WebP", lambda: noise(dtype="uint8"), end=".webp", driver="WEBP", lossless=True, expected={"placed": False})
simple("JPEG 2000", lambda: noise(), end=".jp2", driver="JP2OpenJPEG", quality=100, reversible="yes")
simple("Erdas Imagine", lambda: noise(), ("blue", "green", "nir"), end=".img", driver="HFA")
simple("NITF", lambda: noise(), end=".ntf", driver="NITF", crs=None, transform=None, expected={"placed": False})
simple("PCIDSK", lambda: noise(), end=".pix", driver="PCIDSK")
simple("a GeoPackage of tiles", lambda: with_alpha(3), end=".gpkg", driver="GPKG", expected={"bands": 3})
simple(
    "an ASCII grid",
    lambda: noise(1, dtype="float32"),
    end=".asc",
    driver="AAIGrid",
    nodata=-9999,
    expected={"placed": False},
)
simple("ENVI, band sequential", lambda: noise(), end=".dat", driver="ENVI", interleave="bsq")
simple("ENVI, by line", lambda: noise(), end=".bil", driver="ENVI", interleave="bil")
simple("ENVI, by pixel", lambda: noise(), end=".bip", driver="ENVI", interleave="bip")
simple("ENVI without ending", lambda: noise(), end="", driver="ENVI")
simple("Esri BIL", lambda: noise(), end=".bil", driver="EHdr")


@case("a GIF", refused="classes with colours", oracle=None)
def _(folder: Path) -> Path:
    write(folder / "s.tif", noise(1, dtype="uint8"))
    rasterio.shutil.copy(folder / "s.tif", folder / "a.gif", driver="GIF")
    return folder / "a.gif"


@case("big-endian ENVI by pixel behind a header of 100 bytes", oracle="right.tif", placed=False)
def _(folder: Path) -> Path:
    values = noise()
    write(folder / "right.tif", values)
    (folder / "a.raw").write_bytes(b"x" * 100 + np.moveaxis(values, 0, 2).astype(">u2").tobytes())
    (folder / "a.hdr").write_text(
        "ENVI\nsamples = 41\nlines = 33\nbands = 3\nheader offset = 100\ndata type = 12\ninterleave = bip\nbyte order = 1\n"
        "wavelength units = Micrometers\nwavelength = {0.45, 0.55, 0.85}\nfwhm = {0.02, 0.02, 0.03}\n"
    )
    return folder / "a.raw"


@case(
    "ENVI with a bad band and an ignore value",
    bands=2,
    valid=1303,
    reasons={"nodata": 50},
    oracle=None,
    notes=("marked bad",),
)
def _(folder: Path) -> Path:
    path = write(folder / "a.img", with_hole(noise(), 999), driver="ENVI")
    with (folder / "a.hdr").open("a") as file:
        file.write("data ignore value = 999\nbbl = {1, 0, 1}\nwavelength = {450, 550, 850}\n")
    return path


@case("ENVI cut short", refused=r"is cut short: 100000 of 540000 bytes")
def _(folder: Path) -> Path:
    path = write(folder / "a.dat", noise(3, 300, 300), driver="ENVI")
    path.write_bytes(path.read_bytes()[:100_000])
    return path


@case("TIFF cut short", refused=r"cannot be read at rows|cannot be read as a raster")
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise(3, 300, 300), compress="deflate")
    path.write_bytes(path.read_bytes()[:60_000])
    return path


@case("NetCDF with scale, fill and wavelengths", bands=3, valid=1303, reasons={"nodata": 50}, oracle=None)
def _(folder: Path) -> Path:
    with scipy.io.netcdf_file(folder / "a.nc", "w") as file:
        for name, size in (("wavelength", 3), ("y", 33), ("x", 41)):
            file.createDimension(name, size)
        waves = file.createVariable("wavelength", "f4", ("wavelength",))
        waves[:], waves.units = [450, 550, 850], "nm"
        cube = file.createVariable("reflectance", "i2", ("wavelength", "y", "x"))
        cube[:] = with_hole(noise(dtype="int16"), -999)
        cube.scale_factor, cube.add_offset, cube._FillValue = 1e-4, 0.5, np.int16(-999)
    return folder / "a.nc"


@case("a VRT of a VRT")
def _(folder: Path) -> Path:
    source = write(folder / "s.tif", noise())
    rasterio.shutil.copy(source, folder / "b.vrt", driver="VRT")
    rasterio.shutil.copy(folder / "b.vrt", folder / "a.vrt", driver="VRT")
    return folder / "a.vrt"


@case("a VRT that leads out of its folder", refused="outside its own folder; allow it with --allow-remote", oracle=None)
def _(folder: Path) -> Path:
    return outside(folder)


@case("a VRT that may lead out of its folder", args=("--allow-remote",))
def _(folder: Path) -> Path:
    return outside(folder)


def outside(folder: Path) -> Path:
    (folder / "in").mkdir()
    rasterio.shutil.copy(write(folder / "s.tif", noise()), folder / "in" / "a.vrt", driver="VRT")
    return folder / "in" / "a.vrt"


# --- archives, names, links ------------------------------------------------------------------------------------------


@case("a TIFF in a zip file", oracle="s.tif")
def _(folder: Path) -> Path:
    return zipped(folder)


@case("a TIFF by GDAL's path into a zip file", oracle="s.tif")
def _(folder: Path) -> str:
    return f"/vsizip/{zipped(folder)}/inner/s.tif"


def zipped(folder: Path) -> Path:
    source = write(folder / "s.tif", noise())
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source, "inner/s.tif")
        archive.writestr("inner/readme.txt", "hello")
    return folder / "a.zip"


@case("a zip file of two rasters", refused=r"holds 2 rasters.*/vsizip/", oracle=None)
def _(folder: Path) -> Path:
    source = write(folder / "s.tif", noise())
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.write(source, "s.tif")
        archive.write(source, "t.tif")
    return folder / "a.zip"


@case("a zip file of nothing", refused="holds no raster", oracle=None)
def _(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("../../readme.txt", "hello")
    return folder / "a.zip"


@case("a gzipped TIFF", oracle="s.tif")
def _(folder: Path) -> Path:
    (folder / "a.tif.gz").write_bytes(gzip.compress(write(folder / "s.tif", noise()).read_bytes()))
    return folder / "a.tif.gz"


@case("a TIFF in a tar file by GDAL's path", oracle="s.tif")
def _(folder: Path) -> str:
    source = write(folder / "s.tif", noise())
    with tarfile.open(folder / "a.tar", "w") as archive:
        archive.add(source, "s.tif")
    return f"/vsitar/{folder / 'a.tar'}/s.tif"


@case("a path into a zip file that is not there", refused="does not exist", oracle=None)
def _(folder: Path) -> str:
    return f"/vsizip/{folder / 'none.zip'}/s.tif"


@case("a name with all that is odd")
def _(folder: Path) -> Path:
    os.rename(write(folder / "a.tif", noise()), folder / "a: (1) ü'%20#?&;$HOME.TIF")
    return folder / "a: (1) ü'%20#?&;$HOME.TIF"


@case("a TIFF named .dat")
def _(folder: Path) -> Path:
    os.rename(write(folder / "a.tif", noise()), folder / "a.dat")
    return folder / "a.dat"


@case("a symbolic link to a scene")
def _(folder: Path) -> Path:
    (folder / "link.tif").symlink_to(write(folder / "a.tif", noise()))
    return folder / "link.tif"


@case("a dangling link", refused="link.tif", oracle=None)
def _(folder: Path) -> Path:
    (folder / "link.tif").symlink_to(folder / "none.tif")
    return folder / "link.tif"


@case("text named .tif", refused="cannot be read as a raster", oracle=None)
def _(folder: Path) -> Path:
    (folder / "a.tif").write_text("hello\n" * 100)
    return folder / "a.tif"


@case("nothing named .tif", refused="cannot be read as a raster", oracle=None)
def _(folder: Path) -> Path:
    (folder / "a.tif").touch()
    return folder / "a.tif"


@case("an empty folder named .tif", refused="holds no scene", oracle=None)
def _(folder: Path) -> Path:
    (folder / "a.tif").mkdir()
    return folder / "a.tif"


@case("a KEA file", refused="KEA driver, which this installation lacks", oracle=None)
def _(folder: Path) -> Path:
    (folder / "a.kea").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 500)
    return folder / "a.kea"


# --- georeferencing --------------------------------------------------------------------------------------------------

POINTS = [
    GroundControlPoint(r, c, 400_000 + 10 * c + r, 5_000_000 - 10 * r + c)
    for r, c in ((0, 0), (0, 41), (33, 0), (33, 41))
]
simple("control points only", lambda: noise(), crs="EPSG:32633", transform=None, gcps=POINTS)
simple("no CRS", lambda: noise(), crs=None, transform=None, expected={"notes": ("no CRS",)})
simple("a transform without a CRS", lambda: noise(), crs=None, expected={"notes": ("no CRS",)})
simple("rotated", lambda: noise(), transform=Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -10))
simple("south up", lambda: noise(), transform=Affine(10, 0, 4e5, 0, 10, 5e6))
simple("across the antimeridian", lambda: noise(), crs="EPSG:4326", transform=Affine(0.5, 0, 170, 0, -0.5, 10))
simple(
    "the whole world in longitudes to 360",
    lambda: noise(3, 18, 36),
    crs="EPSG:4326",
    transform=Affine(10, 0, 0, 0, -10, 90),
)
simple("Mars", lambda: noise(), crs='GEOGCS["Mars 2000",DATUM["D_Mars",SPHEROID["Mars",3396190,169.89]],PRIMEM["Airy",0],'
       'UNIT["Degree",0.0174532925199433]]', transform=Affine(0.1, 0, 10, 0, -0.1, 10))  # fmt: skip
simple("an engineering CRS", lambda: noise(), crs='LOCAL_CS["plant",UNIT["metre",1]]')
simple("a polar CRS", lambda: noise(), crs="EPSG:3413", transform=Affine(1000, 0, -2e5, 0, -1000, 2e5))


@case("rational polynomials only")
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise(), crs=None, transform=None)
    rpcs = RPC(err_bias=0, err_rand=0, height_off=10, height_scale=500, lat_off=45, lat_scale=0.1, long_off=10, long_scale=0.1,
               line_off=16, line_scale=17, samp_off=20, samp_scale=21, line_num_coeff=[0, 0, -1] + [0] * 17,
               line_den_coeff=[1] + [0] * 19, samp_num_coeff=[0, 1] + [0] * 18, samp_den_coeff=[1] + [0] * 19)  # fmt: skip
    with rasterio.open(path, "r+") as file:
        file.rpcs = rpcs
    return path


@case("a world file")
def _(folder: Path) -> Path:
    path = write(folder / "a.png", noise(dtype="uint8"), driver="PNG", crs=None, transform=None)
    (folder / "a.pgw").write_text("10\n0\n0\n-10\n400005\n4999995\n")
    return path


# --- areas of interest -----------------------------------------------------------------------------------------------


def area(folder: Path, shape: Any, crs: str | None = "EPSG:32633") -> Path:
    geopandas.GeoDataFrame(geometry=[shape], crs=crs).to_file(folder / "aoi.gpkg")
    return write(folder / "a.tif", noise())


AOI = ("--aoi", "{folder}/aoi.gpkg")


@case("an area of no size", args=AOI, refused="no valid pixel .1353 outside|holds no polygon", oracle=None)
def _(folder: Path) -> Path:
    return area(folder, Polygon([(400_100, 4_999_900)] * 4))


@case("an area elsewhere", args=AOI, refused="no valid pixel .1353 outside", oracle=None)
def _(folder: Path) -> Path:
    return area(folder, box(0, 0, 10, 10))


@case("an area that crosses itself", args=AOI, oracle=None, reasons={"outside": 1353 - 200}, valid=200)
def _(folder: Path) -> Path:
    x, y = 400_100, 4_999_800
    return area(folder, Polygon([(x, y), (x + 200, y + 200 - 1e-3), (x + 200, y), (x, y + 200 - 1e-3)]))


@case("an area in longitude and latitude over control points", args=AOI, oracle=None, valid=100)
def _(folder: Path) -> Path:
    area(folder, box(400_100, 4_999_800, 400_200, 4_999_900), "EPSG:32633")
    frame = geopandas.read_file(folder / "aoi.gpkg").to_crs("EPSG:4326")
    frame.to_file(folder / "aoi.gpkg")
    plain = [GroundControlPoint(p.row, p.col, 400_000 + 10 * p.col, 5_000_000 - 10 * p.row) for p in POINTS]
    return write(folder / "a.tif", noise(), crs="EPSG:32633", transform=None, gcps=plain)


@case("an area across the antimeridian", args=AOI, oracle=None, valid=4 * 8)
def _(folder: Path) -> Path:
    geopandas.GeoDataFrame(geometry=[box(-179, 0, -175, 2)], crs="EPSG:4326").to_file(folder / "aoi.gpkg")
    return write(folder / "a.tif", noise(), crs="EPSG:4326", transform=Affine(0.5, 0, 170, 0, -0.5, 10))


@case("a bomb of pixels", refused="--allow-huge", oracle=None)
def _(folder: Path) -> Path:
    with rasterio.open(folder / "a.tif", "w", driver="GTiff", width=200_000, height=200_000, count=1, dtype="uint8", tiled=True,
                       sparse_ok=True, bigtiff="yes", blockxsize=4096, blockysize=4096):  # fmt: skip
        pass
    return folder / "a.tif"


# --- arrays ----------------------------------------------------------------------------------------------------------


@case("a .npy of rows, cols, bands", bands=3, valid=33 * 41, oracle=None, notes=("rows, cols, bands",))
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.moveaxis(noise(), 0, 2))
    return folder / "a.npy"


@case("a .npy said to be bands first", bands=33, valid=41 * 3, oracle=None, args=("--layout", "bands-first"))
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.moveaxis(noise(), 0, 2))
    return folder / "a.npy"


@case("a .npz of two cubes of which one is named", bands=3, valid=33 * 41, oracle=None, args=("--array", "b"))
def _(folder: Path) -> Path:
    np.savez(folder / "a.npz", a=np.zeros((5, 6, 7)), b=np.moveaxis(noise(), 0, 2))
    return folder / "a.npz"


@case("a .mat in Fortran order with NaN", bands=3, valid=33 * 41 - 50, oracle=None, reasons={"nan": 50})
def _(folder: Path) -> Path:
    cube = np.asfortranarray(np.moveaxis(with_hole(noise(dtype="float64"), np.nan), 0, 2))
    scipy.io.savemat(folder / "a.mat", {"cube": cube, "map": np.zeros((33, 41))})
    return folder / "a.mat"


@case("a big-endian .npy", bands=3, valid=33 * 41, oracle=None)
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.moveaxis(noise(), 0, 2).astype(">i2"))
    return folder / "a.npy"


@case("a .npy of dates", refused="real numbers", oracle=None)
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.zeros((4, 5, 6), "datetime64[s]"))
    return folder / "a.npy"


# --- several files ---------------------------------------------------------------------------------------------------


@case(
    "bands at two resolutions",
    bands=3,
    valid=40 * 60,
    oracle=None,
    notes=("resampled to the grid of 10",),
    placed=False,
)
def _(folder: Path) -> Path:
    return two_resolutions(folder)


@case("bands at two resolutions on the coarse grid", bands=3, valid=20 * 30, oracle=None, args=("--grid", "B5"),
      notes=("resampled to the grid of 20",), placed=False)  # fmt: skip
def _(folder: Path) -> Path:
    return two_resolutions(folder)


def two_resolutions(folder: Path) -> Path:
    place = folder / "bands"
    place.mkdir()
    for name, seed in (("B02", 1), ("B03", 2)):
        write(place / f"T33_{name}.tif", noise(1, 40, 60, seed=seed))
    write(place / "T33_B05.tif", noise(1, 20, 30, seed=3), transform=UTM["transform"] @ Affine.scale(2))
    return place


@case("a folder of one band in two CRSs", refused="different CRSs", oracle=None)
def _(folder: Path) -> Path:
    place = folder / "bands"
    place.mkdir()
    write(place / "T33_B02.tif", noise(1))
    write(place / "T33_B03.tif", noise(1), crs="EPSG:32634")
    return place


@case("a mask in another CRS", refused="lies elsewhere|own grid", oracle=None, args=("--mask", "{folder}/m.tif"))
def _(folder: Path) -> Path:
    write(folder / "m.tif", noise(1), crs="EPSG:3857", transform=Affine(10, 0, 0, 0, -10, 0))
    return write(folder / "a.tif", noise())


@case(
    "an SCL raster by its name",
    oracle=None,
    valid=33 * 41 - 50,
    reasons={"mask": 50},
    args=("--mask", "{folder}/a_SCL.tif"),
)
def _(folder: Path) -> Path:
    write(folder / "a_SCL.tif", with_hole(np.full((1, 33, 41), 4, "uint8"), 9))
    return write(folder / "a.tif", noise())


@case(
    "a nodata given on the command line",
    oracle=None,
    valid=33 * 41 - 50,
    reasons={"nodata": 50},
    args=("--nodata", "9"),
)
def _(folder: Path) -> Path:
    return write(folder / "a.tif", with_hole(noise(), 9))


@case(
    "an undeclared collar", oracle=None, valid=33 * 41 - 8 * 41, reasons={"nodata": 8 * 41}, args=("--nodata", "auto")
)
def _(folder: Path) -> Path:
    return write(folder / "a.tif", collar(0))


@case("an undeclared collar of an odd value", notes=("77 in all bands at", "--nodata 77"))
def _(folder: Path) -> Path:
    return write(folder / "a.tif", collar(77))


@case("an undeclared collar beside a declared nodata", notes=("0 in all bands at", "--nodata 0"))
def _(folder: Path) -> Path:
    return write(folder / "a.tif", with_hole(collar(0), 9), nodata=9)


def collar(fill: int) -> NDArray[Any]:
    values = noise()
    values[:, :8] = fill
    return values


def clean(folder: Path) -> None:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
