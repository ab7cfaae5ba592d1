"""Name the constants of a part in C, and write their integers as initialisers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from microstage_cbackend.kernels.layouts import ROWS
from microstage_cbackend.program.ir import Tensor, bits_of
from microstage_cbackend.writers.names import Names

__all__ = ["Constants", "FileSpan", "Packed", "Spans", "rows"]


@dataclass
class Packed:
    """Hold a constant in several orders, of which the compiler takes the one that its instructions read: `forms`."""

    tensor: Tensor
    forms: Mapping[str, np.ndarray]

    @property
    def bytes(self) -> int:
        """Count the bytes of its memory, in one of its orders."""
        return self.forms[ROWS].size * bits_of(self.tensor.ctype) // 8


class FileSpan(NamedTuple):
    """Point at `bytes` of the network file, from `offset` on."""

    offset: int
    bytes: int


Spans = Mapping[Tensor, Mapping[str, FileSpan]]
"Where constants lie in the network file, in each order that they have; one alone is that of rows."


class Constants:
    """Collect the constants that a function refers to, each under a name that is free in the network.

    `by_name` holds them in the order of their first use; names begin with that of the function. What a function
    `beside` this one refers to too has one name in both.
    """

    def __init__(self, function: str, free: Names, beside: Constants | None = None) -> None:
        self.by_name: dict[str, Tensor | Packed] = {}
        self._function, self._free = function, free
        self._names: dict[Tensor, str] = beside._names if beside else {}
        self._arrays: dict[tuple[str, str, bytes], Tensor] = beside._arrays if beside else {}

    def add(self, tensor: Tensor) -> str:
        """Return the name of a constant tensor, a new one at its first use."""
        if tensor not in self._names:
            self._names[tensor] = self._free.fresh(f"{self._function}_{tensor.name}")
        self.by_name.setdefault(self._names[tensor], tensor)
        return self._names[tensor]

    def add_packed(self, tensor: Tensor, forms: Mapping[str, np.ndarray]) -> str:
        """Return the name of a constant that is written in several `forms`."""
        name = self.add(tensor)
        self.by_name[name] = Packed(tensor, forms)
        return name

    def add_array(self, name: str, values: np.ndarray, ctype: str) -> str:
        """Return the name of a constant of `values`, called after `name`; NULL where it has none."""
        if not values.size:
            return "NULL"
        new = Tensor(name, values.shape, int(values.min()), int(values.max()), values, declared=ctype)
        return self.add(self._arrays.setdefault((name, ctype, values.tobytes()), new))


def rows(values: np.ndarray, per_line: int = 20) -> list[str]:
    """Return initialiser lines of `per_line` integers each, of words of 64 signs 5."""
    if values.dtype == np.uint64:
        texts, per_line = [f"0x{int(v):016x}u" for v in values], 5
    else:
        texts = [str(int(v)) if v > -(2**63) else "INT64_MIN" for v in values]
    return ["    " + ", ".join(texts[i : i + per_line]) + "," for i in range(0, len(texts), per_line)]
