"""A first look at netCDF and HDF5 files from another process, since damaged ones may crash or hang their library.

A crash of the C library ends the whole process, and no exception handler sees it. So a process of its own opens the
file and reads one pixel first; what becomes of that process decides whether the file is opened here.
"""

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
"""Seconds of processor time that the first look may take: some damaged files keep the library in a loop."""
WAIT = 120.0
"""Seconds by the clock, for a process that sleeps rather than loops, or a disk that does not answer."""
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""
"""Run first on POSIX: the system itself ends the process after its processor time, and leaves no core file."""
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
def visit(name, node):
    try:
        dict(node.attrs), [len(dim) and dim[0].name for dim in getattr(node, "dims", ())]
        if len(getattr(node, "shape", ())) == 1 and node.shape[0] < 1000000:
            node[()]
    except Exception:
        pass
try:
    import h5py
    with h5py.File(sys.argv[1], "r") as file:
        file.visititems(visit)
except Exception:
    pass
"""
"""Opens the file and the first variables in it, and asks for all that will be asked for here; errors do not matter."""
# The soft limit sends SIGXCPU and the hard one kills; both are set to the same second, so that either may come.
ENDLESS = (getattr(signal, "SIGXCPU", 0), getattr(signal, "SIGKILL", 0))
"""How the system ends a process that takes too much of the processor."""


def check_survives(path: str) -> None:
    """Raise InputError for a netCDF or HDF5 file that ends or stops the process that opens it."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
        status = os.stat(path)
    except OSError:
        return  # no file on this machine: GDAL will say what is wrong
    if head.startswith(MAGIC):
        ending = _ending(path, status.st_size, status.st_mtime_ns)
        if ending:
            raise InputError(f"{path} is damaged: the library that reads it {ending}; get it again")


@lru_cache(maxsize=256)
def _ending(path: str, size: int, mtime_ns: int) -> str:
    """What became of a process that opened the file, in words; empty where it ended well.

    Size and time are arguments so that a file that is unchanged is looked at once, and a new one afresh.
    """
    # A new process rather than a fork, which would copy locks that other threads hold. The path is an argument and
    # never part of the code, for a file's name may hold quotes.
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
    # A positive status is Python's own: it raised an error, as it will here, where it is reported.
    return "crashes" if status < 0 else ""
