"""Collect what records refer to: names, constants, packed weights, and rows of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from microstage_cbackend.network_file.format.records import PACKED, FileRecord

__all__ = ["ALIGNED", "ConstantPool", "NamePool", "PackPool", "RecordRows", "filled_size", "filled_up"]

ALIGNED = 64
"Sections and packed weights lie at multiples of it, other constants at multiples of 8."


def filled_size(count: int, to: int) -> int:
    """Return `count` or the next multiple of `to`."""
    return -(-count // to) * to


def filled_up(data: bytes, to: int) -> bytes:
    """Return `data` with zeros behind it, up to a multiple of `to` bytes."""
    return data + bytes(-len(data) % to)


class NamePool:
    """Hold names, each once; 0 is the empty one."""

    def __init__(self) -> None:
        self.data = bytearray(1)
        self._known = {"": 0}

    def at(self, name: str) -> int:
        """Return where `name` begins."""
        text = name.replace("\0", "")
        if text not in self._known:
            self._known[text] = len(self.data)
            self.data += text.encode("utf-8", "replace") + b"\0"
        return self._known[text]


class ConstantPool:
    """Hold the bytes of constants, equal ones once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._known: dict[bytes, int] = {}
        self._end = 0

    def at(self, values: np.ndarray) -> int:
        """Return where the bytes of `values` begin."""
        data = filled_up(np.ascontiguousarray(values).tobytes(), 8)
        if data not in self._known:
            self._known[data] = self._end
            self._parts.append(data)
            self._end += len(data)
        return self._known[data]

    @property
    def data(self) -> bytes:
        """Return the section."""
        return b"".join(self._parts)


class PackPool:
    """Hold packed weights by their number, each in one or more layouts."""

    def __init__(self) -> None:
        self._weights: list[Mapping[str, np.ndarray]] = []

    def add(self, forms: Mapping[str, np.ndarray]) -> int:
        """Return the number of new weights, `forms` by layout."""
        self._weights.append(forms)
        return len(self._weights) - 1

    def section(self, layout: str) -> bytes:
        """Return the section of one layout; empty where no weights have it."""
        if not any(layout in forms for forms in self._weights):
            return b""
        entries = np.zeros(len(self._weights), PACKED.dtype)
        found = [filled_up(bytes(entries.nbytes), ALIGNED)]
        for entry, forms in zip(entries, self._weights):
            data = forms[layout].tobytes() if layout in forms else b""
            entry["bytes"], entry["offset"] = len(data), sum(map(len, found)) if data else 0
            found.append(filled_up(data, ALIGNED))
        return filled_up(entries.tobytes(), ALIGNED) + b"".join(found[1:])


class RecordRows:
    """Hold the records of one section, as {field: value}; fields that are not given are 0."""

    def __init__(self, record: FileRecord) -> None:
        self.record = record
        self._rows: list[dict[str, int | Sequence[int]]] = []

    def __len__(self) -> int:
        """Count the records."""
        return len(self._rows)

    def add(self, **fields: int | Sequence[int]) -> int:
        """Return the number of a new record."""
        self._rows.append(fields)
        return len(self._rows) - 1

    def change(self, number: int, **fields: int) -> None:
        """Give a record that was added other values."""
        self._rows[number] |= fields

    @property
    def data(self) -> bytes:
        """Return the section."""
        found = np.zeros(len(self._rows), self.record.dtype)
        for record, fields in zip(found, self._rows):
            for name, value in fields.items():
                record[name] = value
        return found.tobytes()
