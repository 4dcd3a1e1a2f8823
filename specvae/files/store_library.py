"""The libraries that reach object storage, by one interface: fsspec's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specvae.errors import MissingExtraError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["file_system"]

EXTRAS = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs"), "az": ("adlfs", "az")}
"""The package that reaches each kind of store, and the extra that installs it."""


def file_system(kind: str) -> AbstractFileSystem:
    """The library of a kind of store, as fsspec has it, without a memory of listings that others may change."""
    package, extra = EXTRAS[kind]
    try:
        import fsspec

        options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
        if kind == "s3":
            options["config_kwargs"] = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}}
        return fsspec.filesystem(kind, **options)
    except ImportError:
        raise MissingExtraError.of(f"{kind}://", package, extra=extra) from None
