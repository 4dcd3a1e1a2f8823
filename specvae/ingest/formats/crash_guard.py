"""A first look at containers whose libraries are known to crash or hang on damaged files, from another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import lru_cache

from specvae.errors import InputError

__all__ = ["check_survives"]

MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF\r\n\x1a\n")
"""First bytes of netCDF and HDF5."""
PATIENCE = 10
"""Seconds of a processor, for opening and a first pixel."""
WAIT = 120.0
"""Seconds by the clock."""
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""
LOOK = """
import sys, warnings
warnings.simplefilter("ignore")
import rasterio
def look(path):
    try:
        with rasterio.open(path) as file:
            file.crs, file.tags(), file.gcps, file.transform, file.block_shapes
            if file.count:
                file.tags(1), file.read(1, window=((0, 1), (0, 1)))
            return file.subdatasets
    except Exception:
        return []
for inner in look(sys.argv[1])[:20]:
    look(inner)
"""


ENDLESS = (getattr(signal, "SIGXCPU", 0), getattr(signal, "SIGKILL", 0))
"""How the system ends a process that takes too much of the processor."""


def check_survives(path: str) -> None:
    """Raise InputError for a netCDF or HDF5 file that ends or stops the process that opens it."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
        told = os.stat(path)
    except OSError:
        return
    if head.startswith(MAGIC):
        ending = _ending(path, told.st_size, told.st_mtime_ns)
        if ending:
            raise InputError(f"{path} is damaged: the library that reads it {ending}; get it again")


@lru_cache(maxsize=256)
def _ending(path: str, size: int, mtime_ns: int) -> str:
    """What became of a process that opened the file; empty where it lived."""
    look = [sys.executable, "-c", (LIMITED if os.name == "posix" else "") + LOOK, path, str(PATIENCE)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        status = subprocess.run(look, timeout=WAIT, check=False, **quiet).returncode  # type: ignore[call-overload]
    except subprocess.TimeoutExpired:
        return f"has not come back after {WAIT:.0f} s"
    except OSError:
        return ""  # no process can be started here
    if -status in ENDLESS:
        return f"does not come to an end within {PATIENCE} s"
    return "crashes" if status < 0 else ""
