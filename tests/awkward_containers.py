"""More small files that break pipelines: containers, virtual rasters, odd headers and places, and what must become of them."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import rasterio
import rasterio.shutil
import scipy.io
from affine import Affine
from numpy.typing import NDArray
from rasterio.vrt import WarpedVRT

from tests.awkward_files import CASES, case, hole, noise, simple, with_alpha, with_hole
from tests.raster_files import write

__all__ = ["CASES"]

WHOLE = 33 * 41


# --- NetCDF ----------------------------------------------------------------------------------------------------------


def netcdf(
    folder: Path, sizes: dict[str, int], **variables: tuple[NDArray[Any], tuple[str, ...], dict[str, Any]]
) -> Path:
    """A classic NetCDF file: of each variable the values, the names of its axes, and its attributes."""
    with scipy.io.netcdf_file(folder / "a.nc", "w") as file:
        for name, size in sizes.items():
            file.createDimension(name, size)
        for name, (values, axes, expected) in variables.items():
            made = file.createVariable(name, values.dtype.newbyteorder(">"), axes)
            made[:] = values
            for key, value in expected.items():
                setattr(made, key, value)
    return folder / "a.nc"


def plane(seed: int, dtype: str = "int16") -> NDArray[Any]:
    return noise(1, dtype=dtype, seed=seed)[0]


LATITUDE = (np.linspace(40, 41, 33), ("lat",), {"units": "degrees_north", "standard_name": "latitude"})
LONGITUDE = (np.linspace(10, 11.25, 41), ("lon",), {"units": "degrees_east", "standard_name": "longitude"})
PLACE = {"lat": 33, "lon": 41}


@case("NetCDF of three planes, south up", bands=3, valid=WHOLE, oracle=None, notes=("each of 3 variables",))
def _(folder: Path) -> Path:
    planes = {name: (plane(i), ("lat", "lon"), {}) for i, name in enumerate(("red", "green", "nir"))}
    return netcdf(folder, PLACE, lat=LATITUDE, lon=LONGITUDE, **planes)


@case("NetCDF of five dates", bands=5, valid=WHOLE, oracle=None, notes=("time as bands",))
def _(folder: Path) -> Path:
    days = (np.arange(5.0), ("time",), {"units": "days since 2020-01-01"})
    cube = (noise(5, dtype="float32"), ("time", "lat", "lon"), {})
    return netcdf(folder, {"time": 5, **PLACE}, time=days, lat=LATITUDE, lon=LONGITUDE, ndvi=cube)


@case("NetCDF of one date and three bands", bands=3, valid=WHOLE, oracle=None)
def _(folder: Path) -> Path:
    cube = (noise(3, dtype="float32")[None], ("time", "band", "lat", "lon"), {})
    return netcdf(folder, {"time": 1, "band": 3, **PLACE}, lat=LATITUDE, lon=LONGITUDE, reflectance=cube)


@case("NetCDF with a missing value", bands=1, valid=WHOLE - 50, oracle=None, reasons={"nodata": 50})
def _(folder: Path) -> Path:
    return netcdf(folder, PLACE, lat=LATITUDE, lon=LONGITUDE,
                  b=(with_hole(plane(1)[None], -1)[0], ("lat", "lon"), {"missing_value": np.int16(-1)}))  # fmt: skip


@case("NetCDF of unsigned bytes", bands=1, valid=WHOLE, oracle=None)
def _(folder: Path) -> Path:
    return netcdf(
        folder, PLACE, lat=LATITUDE, lon=LONGITUDE, b=(plane(1, "int8"), ("lat", "lon"), {"_Unsigned": "true"})
    )


@case("NetCDF of uneven latitudes", bands=1, valid=WHOLE, oracle=None)
def _(folder: Path) -> Path:
    uneven = (np.linspace(0, 1, 33) ** 2, ("lat",), {"units": "degrees_north"})
    return netcdf(folder, PLACE, lat=uneven, lon=LONGITUDE, b=(plane(1), ("lat", "lon"), {}))


def two_cubes(folder: Path) -> Path:
    cube = (noise(3, dtype="float32"), ("band", "lat", "lon"), {})
    return netcdf(folder, {"band": 3, **PLACE}, first=cube, second=cube)


@case("NetCDF of two cubes", refused="holds 2 cubes; give one of them: --array", oracle=None)
def _(folder: Path) -> Path:
    return two_cubes(folder)


@case("NetCDF of two cubes of which one is named", bands=3, valid=WHOLE, oracle=None)
def _(folder: Path) -> str:
    return f"NETCDF:{two_cubes(folder)}:second"


@case("NetCDF of a name that is not there", refused="cannot be read as a raster|does not exist", oracle=None)
def _(folder: Path) -> str:
    return f"NETCDF:{two_cubes(folder)}:third"


@case("NetCDF without a raster", refused="no spectral variable|cannot be read as a raster", oracle=None)
def _(folder: Path) -> Path:
    return netcdf(folder, {"time": 5}, time=(np.arange(5.0), ("time",), {}))


@case("NetCDF 4 as GDAL writes it", oracle=None, bands=3, valid=WHOLE)
def _(folder: Path) -> Path:
    rasterio.shutil.copy(write(folder / "s.tif", noise()), folder / "a.nc", driver="netCDF", format="NC4")
    return folder / "a.nc"


@case("a .mat of version 7.3", bands=3, valid=WHOLE, oracle=None)
def _(folder: Path) -> Path:
    with h5py.File(folder / "a.mat", "w", userblock_size=512) as out:
        out["cube"] = np.moveaxis(noise(), 0, 2).T  # MATLAB stores the axes in reverse
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124, b" ") + b"\0\2IM"
    (folder / "a.mat").write_bytes(head.ljust(512, b"\0") + (folder / "a.mat").read_bytes()[512:])
    return folder / "a.mat"


# --- virtual rasters -------------------------------------------------------------------------------------------------


@case("a warped VRT")
def _(folder: Path) -> Path:
    source = write(folder / "s.tif", with_hole(noise(), 0), nodata=0)
    with rasterio.open(source) as file, WarpedVRT(file, crs="EPSG:4326") as warped:
        rasterio.shutil.copy(warped, folder / "a.vrt", driver="VRT")
    return folder / "a.vrt"


@case("a VRT whose source is gone", refused="s.tif", oracle=None)
def _(folder: Path) -> Path:
    source = write(folder / "s.tif", noise())
    rasterio.shutil.copy(source, folder / "a.vrt", driver="VRT")
    source.unlink()
    return folder / "a.vrt"


def vrt(folder: Path, inside: str) -> Path:
    """A VRT of one band with ``inside`` for its source."""
    write(folder / "s.tif", noise(1))
    (folder / "a.vrt").write_text(
        f'<VRTDataset rasterXSize="41" rasterYSize="33">{inside.replace("NAME", "s.tif")}</VRTDataset>'
    )
    return folder / "a.vrt"


SOURCE = (
    '<SimpleSource><SourceFilename relativeToVRT="1">NAME</SourceFilename><SourceBand>1</SourceBand></SimpleSource>'
)


@case("a VRT that runs Python", refused="python|Python", oracle=None)
def _(folder: Path) -> Path:
    code = "import os\ndef f(*a, **k): os.system('touch /tmp/harm')"
    return vrt(folder, '<VRTRasterBand dataType="UInt16" band="1" subClass="VRTDerivedRasterBand"><PixelFunctionType>f'
               "</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode><![CDATA["
               f"{code}]]></PixelFunctionCode>{SOURCE}</VRTRasterBand>")  # fmt: skip


@case("a VRT of itself", refused="a.vrt", oracle=None)
def _(folder: Path) -> Path:
    return vrt(folder, f'<VRTRasterBand dataType="UInt16" band="1">{SOURCE.replace("NAME", "a.vrt")}</VRTRasterBand>')


@case("a VRT of entities in entities", bands=1, valid=WHOLE, oracle=None)
def _(folder: Path) -> Path:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    path = vrt(
        folder, f'<VRTRasterBand dataType="UInt16" band="1"><Description>&l9;</Description>{SOURCE}</VRTRasterBand>'
    )
    path.write_text(f'<!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]>' + path.read_text())
    return path


@case("a VRT whose source is a web address", refused="allow-remote", oracle=None)
def _(folder: Path) -> Path:
    remote = "/vsicurl/http://localhost:9/a.tif"
    return vrt(folder, f'<VRTRasterBand dataType="UInt16" band="1">{SOURCE.replace("NAME", remote)}</VRTRasterBand>')


@case("a VRT of raw bytes", refused="a.vrt", oracle=None)
def _(folder: Path) -> Path:
    return vrt(folder, '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand"><SourceFilename>/etc/passwd'
               "</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>41</LineOffset>"
               "</VRTRasterBand>")  # fmt: skip


@case("a VRT with a mask band", reasons={"mask": 50})
def _(folder: Path) -> Path:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        source = write(folder / "s.tif", noise(), mask=hole())
    rasterio.shutil.copy(source, folder / "a.vrt", driver="VRT")
    return folder / "a.vrt"


@case("a VRT with a table of values", oracle=None, bands=1, valid=WHOLE)
def _(folder: Path) -> Path:
    source = SOURCE.replace("SimpleSource", "ComplexSource").replace(
        "</ComplexSource>", "<LUT>0:0,250:1000</LUT></ComplexSource>"
    )
    return vrt(folder, f'<VRTRasterBand dataType="Float32" band="1">{source}</VRTRasterBand>')


@case("a VRT mosaic with a gap", oracle="self", bands=1)
def _(folder: Path) -> Path:
    placed = SOURCE.replace("</SimpleSource>", '<SrcRect xOff="0" yOff="0" xSize="20" ySize="33"/>'
                            '<DstRect xOff="0" yOff="0" xSize="20" ySize="33"/></SimpleSource>')  # fmt: skip
    return vrt(
        folder, f'<VRTRasterBand dataType="UInt16" band="1"><NoDataValue>0</NoDataValue>{placed}</VRTRasterBand>'
    )


# --- TIFF ------------------------------------------------------------------------------------------------------------


def nodata_text(folder: Path, dtype: str, text: bytes) -> Path:
    """A TIFF whose nodata tag holds these bytes."""
    path = write(folder / "a.tif", noise(dtype=dtype), nodata=123)
    data = path.read_bytes()
    assert data.count(b"123\0") == 1
    path.write_bytes(data.replace(b"123\0", text.ljust(4, b"\0")))
    return path


@case("nodata NaN of whole numbers", oracle=None, valid=WHOLE, bands=3)
def _(folder: Path) -> Path:
    return nodata_text(folder, "uint16", b"nan")


@case("nodata below zero of bytes", oracle=None, valid=WHOLE, bands=3)
def _(folder: Path) -> Path:
    return nodata_text(folder, "uint8", b"-99")


@case("nodata that is a word", oracle=None, bands=3)
def _(folder: Path) -> Path:
    return nodata_text(folder, "uint16", b"n/a")


@case("nodata that is half a number", oracle=None, valid=WHOLE, bands=3)
def _(folder: Path) -> Path:
    return nodata_text(folder, "uint16", b"9.5")


simple("nodata of five digits in float32", lambda: with_hole(noise(dtype="float32"), -9999.9), nodata=-9999.9,
       expected={"reasons": {"nodata": 50}})  # fmt: skip
simple("uint32 at its end as nodata", lambda: with_hole(noise(dtype="uint32"), 2**32 - 1), nodata=2**32 - 1)
simple("four bands of which none is alpha", lambda: noise(4, dtype="uint8"), photometric="rgb", alpha="unspecified",
       expected={"bands": 4})  # fmt: skip
simple("premultiplied alpha", lambda: with_alpha(3), photometric="rgb", alpha="premultiplied", expected={"bands": 3})
simple("white is zero", lambda: noise(1, dtype="uint8"), photometric="miniswhite")
simple("cyan, magenta, yellow, black", lambda: noise(4, dtype="uint8"), photometric="cmyk")
simple("a compound CRS", lambda: noise(), crs="EPSG:32633+5773")
simple("a geocentric CRS", lambda: noise(), crs="EPSG:4978")
simple(
    "longitude before latitude by its name",
    lambda: noise(),
    crs="OGC:CRS84",
    transform=Affine(0.01, 0, 10, 0, -0.01, 50),
)
simple("beyond the pole", lambda: noise(), crs="EPSG:4326", transform=Affine(5, 0, -180, 0, -5, 95))
simple("Web Mercator beyond its edge", lambda: noise(), crs="EPSG:3857", transform=Affine(1e6, 0, -3e7, 0, -1e6, 3e7))
simple("pixels of no size", lambda: noise(), transform=Affine(0, 0, 5, 0, 0, 6), expected={"placed": False})
simple("the Moon, projected", lambda: noise(), transform=Affine(100, 0, 0, 0, -100, 0),
       crs='PROJCS["Moon",GEOGCS["Moon",DATUM["D_Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Reference_Meridian",0],'
           'UNIT["Degree",0.0174532925199433]],PROJECTION["Equirectangular"],'
           'PARAMETER["central_meridian",0],UNIT["metre",1]]')  # fmt: skip


@case("nodata and a mask beside it")
def _(folder: Path) -> Path:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False):
        return write(folder / "a.tif", noise(), nodata=100, mask=hole())


@case("a COG with mask and overviews")
def _(folder: Path) -> Path:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        source = write(
            folder / "s.tif", noise(3, 600, 700, "uint8"), mask=np.arange(700)[None] + np.zeros((600, 1)) > 50
        )
    rasterio.shutil.copy(source, folder / "a.tif", driver="COG", compress="JPEG")
    return folder / "a.tif"


@case("a TIFF whose strips are said to be empty", oracle=None)
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise(1))
    data = bytearray(path.read_bytes())
    count = data.find((279).to_bytes(2, "little") + (4).to_bytes(2, "little"))  # StripByteCounts
    count = count if count >= 0 else data.find((279).to_bytes(2, "little"))
    data[count + 8 : count + 12] = b"\0\0\0\0"
    path.write_bytes(bytes(data))
    return path


@case("a TIFF of a directory that leads to itself", oracle=None, bands=3, valid=WHOLE)
def _(folder: Path) -> Path:
    path = write(folder / "a.tif", noise())
    data = bytearray(path.read_bytes())
    first = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[first : first + 2], "little")
    data[first + 2 + 12 * entries : first + 6 + 12 * entries] = first.to_bytes(4, "little")
    path.write_bytes(bytes(data))
    return path


@case("world file and transform that differ")
def _(folder: Path) -> Path:
    (folder / "a.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    return write(folder / "a.tif", noise())


@case("a colour with transparency", refused="classes with colours", oracle=None)
def _(folder: Path) -> Path:
    path = write(folder / "s.tif", noise(1, dtype="uint8"))
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {i: (i, i, i, 0 if i == 100 else 255) for i in range(256)})
    rasterio.shutil.copy(path, folder / "a.png", driver="PNG")
    return folder / "a.png"


# --- ENVI ------------------------------------------------------------------------------------------------------------


def envi(folder: Path, more: str, **replaced: str) -> Path:
    """An ENVI file with more lines in its header, and some put in place of others."""
    path = write(folder / "a.dat", noise(), driver="ENVI")
    header = (folder / "a.hdr").read_text()
    for key, value in replaced.items():
        lines = [f"{key} = {value}" if line.startswith(key) else line for line in header.splitlines()]
        header = "\n".join(lines) + "\n"
    (folder / "a.hdr").write_text(header + more)
    return path


@case("ENVI names with commas, newlines and braces", bands=3, valid=WHOLE)
def _(folder: Path) -> Path:
    return envi(folder, "band names = {\n a b,\n <i>c</i>,\n d{e}\n}\n")


@case("ENVI in gains and offsets")
def _(folder: Path) -> Path:
    return envi(folder, "data gain values = {0.1, 0.2, 0.3}\ndata offset values = {1, 2, 3}\n")


@case("ENVI, turned by 30 degrees", bands=3, valid=WHOLE)
def _(folder: Path) -> Path:
    return envi(
        folder, "map info = {UTM, 1, 1, 400000, 5000000, 10, 10, 33, North, WGS-84, units=Meters, rotation=30}\n"
    )


@case("ENVI with lines below zero", refused="cannot be read as a raster", oracle=None)
def _(folder: Path) -> Path:
    return envi(folder, "", lines="-33")


@case("ENVI with as many wavelengths as it likes", bands=3, valid=WHOLE)
def _(folder: Path) -> Path:
    return envi(folder, "wavelength units = Nanometers\nwavelength = {450, 550, 650, 750, x}\nfwhm = {1}\n")


@case("ENVI with wave numbers", bands=3, valid=WHOLE)
def _(folder: Path) -> Path:
    return envi(folder, "wavelength units = Wavenumber\nwavelength = {20000, 18000, 15000}\n")


@case("ENVI, its header in capitals", bands=3, valid=WHOLE)
def _(folder: Path) -> Path:
    path = envi(folder, "")
    (folder / "a.hdr").rename(folder / "A.HDR")
    return path.rename(folder / "A.DAT")


@case("ENVI that is compressed", refused="cannot be read as a raster", oracle=None)
def _(folder: Path) -> Path:
    return envi(folder, "file compression = 1\n")


# --- archives and arrays ---------------------------------------------------------------------------------------------


@case("a TIFF in a compressed tar file", oracle="s.tif")
def _(folder: Path) -> Path:
    source = write(folder / "s.tif", noise())
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        archive.add(source, "deep/er/s.tif")
    return folder / "a.tar.gz"


@case("a zip file that leads out of itself", refused="holds no raster", oracle=None)
def _(folder: Path) -> Path:
    source = write(folder / "s.tif", noise())
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.write(source, "../../s.tif")
    return folder / "a.zip"


@case("a zip file of a VRT that leads elsewhere", refused="holds no raster|cannot be read", oracle=None)
def _(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.write(vrt(folder, f'<VRTRasterBand dataType="UInt16" band="1">{SOURCE}</VRTRasterBand>'), "a.vrt")
    return folder / "a.zip"


@case("a .npy of whole numbers beyond float32", bands=3, valid=WHOLE, oracle=None)
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.moveaxis(noise(dtype="int64") + 2**40, 0, 2))
    return folder / "a.npy"


@case("a .npy of one plane", refused="three-dimensional", oracle=None)
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", noise(1)[0])
    return folder / "a.npy"


@case("a .npy of truth values", bands=3, valid=WHOLE, oracle=None)
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.moveaxis(noise() > 100, 0, 2))
    return folder / "a.npy"


@case("a .npy of complex numbers", refused="real numbers|complex", oracle=None)
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.moveaxis(noise(), 0, 2).astype("complex64"))
    return folder / "a.npy"


@case("a .npy without a pixel", refused="a.npy", oracle=None)
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.zeros((0, 5, 3)))
    return folder / "a.npy"


@case("a .npy of four axes", refused="a.npy", oracle=None)
def _(folder: Path) -> Path:
    np.save(folder / "a.npy", np.zeros((2, 3, 4, 5)))
    return folder / "a.npy"
