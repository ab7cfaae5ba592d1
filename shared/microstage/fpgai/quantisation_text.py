"""`{name}_quant.txt`: a line `scale,shift,zero_point` for each layer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from microstage.errors import IntegrityError
from microstage.files.atomic import write_whole
from microstage.fpgai.layer import LONGEST_SHIFT, MOST, Numbers, QuantisedLayer, content

__all__ = ["read_numbers", "write_numbers"]

_LINE = re.compile(r"([0-9]{1,3}),([0-9]{1,3}),([0-9]{1,3})")


def write_numbers(path: Path, layers: Iterable[QuantisedLayer]) -> None:
    """Write one line a layer."""
    write_whole(path, "".join(f"{','.join(map(str, layer.numbers))}\n" for layer in layers).encode())


def read_numbers(path: Path) -> list[Numbers]:
    """Return scale, shift and zero point of each layer; `IntegrityError` names the line that has none."""
    lines = content(path).decode("latin-1").split("\n")
    if len(lines) < 2 or lines.pop():
        raise IntegrityError(f"{path} breaks off: its last line has no end.")
    found = []
    for place, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line.rstrip("\r"))
        values = tuple(map(int, match.groups())) if match else ()
        if not values or max(values) > MOST or values[1] > LONGEST_SHIFT:
            raise IntegrityError(
                f"{path}, line {place} is {line[:40]!r}; expected scale,shift,zero_point, three numbers from 0 to"
                f" {MOST} with a shift up to {LONGEST_SHIFT}."
            )
        found.append((values[0], values[1], values[2]))
    return found
