"""A model of small images: a VAE of any preset with arrays in and out, and what only images need.

A detector has neither batches of images, nor an ELBO with one draw of z, nor importance-weighted bounds: these are here.
Images are ``(n, values)`` float32 in 0..1, flattened row by row, channel by channel.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specvae.model.config import ModelConfig
from specvae.model.spectral_net import SpectralNet
from specvae.model.torch_threads import on_one_thread
from specvae.spectra import Parts
from specvae.training.course import Course, Phase
from specvae.training.descent import Sample, train

__all__ = ["ImageModel"]

Images = NDArray[np.float32]
BATCH = 500
"""Images scored at once: their activations stay in the processor's cache."""
BOUND_BATCH, DRAWS_AT_ONCE = 100, 25
"""Images and draws of the importance-weighted bound computed at once: each pair is decoded, so memory grows with both."""
SAMPLE_BATCH = 5000
"""Images normalised at once for training: a blur needs a second copy."""
VALIDATION_IMAGES = 1000
"""Validation images of the checks during training; the caller's ``watch`` may look at more."""


@dataclass
class ImageModel:
    """A trained VAE of images, with what its training cost."""

    net: SpectralNet
    config: ModelConfig
    seconds: float = 0.0
    """Wall-clock time of the training, without the calls of ``watch``."""
    cpu_seconds: float = 0.0
    """Processor time of the training, all threads together, without the calls of ``watch``."""
    losses: list[float] = field(default_factory=list)
    """Training loss per image at each check: reconstruction + KL, nats."""

    @classmethod
    def fit(
        cls,
        images: Images,
        config: ModelConfig,
        validation: Images | None = None,
        device: str = "cpu",
        watch: Callable[[int, ImageModel], None] | None = None,
    ) -> ImageModel:
        """Train on images ``(n, values)``.

        ``watch(check, model)`` is called at each check of the training, once an epoch where epochs are set.
        """
        torch.manual_seed(config.seed)
        config = config.resolved(table=False, bands=images.shape[1])
        model = cls(SpectralNet.untrained(np.ascontiguousarray(images.T), config, context=False).to(device), config)
        sample = model._sample(images)
        seen = sample if validation is None else model._sample(validation[:VALIDATION_IMAGES])
        # The loss of training includes what is alike for all images; the terms that are reported do not.
        volume = float(model.net.log_volume)

        def report(phase: Phase) -> None:
            if phase.check is None:
                return
            model.losses.append(phase.check.loss - volume)
            if watch is None:
                return
            begun = time.perf_counter(), time.process_time()
            model.net.eval()
            watch(len(model.losses), model)
            model.net.train()
            # Below zero for now: the whole time is added at the end, of which each call of ``watch`` is taken off here.
            model.seconds -= time.perf_counter() - begun[0]
            model.cpu_seconds -= time.process_time() - begun[1]

        begun = time.perf_counter(), time.process_time()
        # Batches of images are small: on two threads the same fits took twice the processor time, and no less of the clock's.
        with on_one_thread() if device == "cpu" else nullcontext():
            train(model.net.trainable, sample, seen, config.training, config.seed, Course(report))
        model.seconds += time.perf_counter() - begun[0]
        model.cpu_seconds += time.process_time() - begun[1]
        model.net.eval()
        return model

    @property
    def device(self) -> torch.device:
        """The device that the model computes on."""
        return self.net.device

    @property
    def latent(self) -> int:
        """Number of latent dimensions."""
        return self.net.latent

    @property
    def has_elbo(self) -> bool:
        """Whether an ELBO is defined; a plain autoencoder has no posterior, and its KL is 0."""
        return self.net.has_elbo

    def score(self, images: Images) -> Parts:
        """The score's parts ``(n,)`` at the posterior mean; nothing is random."""
        return self._terms(images, None)

    def elbo(self, images: Images, seed: int = 0) -> Parts:
        """The two terms ``(n,)`` of the negative ELBO, with one draw of z an image."""
        return self._terms(images, seed)

    @torch.inference_mode()
    def _terms(self, images: Images, seed: int | None) -> Parts:
        """Both terms ``(n,)``: at a draw of z for a ``seed``, at the posterior mean for None."""
        out = []
        for start, x in self._batches(images):
            noise = None
            if seed is not None:
                # Drawn on the CPU and seeded by the first image of the batch: the same on any device.
                noise = torch.randn(self.latent, x.shape[1], generator=_generator(seed + start)).to(self.device)
            terms = self.net.terms(x, None, noise)
            out.append(torch.stack([terms.reconstruction, terms.kl]).cpu())
        both = torch.cat(out, dim=1).numpy()
        return Parts(both[0] + both[1], both[0], both[1])

    @torch.inference_mode()
    def importance_bound(self, images: Images, draws: int, seed: int = 0) -> NDArray[np.float64]:
        """``(n,)`` nats: minus the log of the mean of ``draws`` importance weights, an upper bound of -log p(x)."""
        bounds = []
        for start, x in self._batches(images, BOUND_BATCH):
            generator = _generator(seed + start)
            rows = []
            for begun in range(0, draws, DRAWS_AT_ONCE):
                shape = (min(DRAWS_AT_ONCE, draws - begun), self.latent, x.shape[1])
                rows.append(self.net.log_weights(x, torch.randn(shape, generator=generator).to(self.device)))
            # A mean of weights like exp(-100) underflows; log-sum-exp does
            # not, and float64 holds the small differences.
            bounds.append(math.log(draws) - torch.logsumexp(torch.cat(rows).double(), dim=0).cpu())
        return np.asarray(torch.cat(bounds).numpy())

    @torch.inference_mode()
    def encode(self, images: Images) -> Images:
        """Posterior means ``(n, latent)`` of images."""
        return np.concatenate([self.net.encode(x).T.cpu().numpy() for _, x in self._batches(images)])

    @torch.inference_mode()
    def decode(self, latents: Images) -> Images:
        """Expected images ``(n, values)`` of latent vectors ``(n, latent)``."""
        z = torch.from_numpy(np.ascontiguousarray(latents.T, np.float32)).to(self.device)
        out: Images = self.net.decode(z).T.cpu().numpy()
        return out

    def reconstruct(self, images: Images) -> Images:
        """Expected images ``(n, values)`` at the posterior means of images."""
        return self.decode(self.encode(images))

    @torch.inference_mode()
    def sample(self, count: int, seed: int = 0) -> Images:
        """Expected images ``(count, values)`` of draws from the prior."""
        z = self.net.draw_latent(count, _generator(seed))
        return self.decode(np.asarray(z.T.cpu().numpy()))

    def _batches(self, images: Images, size: int = BATCH) -> Iterator[tuple[int, Tensor]]:
        """Number of the first image, and the images ``(values, size)`` of each batch, on the model's device."""
        for start in range(0, len(images), size):
            columns = np.ascontiguousarray(images[start : start + size].T, np.float32)
            yield start, torch.from_numpy(columns).to(self.device)

    @torch.inference_mode()
    def _sample(self, images: Images) -> Sample:
        """Images as a normalised sample to train on; a blur costs memory, so that they are normalised in batches."""
        batches = [self.net.normalised(x).values for _, x in self._batches(images, SAMPLE_BATCH)]
        return Sample(torch.cat(batches, dim=1).clone()).by_rows()


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
