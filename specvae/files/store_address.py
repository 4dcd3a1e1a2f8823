"""Addresses in object storage, and the local folders that mirror them."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from specvae.errors import UsageError

__all__ = ["is_store", "mirror_of", "parts_of", "refuse_store"]

ADDRESS = re.compile(r"^(s3|gs|az)://([^/]*)/?(.*)$", re.I)


def is_store(out: str | Path) -> bool:
    """Whether an output is an address in object storage."""
    return bool(ADDRESS.match(str(out)))


def refuse_store(path: Path) -> None:
    """Raise UsageError for a local path that was an address in object storage: pathlib takes ``s3://a`` for ``s3:/a``."""
    if re.match(r"^(s3|gs|az):/", str(path), re.I):
        raise UsageError(f"{path}: only the results of score, run and watch go to object storage; name a local place")


def mirror_of(address: str) -> Path:
    """The local folder that mirrors an address. Raises UsageError for an address that is not one of a store's folder."""
    kind, bucket, prefix = parts_of(address)
    home = os.environ.get("SPECVAE_MIRROR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "specvae", "mirror"
    )
    return Path(home, kind, bucket, *PurePosixPath(prefix).parts)


def parts_of(address: str) -> tuple[str, str, str]:
    matched = ADDRESS.match(address)
    kind, bucket, prefix = matched.groups() if matched else ("", "", "")
    # An address with a password in it would stand in logs and reports; "." and ".." would leave the mirror.
    if not bucket or re.search(r"[@:?#\\\s]", bucket + prefix) or {".", ".."} & {*prefix.split("/"), bucket}:
        shown = re.sub(r"//[^/]*@", "//...@", address)
        raise UsageError(
            f"{shown} is no address of a folder in a store; expected s3://bucket/prefix, gs://... or az://..., with "
            "credentials in the environment"
        )
    return kind.lower(), bucket, prefix.strip("/")
