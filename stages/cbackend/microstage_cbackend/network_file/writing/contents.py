"""Hold what a network file is made of while it is written: a row of records, or a pool, for each section."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microstage_cbackend.network_file.format.numbers import CTYPES, LAYOUTS, PLACES
from microstage_cbackend.network_file.format.records import ABSENT, SECTIONS
from microstage_cbackend.network_file.writing.pools import ConstantPool, NamePool, PackPool, RecordRows
from microstage_cbackend.program.ir import bits_of

__all__ = ["Contents", "dtype_of"]


def dtype_of(ctype: str) -> np.dtype:
    """Return how a file holds values of a C type."""
    if ctype == "double":
        return np.dtype("<f8")
    return np.dtype(f"<{'u' if ctype.startswith('u') else 'i'}{bits_of(ctype) // 8}")


class Contents:
    """Collect all sections; `rows` by their four letters. Records are numbered in the order in which they come."""

    def __init__(self) -> None:
        self.names, self.constants, self.packs = NamePool(), ConstantPool(), PackPool()
        self.rows = {section.kind: RecordRows(section.record) for section in SECTIONS if section.record}
        self.classes: list[int] = []
        self.golden = b""

    def add(self, kind: str, /, **fields: int | Sequence[int]) -> int:
        """Return the number of a new record of section `kind`."""
        return self.rows[kind].add(**fields)

    def constant(self, values: np.ndarray, ctype: str, name: str = "") -> int:
        """Return the number of a new tensor that holds `values`; absent where there are none."""
        if not values.size:
            return ABSENT
        exact = np.asarray(values).ravel().astype(dtype_of(ctype))
        low, high = (0, 0) if ctype in ("double", "uint64_t") else (int(exact.min()), int(exact.max()))
        place = {"place": PLACES["constant"], "offset": self.constants.at(exact)}
        return self.add(
            "TENS", ctype=CTYPES[ctype], **place, elements=exact.size, name=self.names.at(name), low=low, high=high
        )

    def sections(self, layouts: Sequence[str]) -> list[tuple[str, int, bytes]]:
        """Return (kind, layout, bytes) of all sections, weights in these `layouts`."""
        data = {kind: row.data for kind, row in self.rows.items()} | {
            "TEXT": bytes(self.names.data),
            "CLAS": np.array(self.classes, "<u4").tobytes(),
            "CONS": self.constants.data,
            "GOLD": self.golden,
        }
        found: list[tuple[str, int, bytes]] = []
        for section in SECTIONS:
            if section.kind == "PACK":
                found += [("PACK", LAYOUTS[layout], self.packs.section(layout)) for layout in layouts]
            elif section.needed or data[section.kind]:
                found.append((section.kind, 0, data[section.kind]))
        return [section for section in found if section[0] != "PACK" or section[2]]
