"""Which files belong together: product folders and archives, and single-band files of one scene."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

__all__ = ["MTL", "band_token", "is_product_archive", "is_product_folder", "landsat_mtl", "same_scene"]

RASTERS = (".tif", ".tiff", ".jp2", ".img", ".dat", ".vrt")
COLOURS = ("coastal", "aerosol", "blue", "green", "yellow", "red", "rededge", "red_edge", "nir", "nir08", "nir09", "swir",
           "swir1", "swir2", "swir16", "swir22", "rededge1", "rededge2", "rededge3", "pan", "cirrus", "tir", "lwir", "lwir11",
           "qa", "qa_pixel", "qa_radsat", "scl", "fmask")  # fmt: skip
TOKEN = re.compile(
    r"(?P<before>.*?)(?:^|[_\-. ])(?P<band>(?:sr_|st_|toa_)?(?:band_?|b)\d{1,3}a?|sr_aerosol|bqa|pixel_qa|radsat_qa|"
    + "|".join(sorted(COLOURS, key=len, reverse=True))
    + r")(?P<after>(?:[_\-. ].*)?)$",
    re.I,
)
MTL = re.compile(r".*_?MTL\.(?:txt|json|xml)$", re.I)


def band_token(name: str) -> tuple[str, str] | None:
    """``LC08_20180131_B8.TIF`` -> (``LC08_20180131``, ``B8``): what a scene's files share, and the band; else None."""
    stem, end = os.path.splitext(name)
    if end.casefold() not in RASTERS:
        return None
    hit = TOKEN.match(stem)
    if not hit:
        return None
    return (hit.group("before") + hit.group("after")).strip("_-. "), hit.group("band")


def same_scene(paths: list[str]) -> bool:
    """Whether these files, which differ in their band's name, each hold a single band: one scene in parts."""
    from specvae.errors import InputError
    from specvae.ingest.formats.gdal import open_dataset

    if len(paths) < 2:
        return False
    for path in paths[:2]:
        try:
            with open_dataset(path) as dataset:
                if dataset.count != 1:
                    return False
        except InputError:
            return False
    return True


def landsat_mtl(folder: str) -> str | None:
    """The MTL file of a Landsat folder, the text one first, or None."""
    found = sorted((n for n in os.listdir(folder) if MTL.match(n)), key=lambda n: (not n.endswith(".txt"), n))
    return os.path.join(folder, found[0]) if found else None


def is_safe_folder(folder: str) -> bool:
    """Whether a folder is a Sentinel-2 SAFE product."""
    return any(re.match(r"MTD_MSIL\w+\.xml$|.*MTD_SAFL1C.*\.xml$", n) for n in os.listdir(folder))


def is_product_folder(folder: str) -> bool:
    """Whether a folder as a whole is one scene of a known product."""
    try:
        return is_safe_folder(folder) or landsat_mtl(folder) is not None
    except OSError:
        return False


def is_product_archive(path: str) -> bool:
    """Whether a zip file holds a Sentinel-2 SAFE product or one Landsat product."""
    if not path.casefold().endswith(".zip") or not os.path.isfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return any(re.search(r"MTD_MSIL\w+\.xml$", n) or MTL.match(Path(n).name) for n in names)
