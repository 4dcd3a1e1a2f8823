"""What the names of a product's bands say together: wavelengths in a family of names, indices, and families side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from specvae.bands import Band
from specvae.ingest.decision import Decision, undecided
from specvae.ingest.formats.band_kinds import why_beside_bands
from specvae.ingest.layer import Layer
from specvae.ingest.product import Product
from specvae.ingest.table.families import Family, families_of

__all__ = ["outside_family", "read_together"]

LEAST = 5
"""Names of a family, at least, before its numbers are taken for wavelengths."""
LEAST_PLANES = 3
"""Variables of a family, at least, beside which others are no bands."""


def read_together(product: Product) -> Product:
    """The product with what the names of its bands say only together: indices of the others, and wavelengths."""
    return _with_wavelengths(_without_indices(product))


def _without_indices(product: Product) -> Product:
    """The product whose indices are left out where other bands are beside them; alone they are its bands."""
    out = [layer.left_out or why_beside_bands(layer.band.name) for layer in product.layers]
    if all(out):
        return product
    layers = tuple(replace(layer, left_out=why) for layer, why in zip(product.layers, out, strict=True))
    return replace(product, layers=layers)


def _with_wavelengths(product: Product) -> Product:
    """The product whose bands' names differ in a wavelength alone (``Band_450``, ``Band_460``), with these wavelengths."""
    used = [at for at, layer in enumerate(product.layers) if layer.left_out is None]
    names = [layer.band.name for layer in product.layers]
    if len(used) < LEAST or any(product.layers[at].band.wavelength for at in used):
        return product
    families = [f for f in families_of(names, used) if f.rank == 3 and len(f) == len(used)]
    if not families or not families[0].running or _dates(families[0]):
        return product
    family = families[0]
    waves = dict(zip(family.at, family.wavelengths or (), strict=True))
    layers = tuple(_at(layer, waves.get(at)) for at, layer in enumerate(product.layers))
    chosen = f"{min(waves.values()):g} to {max(waves.values()):g} nm"
    evidence = f"the names of its bands, alike but for a number ({family.pattern})"
    how = Decision("wavelengths", chosen, evidence, ("no wavelengths",), guessed=not family.unit)
    return replace(product, layers=layers, decisions=(*product.decisions, how))


def _at(layer: Layer, wave: float | None) -> Layer:
    return layer if wave is None else replace(layer, band=replace(layer.band, wavelength=wave))


def _dates(family: Family) -> bool:
    """Whether the numbers may be years, as in a series of one band."""
    return all(1950 <= n <= 2060 and n == int(n) for n in family.numbers) and not family.unit


def outside_family(bands: Sequence[Band], path: str, asked: str | None) -> dict[int, str]:
    """Positions of variables beside a family at several wavelengths to which they do not belong, each with the reason.

    ``Rrs_412, Rrs_443, ...`` is such a family, and ``chlor_a`` beside it none of its bands. ``asked`` is the text of
    --bands. Raises InputError where several families are as large.
    """
    names = [band.name for band in bands]
    known = [f for f in families_of(names, range(len(names))) if f.rank == 3 or all(bands[i].wavelength for i in f.at)]
    families = [f for f in known if len(f) >= LEAST_PLANES]
    if not families or asked:
        return {}
    best, *others = sorted(families, key=lambda family: -len(family))
    rivals = [f for f in others if len(f) == len(best)]
    if rivals:
        spans = [f"{names[f.at[0]]} to {names[f.at[-1]]} ({len(f)})" for f in (best, *rivals)]
        listed = ",".join(names[i] for i in best.at)
        raise undecided(path, "which family of variables is the spectrum", spans, f"--bands, such as --bands {listed}")
    return {at: f"no member of the family {best.pattern}" for at in range(len(names)) if at not in best.at}
