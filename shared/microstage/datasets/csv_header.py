"""The heading of a table of samples: names and units as instruments and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from microstage.datasets.units import quantity

__all__ = ["Column", "columns_of", "with_units"]

_BRACKETED = re.compile(r"(?P<name>[^(\[{]*?)[\s_]*[(\[{](?P<unit>[^)\]}]*)[)\]}]")
_LOOSE = re.compile(r"(?P<name>.*?)(?P<between>\s*[/,:]\s*|\s+in\s+|_|\s+)(?P<unit>[^\s_/,:]+( rms)?)", re.IGNORECASE)
_TIMES = {"time", "t", "time stamp", "timestamp", "elapsed time", "zeit", "temps", "tiempo", "tempo", "tijd", "x-axis", "x"}
_CALLED = {
    "voltage": re.compile(r"(.*\b)?(voltage|volts?|spannung|tension|tensi[oó]n|voltaje|tensione)\b.*|[uv]_?([abcn]{0,2}|l?[123n])"),
    "current": re.compile(r"(.*\b)?(current|amps?|amperes?|strom|courant|corriente|corrente)\b.*|i_?([abcn]|l?[123n])?"),
}


@dataclass(frozen=True)
class Column:
    """`name` as the file has it, without the `unit`, which is "" where the file gives none."""

    name: str
    unit: str

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
        return next((kind for kind, called in _CALLED.items() if called.fullmatch(name)), None)


def columns_of(cells: Sequence[str]) -> list[Column]:
    """A column for each cell of a heading."""
    return [_column(cell.lstrip("#%!; ") if place == 0 else cell) for place, cell in enumerate(cells)]


def with_units(columns: Sequence[Column], cells: Sequence[str]) -> list[Column] | None:
    """`columns` with the units of a second heading; None where `cells` are no units."""
    units = [re.sub(r"^[(\[{]|[)\]}]$", "", cell).strip() for cell in cells]
    if len(units) != len(columns) or quantity(units[0]) != "time" and not any(quantity(unit) in ("current", "voltage") for unit in units):
        return None
    return [replace(column, unit=unit or column.unit) for column, unit in zip(columns, units)]


def _column(cell: str) -> Column:
    found = _BRACKETED.fullmatch(cell)
    if found:
        return Column(found["name"].strip(), found["unit"].strip())
    if len(cell) > 1 and quantity(cell):
        return Column(cell, cell)  # a heading that is a unit
    found = _LOOSE.fullmatch(cell)
    if found and found["name"] and quantity(found["unit"]) and _meant(found):
        return Column(found["name"].strip(), found["unit"])
    return Column(cell, "")


def _meant(found: re.Match[str]) -> bool:
    """Whether the last word is a unit: `Current A` ends in one, `Channel A` and `V_A` do not."""
    said = Column(found["name"].strip(), "").quantity
    return said == quantity(found["unit"]) or said is None and (len(found["unit"]) > 1 or found["between"].strip(" _") != "")
