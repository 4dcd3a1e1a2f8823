"""What a folder or glob passes over: files of systems, files that stand beside scenes, and results of specvae itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from specvae.files.json_files import read_json
from specvae.ingest.table.recognise import is_table

__all__ = ["MASK_FOLDERS", "beside_scenes", "is_companion", "is_of_a_system", "own_results"]

COMPANIONS = (
    *(".att", ".eph", ".geo", ".til", ".man", ".stp", ".ige"),
    *(".hdr", ".xml", ".msk", ".ovr", ".prj", ".tfw", ".tifw", ".aux", ".rrd", ".eww", ".jgw", ".pgw", ".wld", ".met"),
    *(".cpg", ".dbf", ".shx", ".shp", ".sbn", ".sbx", ".qix", ".qpj", ".qml", ".gpkg", ".geojson", ".gml", ".kml"),
    *(".md", ".json", ".html", ".pdf", ".log", ".txt", ".ini", ".toml", ".yml", ".yaml", ".py", ".specvae", ".safe"),
    *(".lock", ".tmp", ".part", ".sha1", ".sha256", ".sha512", ".md5", ".crc", ".dir", ".pag", ".gz", ".bz2", ".xz"),
    *(".7z", ".rar", ".db", ".db-journal", ".lnk", ".url", ".bak", ".swp", ".crdownload", ".kmz", ".rpb", ".imd"),
    *(".att", ".eph", ".geo", ".til", ".man", ".stp", ".ige"),
    *(
        ".doc",
        ".docx",
        ".odt",
        ".rtf",
        ".ppt",
        ".pptx",
        ".xls",
        ".mp4",
        ".mov",
        ".exe",
        ".dll",
        ".sh",
        ".bat",
        ".ipynb",
    ),
    *(".qgz", ".qgs", ".qlr", ".sld", ".lyr", ".lyrx", ".mxd", ".aprx", ".csv#", ".gpx", ".sqlite", ".mdb", ".accdb"),
    *(".rds", ".rdata", ".r", ".rmd", ".m", ".jl", ".pkl", ".pickle", ".pt", ".pth", ".onnx", ".zip.part", ".torrent"),
    *(
        ".eps",
        ".svg",
        ".psd",
        ".ai",
        ".mkv",
        ".avi",
        ".mp3",
        ".wav",
        ".css",
        ".js",
        ".sig~",
        ".orig",
        ".sum",
        ".asc.sig",
    ),
)
"""Endings that a folder or glob passes over: what stands beside scenes and tables rather than being one."""
SYSTEM_FILES = frozenset(
    (
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "folder.jpg", "albumart.jpg"),
        *("_success", "_metadata", "_common_metadata"),
    )
)
"""Files that Windows, macOS and Spark leave in folders, in lower case."""
SYSTEM_FOLDERS = frozenset(
    (
        *("@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found", "__macosx"),
        "__pycache__",
    )
)
"""Folders that systems and network drives leave beside a user's, in lower case."""
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
"""Endings of pictures, which beside scenes are previews of these; alone they are scenes."""
WORLD_FILES = (".wld", ".jgw", ".jpgw", ".jpegw", ".pgw", ".pngw", ".gfw", ".bpw")
"""Endings of world files: a picture with one is a scene, since it is placed on the ground."""
REFERENCE_FRAME = re.compile(r"^(?:dark|white|whitedark|manifest)_?ref(?:erence)?(?:$|[_\-. ])", re.I)
"""Names of the frames by which imaging spectrometers are calibrated (Specim, Headwall): no scenes."""
MASK_WORDS = re.compile(
    r"[_\-. ](?:(?:dn_)?udm2?|fmask|scl|qai?|qa_?pixel|cloud_?mask|clouds?|mask|classification|labels?|cldprb|snwprb)"
    r"(?:_clip|_mask)?$",
    re.I,
)
"""How the name of a mask ends that lies beside its scene and has the name of it before."""
FORCE_PARTS = re.compile(r"_LEVEL[12]_[A-Z0-9]+_(?:CLD|DST|HOT|OVV|VZN|WVP|AOD|TOP)$")
"""How the names of FORCE's files end that are no reflectance: distances to clouds, haze, angles, an overview."""
MASK_FOLDERS = re.compile(r"^(?:(?:cloud[_ -]?)?masks?|qi_?data|aux_?data|labels?|ground_?truths?|annotations?)$", re.I)
"""Names of folders that hold masks or labels of the scenes beside them."""
LARGEST_ITEM = 4 << 20
"""Bytes of an ``item.json`` that is looked at for the results that it lists."""


def is_of_a_system(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or was left by the system or a network drive.

    Examples
    --------
    >>> is_of_a_system("Thumbs.db"), is_of_a_system("@eaDir"), is_of_a_system("scene.tif")
    (True, True, False)
    """
    low = name.casefold()
    return name.startswith((".", "~$")) or low in SYSTEM_FILES or low in SYSTEM_FOLDERS


def is_companion(path: str) -> bool:
    """Whether a file only stands beside scenes, by its ending."""
    name = Path(path).name.casefold()
    # A .txt that is named is a table; in a folder it is more often a readme or Landsat's MTL.
    if is_table(path) and not name.endswith((".txt", ".txt.gz")):
        return False
    return os.path.isfile(path) and name.endswith(COMPANIONS)


def own_results(folder: str) -> frozenset[str]:
    """Names of the files in a folder that specvae wrote as the result of a scene or of a series; empty elsewhere."""
    own: set[str] = set()
    for item in (Path(folder, "item.json"), Path(folder, "watch.json")):
        if item.is_file() and item.stat().st_size < LARGEST_ITEM:
            tree = read_json(item)
            # The item lists what it is the item of, so that a user's file beside the results stays a source.
            if any(str(key).startswith("specvae:") for key in tree.get("properties") or {}):
                own |= {Path(asset.get("href", "")).name for asset in (tree.get("assets") or {}).values()}
    if Path(folder, "summary.json").is_file() and "fingerprint" in read_json(Path(folder, "summary.json")):
        own |= {name for name in os.listdir(folder) if name.endswith((".tif", ".csv", ".parquet", ".png"))}
    return frozenset(own)


def beside_scenes(paths: Iterable[str], others: bool = False) -> dict[str, str]:
    """Those among the files of one folder that stand beside its scenes, each with the evidence in words.

    Pictures beside scenes are previews, unless a world file places them; reference frames calibrate; a raster called
    as another with the word for a mask behind is that one's mask. Where nothing else is there, all are scenes, unless
    there are ``others`` of several files.
    """
    rest = sorted(paths)
    why = {path: "its name, that of a frame of calibration" for path in rest if REFERENCE_FRAME.match(Path(path).stem)}
    scenes = [p for p in rest if p not in why and not p.casefold().endswith(PICTURES)]
    previews = [p for p in rest if (scenes or others) and p not in scenes and p not in why and not _placed(p)]
    why |= dict.fromkeys(previews, "its ending, that of a picture beside scenes")
    why |= {p: "its name, that of a part of a FORCE product" for p in scenes if FORCE_PARTS.search(Path(p).stem)}
    for path in scenes:
        hit = MASK_WORDS.search(Path(path).stem)
        named = Path(path).stem[: hit.start()].casefold() if hit else ""
        # `x_3B_udm2.tif` lies beside `x_3B_AnalyticMS.tif`: their beginnings agree, not their whole names.
        named_alike = (Path(other).stem.casefold() for other in scenes if other != path)
        if named and any(other.startswith(named) and not MASK_WORDS.search(other) for other in named_alike):
            why[path] = "its name, that of a mask beside its scene"
    return why if others or len(why) < len(rest) else {}


def _placed(picture: str) -> bool:
    """Whether a world file lies beside a picture."""
    stem = os.path.splitext(picture)[0]
    return any(os.path.isfile(stem + end) for end in WORLD_FILES) or os.path.isfile(picture + "w")
