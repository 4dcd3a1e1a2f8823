"""Where the time of training steps goes, operation by operation, and whether a step waits for its device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from specvae.benchmarks.report import Row
from specvae.model.config import ModelConfig, TrainingConfig
from specvae.model.network_config import NetworkConfig
from specvae.model.vae import VAE
from specvae.training.descent import Descent, Sample

__all__ = ["StepProfile", "profile_steps", "step_profile_rows"]

WAITS = ("aten::_local_scalar_dense", "cudaStreamSynchronize", "cudaEventSynchronize")
"""Operations that make the program wait for its device: reading one number of a tensor, and CUDA's own.

``cudaDeviceSynchronize`` is none of them: the profiler itself calls it when it stops.
"""
FUSED = "aten::_fused_adam"
"""Begin of the names of fused optimisers. On the CPU these read each parameter's count of steps, which no GPU computes."""
PROFILED_STEPS, STEPS_BEFORE = 20, 10
"""Steps that are profiled, and steps before these, which allocate and prepare."""
SPECTRA, BANDS, CONTEXT, BATCH = 20_000, 12, 6, 512
SHOWN = 15
"""Operations in the table, those that take most time themselves."""


@dataclass(frozen=True)
class Operation:
    """One kind of operation, over all profiled steps."""

    calls: int
    seconds: float
    """Time of the operation itself, without those that it calls; on a GPU the time of the device."""


@dataclass(frozen=True)
class StepProfile:
    """The operations of some training steps between two checks of the validation spectra."""

    steps: int
    operations: Mapping[str, Operation]
    waits: Mapping[str, int]
    """Calls in all profiled steps of what waits for the device, by name; empty where no step waits."""


def profile_steps(device: str, config: ModelConfig | None = None, context: int = CONTEXT) -> StepProfile:
    """Profile training steps of a VAE over random spectra, none of which is a check, a trim or the last step."""
    config = config or ModelConfig()
    training = config.training.model_copy(update={"batch": BATCH, "refits": 0, "steps": 4 * (SPECTRA // BATCH)})
    descent = _descent(device, config.network, training, context)
    steps = range(1, STEPS_BEFORE + PROFILED_STEPS + 1)
    # A check reads its figures, and so waits; the profiled steps are those between two of them.
    descent.every = descent.steps
    for step in steps[:STEPS_BEFORE]:
        descent.advance(step)
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device != "cpu" else [])]
    with profile(activities=kinds) as profiled:
        for step in steps[STEPS_BEFORE:]:
            descent.advance(step)
    timed = "self_device_time_total" if device != "cpu" else "self_cpu_time_total"
    operations = {event.key: Operation(event.count, getattr(event, timed) / 1e6) for event in profiled.key_averages()}
    # The state of an optimiser on a GPU lies there: a read of it would be a wait.
    waiting = Counter(
        event.name
        for event in profiled.events() or ()
        if event.name in WAITS and not (device == "cpu" and _of_fused_optimiser(event))
    )
    return StepProfile(PROFILED_STEPS, operations, waiting)


def _of_fused_optimiser(event: FunctionEvent) -> bool:
    """Whether a fused optimiser called this operation."""
    caller = event.cpu_parent
    while caller is not None and not caller.name.startswith(FUSED):
        caller = caller.cpu_parent
    return caller is not None


def _descent(device: str, network: NetworkConfig, training: TrainingConfig, context: int) -> Descent:
    generator = torch.Generator().manual_seed(0)
    spectra, contexts = (torch.randn(rows, SPECTRA, generator=generator) for rows in (BANDS, context))
    sample = Sample(spectra, contexts if context else None).to(device)
    components = 4 if network.prior == "mixture" else 0
    vae = VAE(BANDS, context, network, components).to(device)
    return Descent(vae, sample, sample.take(torch.arange(1000, device=device)), training, 0, 0.0)


def step_profile_rows(device: str) -> list[Row]:
    """Rows on one step, the mean of those profiled: the operations that take most time, and what waits for the device."""
    profiled = profile_steps(device)
    operations = sorted(profiled.operations.items(), key=lambda named: -named[1].seconds)[:SHOWN]
    rows = []
    for name, operation in operations:
        seconds = operation.seconds / profiled.steps
        values = {"calls_a_step": operation.calls / profiled.steps, "microseconds_a_step": 1e6 * seconds}
        rows += [Row("training-step", name, metric, value, profiled.steps, seconds) for metric, value in values.items()]
    waits = sum(profiled.waits.values()) / profiled.steps
    return [*rows, Row("training-step", "waits for the device", "calls_a_step", waits, profiled.steps, 0.0)]
