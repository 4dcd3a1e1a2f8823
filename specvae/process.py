"""The state of the process that torch shares with its host: random numbers and threads, left as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["undisturbed"]


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is done within leaves torch's own random numbers and thread count as they were.

    A library that is called from a notebook must not reseed its other networks.
    """
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
