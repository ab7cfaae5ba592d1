"""The heading of a table of samples: names and units as instruments and spreadsheets write them."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from microstage.datasets.recordings.units import quantity

__all__ = ["Column", "columns_of", "with_units"]

# Of a cell read from its end, where a pattern has one place to begin at: from its start, every blank might be that.
_LOOSE = re.compile(
    r"(?P<unit>[^\s_/,:]+)(?P<between>\s*[/,:]\s*|\s+ni\s+|_|\s+)(?P<name>.+)", re.IGNORECASE | re.DOTALL
)
_RMS = " rms"
_TIMES = {
    "time",
    "t",
    "time stamp",
    "timestamp",
    "elapsed time",
    "zeit",
    "temps",
    "tiempo",
    "tempo",
    "tijd",
    "x-axis",
    "x",
}
_CALLED = {
    "voltage": {"voltage", "volt", "volts", "spannung", "tension", "tensión", "voltaje", "tensione"},
    "current": {"current", "amp", "amps", "ampere", "amperes", "strom", "courant", "corriente", "corrente"},
}
_SYMBOLS = {"voltage": re.compile(r"[uv] ?([abcn]{0,2}|l?[123n])"), "current": re.compile(r"i ?([abcn]|l?[123n])?")}


@dataclass(frozen=True)
class Column:
    """`name` as the file has it, without the `unit`, which is "" where the file gives none."""

    name: str
    unit: str

    @property
    def called(self) -> str:
        """Its name, or its unit where it has none."""
        return self.name or self.unit

    @property
    def shown(self) -> str:
        """As a message lists it."""
        return f"{self.name} ({self.unit})" if self.unit else self.name or "(no name)"

    @property
    def quantity(self) -> str | None:
        """What its unit says, or without one its name: "time", "current", "voltage"; None where neither does."""
        if self.unit:
            return quantity(self.unit)
        name = self.name.lower().replace("_", " ").strip()
        if name in _TIMES:
            return "time"
        words = set(re.findall(r"\w+", name))
        return next((kind for kind in _CALLED if words & _CALLED[kind] or _SYMBOLS[kind].fullmatch(name)), None)


def columns_of(cells: Sequence[str]) -> list[Column]:
    """Return a column for each cell of a heading."""
    return [_column(cell.lstrip("#%!; ") if place == 0 else cell) for place, cell in enumerate(cells)]


def with_units(columns: Sequence[Column], cells: Sequence[str]) -> list[Column] | None:
    """Return `columns` with the units of a second heading; None where `cells` are no units."""
    units = [re.sub(r"^[(\[{]|[)\]}]$", "", cell).strip() for cell in cells]
    if (
        len(units) != len(columns)
        or quantity(units[0]) != "time"
        and not any(quantity(unit) in ("current", "voltage") for unit in units)
    ):
        return None
    return [replace(column, unit=unit or column.unit) for column, unit in zip(columns, units)]


@lru_cache(4096)
def _column(cell: str) -> Column:
    name, opening, unit = _at_bracket(cell)
    if opening and unit[-1:] in (")", "]", "}") and not set(unit[:-1]) & set(")]}"):
        return Column(name.rstrip("_" + string.whitespace).strip(), unit[:-1].strip())
    if len(cell) > 1 and quantity(cell):
        return Column(cell, cell)  # a heading that is a unit
    name, between, unit = _at_last_word(cell)
    if name and quantity(unit) and _meant(name, between, unit):
        return Column(name, unit)
    return Column(cell, "")


def _at_bracket(cell: str) -> tuple[str, str, str]:
    """Return what is before, at and behind the first opening bracket."""
    found = re.search(r"[(\[{]", cell)
    return (cell[: found.start()], found[0], cell[found.end() :]) if found else (cell, "", "")


def _at_last_word(cell: str) -> tuple[str, str, str]:
    """Return (name, what is between, the last word with an `rms` behind it); empty where there are no two words."""
    for tail in (_RMS, "") if cell.lower().endswith(_RMS) else ("",):
        found = _LOOSE.fullmatch(cell[len(cell) - len(tail) - 1 :: -1])
        if found:
            return (
                found["name"][::-1].strip(),
                found["between"][::-1],
                found["unit"][::-1] + cell[len(cell) - len(tail) :],
            )
    return "", "", ""


def _meant(name: str, between: str, unit: str) -> bool:
    """Tell whether the last word is a unit: `Current A` ends in one, `Channel A` and `V_A` do not."""
    said = Column(name, "").quantity
    return said == quantity(unit) or said is None and (len(unit) > 1 or between.strip(" _") != "")
