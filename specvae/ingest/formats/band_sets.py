"""Sets of single-band files that make one scene, recognised by the name of the band in the names of the files."""

from __future__ import annotations

import os
import re

from specvae.errors import InputError

__all__ = ["band_token", "belongs_to", "is_capture", "resolution", "same_scene"]

RASTERS = (".tif", ".tiff", ".jp2", ".img", ".dat", ".vrt")
COLOURS = [
    "coastal",
    "aerosol",
    "blue",
    "green",
    "yellow",
    "red",
    "rededge",
    "red_edge",
    "red edge",
    "red-edge",
    "nir",
    "nir08",
    "nir09",
    "swir",
    "swir1",
    "swir2",
    "swir16",
    "swir22",
    "rededge1",
    "rededge2",
    "rededge3",
    "pan",
    "cirrus",
    "tir",
    "lwir",
    "lwir11",
    "qa",
    "qa_pixel",
    "qa_radsat",
    "scl",
    "fmask",
    "ms_g",
    "ms_r",
    "ms_re",
    "ms_nir",
    "gre",
    "reg",
]
"""Names of bands in words, as the catalogues of Landsat, Sentinel-2 and PlanetScope use them in file names, and as
drones do (DJI Mavic 3M, Parrot Sequoia)."""
TOKEN = re.compile(
    r"(?P<before>.*?)(?:^|[_\-. ])(?P<band>(?:sr_|st_|toa_)?(?:band_?|b)\d{1,3}a?|"
    r"(?<=surfreflect_)[mi]\d{1,2}|sr_aerosol|bqa|pixel_qa|radsat_qa|"
    + "|".join(sorted(COLOURS, key=len, reverse=True))
    + r")(?P<after>(?:[_\-. ].*)?)$",
    re.I,
)
"""A band's name between separators; the longest names are tried first, so that ``red`` does not hide ``red_edge``."""


NUMBERED = re.compile(
    r"(?P<before>.*?)(?:^|[_\-. ])(?P<band>(?:sr_|st_|toa_)?(?:band_?|b)\d{1,3}a?)(?P<after>(?:[_\-. ].*)?)$", re.I
)
"""A band's number between separators, which comes before any word: ``Red_B1`` is the first band of a place called Red."""
CAPTURE = re.compile(r"(?P<before>IMG_\d{3,6})_(?P<band>\d{1,2})(?P<after>)$", re.I)
"""A capture of a MicaSense camera: a file for each of its lenses, numbered from 1."""
REST = re.compile(
    r"(?P<before>.*?)(?:^|[_\-. ])(?:st_(?:atran|cdist|drad|emis|emsd|qa|trad|urad)|sr_(?:qa_aerosol|cloud_qa|aerosol|"
    r"atmos_opacity)|qa_(?:pixel|radsat|aerosol|lineage)|lineage_?qa|(?:qc|state)(?:_\d+k?m)?|s[az]a|v[az]a|aot|wvp|tci|pvi|cld|snw|dem|angles?|rgb|ndvi|ndwi|ndsi|nbr|evi|savi)"
    r"(?P<after>(?:[_\-. ].*)?)$",
    re.I,
)
"""Rasters of a product that are no bands: parts of its surface temperature, angles, atmosphere, pictures."""


RESOLUTION = re.compile(r"_[1-9]\d?0m$", re.I)
"""The resolution at the end of a Sentinel-2 band file's name."""


def resolution(name: str) -> int:
    """Metres of a pixel by the end of a file's name, ``..._B02_10m.jp2``; 0 where it says none."""
    hit = RESOLUTION.search(os.path.splitext(name)[0])
    return int(hit.group(0)[1:-1]) if hit else 0


def is_capture(name: str) -> bool:
    """Whether a file is named as those of a camera of several lenses are, one for each."""
    return bool(CAPTURE.match(os.path.splitext(name)[0]))


def belongs_to(name: str, stem: str) -> bool:
    """Whether a raster is of the scene whose band files share ``stem``, without being one of its bands."""
    hit = REST.match(os.path.splitext(name)[0])
    return (hit.group("before") + RESOLUTION.sub("", hit.group("after"))).strip("_-. ") == stem if hit else False


def band_token(name: str) -> tuple[str, str] | None:
    """What the files of one scene share, and the band's name, out of a file's name; None where it names no band.

    Examples
    --------
    >>> band_token("LC08_20180131_B8.TIF")
    ('LC08_20180131', 'B8')
    >>> band_token("T32TNR_20200615T101010_B02_10m.jp2")
    ('T32TNR_20200615T101010', 'B02')
    >>> band_token("HLS.L30.T33UUP.2020060T101010.v2.0.B02.tif")
    ('HLS.L30.T33UUP.2020060T101010.v2.0', 'B02')
    """
    stem, end = os.path.splitext(name)
    if end.casefold() not in RASTERS:
        return None
    hit = CAPTURE.match(stem) or NUMBERED.match(stem) or TOKEN.match(stem)
    if not hit:
        return None
    # The bands of one scene differ in their resolution too.
    after = RESOLUTION.sub("", hit.group("after"))
    return (hit.group("before") + after).strip("_-. "), hit.group("band")


def same_scene(paths: list[str]) -> bool:
    """Whether files that differ in their band's name make one scene: the first two hold a single band each."""
    from specvae.ingest.formats.gdal import open_dataset  # a quarter of a second that a list of files need not pay

    if len(paths) < 2:
        return False
    # Two are enough: files named by one pattern come from one writer, and to open thousands would take minutes. More
    # than one band in a file means pictures, such as `site_red.tif`, rather than parts of a scene.
    for path in paths[:2]:
        try:
            with open_dataset(path) as dataset:
                if dataset.count != 1:
                    return False
        except InputError:
            return False
    return True
