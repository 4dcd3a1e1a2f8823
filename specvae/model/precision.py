"""Arithmetic of a GPU in full float32: its shortened formats are switched off while scores are computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

__all__ = ["full_precision", "precision_switches"]

_lock = Lock()
_inside = 0
_before: list[object] = []


def precision_switches() -> tuple[tuple[object, str, object], ...]:
    """Each switch of torch that shortens float32 on a GPU: what holds it, its name, and its value for full precision.

    Newer releases of torch refuse to read the older switches where a program has set the newer ones.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    convolution = getattr(cudnn, "conv", None)
    if convolution is not None and hasattr(convolution, "fp32_precision"):
        return (matmul, "fp32_precision", "ieee"), (convolution, "fp32_precision", "ieee")
    return (matmul, "allow_tf32", False), (cudnn, "allow_tf32", False)


@contextmanager
def full_precision() -> Iterator[None]:
    """Products and convolutions on a GPU are computed in full float32 within; the program's own setting comes back after.

    TensorFloat-32, which torch allows for convolutions by default, has 10 bits of mantissa: scores would differ from the
    CPU's in the third digit.
    """
    global _inside
    with _lock:
        # The switches are those of the process: the first of several threads sets them, and the last one restores them.
        if not _inside:
            _before[:] = [getattr(holder, name) for holder, name, _ in precision_switches()]
            for holder, name, full in precision_switches():
                setattr(holder, name, full)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                for (holder, name, _), value in zip(precision_switches(), _before, strict=True):
                    setattr(holder, name, value)
