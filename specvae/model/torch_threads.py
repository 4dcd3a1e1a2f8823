"""What torch shares with the process around it: random numbers and threads, restored as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import wraps
from threading import local
from typing import ParamSpec, TypeVar

import torch

from specvae.model.precision import full_precision

__all__ = ["inferred_on_one_thread", "on_one_thread", "settings_of_new_threads", "single_threaded_pool", "undisturbed"]

Given = ParamSpec("Given")
Result = TypeVar("Result")

_thread = local()


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


@contextmanager
def on_one_thread() -> Iterator[None]:
    """What is done within uses one thread of torch: of small products a second thread costs more to wake than it computes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def single_threaded_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool of ``threads`` Python threads, in each of which torch's operations use one thread of their own.

    A product of matrices that is shared out over several threads adds up in another order, and so gives other bits;
    how many threads there are is the host's choice (torch, OMP and MKL settings, a notebook, a Dask worker). torch
    keeps this number apart for each Python thread, so what is computed in this pool does not depend on that choice.
    """
    return ThreadPoolExecutor(threads, name, initializer=_use_one_thread)


def inferred_on_one_thread(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """A decorator: the function runs in inference mode, in a thread in which torch's operations use one thread.

    The bits of its result do not depend on the thread settings of the caller, and these stay as they are.
    """

    @wraps(function)
    def inferred(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        # The switches concern GPUs alone; they are left alone where there is none.
        exact = full_precision() if torch.cuda.is_available() else nullcontext()
        with torch.inference_mode(), exact:
            return function(*args, **kwargs)

    @wraps(function)
    def alone(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        if getattr(_thread, "is_single", False):
            return inferred(*args, **kwargs)
        with settings_of_new_threads(), single_threaded_pool(1, "alone") as pool:
            return pool.submit(inferred, *args, **kwargs).result()

    return alone


@contextmanager
def settings_of_new_threads() -> Iterator[None]:
    """Restore what torch gives to threads that are yet to begin: a pool of one-threaded workers changes that as well."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _use_one_thread() -> None:
    # The first call in a thread takes over the host's number, and would undo a setting that came before it.
    torch.get_num_threads()
    torch.set_num_threads(1)
    _thread.is_single = True
