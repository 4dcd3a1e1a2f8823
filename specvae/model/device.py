"""Where a model computes: on the CPU, or on a GPU that torch sees."""

from __future__ import annotations

from pathlib import Path

from specvae.errors import UsageError

__all__ = ["device_name", "pick_device"]

DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/nvmap")
"""One of these is there wherever CUDA can work: the driver's own, one card's, Windows' for Linux within it, and Tegra's."""


def pick_device(device: str) -> str:
    """The device that a name stands for: ``auto`` is ``cuda`` where torch sees a GPU, else ``cpu``.

    Raises UsageError for a GPU that is not there.
    """
    # Importing torch takes seconds, which a score on the CPU has no other use for: it is asked only where a driver is.
    available = device != "cpu" and any(Path(driver).exists() for driver in DRIVERS) and _torch_sees_a_gpu()
    if device == "auto":
        return "cuda" if available else "cpu"
    if device.startswith("cuda") and not available:
        raise UsageError("--device cuda was asked for, but torch sees no CUDA device; use --device auto or cpu")
    return device


def device_name(device: str) -> str:
    """What reports call a device: ``cpu``, or a GPU's own name."""
    if device == "cpu":
        return device
    import torch

    return torch.cuda.get_device_name(device)


def _torch_sees_a_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
