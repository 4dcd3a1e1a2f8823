"""Small files in the layout of imaging spectrometers' products, all of one planted cube."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

ROWS, COLS, WAVES = 30, 40, np.linspace(450.0, 900.0, 12)
CUBE = np.random.default_rng(3).uniform(0.02, 0.6, (len(WAVES), ROWS, COLS)).astype("float32")


def stored(order: tuple[str, ...], cube: np.ndarray = CUBE) -> np.ndarray:
    return np.transpose(cube, [("bands", "rows", "cols").index(name) for name in order])


def neon(path: Path) -> dict[str, Any]:
    counts = np.rint(stored(("rows", "cols", "bands")) * 10_000).astype("i2")
    with h5py.File(path, "w") as out:
        data = out.create_dataset("HARV/Reflectance/Reflectance_Data", data=counts)
        data.attrs.update(Scale_Factor=10_000.0, Data_Ignore_Value=-9999.0, Unit="unitless")
        data[0, 0] = -9999
        place = out.create_group("HARV/Reflectance/Metadata")
        place["Spectral_Data/Wavelength"], place["Spectral_Data/FWHM"] = WAVES, np.full(len(WAVES), 5.8)
        text = "UTM, 1.000, 1.000, 731000.00, 4713000.0, 1.0000000000, 1.0000000000, 18, North, WGS-84, units=Meters, 0"
        place["Coordinate_System/Map_Info"], place["Coordinate_System/EPSG Code"] = text, "32618"
        place["to-sensor_Zenith_Angle"] = np.zeros((ROWS, COLS), "f4")
    return {
        "kind": "NEON AOP product",
        "crs": 32618,
        "transform": from_origin(731000, 4713000, 1, 1),
        "width": 5.8,
        "cube": CUBE.round(4),
    }


def prisma(path: Path) -> dict[str, Any]:
    low, high, split = 0.0, 0.65, 5
    counts = np.rint((CUBE - low) / (high - low) * 65535).astype("u2")
    with h5py.File(path, "w") as out:
        fields = out.create_group("HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields")
        for name, part in (("Vnir", slice(0, split)), ("Swir", slice(split, None))):
            fields[f"{name.upper()}_Cube"] = np.transpose(counts[part], (1, 0, 2))
            fields[f"{name.upper()}_PIXEL_L2_ERR_MATRIX"] = np.zeros((ROWS, counts[part].shape[0], COLS), "u1")
            waves = WAVES[part]
            out.attrs[f"List_Cw_{name}"], out.attrs[f"List_Fwhm_{name}"] = waves, np.full(len(waves), 9.5)
            out.attrs[f"List_Cw_{name}_Flags"] = np.ones(len(waves), "u1")
            out.attrs[f"L2Scale{name}Min"], out.attrs[f"L2Scale{name}Max"] = low, high
        corners = {"UL": (0, 0), "LR": (COLS - 1, ROWS - 1)}
        for name, (col, row) in corners.items():
            out.attrs[f"Product_{name}corner_easting"] = 500015.0 + 30 * col
            out.attrs[f"Product_{name}corner_northing"] = 4999985.0 - 30 * row
        out.attrs["Epsg_Code"] = 32632
    return {
        "kind": "PRISMA product",
        "crs": 32632,
        "transform": from_origin(500000, 5000000, 30, 30),
        "width": 9.5,
        "tolerance": 1e-5,
    }


def emit(path: Path) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    rows, cols = rng.integers(0, ROWS + 1, (ROWS, COLS)), rng.integers(0, COLS + 1, (ROWS, COLS))
    cols[rows == 0] = 0
    rows[cols == 0] = 0
    expected = np.full(CUBE.shape, np.nan, "f4")
    expected[:, rows > 0] = CUBE[:, rows[rows > 0] - 1, cols[rows > 0] - 1]
    with h5py.File(path, "w") as out:
        data = out.create_dataset("reflectance", data=stored(("rows", "cols", "bands")))
        data.attrs["_FillValue"] = np.float32(-9999)
        for axis, name in enumerate(("downtrack", "crosstrack", "bands")):
            data.dims[axis].label = name
        out["sensor_band_parameters/wavelengths"], out["sensor_band_parameters/fwhm"] = WAVES, np.full(len(WAVES), 8.5)
        out["sensor_band_parameters/good_wavelengths"] = np.ones(len(WAVES), "f4")
        out["location/glt_x"], out["location/glt_y"] = cols.astype("i4"), rows.astype("i4")
        out["location/lat"], out["location/lon"] = np.zeros((ROWS, COLS)), np.zeros((ROWS, COLS))
        out.attrs["geotransform"] = np.array([10.0, 0.0005, 0, 45.0, 0, -0.0005])
        out.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()
        out.attrs["time_coverage_start"] = "2023-05-06T10:20:30+0000"
    return {
        "kind": "EMIT product",
        "crs": 4326,
        "transform": from_origin(10, 45, 0.0005, 0.0005),
        "width": 8.5,
        "cube": expected,
    }


def tanager(path: Path) -> dict[str, Any]:
    with h5py.File(path, "w") as out:
        data = out.create_dataset("HDFEOS/GRIDS/HYP/Data Fields/surface_reflectance", data=CUBE)
        data.attrs.update(
            wavelengths=WAVES,
            fwhm=np.full(len(WAVES), 6.1),
            good_wavelengths=np.ones(len(WAVES), "i4"),
            _FillValue=-9999.0,
        )
        out["HDFEOS/GRIDS/HYP/Data Fields/nodata_pixels"] = np.zeros((ROWS, COLS), "u1")
        lines = (
            "UpperLeftPointMtrs=(600000.0,4000000.0)",
            f"LowerRightMtrs=({600000 + 30 * COLS}.0,{4000000 - 30 * ROWS}.0)",
            "Projection=HE5_GCTP_UTM",
            "ZoneCode=11",
        )
        text = "\n".join(lines)
        out["HDFEOS INFORMATION/StructMetadata.0"] = text
    return {"kind": "Tanager product", "crs": 32611, "transform": from_origin(600000, 4000000, 30, 30), "width": 6.1}


def dlr(folder: Path, mission: str) -> Path:
    folder.mkdir()
    stem = {"ENMAP": "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z",
            "DESIS": "DESIS-HSI-L2A-DT0884573241_001-20220915T123456-V0220"}[mission]  # fmt: skip
    profile = {"driver": "GTiff", "height": ROWS, "width": COLS, "dtype": "int16", "crs": 32632,
               "transform": from_origin(400000, 5800000, 30, 30), "nodata": -32768}  # fmt: skip
    with rasterio.open(folder / f"{stem}-SPECTRAL_IMAGE.TIF", "w", count=len(WAVES), **profile) as out:
        out.write(np.rint(CUBE * 10_000).astype("int16"))
    with rasterio.open(
        folder / f"{stem}-QL_QUALITY_CLOUD.TIF", "w", count=1, **{**profile, "dtype": "uint8", "nodata": 255}
    ) as out:
        out.write(np.zeros((1, ROWS, COLS), "uint8"))
    band, width = ("bandID number='{}'", "FWHMOfBand") if mission == "ENMAP" else ("band", "wavelengthWidthOfBand")
    keys = ("GainOfBand", "OffsetOfBand") if mission == "ENMAP" else ("gainOfBand", "offsetOfBand")
    rows = "".join(
        f"<{band.format(i + 1)}><wavelengthCenterOfBand>{wave}</wavelengthCenterOfBand><{width}>7.5</{width}>"
        f"<{keys[0]}>0.0001</{keys[0]}><{keys[1]}>0</{keys[1]}></{band.split()[0]}>"
        for i, wave in enumerate(WAVES)
    )
    xml = f"<?xml version='1.0'?><level_X><specific><bandCharacterisation>{rows}</bandCharacterisation></specific></level_X>"
    (folder / f"{stem}-METADATA.XML").write_text(xml)
    return folder


PRODUCTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "neon.h5": neon,
    "prisma.he5": prisma,
    "emit.nc": emit,
    "tanager.h5": tanager,
}
