"""What each preset is for: its first comment, its network and what its training takes, read from the files themselves."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from specvae.model.config import ModelConfig
from specvae.model.config_defaults import MOST_STEPS
from specvae.model.config_file import load_config, presets

__all__ = ["Preset", "about_presets"]


@dataclass(frozen=True)
class Preset:
    """One preset in words."""

    name: str
    purpose: str
    """The comment that its file begins with."""
    network: str
    training: str

    def summary(self) -> dict[str, str]:
        """The preset for programs."""
        return asdict(self)


def about_presets() -> list[Preset]:
    """All presets of the package, in the order of their names."""
    return [_about(name) for name in sorted(presets())]


def _about(name: str) -> Preset:
    config = load_config(preset=name)
    return Preset(name, _purpose(presets()[name].read_text(encoding="utf-8")), _network(config), _training(config))


def _purpose(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(lines)


def _network(config: ModelConfig) -> str:
    network = config.network
    if network.kind == "conv":
        layers = f"convolutions of {', '.join(map(str, network.channels))} channels"
    elif network.hidden is None:
        layers = "hidden layers by the number of bands"
    else:
        layers = f"hidden layers of {', '.join(map(str, network.hidden))}" if network.hidden else "no hidden layer"
    latent = (
        "latent dimensions by the number of bands" if network.latent is None else f"{network.latent} latent dimensions"
    )
    return f"{layers}, {latent}, {network.likelihood} likelihood"


def _training(config: ModelConfig) -> str:
    training = config.training
    length = f"{training.epochs} epochs" if training.epochs is not None else "20 epochs"
    return f"{training.optimiser}, {length} or {training.steps or MOST_STEPS:,} steps at most, batches of {training.batch:,}"
