"""Results in object storage: made whole in a local folder that mirrors the store, then uploaded, the file that means done last.

An address such as ``s3://bucket/prefix`` stands for a folder of this machine, its *mirror*. Whatever is written goes there, by
the same code as for any folder. :meth:`Store.pull` brings what says that a result is done, so that this is known from the
store and not from this machine; :meth:`Store.push` uploads a finished folder. A store has no renaming, so the order of the
uploads does what renaming does elsewhere: the old last file goes first, the new one comes last, and an upload that was cut
anywhere leaves a folder without it, which counts for nothing.

Credentials come from the environment or the role of the machine, by the store's own library, and are no part of an address.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from specvae.errors import OutputError
from specvae.files.store_address import is_store, mirror_of, parts_of
from specvae.files.store_index import INDEX, agrees, entry_of
from specvae.files.store_library import file_system

__all__ = ["Store", "is_unsent", "store_of"]

T = TypeVar("T")
WATCH = "watch.json"
MARKERS = ("item.json", "report.json", "invalid.json", WATCH)
"""Files that say what is done; they stay in the mirror after an upload, the others go."""
LAST = (WATCH, "item.json", "invalid.json")
"""The file that is uploaded last: the first of these that a folder has."""
ATTEMPTS, PAUSE = 3, 1.0
"""Tries of one request, and seconds before the second one, doubled before the third."""
UNSENT = ".unsent"
"""Stands in a folder of the mirror whose result the store does not hold yet."""
PART_BYTES = 50 << 20
"""Bytes of a part, where a large file is uploaded in parts."""


def store_of(out: str | Path) -> Store | None:
    """The store that an output lies in; None for a folder of this machine."""
    return Store(str(out)) if is_store(out) else None


class Store:
    """A folder in object storage and its mirror. Raises MissingExtraError where the package that reaches it is missing."""

    def __init__(self, address: str) -> None:
        self.kind, bucket, prefix = parts_of(address)
        self.address = f"{self.kind}://{bucket}" + (f"/{prefix}" if prefix else "")
        self.mirror = mirror_of(address)
        self._prefix = f"{bucket}/{prefix}".rstrip("/")
        self._fs = file_system(self.kind)

    def path(self, *below: str) -> str:
        """The path of something in the store, as its library names it."""
        return "/".join([self._prefix, *(part for part in below if part != ".")])

    def pull_all(self) -> None:
        """Bring all markers of the store into the mirror, and remove those that the store has no longer."""
        there = self._ask(lambda: self._fs.find(self._prefix))
        wanted = [path for path in there if PurePosixPath(path).name in (*MARKERS, INDEX, "log.jsonl")]
        local = {str(p.relative_to(self.mirror)) for name in MARKERS for p in self.mirror.rglob(name)}
        contents = self._contents(wanted)
        for path, content in contents.items():
            folder, _, name = path.rpartition("/")
            if name == INDEX or (name in LAST and not agrees(contents.get(f"{folder}/{INDEX}"), name, content)):
                continue
            below = path.removeprefix(self._prefix).lstrip("/")
            local.discard(below)
            place = self.mirror / below
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            (place.parent / UNSENT).unlink(missing_ok=True)
        for below in local:
            self._forget((self.mirror / below).parent)

    def pull(self, key: str) -> bool:
        """Bring the markers of one folder into the mirror; whether the store holds a finished result there."""
        folder, done = self.mirror / key, False
        names = self._names(key).intersection(MARKERS)
        index = self._content(self.path(key, INDEX)) if names else None
        for name in names:
            content = self._content(self.path(key, name))
            if content is None or (name in LAST and not agrees(index, name, content)):
                continue
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            done = done or name in LAST
        if done:
            (folder / UNSENT).unlink(missing_ok=True)
        else:
            self._forget(folder)
        return done

    def pull_whole(self) -> None:
        """Bring every file of the store's folder into the mirror, where another one than the mirror's is done there."""
        last = self._content(self.path(WATCH))
        if last is None:
            return
        place = self.mirror / WATCH
        if place.is_file() and place.read_bytes() == last:
            return
        self.mirror.mkdir(parents=True, exist_ok=True)
        for path in self._ask(lambda: self._fs.ls(self._prefix, detail=False)):
            name = PurePosixPath(path).name
            content = self._content(path) if name != WATCH else None
            if content is not None:
                (self.mirror / name).write_bytes(content)
        place.write_bytes(last)

    def push(self, key: str, empty: bool = True) -> None:
        """Upload a finished folder of the mirror, and with ``empty`` remove from the mirror all but its markers.

        Files that the index of an older result names and this one has not are removed. Raises OutputError where the store cannot be
        reached, refuses, or holds other bytes than were sent; what it then holds does not count as done.
        """
        folder = self.mirror / key
        (folder / UNSENT).touch()
        names = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        last = next(name for name in LAST if name in names)
        for name in self._names(key).intersection(LAST):
            self._remove(self.path(key, name))
        before, index = self._indexed(key), {name: entry_of(folder / name) for name in names}
        for name in names:
            if name != last:
                self._send(folder / name, self.path(key, name))
        self._write(self.path(key, INDEX), json.dumps({"files": index}, indent=1, sort_keys=True).encode())
        for name in before - set(names):
            self._remove(self.path(key, name))
        try:
            self._send(folder / last, self.path(key, last))
        except OutputError:
            # Other bytes may have arrived. Where this fails as well, they do not agree with the index, and count for nothing.
            with suppress(OutputError):
                self._remove(self.path(key, last))
            raise
        (folder / UNSENT).unlink()
        for name in names:
            if empty and name not in MARKERS:
                (folder / name).unlink()

    def _names(self, key: str) -> set[str]:
        """Names of the files that the store holds in a folder."""

        def names() -> set[str]:
            try:
                return {PurePosixPath(path).name for path in self._fs.ls(self.path(key), detail=False)}
            except FileNotFoundError:
                return set()

        return self._ask(names)

    def _indexed(self, key: str) -> set[str]:
        """The names in the index of what was uploaded before; none where there is no index, or a foreign one."""
        try:
            names = json.loads(self._content(self.path(key, INDEX)) or b"{}").get("files", {})
        except (ValueError, AttributeError, RecursionError):
            return set()
        # The store's content is input: a name that climbs would remove files of another folder.
        return {str(name) for name in names if re.fullmatch(r"[\w.-]+", str(name)) and str(name) not in {".", ".."}}

    def put(self, names: Iterable[str]) -> None:
        """Upload files that lie directly in the mirror, in this order; one that does not exist is passed over."""
        for name in names:
            if (self.mirror / name).is_file():
                self._send(self.mirror / name, self.path(name))

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that must not exist yet; False where it does. Raises NotImplementedError where the store cannot tell."""
        try:
            self._fs.pipe_file(self.path(name), content, mode="create")
        except FileExistsError:
            return False
        except (NotImplementedError, TypeError, ValueError):
            raise NotImplementedError from None
        except Exception as error:
            raise self._failed(error) from None
        return True

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whatever is there."""
        self._write(self.path(name), content)

    def read(self, name: str) -> tuple[bytes, float] | None:
        """Content and age in seconds of a small file; None where there is none."""
        content = self._content(self.path(name))
        if content is None:
            return None
        modified = self._ask(lambda: self._fs.modified(self.path(name)))
        return content, time.time() - modified.timestamp()

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._remove(self.path(name))

    def _send(self, local: Path, path: str) -> None:
        def send() -> None:
            self._fs.put_file(str(local), path, chunksize=PART_BYTES)
            self._check(path, local)

        self._ask(send)

    def _check(self, path: str, local: Path) -> None:
        """Raise OSError where the store holds other bytes than the local file."""
        info = self._fs.info(path, refresh=True)
        if info["size"] != local.stat().st_size:
            raise OSError(f"{info['size']:,} of {local.stat().st_size:,} bytes arrived")
        digest = str(info.get("ETag", "")).strip('"')
        # Encrypted by a key of the store, or uploaded in parts, an entity tag is no MD5 of the content.
        if re.fullmatch(r"[0-9a-f]{32}", digest) and "kms" not in str(info.get("ServerSideEncryption", "")):
            with local.open("rb") as file:
                if hashlib.file_digest(file, "md5").hexdigest() != digest:
                    raise OSError("other bytes arrived than were sent")

    def _write(self, path: str, content: bytes) -> None:
        self._ask(lambda: self._fs.pipe_file(path, content))

    def _remove(self, path: str) -> None:
        def remove() -> None:
            try:
                self._fs.rm_file(path)
            except FileNotFoundError:
                return

        self._ask(remove)

    def _contents(self, paths: list[str]) -> dict[str, bytes]:
        """Contents of many small files at once; those that are gone or damaged are left out."""
        if not paths:
            return {}
        # One request after another would take a second for every fifty results; where any fails, each is asked for itself.
        found = self._ask(lambda: self._fs.cat(paths, on_error="return"))
        found = found if isinstance(found, dict) else {paths[0]: found}
        each = {
            path: self._content(path) if isinstance(found[path], Exception) else bytes(found[path]) for path in paths
        }
        return {path: content for path, content in each.items() if content is not None}

    def _content(self, path: str) -> bytes | None:
        """The content of a small file; None where there is none, or the store itself says that it is damaged."""

        def content() -> bytes | None:
            try:
                return bytes(self._fs.cat_file(path))
            except FileNotFoundError:
                return None
            except Exception as error:
                # An upload that was spoilt on its way leaves bytes that are not those of their checksum: no result.
                if "Checksum" in type(error).__name__:
                    return None
                raise

        return self._ask(content)

    def _ask(self, request: Callable[[], T]) -> T:
        """The answer to a request, asked up to three times. Raises OutputError where none comes."""
        pause = PAUSE
        for attempt in range(ATTEMPTS):
            try:
                return request()
            # Each store's library has errors of its own, and of every kind: all of them mean that the store did not do it.
            except Exception as error:
                failed = self._failed(error)
            if attempt < ATTEMPTS - 1:
                time.sleep(pause)
                pause *= 2
        raise failed

    def _failed(self, error: Exception) -> OutputError:
        return OutputError(
            f"{self.address} cannot be used: {error or type(error).__name__}; nothing there counts as done"
        )

    def _forget(self, folder: Path) -> None:
        """Remove the markers of a result that the store does not hold, unless its upload failed and it is still whole."""
        if not ((folder / UNSENT).exists() and _is_complete(folder)):
            for name in MARKERS:
                (folder / name).unlink(missing_ok=True)


def is_unsent(out: str | Path, folder: Path) -> bool:
    """Whether a result of the mirror is still to be uploaded: it was made, and the store did not take it."""
    return is_store(out) and (folder / UNSENT).exists()


def _is_complete(folder: Path) -> bool:
    """Whether a folder of the mirror has every file that its item names."""
    try:
        item: dict[str, Any] = json.loads((folder / "item.json").read_text(encoding="utf-8"))
        return all((folder / asset["href"]).is_file() for asset in item["assets"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
