"""Families of headers: columns whose headers differ in one number alone, which may be a wavelength or count bands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

__all__ = ["NUMBERED", "PIECES", "Family", "families_of", "wavelength_of"]

PIECES = re.compile(r"\d+(?:[.,]\d+)?(?:e[+-]\d+)?", re.I)
"""The numbers in a header, also as programs write large ones: ``4.00E+02``."""
BETWEEN = re.compile(r"^\s*(?:-|–|_|to|bis|\.\.\.?|:)\s*$")
"""What stands between the ends of a range."""
GAP = 8.0
"""Steps of a spectrum, at most, between two of its bands: years stand farther off from the wavelengths before them."""
LEAST_RANGES = 3
"""Headers that are ranges, at least, for them to be so by more than chance."""
WAVELENGTH_PREFIXES = (
    *("", "wl", "w", "wvl", "wave", "wavelength", "lambda", "l", "nm", "b", "band", "x", "spc", "spectra", "spec"),
    *("r", "refl", "rfl", "rrs", "sr", "reflectance", "radiance", "abs", "absorbance", "nir", "vis", "visnir", "swir"),
)
"""Words before a number that may be a wavelength."""
BANDS = re.compile(r"^(?:sr|toa|boa|s2|l8|l9)?(?:b|bands?|ch|channel)$")
"""Words before a number that counts bands."""
UNIT = re.compile(r"^(nm|nanomet\w*|um|µm|μm|mic\w*|cm-?1|cm\^-?1|wn)\b")
"""A unit behind a number."""
NANOMETRES = {"n": 1.0, "u": 1e3, "µ": 1e3, "μ": 1e3, "m": 1e3}
"""Nanometres in a unit, by its first letter."""
WAVENUMBERS = re.compile(r"wavenumber|(?:^|[^a-z])(?:mir|ftir|wn|cm)(?:[^a-z]|$)")
"""Words of instruments whose spectra run over wavenumbers in cm-1."""
NUMBERED = re.compile(r"^(?:sr_|toa_|s2_|l8_)?b(?:and)?_?\d{1,3}a?$", re.I)
"""Headers that number a band of a sensor."""
LEAST_UNKNOWN = 5
"""Members of a family whose word is not known, at least, before its numbers count as wavelengths."""
REFLECTED = 2600.0
"""Nanometres up to which spectrometers of reflected light measure; larger numbers that fall are wavenumbers."""


@dataclass(frozen=True)
class Family:
    """Columns whose headers are alike but for one number."""

    before: str
    """What stands before the number, in lower case."""
    after: str
    """What stands behind it."""
    at: tuple[int, ...]
    """Positions of the columns, in the table's order."""
    numbers: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def pattern(self) -> str:
        """Its headers in one: ``refl(#)``."""
        return f"{self.before}#{self.after}"

    @property
    def word(self) -> str:
        """The word before the number, without marks."""
        return re.sub(r"[^a-zµμ0-9]+$", "", self.before).rsplit("_", 1)[-1].rsplit(".", 1)[-1].rsplit(" ", 1)[-1]

    @property
    def unit(self) -> str:
        """The unit behind the number, or before it; empty where none is stated."""
        hit = UNIT.match(self.after.strip(" ._-)([]")) or UNIT.match(self.before.strip(" ._-)([]"))
        return hit.group(1) if hit else ""

    @cached_property
    def running(self) -> bool:
        """Whether the numbers only rise, or only fall."""
        steps = [b - a for a, b in zip(self.numbers, self.numbers[1:], strict=False)]
        return all(step > 0 for step in steps) or all(step < 0 for step in steps)

    @cached_property
    def wavelengths(self) -> tuple[float, ...] | None:
        """The wavelengths in nanometres; None where the numbers are none."""
        numbers = self.numbers
        if min(numbers) <= 0 or "raman" in self.before:  # a Raman shift is no wavelength
            return None
        if self._wavenumbers:
            return tuple(round(1e7 / n, 6) for n in numbers)
        scale = self._scale()
        return tuple(round(n * scale, 6) for n in numbers) if scale else None

    @cached_property
    def guessed(self) -> bool:
        """Whether the wavelengths were guessed: neither a unit nor a usual word stands beside the numbers."""
        named = self._named_wavenumbers if self._wavenumbers else self.word in WAVELENGTH_PREFIXES
        return not self.unit and not named

    @property
    def _named_wavenumbers(self) -> bool:
        return self.unit[:1] in ("c", "w") or bool(WAVENUMBERS.search(f"{self.before} {self.after}"))

    @cached_property
    def _wavenumbers(self) -> bool:
        """Whether the numbers are wavenumbers in cm-1: by a word or a unit, or because they fall from beyond reflected light."""
        in_range = all(100 <= n <= 15_000 for n in self.numbers)
        if self.unit and self.unit[0] not in "cw":
            return False
        falls = len(self) >= LEAST_UNKNOWN and self.running and self.numbers[0] > self.numbers[-1]
        return in_range and (self._named_wavenumbers or (falls and self.numbers[0] > REFLECTED))

    def _scale(self) -> float | None:
        """What turns the numbers into nanometres, None where they only count."""
        numbers = self.numbers
        if self.unit:
            scale = NANOMETRES[self.unit[0]]
            return scale if all(100 <= n * scale <= 100_000 for n in numbers) else None
        # The yields of ten years, say: of numbers alone, or as R writes them, X2015.
        if self.word in ("", "x") and self._years and self._by_one:
            return None
        if self.word not in WAVELENGTH_PREFIXES and not (
            len(self) >= LEAST_UNKNOWN and self.running and not self._years
        ):
            return None
        if all(300 <= n <= 30_000 for n in numbers):
            return 1.0
        # b1 to b12 count bands, whereas micrometres have digits behind the point.
        return 1000.0 if all(0.3 <= n <= 30 for n in numbers) and any(n != int(n) for n in numbers) else None

    @property
    def _years(self) -> bool:
        return all(1950 <= n <= 2060 and n == int(n) for n in self.numbers)

    @property
    def _by_one(self) -> bool:
        return all(b - a == 1 for a, b in zip(self.numbers, self.numbers[1:], strict=False))

    @property
    def rank(self) -> int:
        """How surely it is a spectrum: 3 by wavelengths, 2 by a word for bands, 1 by its numbers alone."""
        if self.wavelengths is not None:
            return 3
        return 2 if BANDS.match(self.word) else 1


def families_of(names: Sequence[str], at: Iterable[int]) -> list[Family]:
    """The families among the headers at these positions, the largest first; each column is in one at most."""
    groups: dict[tuple[str, ...], list[tuple[int, tuple[str, ...]]]] = {}
    for i in at:
        header = names[i].strip().casefold()
        numbers = tuple(PIECES.findall(header))
        if numbers:
            groups.setdefault(tuple(PIECES.split(header)), []).append((i, numbers))
    found = [family for texts, members in groups.items() for family in _split(texts, members)]
    return sorted(found, key=lambda family: (-len(family), family.at[0]))


def _split(texts: tuple[str, ...], members: list[tuple[int, tuple[str, ...]]]) -> list[Family]:
    """The families of headers with the same words around their numbers."""
    slots = len(texts) - 1
    varying = [s for s in range(slots) if len({numbers[s] for _, numbers in members}) > 1] or [slots - 1]
    if len(varying) > 1:
        # `b1_400, b2_425, ...`: one of the numbers counts, and the other one is the wavelength.
        if len(varying) == 2 and varying[1] == varying[0] + 1 and (ranges := _ranges(texts, members, varying[0])):
            return [ranges]
        running = [s for s in varying if _family(texts, members, s).running]
        if len(running) == len(varying):
            families = [_family(texts, members, s) for s in varying]
            return [max(families, key=lambda family: family.rank)]
        fixed = min(varying, key=lambda s: len({numbers[s] for _, numbers in members}))
        groups: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        for member in members:
            groups.setdefault(member[1][fixed], []).append(member)
        return [family for group in groups.values() for family in _split(texts, group)]
    return _without_years(texts, members, varying[0])


def _without_years(texts: tuple[str, ...], members: list[tuple[int, tuple[str, ...]]], slot: int) -> list[Family]:
    """The family at ``slot``, and apart from it the years among its numbers: ``400, 410, ..., 990, 2020, 2021``.

    Numbers from 1950 to 2060 are years where they follow each other by one before or behind wavelengths that run on
    without them, but not with them or only across a gap.
    """
    every = _family(texts, members, slot)
    behind, before = _years_at_end(every.numbers), _years_at_end(every.numbers[::-1])
    years = members[len(members) - behind :] if behind else members[:before]
    rest = members[: len(members) - behind] if behind else members[before:]
    if not years or len(rest) < LEAST_UNKNOWN or every.unit:
        return [every]
    spectrum, apart = _family(texts, rest, slot), _family(texts, years, slot)
    steps = [abs(b - a) for a, b in zip(spectrum.numbers, spectrum.numbers[1:], strict=False)]
    gap = min(abs(a - b) for a in (apart.numbers[0], apart.numbers[-1]) for b in spectrum.numbers)
    far = gap > GAP * max(steps)
    if spectrum.running and spectrum.wavelengths is not None and (far or not every.running):
        return [spectrum, apart]
    return [every]


def _years_at_end(numbers: Sequence[float]) -> int:
    """How many of the last numbers are years that follow each other by one."""
    count = 0
    for n in reversed(numbers):
        if not (1950 <= n <= 2060 and n == int(n) and (not count or abs(n - numbers[-count]) == 1)):
            break
        count += 1
    return count


def _ranges(texts: tuple[str, ...], members: list[tuple[int, tuple[str, ...]]], slot: int) -> Family | None:
    """The family of headers that are ranges of wavelengths (``400-410, 410-420, ...``) by their middles; else None."""
    low, high = _family(texts, members, slot), _family(texts, members, slot + 1)
    if len(members) < LEAST_RANGES or not BETWEEN.match(texts[slot + 1]) or not (low.running and high.running):
        return None
    pairs = list(zip(low.numbers, high.numbers, strict=True))
    apart = [abs(b - a) for a, b in zip(low.numbers, low.numbers[1:], strict=False)]
    # A counter before a wavelength is no range, nor are the same digits twice: a bin is as wide as the step to the next.
    if not all(0 < b - a <= 2 * max(apart) for a, b in pairs):
        return None
    middles = tuple((a + b) / 2 for a, b in pairs)
    family = Family(low.before, high.after, low.at, middles)
    return family if family.rank == 3 else None


def _family(texts: tuple[str, ...], members: list[tuple[int, tuple[str, ...]]], slot: int) -> Family:
    """The family whose number is the one at ``slot``; the others are part of its words."""
    first = members[0][1]
    before = "".join(f"{text}{number}" for text, number in zip(texts[:slot], first[:slot], strict=True)) + texts[slot]
    after = texts[slot + 1] + "".join(f"{n}{t}" for n, t in zip(first[slot + 1 :], texts[slot + 2 :], strict=True))
    numbers = tuple(float(numbers[slot].replace(",", ".")) for _, numbers in members)
    return Family(before, after, tuple(i for i, _ in members), numbers)


def wavelength_of(name: str) -> float | None:
    """The wavelength in one header, nanometres, or None."""
    alone = families_of([name], [0])
    waves = alone[0].wavelengths if alone else None
    return waves[0] if waves else None
