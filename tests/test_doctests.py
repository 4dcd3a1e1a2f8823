"""The examples in the docstrings run and print what they say; each public object has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import warnings
from pathlib import Path

import pytest

import specvae
from specvae.api.pyod import PyODSpectralVAE
from specvae.api.spectral_vae import SpectralVAE

PACKAGE = Path(specvae.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


def public() -> list[tuple[str, object]]:
    """What the package exports, and each method of it that is its own."""
    found = [(name, getattr(specvae, name)) for name in specvae.__all__ if name != "__version__"]
    for owner in (SpectralVAE, PyODSpectralVAE):
        found.append((owner.__name__, owner))
        for name, method in inspect.getmembers(owner, callable):
            mine = (getattr(method, "__module__", None) or "").startswith("specvae")
            if mine and not name.startswith("_") and not inspect.isclass(method):
                found.append((f"{owner.__name__}.{name}", method))
    return found


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_print_what_they_say(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert result.attempted
    assert result.failed == 0


@pytest.mark.parametrize(("name", "thing"), public(), ids=lambda x: x if isinstance(x, str) else "")
def test_a_public_object_says_what_it_is_and_estimators_show_it(name: str, thing: object) -> None:
    text = inspect.getdoc(thing) or ""
    assert len(text) > 30
    assert ">>> " in text, f"{name} has no example"
