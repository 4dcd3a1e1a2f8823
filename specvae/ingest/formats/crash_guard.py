"""A first look at netCDF and HDF5 files from another process, since damaged ones may crash or hang their library.

A crash of the C library ends the whole process, and no exception handler sees it. So a process of its own opens the
file and reads one pixel first; what becomes of that process decides whether the file is opened here. To start Python and
its libraries takes half a second: a server does so once, and makes a copy of itself, by fork, for each file.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from functools import lru_cache

from specvae.errors import InputError

__all__ = ["check_survives"]

MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF\r\n\x1a\n")
"""First bytes of netCDF and HDF5."""
PATIENCE = 10
"""Seconds of processor time that the first look may take: some damaged files keep the library in a loop."""
WAIT = 120.0
"""Seconds by the clock, for a process that sleeps rather than loops, or a disk that does not answer."""
SERVER = """
import json, os, resource, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.modules["boto3"] = None
import rasterio
try:
    import h5py
except ImportError:
    pass
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            resource.setrlimit(resource.RLIMIT_CPU, (asked["patience"], asked["patience"]))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.setitimer(signal.ITIMER_REAL, asked["wait"])
            sys.argv[1:] = [asked["path"]]
            exec(asked["look"], {})
        finally:
            os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Looks at a file for each line that it reads, and writes the exit status of the look; it ends with its standard input.

The system itself ends a look after its processor time, or by an alarm, and leaves no core file. rasterio is to load no
client of an object store, which takes half of its start: these files lie on this machine.
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
ALARM = getattr(signal, "SIGALRM", 0)
"""How it ends one that has not come back."""
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class _Server:
    """The server of this process, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def look(self, path: str) -> int:
        """The exit status of a look at a file. Raises OSError where no server can be started, or where it has ended."""
        asked = json.dumps({"look": LOOK, "path": path, "patience": PATIENCE, "wait": WAIT})
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(asked + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        if not answer:
            raise OSError("the process that looks at files has ended")
        return int(answer)

    def _running(self) -> subprocess.Popen[str]:
        """The server's process; of a copy of this process, by fork, a new one."""
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            command = [sys.executable, "-c", SERVER]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
            self._owner = os.getpid()
            atexit.register(self.stop)
        return self._process

    def stop(self) -> None:
        """End the server of this process."""
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.communicate()
            self._process = None


SERVING = _Server()


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
    # A fork of this process would copy locks that other threads hold, so that a server of one thread forks instead. The
    # path is never part of the code, for a file's name may hold quotes.
    try:
        status = SERVING.look(path) if hasattr(os, "fork") else _alone(path)
    except subprocess.TimeoutExpired:
        status = -ALARM
    except OSError:
        return ""  # no process can be started here
    if status == -ALARM:
        return f"has not come back after {WAIT:.0f} s"
    if -status in ENDLESS:
        return f"does not come to an end within {PATIENCE} s"
    # A positive status is Python's own: it raised an error, as it will here, where it is reported.
    return "crashes" if status < 0 else ""


def _alone(path: str) -> int:
    """The exit status of a process of its own that looks at a file, where there is no fork."""
    look = [sys.executable, "-c", LOOK, path]
    return subprocess.run(look, timeout=WAIT, check=False, **QUIET).returncode  # type: ignore[call-overload, no-any-return]
